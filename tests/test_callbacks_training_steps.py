"""TrainingSteps: how many steps a fit will take, told to the optimizer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_hplist as khl
from keras_hplist.errors import HPListError, InvalidValueError

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
BATCHES = 4  # of 10 samples


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return BATCHES

    def __getitem__(self, index):
        return X[index * 10 : index * 10 + 10], Y[index * 10 : index * 10 + 10]


def dataset():
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(10)


def generator():
    while True:
        yield X[:10], Y[:10]


def compiled_model(**optimizer_arguments):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(khl.optimizers.NAdamW(**optimizer_arguments), "mse", run_eagerly=True)
    return model


def fit(model, x, *callbacks, **kwargs):
    arguments = {"verbose": 0, "epochs": 3} | kwargs
    y = None if x is not X else Y
    return model.fit(x, y, callbacks=[khl.callbacks.TrainingSteps(), *callbacks], **arguments)


@pytest.mark.parametrize(
    ("data", "arguments", "batches"),
    [
        (lambda: X, {"batch_size": 10}, 4),
        (lambda: X, {"batch_size": 32}, 2),
        (lambda: X, {"batch_size": 10, "validation_split": 0.5}, 2),
        (dataset, {}, 4),
        (lambda: dataset().repeat(), {"steps_per_epoch": 5}, 5),
        (lambda: dataset().filter(lambda x, y: True), {"steps_per_epoch": 1}, 1),
        (Batches, {}, 4),
        (generator, {"steps_per_epoch": 2}, 2),
    ],
    ids=["array", "partial batch", "split", "dataset", "endless", "unknown", "PyDataset", "iter"],
)
def test_counts_the_batches_of_every_kind_of_data(data, arguments, batches):
    """Steps are batches per epoch times epochs, and as many updates are made."""
    model = compiled_model()
    fit(model, data(), **arguments)
    assert model.optimizer.training_steps == 3 * batches
    assert model.optimizer.schedule_start == 0
    assert int(model.optimizer.iterations) == 3 * batches


def test_second_fit_starts_a_new_schedule():
    """Without `initial_epoch`, a further fit is a run of its own."""
    model = compiled_model()
    fit(model, X, batch_size=10)
    fit(model, X, batch_size=20, epochs=5)
    assert model.optimizer.training_steps == 10
    assert model.optimizer.schedule_start == 12


def test_initial_epoch_of_an_untrained_model_counts_the_epochs_that_are_left():
    """The steps that `initial_epoch` leaves out are not part of the plan."""
    model = compiled_model()
    fit(model, X, batch_size=10, epochs=3, initial_epoch=1)
    assert model.optimizer.training_steps == 8 == int(model.optimizer.iterations)


def test_initial_epoch_of_a_trained_model_goes_on_in_the_schedule_of_the_whole_run():
    """Stopped after one epoch and continued, a run has the schedule of the run in one piece."""
    model = compiled_model()
    fit(model, X, batch_size=10, epochs=1)
    fit(model, X, batch_size=10, epochs=3, initial_epoch=1)
    assert model.optimizer.training_steps == 12 == int(model.optimizer.iterations)
    assert model.optimizer.schedule_start == 0


def test_backup_and_restore_after_an_interruption_gives_the_uninterrupted_weights(tmp_path):
    """A run that died in its second epoch ends like one that did not."""

    class Dies(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def trained(*callbacks, restore):
        keras.utils.set_random_seed(0)
        model = compiled_model(constant_fraction=0.1)
        backup = keras.callbacks.BackupAndRestore(tmp_path / restore)
        fit(model, X, backup, *callbacks, batch_size=10, shuffle=False)
        return model

    whole = trained(restore="whole")
    with pytest.raises(KeyboardInterrupt):
        trained(Dies(), restore="broken")
    resumed = trained(restore="broken")
    assert resumed.optimizer.training_steps == 12
    for expected, weight in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_allclose(weight, expected, rtol=1e-6)


def test_early_stopping_keeps_the_planned_schedule():
    """The schedule is that of the plan, not of the epochs that were run in the end."""
    model = compiled_model(learning_rate=1e-9)
    stop = keras.callbacks.EarlyStopping("loss", min_delta=1.0, patience=0)
    fit(model, X, stop, batch_size=10, epochs=50)
    assert int(model.optimizer.iterations) < 200
    assert model.optimizer.training_steps == 200


def test_gradient_accumulation_ends_the_schedule_with_the_last_batch():
    """Steps of the schedule are batches, also where several make one update."""
    model = compiled_model(
        gradient_accumulation_steps=2, constant_fraction=0.0, min_learning_rate_mult=0.25
    )
    fit(model, X, batch_size=10)
    assert model.optimizer.training_steps == 12
    assert int(model.optimizer.iterations) == 6
    peak = float(model.optimizer.learning_rate)
    assert model.optimizer.scheduled_learning_rate == pytest.approx(0.25 * peak)


def test_reaches_the_optimizer_inside_a_loss_scale_optimizer():
    """Mixed precision wraps the optimizer; the callback looks inside."""
    model = compiled_model()
    inner = khl.optimizers.NAdamW()
    model.compile(keras.optimizers.LossScaleOptimizer(inner), "mse", run_eagerly=True)
    fit(model, X, batch_size=10)
    assert inner.training_steps == 12


@pytest.mark.parametrize("stated", [None, 12])
def test_an_interrupted_fit_keeps_its_plan(stated):
    """Also where `LossScaleOptimizer` skipped a step, or the number of steps was stated."""
    model = compiled_model()
    fit(model, X, batch_size=10, epochs=1)
    optimizer = model.optimizer
    optimizer.training_steps = 12
    optimizer._iterations.assign(3)
    steps = khl.callbacks.TrainingSteps(stated)
    arguments = {"batch_size": 10, "epochs": 3, "initial_epoch": 1, "verbose": 0}
    model.fit(X, Y, callbacks=[steps], **arguments)
    assert (optimizer.schedule_start, optimizer.training_steps) == (0, 12)


def test_steps_can_be_stated_by_hand():
    """A stated number is used whatever the data say, and where they say nothing."""
    model = compiled_model()
    unknown = dataset().filter(lambda x, y: True)
    model.fit(unknown, callbacks=[khl.callbacks.TrainingSteps(training_steps=77)], verbose=0)
    assert model.optimizer.training_steps == 77


@pytest.mark.parametrize("data", [lambda: dataset().filter(lambda x, y: True), generator])
def test_unknown_length_is_refused_before_training(data):
    """Nobody can know how long an epoch is: the error says how to mend it, nothing is trained."""
    model = compiled_model()
    with pytest.raises(InvalidValueError, match="steps_per_epoch"):
        fit(model, data())
    assert int(model.optimizer.iterations) == 0


def test_without_a_schedule_the_length_need_not_be_known():
    """Nobody needs the number of steps then; where it is known it is told as ever."""
    model = compiled_model()
    model.compile(khl.optimizers.Adam1p(), "mse", run_eagerly=True)
    fit(model, dataset().filter(lambda x, y: True), epochs=2)
    assert int(model.optimizer.iterations) == 2 * BATCHES
    assert model.optimizer.training_steps is None
    fit(model, dataset(), epochs=2)
    assert model.optimizer.training_steps == 2 * BATCHES


def test_stock_optimizers_are_refused():
    """Only this package's optimizers have a schedule to be told about."""
    model = compiled_model()
    model.compile("adam", "mse", run_eagerly=True)
    with pytest.raises(HPListError, match=r"Adam.*get_optimizer"):
        fit(model, X)


@pytest.mark.parametrize("steps", [0, -3, 1.5, True, "10"])
def test_senseless_numbers_of_steps_are_refused(steps):
    """A number of steps is a positive integer."""
    with pytest.raises(InvalidValueError, match="training_steps"):
        khl.callbacks.TrainingSteps(training_steps=steps)
