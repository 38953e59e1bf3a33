"""Search spaces of a user: from KerasTuner's hyperparameters, and from definitions in JSON."""

import itertools
import json
import math

import keras_tuner
import numpy as np
import pandas as pd
import pytest
from oracle_searches import random_search_values
from scipy import stats

from keras_hplist import spaces
from keras_hplist.errors import HPListError, InvalidValueError


def own_hyperparameters():
    hp = keras_tuner.HyperParameters()
    hp.Int("units", 8, 64, step=8)
    hp.Int("depth", 1, 5)
    hp.Int("batch_size", 16, 256, step=2, sampling="log")
    hp.Int("width", 1, 1000, sampling="log")
    hp.Float("dropout", 0.0, 0.5, step=0.125)
    hp.Float("learning_rate", 1e-4, 1e-1, sampling="log", default=1e-2)
    hp.Float("momentum", 0.1, 0.9, sampling="reverse_log")
    hp.Boolean("bias", default=True)
    hp.Fixed("epochs", 3)
    hp.Choice("activation", ["relu", "tanh"])
    hp.Choice("kernel", [3, 5, 7], default=5)
    kind = hp.Choice("optimizer", ["sgd", "adam"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Boolean("nesterov")
        with hp.conditional_scope("nesterov", [True]):
            hp.Float("damping", 0.0, 1.0)
    with hp.conditional_scope("optimizer", ["adam"]):
        hp.Float("epsilon", 1e-8, 1.0, sampling="log")
    assert kind == "sgd"
    return hp


@pytest.fixture(scope="module")
def own_space():
    """A user's space with every kind of hyperparameter and nested conditions."""
    return spaces.SearchSpace.from_hyperparameters("mine", own_hyperparameters())


def test_own_space_draws_what_keras_tuner_allows(own_space):
    """Each draw is complete, active, and one that KerasTuner itself could propose."""
    hp = own_hyperparameters()
    for seed in range(200):
        values = own_space.draw(seed)
        assert own_space.validate(values) == values
        hp.values = dict(values)
        hp.ensure_active_values()
        assert hp.values == values
        assert values["units"] in range(8, 65, 8)
        assert values["batch_size"] in (16, 32, 64, 128, 256)
        assert ("damping" in values) == (values.get("nesterov") is True)
        assert ("epsilon" in values) == (values["optimizer"] == "adam")
    frame = own_space.sample(200)
    assert frame.index[3] == "mine_seed3"
    assert set(frame["depth"]) == {1, 2, 3, 4, 5}
    assert frame.loc[frame["optimizer"] == "adam", "nesterov"].isna().all()


def test_own_space_has_keras_tuners_distribution(own_space):
    """Draws and RandomSearch's proposals have the same distribution."""
    ours = own_space.sample(600)
    theirs = pd.DataFrame(random_search_values(own_hyperparameters(), 600))
    for name in ("units", "batch_size", "width", "dropout", "learning_rate", "momentum", "damping"):
        a, b = ours[name].dropna().astype(float), theirs[name].dropna().astype(float)
        assert stats.ks_2samp(a, b).pvalue > 1e-3, name


def test_own_space_round_trips_through_json(own_space):
    """The definition survives JSON: the same draws, the same KerasTuner hyperparameters."""
    again = spaces.SearchSpace.from_config(json.loads(json.dumps(own_space.to_config())))
    assert again == own_space
    assert again.draw(5) == own_space.draw(5)
    hyperparameters = again.hyperparameters()
    assert hyperparameters.values == own_hyperparameters().values
    assert spaces.SearchSpace.from_hyperparameters("mine", hyperparameters) == own_space


def test_rows_may_come_as_a_list():
    """The space is the same as from a tuple, and hashable."""
    rows = list(spaces.get("adam1p").rows)
    space = spaces.SearchSpace("x", rows)
    assert space == spaces.SearchSpace("x", tuple(rows))
    assert len({space, spaces.SearchSpace("x", tuple(rows))}) == 1


def test_own_space_validation(own_space):
    """Inactive values are dropped, missing active ones are named, types are kept."""
    values = own_space.draw(0) | {"optimizer": "adam", "epsilon": 0.1, "damping": float("nan")}
    checked = own_space.validate(values)
    assert "damping" not in checked and "nesterov" not in checked
    assert type(own_space.validate(values | {"units": 16.0})["units"]) is int
    for change, key in (
        ({"epsilon": math.nan}, "epsilon"),
        ({"units": 16.5}, "units"),
        ({"activation": "gelu"}, "activation"),
        ({"kernel": 4}, "kernel"),
        ({"kernel": True}, "kernel"),
        ({"epochs": 4}, "epochs"),
        ({"bias": 1}, "bias"),
    ):
        with pytest.raises(InvalidValueError, match=key):
            own_space.validate(values | change)
    del values["epsilon"]
    with pytest.raises(InvalidValueError, match="'epsilon' is missing"):
        own_space.validate(values)


@pytest.mark.parametrize(
    "row",
    [
        {"low": 2, "high": 9, "step": 2, "integer": True},
        {"low": 0, "high": 10**7, "step": 2, "integer": True},
        {"low": -0.3, "high": 0.6, "step": 0.1},
        {"low": 1e-8, "high": 1.0, "step": 10.0, "sampling": "log"},
        {"low": 1, "high": 500, "step": 1.5, "sampling": "log", "integer": True},
        {"low": 0.1, "high": 0.9, "step": 1.5, "sampling": "reverse_log"},
        {"low": 1e-3, "high": 1.0, "step": 3, "sampling": "one_minus_log"},
    ],
)
def test_a_space_with_a_step_has_the_values_on_its_grid(row):
    """All that it draws, also in float32; what is between is refused."""
    space = from_rows({"name": "x", "type": "number", **row})
    drawn = sorted({space.draw(seed)["x"] for seed in range(60)})
    for value in drawn:
        assert space.validate({"x": value}) == {"x": value}
        assert space.validate({"x": np.float32(value)})["x"] == pytest.approx(value)
    for low, high in itertools.pairwise(drawn):
        between = low + 1 if row.get("integer") else low + 0.4 * (high - low)
        if between != high:
            with pytest.raises(InvalidValueError, match="'x' must be on the grid of step="):
                space.validate({"x": between})


def test_a_default_need_not_be_on_the_grid():
    """As in KerasTuner, which starts from it."""
    hp = keras_tuner.HyperParameters()
    hp.Int("units", 8, 64, step=8, default=10)
    space = spaces.SearchSpace.from_hyperparameters("mine", hp)
    assert space.validate(hp.values) == {"units": 10}
    with pytest.raises(InvalidValueError, match=r"step=8 in \[8, 64\], such as 8"):
        space.validate({"units": 11})


def test_own_space_has_no_optimizer(own_space):
    """Only the published spaces describe an optimizer."""
    with pytest.raises(InvalidValueError, match="build_model"):
        own_space.optimizer(own_space.draw(0))


def test_own_space_from_a_search_with_this_packages_values():
    """Bookkeeping, of this package or KerasTuner, is no hyperparameter; switches still switch."""
    hp = spaces.get("nadamw").hyperparameters()
    hp.Int("hplist/index", 0, 10)
    hp.Int("tuner/epochs", 0, 10)
    hp.Int("units", 1, 4)
    space = spaces.SearchSpace.from_hyperparameters("both", hp)
    assert set(space.names) == {*spaces.get("nadamw").names, "units"}
    drawn = [space.draw(seed) for seed in range(40)]
    assert [space.validate(values) for values in drawn] == drawn
    for name in ("warmup_fraction", "l2_weight_decay", "min_learning_rate_mult"):
        assert {values[name] > 0 for values in drawn} == {False, True}
    assert not any(values["adamw_weight_decay"] == values["l2_weight_decay"] for values in drawn)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: spaces.SearchSpace.from_hyperparameters("nadamw", own_hyperparameters()), "name"),
        (
            lambda: spaces.SearchSpace.from_hyperparameters("x", keras_tuner.HyperParameters()),
            "no hyperparameters",
        ),
        (lambda: spaces.SearchSpace.from_hyperparameters("x", {"a": 1}), "HyperParameters"),
        (lambda: spaces.SearchSpace.from_config(None), "definition .* is a dict; got None"),
        (lambda: spaces.SearchSpace.from_config([1]), r"definition .* is a dict; got \[1\]"),
        (lambda: spaces.SearchSpace("x", [1]), r"rows .* tuple of Hyperparameter; got \(1,\)"),
        (lambda: spaces.SearchSpace.from_config({"name": "x"}), "'hyperparameters'"),
        (lambda: spaces.SearchSpace.from_config({"name": "x", "hyperparameters": [3]}), "x"),
        (lambda: from_rows({"name": "a", "type": "gaussian"}), "gaussian"),
        (lambda: from_rows({"type": "boolean"}), "name"),
        (lambda: from_rows({"name": "a", "type": "number", "low": 1}), "high"),
        (lambda: from_rows({"name": "a", "type": "number", "low": 2, "high": 1}), "low <= high"),
        (
            lambda: from_rows(
                {"name": "a", "type": "number", "low": 0.0, "high": 1, "sampling": "log"}
            ),
            "0 < low",
        ),
        (lambda: from_rows({"name": "a", "type": "number", "low": math.nan, "high": 1}), "finite"),
        (lambda: from_rows({"name": "a", "type": "choice", "values": []}), "values"),
        (lambda: from_rows({"name": "a", "type": "choice", "values": [1, "b"]}), "one type"),
        (
            lambda: from_rows({"name": "a", "type": "boolean", "when": [["b", [True]]]}),
            "depends on 'b'",
        ),
        (
            lambda: from_rows(
                {"name": "a", "type": "boolean", "hidden": True},
                {"name": "b", "type": "boolean", "when": [["a", [True]]]},
            ),
            "otherwise",
        ),
    ],
)
def test_bad_definitions_are_refused(make, message):
    """A definition that cannot be is an error that says what is wrong."""
    with pytest.raises(HPListError, match=message):
        make()


def from_rows(*rows):
    return spaces.SearchSpace.from_config({"name": "x", "hyperparameters": list(rows)})
