"""OptimizerHyperModel: the optimizer of a configuration in a model that is otherwise untouched."""

import keras
import keras_tuner
import numpy as np
import pytest

import keras_hplist as khl
from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.tuning.hypermodel import OptimizerHyperModel, swap_optimizer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
SPACE = khl.spaces.get("nadamw")
VALUES = SPACE.sample(1, seed=4).to_dict("records")[0]


class Quartic(keras.losses.Loss):
    """A loss that is not registered for serialization and has state outside its configuration."""

    def __init__(self, factor):
        super().__init__(name="quartic")
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * keras.ops.mean((y_true - y_pred) ** 4, axis=-1)


class Subclassed(keras.Model):
    """Deferred build, and a `compile` with an argument of its own."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def compile(self, gamma, **kwargs):
        super().compile(**kwargs)
        self.gamma = gamma

    def call(self, x):
        return self.dense(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.gamma * super().compute_loss(x, y, y_pred, sample_weight)


def sequential(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", Quartic(3.0), metrics=["mae"], steps_per_execution=2, jit_compile=False)
    return model


def functional(hp):
    inputs = keras.Input((3,))
    outputs = {name: keras.layers.Dense(1, name=name)(inputs) for name in ("a", "b")}
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(),
        {"a": "mse", "b": lambda y_true, y_pred: keras.ops.mean(keras.ops.abs(y_true - y_pred))},
        loss_weights={"a": 0.25, "b": 2.0},
        weighted_metrics={"a": ["mse"], "b": []},
        jit_compile=True,
    )
    return model


def subclassed(hp):
    model = Subclassed()
    model.compile(gamma=7.0, optimizer="sgd", loss="mse", run_eagerly=True)
    return model


def with_values(values, **more):
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values) | more
    return hp


@pytest.mark.parametrize(
    ("build", "y"),
    [(sequential, Y), (functional, {"a": Y, "b": Y}), (subclassed, Y)],
    ids=["sequential", "functional", "subclassed"],
)
def test_only_the_optimizer_changes(build, y):
    """Losses, weights, metrics and settings stay; the model trains with the new optimizer."""
    keras.utils.set_random_seed(0)
    original = build(None)
    expected = original.evaluate(X, y, verbose=0, return_dict=True)
    keras.utils.set_random_seed(0)
    hypermodel = OptimizerHyperModel(build, SPACE)
    model = hypermodel.build(with_values(VALUES))

    assert model.evaluate(X, y, verbose=0, return_dict=True) == pytest.approx(expected)
    for setting in ("jit_compile", "steps_per_execution", "run_eagerly"):
        assert getattr(model, setting) == getattr(original, setting)
    assert isinstance(model.optimizer, khl.optimizers.NAdamW)
    assert model.optimizer.hyperparameters == VALUES
    before = [weight.numpy() for weight in model.weights]
    history = hypermodel.fit(with_values(VALUES), model, X, y, epochs=2, batch_size=8, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert model.optimizer.training_steps == 6 == int(model.optimizer.iterations)
    assert all((old != new.numpy()).any() for old, new in zip(before, model.weights))


def test_saved_model_has_the_new_optimizer(tmp_path):
    """What `save` writes is the optimizer that trains, and it continues from there."""
    hypermodel = OptimizerHyperModel(sequential, SPACE)
    hp = with_values(VALUES)
    model = hypermodel.build(hp)
    model.compile(model.optimizer, "mse")
    hypermodel.fit(hp, model, X, Y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, khl.optimizers.NAdamW)
    assert loaded.optimizer.hyperparameters == VALUES
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations)


def test_mixed_precision_keeps_its_loss_scaling():
    """The new optimizer is wrapped as the old one was, with its settings, and trains."""

    def build(hp):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, dtype="mixed_float16")])
        old = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), initial_scale=8.0)
        model.compile(old, "mse", run_eagerly=True)
        return model

    hypermodel = OptimizerHyperModel(build, SPACE)
    model = hypermodel.build(with_values(VALUES))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert model.optimizer.initial_scale == 8.0
    hypermodel.fit(with_values(VALUES), model, X, Y, batch_size=8, verbose=0)
    assert model.optimizer.inner_optimizer.training_steps == 3
    assert int(model.optimizer.iterations) == 3


def test_clipping_averaging_and_accumulation_are_kept():
    """What an optimizer does beside its update rule is the user's choice, not the list's."""
    settings = {
        "global_clipnorm": 0.5,
        "use_ema": True,
        "ema_momentum": 0.75,
        "gradient_accumulation_steps": 2,
    }

    def build(hp):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.AdamW(weight_decay=0.1, **settings), "mse")
        return model

    optimizer = OptimizerHyperModel(build, SPACE).build(with_values(VALUES)).optimizer
    assert {name: getattr(optimizer, name) for name in settings} == settings


@pytest.mark.parametrize("scaled", [False, True])
def test_variables_that_are_exempt_from_decay_stay_so(scaled):
    """By name and by variable; biases, as a rule."""

    def build(hp):
        dense = keras.layers.Dense(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), dense])
        optimizer = keras.optimizers.AdamW()
        optimizer.exclude_from_weight_decay([dense.kernel], ["bias"])
        scale = keras.optimizers.LossScaleOptimizer
        model.compile(scale(optimizer) if scaled else optimizer, "mse")
        return model

    model = OptimizerHyperModel(build, SPACE).build(with_values(VALUES))
    optimizer = model.optimizer.inner_optimizer if scaled else model.optimizer
    decays = [optimizer._use_weight_decay(variable) for variable in model.trainable_variables]
    assert decays == [True, False, False, False]


def test_swapping_after_training_traces_anew():
    """A train step that was compiled with the old optimizer does not go on with it."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, Y, verbose=0)
    swap_optimizer(model, khl.optimizers.Adam1p(0.0))
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(new, old)


