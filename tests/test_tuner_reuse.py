"""One compiled train step for all trials: the results are those of models built anew."""

import math
import warnings

import keras
import keras_tuner
import numpy as np
import pytest
from tiny_search import NADAMW_LIST, VALID, Scaled, curves, scores, search, tuner

import keras_hplist as khl

TRIALS = 2


class Counts(keras.layers.Layer):
    """Counts how often a train step is traced through it."""

    traces = 0

    def call(self, x, training=False):
        Counts.traces += bool(training)
        return x


class Subclassed(keras.Model):
    """Built by its first batch; trains in a step of its own, with a metric of its own."""

    def __init__(self):
        super().__init__()
        self.hidden, self.drop = keras.layers.Dense(4), keras.layers.Dropout(0.5)
        self.count, self.out = Counts(), keras.layers.Dense(1)
        self.largest = keras.metrics.Mean(name="largest")

    def call(self, x, training=False):
        hidden = self.drop(self.hidden(x), training=training)
        return self.out(self.count(hidden, training=training))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.largest.update_state(keras.ops.max(y_pred))
        return super().compute_metrics(x, y, y_pred, sample_weight)


def layers():
    return [
        keras.layers.Dense(4),
        keras.layers.BatchNormalization(momentum=0.5),
        keras.layers.Dropout(0.3),
        Counts(),
        keras.layers.Dense(1),
    ]


def sequential(hp):
    """The optimizer of this model takes the list's learning rate itself."""
    model = keras.Sequential([keras.Input((3,)), *layers()])
    optimizer = keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1e-2))
    model.compile(
        optimizer, keras.losses.Huber(), metrics=["mae", keras.metrics.R2Score(name="r2")]
    )
    return model


def unbuilt(hp):
    model = keras.Sequential(layers())
    model.compile(keras.optimizers.Adam(clipnorm=0.5, use_ema=True, ema_momentum=0.5), "mse")
    return model


def subclassed(hp):
    model = Subclassed()
    model.compile("adam", lambda y, p: keras.ops.mean((y - p) ** 2), steps_per_execution=2)
    return model


def loss_scaled(hp):
    model = keras.Sequential([keras.Input((3,)), Counts(), keras.layers.Dense(1)])
    inner = keras.optimizers.Adam()
    # Grows every other step, so its state matters.
    scaled = keras.optimizers.LossScaleOptimizer(inner, dynamic_growth_steps=2)
    model.compile(scaled, "mse")
    return model


def stateful_rnn(hp):
    """Its layer keeps states from batch to batch, outside the model's variables."""
    layer = keras.layers.Bidirectional(keras.layers.SimpleRNN(2, stateful=True))
    model = keras.Sequential(
        [keras.Input(batch_shape=(10, 3)), keras.layers.Reshape((3, 1)), layer, Counts()]
    )
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse")
    return model


class FinalWeights(keras.callbacks.Callback):
    """Collects the weights at the end of each fit, also from KerasTuner's copies."""

    collected: list = []  # noqa: RUF012

    def on_train_end(self, logs=None):
        self.collected.append(self.model.get_weights())


def both_ways(build, tmp_path, *callbacks, **arguments):
    """Search with and without reuse: both tuners, their final weights, their numbers of traces."""
    results = []
    for reuse in (True, False):
        Counts.traces, FinalWeights.collected = 0, []
        built = tuner(
            build,
            NADAMW_LIST,
            directory=tmp_path,
            project_name=f"reuse {reuse}",
            task="toy",
            reuse_compiled=reuse,
            max_trials=TRIALS,
            **arguments,
        )
        search(built, epochs=2, callbacks=[FinalWeights(), *callbacks])
        results.append((built, FinalWeights.collected, Counts.traces))
    return results


