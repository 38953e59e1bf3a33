"""Search spaces: the published configurations, KerasTuner's form of them."""

import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_searches import random_search_values
from scipy import stats

from keras_hplist import spaces
from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.lists import HyperparameterList
from keras_hplist.spaces.distributions import Number

every_space = pytest.mark.parametrize("name", spaces.names())
FILES = {"nadamw": "nadamw_opt_list_published.json", "adam8p": "adam8p_wide_grid.json"}


# --- the published configurations -----------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_samples_are_the_published_configurations(name, reference_data):
    """All 1000 published configurations come back from their seeds, to the last bit."""
    entries = json.loads((reference_data / FILES[name]).read_text())
    published = {entry["name"]: entry["hyperparameters"] for entry in entries}
    frame = spaces.get(name).sample(1000)
    assert frame.to_dict("index") == published
    assert list(frame.index) == [
        f"{entries[0]['name'].rpartition('_seed')[0]}_seed{i}" for i in range(1000)
    ]
    assert tuple(frame.columns) == spaces.get(name).names == tuple(entries[0]["hyperparameters"])


@pytest.mark.parametrize(
    ("name", "characters"), [("nadamw", 381_432), ("adam6p", 264_692), ("adam4p", 181_100)]
)
def test_samples_have_the_length_of_the_published_files(name, characters):
    """Of the files of adam6p and adam4p only the length is known: in their layout ours has it."""
    frame = spaces.get(name).sample(1000)
    grid = frame.index[0].removesuffix("_seed0")
    entries = [f'"{k}": [{json.dumps(v)},"{grid}"]' for k, v in frame.to_dict("index").items()]
    assert len("{\n" + ",\n".join(entries) + "\n}") == characters


def test_one_published_configuration_in_full():
    """Rank 0 of the published list, from its seed."""
    frame = spaces.get("nadamw").sample(1, seed=251)
    assert frame.to_dict("index") == {
        "nadamw_grid_seed251": {
            "learning_rate": 0.0011948335721160095,
            "beta1": 0.9360043452616368,
            "beta2": 0.9989497406214962,
            "epsilon": 5.875814422073298e-06,
            "use_nesterov": False,
            "adamw_weight_decay": 0.010141964334059882,
            "l2_weight_decay": 0.0,
            "warmup_fraction": 0.0,
            "min_learning_rate_mult": 0.0,
            "constant_fraction": 0.747304046223346,
        }
    }


@pytest.mark.parametrize("name", ["adam8p", "adam6p", "adam4p", "adam1p"])
def test_equal_seeds_share_draws_only_where_published(name):
    """The generator offsets are those of the families: 8p and 4p share theirs."""
    first = spaces.get("adam4p").draw(17)
    other = spaces.get(name).draw(17)
    assert (other["learning_rate"] == first["learning_rate"]) == (name in ("adam8p", "adam4p"))


@every_space
def test_samples_do_not_depend_on_where_they_start(name):
    """Row i is the configuration of seed `seed + i`, whatever n and seed are."""
    space = spaces.get(name)
    pd.testing.assert_frame_equal(space.sample(5, seed=7), space.sample(12).iloc[7:])
    assert space.sample(3, seed=2**31).shape == (3, len(space.names))


@every_space
def test_sampled_configurations_are_valid(name):
    """Every draw is a configuration of its own space, with plain values."""
    space = spaces.get(name)
    for seed in range(1000):
        values = space.draw(seed)
        assert space.validate(values) == values
        assert all(type(value) in (float, bool) for value in values.values())


def test_frequencies_of_the_published_list():
    """The switches of NAdamW fall as the published counts say."""
    frame = spaces.get("nadamw").sample(1000)
    decoupled, l2 = frame["adamw_weight_decay"] > 0, frame["l2_weight_decay"] > 0
    assert [(decoupled & ~l2).sum(), (l2 & ~decoupled).sum(), (l2 & decoupled).sum()] == [
        359,
        314,
        327,
    ]
    assert frame["use_nesterov"].sum() == 502
    assert (frame["warmup_fraction"] > 0).sum() == 516
    assert (frame["min_learning_rate_mult"] > 0).sum() == 509


@pytest.mark.parametrize(("n", "seed"), [(0, 0), (-1, 0), (1.5, 0), (1, -1), (1, "x"), (1, 2**32)])
def test_bad_sample_arguments(n, seed):
    """Numbers and seeds that cannot be are refused."""
    with pytest.raises(InvalidValueError, match="give a whole number from"):
        spaces.get("nadamw").sample(n, seed)


def test_the_last_seed_of_a_sample_is_numpys():
    """One more is refused, whichever of the two arguments asks for it."""
    space = spaces.get("nadamw")
    last = 2**32 - 1 - space.seed_offset
    assert len(space.sample(2, last - 1)) == 2
    with pytest.raises(InvalidValueError, match="n is 3; give a whole number from 1 to 2"):
        space.sample(3, last - 1)