def test_works_in_any_tuner(tmp_path):
    """Hyperband over the space: its values are declared, its epochs make the schedule's length."""
    seen = []

    class Sees(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            seen.append((self.params["epochs"], self.model.optimizer.training_steps))

        def __deepcopy__(self, memo):
            return Sees()

    def build(hp):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("adam", "mse", run_eagerly=True)
        return model

    tuner = keras_tuner.Hyperband(
        OptimizerHyperModel(build, "nadamw"),
        objective="loss",
        max_epochs=2,
        factor=2,
        seed=0,
        directory=tmp_path,
    )
    tuner.search(X, Y, batch_size=8, callbacks=[Sees()], verbose=0)
    assert {name for name in SPACE.names if name in tuner.get_best_hyperparameters()[0].values} >= {
        "learning_rate",
        "beta1",
        "epsilon",
    }
    assert len(seen) >= 2
    # The second round of a bracket goes on from the first one's weights with a new optimizer.
    assert {steps for epochs, steps in seen} <= {3, 6}
    assert tuner.get_best_models()[0].optimizer.family == "nadamw"


def test_stated_training_steps_travel_in_the_values():
    """`hplist/training_steps` fixes the length of the schedule."""
    hypermodel = OptimizerHyperModel(subclassed, SPACE)
    hp = with_values(VALUES, **{"hplist/training_steps": 1234})
    model = hypermodel.build(hp)
    assert model.optimizer.training_steps == 1234
    hypermodel.fit(hp, model, X, Y, verbose=0)
    assert model.optimizer.training_steps == 1234


def test_the_users_own_fit_and_callback_come_first():
    """A user's `HyperModel.fit` runs, and a `TrainingSteps` of the user's is not doubled."""

    class Users(keras_tuner.HyperModel):
        def build(self, hp):
            return subclassed(hp)

        def fit(self, hp, model, x, y, callbacks, **kwargs):
            self.callbacks = callbacks
            return model.fit(x, y, batch_size=12, callbacks=callbacks, **kwargs)

    users = Users()
    hypermodel = OptimizerHyperModel(users, SPACE)
    model = hypermodel.build(with_values(VALUES))
    given = khl.callbacks.TrainingSteps(training_steps=99)
    hypermodel.fit(with_values(VALUES), model, X, Y, callbacks=[given], verbose=0)
    assert users.callbacks == [given]
    assert model.optimizer.training_steps == 99


@pytest.mark.parametrize(
    ("read", "names"),
    [
        (lambda hp: hp.Float("beta1", 0.0, 1.0) + hp.get("beta2"), {"beta1", "beta2"}),
        (lambda hp: hp["epsilon"] + hp.values["learning_rate"], {"epsilon", "learning_rate"}),
        (lambda hp: "beta1" in hp.values, set()),
        (lambda hp: dict(hp.values), {"learning_rate", "beta1", "beta2", "epsilon"}),
    ],
)
def test_it_is_noted_what_the_users_build_reads(read, names):
    """However it reads; the trial's values are the same dict before and after."""

    def build(hp):
        read(hp)
        hp.Int("units", 2, 8)
        return subclassed(hp)

    hypermodel = OptimizerHyperModel(build, SPACE)
    hp = with_values(VALUES)
    values = hp.values
    hypermodel.build(hp)
    rest = {"learning_rate", "beta1", "beta2", "epsilon"} - names
    assert hypermodel.names_used >= {*names, "units"}
    assert not hypermodel.names_used & rest
    assert hp.values is values and values["units"] == 2


@pytest.mark.parametrize("scheduled", [False, True])
def test_what_the_users_optimizer_gets_is_not_used(scheduled):
    """As in KerasTuner's own guides; what the model gets besides is."""

    def build(hp):
        rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
        rate = keras.optimizers.schedules.ExponentialDecay(rate, 10, 0.9) if scheduled else rate
        regularizer = keras.regularizers.L2(hp.get("beta2"))
        dense = keras.layers.Dense(1, kernel_regularizer=regularizer)
        model = keras.Sequential([keras.Input((3,)), dense])
        model.compile(keras.optimizers.AdamW(rate, beta_1=hp.get("beta1")), "mse")
        return model

    hypermodel = OptimizerHyperModel(build, SPACE)
    hypermodel.build(with_values(VALUES))
    assert hypermodel.names_used == {"beta2"}


def test_a_users_own_space_leaves_the_optimizer_alone():
    """The values reach `build` as its own hyperparameters."""
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Float("rate", 0.1, 0.9)
    space = khl.spaces.SearchSpace.from_hyperparameters("mine", hyperparameters)

    def build(hp):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 0.1, 0.9)), "mse")
        return model

    model = OptimizerHyperModel(build, space).build(with_values({"rate": 0.25}))
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert float(model.optimizer.learning_rate) == 0.25


