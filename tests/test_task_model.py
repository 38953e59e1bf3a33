"""A task as a Keras model that users keep, copy and compile their own way."""

import keras
import numpy as np
import pytest

import keras_hplist as khl
from keras_hplist.tasks.errors import TaskDataError, UnknownTaskError

NAME = "mlp_family_seed30"
FIXED = "FixedMLP_mnist_ce_128x128x128_relu_bs128"


@pytest.fixture
def task():
    """A small classification task."""
    return khl.tasks.get(NAME)


def outputs(model, task):
    """What a model says of the first test examples."""
    return model.predict_on_batch(task.data.test.batch(0, 8)[0])


def test_model_that_is_not_compiled_is_saved_and_cloned(task, tmp_path):
    """Neither needs an optimizer."""
    model = task.build(3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not loaded.compiled
    np.testing.assert_array_equal(outputs(loaded, task), outputs(model, task))
    assert keras.models.clone_model(model).count_params() == model.count_params()


def test_saved_model_keeps_how_it_was_compiled(task, tmp_path):
    """Metrics and settings come back beside the optimizer and the task's own loss."""
    model = task.compile("adam", metrics=["accuracy"], jit_compile=False, steps_per_execution=2)
    model.fit(task.train_data(), steps_per_epoch=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (loaded.jit_compile, loaded.steps_per_execution) == (False, 2)
    assert int(loaded.optimizer.iterations) == 2
    batch = task.data.test.batch(0, task.batch_size)
    expected = model.evaluate(*batch, batch_size=task.batch_size, return_dict=True, verbose=0)
    found = loaded.evaluate(*batch, batch_size=task.batch_size, return_dict=True, verbose=0)
    assert "accuracy" in found
    assert found == pytest.approx(expected)


def test_saved_model_keeps_a_loss_of_its_user(task, tmp_path):
    """The task's loss is for those who gave none."""
    model = task.build()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.loss == "sparse_categorical_crossentropy"


@pytest.mark.parametrize("name", [NAME, FIXED])
def test_changed_configuration_leaves_the_suite_alone(name):
    """Every task has a configuration of its own."""
    before = khl.tasks.get(name)
    before.config["dataset"][1]["bs"] = 7
    assert khl.tasks.get(name).config["dataset"][1]["bs"] != 7


def test_tasks_stand_in_sets(task):
    """Equal tasks are one element."""
    assert len({task, khl.tasks.get(NAME), khl.tasks.get(FIXED)}) == 2


@pytest.mark.parametrize("seed", [-1, None, 1.5, True])
def test_bad_seed_is_refused(task, seed):
    """By the model and by the batches, before either is made."""
    for use in (task.build, task.train_data):
        with pytest.raises(TaskDataError, match=r"seed is .*; give a whole number, at least 0"):
            use(seed)


def test_unknown_source_is_refused_at_once():
    """Not only when data are read, which a task with made data never does."""
    for name in (NAME, "quadratic_family_seed3"):
        with pytest.raises(TaskDataError, match=r"Unknown source 'tdfs'. Known: embedded, idx"):
            khl.tasks.get(name, source="tdfs")


def test_seeds_of_names_have_a_bound_that_the_error_names():
    """Nine digits."""
    assert khl.tasks.get("mlp_family_seed999999999").batch_size
    with pytest.raises(UnknownTaskError, match="from 0 to 999999999"):
        khl.tasks.get("mlp_family_seed1000000000")