def test_half_orders():
    """The grid has 17 learning rates, all of them configurations of adam1p."""
    grid = spaces.half_orders()
    assert len(grid) == 17
    assert (grid.index[0], grid.index[-1]) == ("adam_lr_-7.00", "adam_lr_1.00")
    np.testing.assert_allclose(np.diff(np.log10(grid["learning_rate"])), 0.5)
    for rate in grid["learning_rate"]:
        spaces.get("adam1p").validate({"learning_rate": rate})


# --- validation and identity ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 2.0}, "learning_rate.*must be a number in"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": -1e-6}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"learning_rate": "0.1"}, "learning_rate"),
        ({"learning_rate": True}, "learning_rate"),
        ({"learning_rate": None}, "learning_rate"),
        ({"beta1": 1.0}, "beta1"),
        ({"use_nesterov": 1}, "use_nesterov.*True or False"),
        ({"warmup_fraction": 1e-6}, r"warmup_fraction.*or 0\.0"),
        ({"warmup_fraction": False}, "warmup_fraction"),
        ({"constant_fraction": 1.5}, "constant_fraction"),
        ({"learning_rat": 0.1}, "Did you mean 'learning_rate'"),
        ({3: 0.1}, "3 is no hyperparameter"),
    ],
)
def test_invalid_configurations_are_refused_by_key(change, message):
    """An error names the key, what is allowed, and what was given."""
    space = spaces.get("nadamw")
    with pytest.raises(InvalidValueError, match=message):
        space.validate(space.draw(0) | change)


def test_missing_values_are_named():
    """A configuration is complete."""
    values = spaces.get("adam4p").draw(0)
    del values["epsilon"]
    with pytest.raises(InvalidValueError, match="'epsilon' is missing"):
        spaces.get("adam4p").validate(values)


def test_validation_gives_plain_values_in_order():
    """NumPy values and whole numbers become plain Python ones."""
    space = spaces.get("nadamw")
    given_values = space.sample(1, seed=3).iloc[0].to_dict() | {
        "learning_rate": 1,
        "beta1": np.float32(0.5),
        "use_nesterov": np.True_,
        "warmup_fraction": 0,
    }
    values = space.validate(dict(reversed(given_values.items())))
    assert tuple(values) == space.names
    assert (type(values["learning_rate"]), values["learning_rate"]) == (float, 1.0)
    assert type(values["beta1"]) is float
    assert values["use_nesterov"] is True
    assert type(values["warmup_fraction"]) is float


def test_unknown_space_names_offer_the_nearest():
    """A typing error in a space's name is answered with the right one."""
    with pytest.raises(UnknownNameError, match="'adam8p'"):
        spaces.get("adam8")
    with pytest.raises(InvalidValueError, match="SearchSpace"):
        spaces.get(8)
    assert spaces.get(spaces.get("nadamw")) is spaces.get("nadamw")


def test_configuration_id():
    """An id depends on space and values, not on order; it is the same for ever."""
    values = spaces.get("nadamw").draw(251)
    identity = spaces.configuration_id("nadamw", values)
    assert identity == "9fc0807b95a3"
    assert identity == spaces.configuration_id("nadamw", dict(reversed(values.items())))
    assert identity != spaces.configuration_id("mine", values)
    assert identity != spaces.configuration_id("nadamw", values | {"beta1": 0.5})


# --- optimizers -----------------------------------------------------------------------------------


@every_space
def test_optimizer_of_a_configuration(name):
    """The factory hands values, training steps and options to the family's class."""
    space = spaces.get(name)
    values = space.sample(1, seed=5).iloc[0].to_dict()
    optimizer = space.optimizer(values, training_steps=100, clipnorm=1.0, as_published=True)
    assert optimizer.hyperparameters == space.draw(5)
    assert optimizer.training_steps == 100
    assert optimizer.clipnorm == 1.0


@every_space
def test_a_row_of_a_sample_is_a_configuration(name):
    """Wherever a dict of its values is taken; what has no names is refused."""
    space = spaces.get(name)
    row = space.sample(2, seed=251).iloc[0]
    assert space.validate(row) == space.draw(251)
    optimizer = space.optimizer(row, training_steps=100)
    assert optimizer.hyperparameters == space.draw(251)
    optimizer.set_hyperparameters(space.sample(1, seed=252).iloc[0])
    assert optimizer.hyperparameters == space.draw(252)
    assert HyperparameterList([row], space)[0] == space.draw(251)
    for nameless in (3, [0.1], row.to_list(), None):
        with pytest.raises(InvalidValueError, match=r"is a dict, or a row of sample\(\)"):
            space.optimizer(nameless)


