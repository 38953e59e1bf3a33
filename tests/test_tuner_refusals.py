"""What a tuner refuses, and that it does so before it trains or writes."""

import keras
import keras_tuner
import pytest
import tensorflow as tf
from tiny_search import (
    NADAMW_LIST,
    RATE_LIST,
    TRAIN,
    VALID,
    search,
    tuner,
)

from keras_hplist.errors import HPListError, InvalidValueError
from keras_hplist.tuning.errors import SetupError


def test_epochs_without_the_objective_are_refused(tmp_path):
    """Before anything is trained; the error says what to give in place of validation_freq."""
    built = tuner(directory=tmp_path, max_trials=1)
    with pytest.raises(SetupError, match=r"validation_freq is 2.*steps_per_epoch"):
        search(built, validation_freq=2)
    assert not built.curves.exists()


def test_models_that_train_with_an_optimizer_of_their_own_are_refused(tmp_path):
    """The list would have no effect, as in a GAN with two optimizers."""

    class Own(keras.Sequential):
        def train_step(self, data):
            return {"loss": keras.ops.sum(self.weights[0] ** 2)}

    def build(hp):
        model = Own([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    with pytest.raises(SetupError, match="no step with the optimizer of its list entry"):
        search(tuner(build, directory=tmp_path, max_trials=2))


def uncompiled(hp):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


@pytest.mark.parametrize(
    "arguments",
    [
        {"build": uncompiled},
        {"build": lambda hp: "model"},
        {"build": None},
        {"optimizer": "adam"},
        {"max_trials": 99},
        {"hyperparameter_list": "nosuchlist"},
        {"after_list": "restart"},
        {"objective": 3},
        {"objective": []},
        *({"executions_per_trial": given} for given in (0, -1, "2", None, 1.5, True)),
        {"max_model_size": "1e6"},
        {"directory": 5},
        {"project_name": 5},
        {"tuner_id": 5},
        {"task": 5},
        {"task": ""},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_bad_set_ups_are_refused_before_anything_changes_on_disk(tmp_path, arguments, overwrite):
    """Neither is a folder made, nor is an older project deleted."""
    old = tmp_path / "toy" / "trial_0000" / "trial.json"
    if overwrite:
        old.parent.mkdir(parents=True)
        old.write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    project = {"directory": tmp_path, "project_name": "toy", "overwrite": overwrite}
    with pytest.raises(HPListError):
        tuner(**project | arguments)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("objective", "data", "message"),
    [
        ("val_accuracy", {}, "val_mae"),
        ("val_loss", {"validation_data": None}, "validation_data"),
    ],
)
def test_objective_that_is_not_measured_ends_the_search_at_once(tmp_path, objective, data, message):
    """The first trial shows it; the error lists what was measured."""
    built = tuner(directory=tmp_path, objective=keras_tuner.Objective(objective, "min"))
    with pytest.raises(SetupError, match=message):
        search(built, epochs=1, **data)
    assert len(built.oracle.trials) == 1


def test_unknown_number_of_steps_ends_the_search_before_training(tmp_path):
    """Of a list with a schedule, data of unknown length need steps_per_epoch."""
    data = tf.data.Dataset.from_tensor_slices(TRAIN).batch(10).filter(lambda x, y: True)
    built = tuner(hyperparameter_list=NADAMW_LIST, directory=tmp_path)
    with pytest.raises(SetupError, match="steps_per_epoch"):
        built.search(data, validation_data=VALID, epochs=1, verbose=0)
    assert not built.curves.exists()


def test_models_above_max_model_size_fail_their_trial(tmp_path):
    """As in KerasTuner; the message gives the size."""
    built = tuner(directory=tmp_path, max_model_size=20, max_consecutive_failed_trials=1)
    with pytest.raises(RuntimeError, match="21 parameters"):
        search(built)


def test_list_is_not_another_lists_project(tmp_path):
    """A folder of another list is refused, with both fingerprints."""
    search(tuner(directory=tmp_path, max_trials=1))
    with pytest.raises(InvalidValueError) as caught:
        tuner(hyperparameter_list=NADAMW_LIST, directory=tmp_path)
    assert RATE_LIST.fingerprint[:12] in str(caught.value)
    assert NADAMW_LIST.fingerprint[:12] in str(caught.value)