def uncompiled(hp):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (uncompiled, "not compiled"),
        (lambda hp: None, "must return a compiled keras.Model"),
        (lambda hp: "model", "'model' of type str"),
    ],
    ids=["uncompiled", "None", "text"],
)
def test_builders_without_a_compiled_model_are_refused(build, message):
    """The error says what was returned and ends a KerasTuner search."""
    with pytest.raises(keras_tuner.errors.FatalError, match=message) as caught:
        OptimizerHyperModel(build, SPACE).build(with_values(VALUES))
    assert isinstance(caught.value, InvalidValueError)


@pytest.mark.parametrize("hypermodel", [None, "model", uncompiled(None)], ids=str)
def test_hypermodels_of_another_kind_are_refused(hypermodel):
    """A model in place of a function that builds it is a common mistake."""
    with pytest.raises(InvalidValueError, match="build_model"):
        OptimizerHyperModel(hypermodel, SPACE)


def test_unknown_spaces_are_refused():
    """The nearest names are offered."""
    with pytest.raises(UnknownNameError, match="nadamw"):
        OptimizerHyperModel(sequential, "nadam")


def test_values_out_of_the_space_are_refused():
    """The error names the hyperparameter."""
    with pytest.raises(InvalidValueError, match="beta1"):
        OptimizerHyperModel(sequential, SPACE).build(with_values(VALUES | {"beta1": 1.5}))
