"""Populations: each member trains as it would alone, and as through `model.fit`."""

import keras
import numpy as np
import pytest

import keras_hplist as khl
from keras_hplist.errors import InvalidValueError
from keras_hplist.training import KerasTask, train_population

TASKS = ("mlp_family_seed10", "quadratic_family_seed0")


def configurations(count: int):
    """The first published configurations of NAdamW."""
    return khl.spaces.get("nadamw").sample(count, seed=0)


@pytest.mark.parametrize("task", TASKS)
def test_a_curve_does_not_depend_on_companions(task):
    """Five members side by side, in another order, and one alone give the same losses."""
    rows = configurations(5)
    together = train_population(task, rows, 12, evaluations=[0, 5, 12], size=5)
    turned = train_population(task, rows[::-1], 12, evaluations=[0, 5, 12], size=2)
    alone = train_population(task, rows[2:3], 12, evaluations=[0, 5, 12])
    for split, losses in together.losses.items():
        np.testing.assert_allclose(turned.losses[split][::-1], losses, rtol=2e-4)
        np.testing.assert_allclose(alone.losses[split][0], losses[2], rtol=2e-4)


def test_members_train_as_through_model_fit():
    """The population's curve goes on where `model.fit` with the Keras optimizer goes."""
    task = khl.tasks.get("mlp_family_seed10")
    rows = configurations(3)
    curves = train_population(task, rows, 10, evaluations=[0, 10], seed=0)
    x, y = (
        np.concatenate(part) for part in zip(*(task.data.test.batch(k, 64, 1) for k in range(8)))
    )
    for row, start_to_end in zip(rows.to_dict("records"), curves.losses["test"], strict=True):
        model = task.compile(khl.spaces.get("nadamw").optimizer(row, 10))
        before = model.evaluate(x, y, verbose=0)
        model.fit(task.train_data(seed=0), steps_per_epoch=10, verbose=0)
        fitted = model.evaluate(x, y, verbose=0)
        # Both change alike; the two test samples differ.
        assert np.sign(fitted - before) == np.sign(np.diff(start_to_end)[0])
        assert abs((fitted - before) - np.diff(start_to_end)[0]) < 0.15 * max(before, fitted)


def test_a_diverged_member_leaves_the_others_alone():
    """A member of absurd learning rate ends as diverged; its neighbour's curve stays the same."""
    rows = configurations(2).to_dict("records")
    wild = {**rows[0], "learning_rate": 1e30, "epsilon": 0.0}
    mixed = train_population("quadratic_family_seed0", [wild, rows[1]], 20, evaluations=4)
    alone = train_population("quadratic_family_seed0", [rows[1]], 20, evaluations=4)
    assert mixed.status == ["diverged", "ok"]
    np.testing.assert_allclose(mixed.losses["valid"][1], alone.losses["valid"][0], rtol=2e-4)
    history = mixed.history()
    assert len(history) == 2


def test_a_users_own_keras_model_is_a_task():
    """A model builder, a loss and arrays are enough."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(96, 4)).astype("float32")
    y = (x @ [1.0, -2.0, 0.5, 0.0])[:, None].astype("float32")

    def build():
        return keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)]
        )

    task = KerasTask("line", build, "mse", (x, y), (x, y), (x, y), batch_size=16)
    curves = train_population(task, [{"learning_rate": rate} for rate in (1e-4, 3e-2)], 60)
    valid = curves.losses["valid"]
    assert curves.space == "adam1p"
    assert valid[1, -1] < 0.5 * valid[1, 0]
    assert valid[1, -1] < valid[0, -1]


def test_bad_requests_are_refused_before_any_work():
    """Steps, evaluations, configurations and sizes are checked first."""
    rows = configurations(1)
    for arguments in ({"training_steps": 0}, {"training_steps": 5, "evaluations": [0, 9]}):
        with pytest.raises(InvalidValueError):
            train_population("mlp_family_seed10", rows, **arguments)
    with pytest.raises(InvalidValueError, match="at least one"):
        train_population("mlp_family_seed10", [], 5)