def assert_same(reused, fresh):
    """Scores, learning curves and final weights are equal, bit for bit."""
    assert scores(reused[0]) == scores(fresh[0])
    assert all(math.isfinite(score) for score in scores(fresh[0]))
    one, other = (curves(each[0]).set_index("seed").sort_index() for each in (reused, fresh))
    assert one.index.equals(other.index)
    for split in ("steps", "train", "valid"):
        for a, b in zip(one[split], other[split]):
            np.testing.assert_array_equal(a, b)
    assert len(reused[1]) == len(fresh[1]) == TRIALS
    for a, b in zip(reused[1], fresh[1]):
        for weight, expected in zip(a, b, strict=True):
            np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize(
    "build",
    [
        sequential,
        pytest.param(unbuilt, marks=pytest.mark.slow),
        subclassed,
        pytest.param(loss_scaled, marks=pytest.mark.slow),
        stateful_rnn,
    ],
    ids=lambda build: build.__name__,
)
def test_reuse_gives_the_results_of_models_built_anew(build, tmp_path):
    """With dropout, batch normalisation, stateful metrics and loss scales, from one compilation."""
    stop = keras.callbacks.EarlyStopping("loss", patience=0, restore_best_weights=True)
    reused, fresh = both_ways(build, tmp_path, stop)
    assert_same(reused, fresh)
    assert fresh[2] == TRIALS * reused[2] > 0


def searched_width(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(hp.Int("units", 2, 8))])
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse", run_eagerly=True)
    return model


def drawn_loss(hp):
    """A number of the trial's own, in a place that no configuration shows."""
    factor = 1.0 + np.random.rand()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    loss = lambda y, p: factor * keras.ops.mean((y - p) ** 2)  # noqa: E731
    model.compile("adam", loss, run_eagerly=True)
    return model


def drawn_activation(hp):
    """A named function that captures the trial's number; its configuration is only its name."""
    factor = 1.0 + np.random.rand()

    def scaled(x):
        return factor * x

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation=scaled)])
    model.compile("adam", "mse", run_eagerly=True)
    return model


def regularized(hp):
    """Reads a value that the list sets."""
    dense = keras.layers.Dense(1, kernel_regularizer=Scaled(hp.get("beta1")))
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile("adam", "mse", run_eagerly=True)
    return model


class SecondOptimizer(keras.Model):
    """Trains its bias with an optimizer of its own, whose state Keras does not track."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.extra = keras.Variable(0.0, trainable=False)
        self.other = keras.optimizers.SGD(0.1, momentum=0.9)

    def call(self, x):
        return self.dense(x) + self.extra

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if not self.other.built:
            self.other.build([self.extra])
        self.other.apply([keras.ops.mean(y_pred - y)], [self.extra])
        return super().compute_metrics(x, y, y_pred, sample_weight)


def second_optimizer(hp):
    model = SecondOptimizer()
    model.compile("adam", "mse", run_eagerly=True)
    return model


class Freezes(keras.callbacks.Callback):
    """Changes the model itself after its first epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.layers[0].trainable = False


@pytest.mark.parametrize(
    ("build", "callbacks", "arguments"),
    [
        (searched_width, [], {"architecture": "random"}),
        pytest.param(drawn_loss, [], {}, marks=pytest.mark.slow),
        pytest.param(drawn_activation, [], {}, marks=pytest.mark.slow),
        (regularized, [], {}),
        (second_optimizer, [], {}),
        (sequential, [Freezes()], {}),
    ],
    ids=["architecture", "loss", "activation", "listed value", "second optimizer", "frozen"],
)
def test_models_that_are_no_twins_are_built_anew(build, callbacks, arguments, tmp_path):
    """Where a train step would be wrong for the next trial, it is compiled again."""
    assert_same(*both_ways(build, tmp_path, *callbacks, **arguments))


def test_crash_does_not_reach_the_next_trial(tmp_path):
    """After an exception the model is not trained again."""

    class Crashes(keras.callbacks.Callback):
        crashed: list = []  # noqa: RUF012

        def on_train_batch_end(self, batch, logs=None):
            if batch == 1 and len(self.crashed) == 1:
                self.crashed.append(True)
                raise OSError("gone")

        def on_train_end(self, logs=None):
            self.crashed.append(True)

    whole = search(tuner(sequential, NADAMW_LIST, directory=tmp_path, project_name="a"), epochs=1)
    broken = tuner(sequential, NADAMW_LIST, directory=tmp_path, project_name="b")
    search(broken, epochs=1, callbacks=[Crashes()])
    assert [trial.status for trial in broken.oracle.trials.values()].count("FAILED") == 1
    assert scores(broken)[2] == scores(whole)[2]