def test_optimizer_wants_complete_configurations():
    """Missing and unknown names are told apart."""
    with pytest.raises(InvalidValueError, match=r"Missing: \['beta1'.*unknown: \['beta'\]"):
        spaces.get("adam4p").optimizer({"learning_rate": 0.1, "beta": 0.9})


def test_importing_and_sampling_loads_no_framework():
    """Spaces work without TensorFlow, Keras and KerasTuner."""
    code = (
        "import sys; from keras_hplist import spaces; "
        "s = spaces.get('nadamw'); s.sample(2); s.validate(s.draw(1)); "
        "spaces.SearchSpace.from_config(s.to_config()); "
        "print([m for m in ('tensorflow', 'keras', 'keras_tuner', 'jax') if m in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


# --- KerasTuner -----------------------------------------------------------------------------------


@every_space
def test_random_search_samples_the_distribution(name):
    """A RandomSearch over the space has each hyperparameter's distribution."""
    space = spaces.get(name)
    proposed = random_search_values(space.hyperparameters(), 400)
    frame = pd.DataFrame([space.from_keras_tuner(values) for values in proposed])
    ours = space.sample(1000)
    assert list(frame.columns) == list(ours.columns)
    for column in frame:
        a, b = frame[column].astype(float), ours[column].astype(float)
        assert abs((a == 0).mean() - (b == 0).mean()) < 0.1, column
        if column != "use_nesterov":
            assert stats.ks_2samp(a[a != 0], b[b != 0]).pvalue > 1e-3, column


@every_space
def test_keras_tuner_values_round_trip(name):
    """Published configurations and KerasTuner's form of them go back and forth unchanged."""
    space = spaces.get(name)
    active = space.hyperparameters()
    for seed in range(200):
        values = space.draw(seed)
        converted = space.to_keras_tuner(values)
        assert space.from_keras_tuner(converted) == values
        assert space.from_keras_tuner(values | {"units": 32, "hplist/index": 4}) == values
        active.values = converted
        for hyperparameter in active.space:  # complete, and nothing inactive
            assert active.is_active(hyperparameter) == (hyperparameter.name in converted)
            if active.is_active(hyperparameter):
                probability = hyperparameter.value_to_prob(converted[hyperparameter.name])
                assert -1e-3 <= probability <= 1 + 1e-3


def test_keras_tuner_form_of_what_is_never_drawn():
    """NAdamW without any decay is a valid configuration, but no point of the search."""
    space = spaces.get("nadamw")
    values = space.draw(0) | {"adamw_weight_decay": 0.0, "l2_weight_decay": 0.0}
    assert space.validate(values) == values
    with pytest.raises(InvalidValueError, match="adamw_weight_decay"):
        space.to_keras_tuner(values)


def test_stale_values_behind_a_switch_do_not_count():
    """What KerasTuner leaves behind of a switched-off hyperparameter is not taken."""
    space = spaces.get("nadamw")
    values = space.to_keras_tuner(space.draw(0) | {"warmup_fraction": 0.05})
    switch = next(name for name, value in values.items() if "warmup" in name and value is True)
    assert space.from_keras_tuner(values | {switch: False})["warmup_fraction"] == 0.0


@every_space
def test_default_hyperparameters_make_an_optimizer(name):
    """KerasTuner's defaults, which it builds a first model with, are sensible."""
    space = spaces.get(name)
    values = space.from_keras_tuner(space.hyperparameters().values)
    assert space.optimizer(values).hyperparameters["learning_rate"] == 1e-3


# --- users' own spaces ----------------------------------------------------------------------------


@every_space
def test_published_spaces_round_trip_through_json(name):
    """So does the definition of a published space."""
    space = spaces.get(name)
    assert spaces.SearchSpace.from_config(json.loads(json.dumps(space.to_config()))) == space


# --- distributions --------------------------------------------------------------------------------


@settings(max_examples=100)
@given(
    bounds=st.tuples(st.floats(1e-12, 1e6), st.floats(1e-12, 1e6)).map(sorted),
    sampling=st.sampled_from(["linear", "log", "reverse_log"]),
    u=st.floats(0, 1, exclude_max=True),
)
def test_numbers_stay_within_their_bounds(bounds, sampling, u):
    """Whatever the bounds and the quantile, the value is one that `check` accepts."""
    number = Number(*bounds, sampling)
    assert number.check(number.draw(u)) == number.draw(u)


def test_draws_are_correctly_rounded():
    """Logarithmic draws are the exact value's nearest float, by arithmetic in 60 digits."""
    import decimal

    context = decimal.Context(prec=60)
    number, low, high = Number(1e-5, 1.0, "log"), math.log(1e-5), 0.0
    for u in np.random.RandomState(0).random_sample(2000):
        exact = context.exp(decimal.Decimal(low + (high - low) * u))
        assert number.draw(u) == float(exact)
