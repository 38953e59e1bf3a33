"""What a tuner refuses, and that it does so before it trains or writes."""

import copy
import json
import warnings

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

import keras_hplist as khl
from keras_hplist.callbacks import TensorBoardTrial
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


def test_a_race_inside_a_trial_is_refused(tmp_path):
    """Its score would stand under another entry than that which won."""
    race = khl.callbacks.RaceList(RATE_LIST, entries=2)
    built = tuner(directory=tmp_path, max_trials=1)
    with pytest.raises(SetupError, match=r"RaceList.*Leave it out of search"):
        search(built, epochs=6, callbacks=[race])
    assert not built.curves.exists()


def own_list():
    """A list over a user's own space, in which `width` hangs on `wide`."""
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-3, 0.1)
    hp.Boolean("wide")
    with hp.conditional_scope("wide", [True]):
        hp.Int("width", 4, 8)
    entries = [
        {"rate": 0.01, "wide": False},
        {"rate": 0.02, "wide": True, "width": 8},
        {"rate": 0.03, "wide": True, "width": 4},
    ]
    return khl.HyperparameterList(
        entries, khl.spaces.SearchSpace.from_hyperparameters("mine", hp), name="own"
    )


class Reader(keras_tuner.HyperModel):
    """Reads hyperparameters in `build` and in `fit`."""

    def __init__(self, in_build, in_fit=lambda hp: None):
        super().__init__()
        self.in_build, self.in_fit = in_build, in_fit

    def build(self, hp):
        self.in_build(hp)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(hp.Float("lr", 1e-4, 1e-2)), "mse", run_eagerly=True)
        return model

    def fit(self, hp, model, *args, **kwargs):
        self.in_fit(hp)
        return model.fit(*args, **kwargs)


def searched(directory, *reads, tuner_class=khl.HyperparameterListTuner, **kwargs):
    """The warnings of a search along `own_list`."""
    built = tuner_class(
        Reader(*reads),
        hyperparameter_list=own_list(),
        directory=directory,
        project_name="own",
        max_trials=None,
        **kwargs,
    )
    callbacks = [TensorBoardTrial(directory / "logs", built)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search(built, epochs=1, callbacks=callbacks)
    assert len(built.oracle.end_order) == 3
    return [str(each.message) for each in caught if "No trial so far read" in str(each.message)]


def test_a_list_that_the_model_does_not_read_is_refused(tmp_path):
    """All its trials would train the same; the search goes on once the model asks for the names."""
    nothing = (lambda hp: "rate" in hp.values,)
    message = "none of the hyperparameters of list 'own', which are rate, wide, width: .* read lr"
    for _ in range(2):  # neither is it taken for done in a resumed search
        with pytest.raises(SetupError, match=message):
            searched(tmp_path, *nothing)
    assert searched(tmp_path, lambda hp: dict(hp.values)) == []


@pytest.mark.parametrize(
    ("reads", "missed"),
    [
        ((lambda hp: hp.get("rate"),), ["wide", "width"]),
        ((lambda hp: hp.Float("rate", 0, 1), lambda hp: hp.values.get("wide")), ["width"]),
        ((lambda hp: None, lambda hp: (hp["rate"], hp["wide"] and hp["width"])), []),
        ((lambda hp: hp["rate"], lambda hp: dict(hp.values.items())), []),
        ((lambda hp: {} | hp.values,), []),
        ((copy.deepcopy,), []),
        ((lambda hp: None, lambda hp: json.dumps(hp.values)), []),
    ],
)
def test_what_the_model_does_not_read_is_named_once(tmp_path, reads, missed):
    """In whichever way it reads; what is not active in a trial is not missed in it."""
    told = searched(tmp_path, *reads)
    assert [text.split(" read ")[1].split(" of list")[0] for text in told] == missed


def test_what_a_users_run_trial_reads_is_not_missed(tmp_path):
    """It is not seen, so nothing is said."""

    class Own(khl.HyperparameterListTuner):
        def run_trial(self, trial, *args, **kwargs):
            kwargs["batch_size"] = int(1000 * trial.hyperparameters["rate"])
            return super().run_trial(trial, *args, **kwargs)

    assert searched(tmp_path, lambda hp: None, tuner_class=Own) == []


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