def test_best_models_are_models_of_their_own(tmp_path):
    """What `get_best_models` returns is not the model that the next search trains."""
    built = search(tuner(sequential, NADAMW_LIST, directory=tmp_path), epochs=1)
    one, two = built.get_best_models(2)
    assert one is not two
    assert isinstance(one.optimizer, khl.optimizers.NAdamW)
    assert one.optimizer.hyperparameters != two.optimizer.hyperparameters


class Annealed(keras.Model):
    """A factor of its loss is a plain number, which a callback raises."""

    def __init__(self):
        super().__init__()
        self.out, self.factor = keras.layers.Dense(1), 1.0

    def build(self, shape):
        self.out.build(shape)

    def call(self, x):
        return self.out(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.factor * super().compute_loss(x, y, y_pred, sample_weight)


def annealed(hp):
    model = Annealed()
    model.build((None, 3))
    model.compile("adam", "mse", run_eagerly=True)
    return model


class Raise(keras.callbacks.Callback):
    """Raises the factor of `Annealed`."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.factor += 1.0


class Running(keras.losses.Loss):
    """Squares relative to a running mean that the loss keeps in a variable."""

    def __init__(self):
        super().__init__()
        self.mean = keras.Variable(1.0, trainable=False)

    def call(self, y, p):
        squares = keras.ops.mean((y - p) ** 2, -1)
        self.mean.assign(0.9 * self.mean + 0.1 * keras.ops.mean(squares))
        return squares / self.mean


def stateful_loss(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", Running())
    return model


def adapted(hp):
    """Statistics that `adapt` leaves in tensors, of other data in each trial."""
    scale = keras.layers.Normalization()
    scale.adapt(np.random.normal(size=(8, 3)))
    model = keras.Sequential([keras.Input((3,)), scale, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


class Lazy(keras.Model):
    """Called built by Keras's own `build`, though it has no variables yet."""

    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(1)

    def call(self, x):
        return self.out(x)


def built_without_variables(hp):
    model = Lazy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's, that the layers are not built
        model.build((None, 3))
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("build", "callbacks"),
    [(annealed, [Raise()]), (stateful_loss, []), (adapted, []), (built_without_variables, [])],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_variable_of_the_model_does_not_reach_the_next_trial(build, callbacks, tmp_path):
    """Numbers in attributes, losses and tensors are those of a model built anew."""
    assert_same(*both_ways(build, tmp_path, *callbacks))


class TwoPhases(keras_tuner.HyperModel):
    """Trains the last layer, then all layers, with a second optimizer that is far too fast."""

    def build(self, hp):
        frozen = keras.layers.Dense(4, activation="tanh")
        frozen.trainable = False
        model = keras.Sequential([keras.Input((3,)), frozen, keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    def fit(self, hp, model, *args, **kwargs):
        first = model.fit(*args, **kwargs)
        model.layers[0].trainable = True
        second = type(model.optimizer).from_config(model.optimizer.get_config())
        second.set_hyperparameters({"learning_rate": 100.0})
        model.compile(second, "mse")
        model.fit(*args, **kwargs)
        return min(first.history["val_loss"])


def test_the_best_epoch_may_be_in_an_earlier_fit_of_the_trial(tmp_path):
    """Where the model had other trainable variables and another optimizer."""
    built = tuner(TwoPhases(), NADAMW_LIST, directory=tmp_path, max_trials=2)
    search(built, epochs=2)
    assert [trial.status for trial in built.oracle.trials.values()] == ["COMPLETED"] * 2
    [best] = built.get_best_models(1)
    assert best.evaluate(*VALID, verbose=0) == pytest.approx(min(scores(built)))
