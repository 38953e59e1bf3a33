"""What the optimizers take, refuse, and give back."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hplist import optimizers, spaces
from keras_hplist.errors import HPListError, InvalidValueError, UnknownNameError
from keras_hplist.optimizers import rules, schedules

FAMILIES = spaces.names()
every_family = pytest.mark.parametrize("family", FAMILIES)


@every_family
def test_constructor_matches_search_space(family):
    """Each class takes exactly its space's hyperparameters."""
    optimizer = optimizers.get(family)()
    assert optimizer.family == family
    assert optimizer.hyperparameter_names == spaces.get(family).names
    assert tuple(optimizer.hyperparameters) == spaces.get(family).names


@every_family
@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), steps=st.none() | st.integers(1, 2**31 - 1))
def test_configuration_round_trips_exactly(family, seed, steps):
    """Values, training steps and options come back from the config, to the last bit."""
    values = spaces.get(family).draw(seed)
    optimizer = spaces.get(family).optimizer(
        values, training_steps=steps, as_published=True, clipnorm=1.5, use_ema=True
    )
    config = optimizer.get_config()
    assert {name: config[name] for name in values} == values
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(restored) is type(optimizer)
    assert restored.get_config() == config
    assert restored.hyperparameters == values
    assert restored.training_steps == steps


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", -1e-3),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", 1e39),
        ("learning_rate", "0.1"),
        ("learning_rate", None),
        ("learning_rate", True),
        ("beta1", 1.0),
        ("beta1", -0.1),
        ("beta2", 1.5),
        ("beta2", float("nan")),
        ("epsilon", -1e-8),
        ("use_nesterov", 1),
        ("use_nesterov", "yes"),
        ("adamw_weight_decay", -1.0),
        ("l2_weight_decay", float("inf")),
        ("warmup_fraction", 1.1),
        ("constant_fraction", -0.1),
        ("min_learning_rate_mult", 2.0),
        ("training_steps", 0),
        ("training_steps", -5),
        ("training_steps", 10.5),
        ("training_steps", True),
        ("training_steps", 2**31),
        ("schedule_start", -1),
        ("as_published", "keras"),
        ("as_published", 1),
        ("as_published", None),
    ],
)
def test_bad_values_are_refused_by_name(name, value):
    """A value outside of its domain is an error that names the argument and the value."""
    with pytest.raises(InvalidValueError, match=name) as caught:
        optimizers.NAdamW(**{name: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("name", ["l1", "l2", "linear_decay", "exponential_decay"])
def test_bad_decays_are_refused_by_name(name):
    """Adam8p's decays must not be negative."""
    with pytest.raises(InvalidValueError, match=name):
        optimizers.Adam8p(**{name: -1e-9})


def test_front_ends_without_this_family_are_refused():
    """Only NAdamW was published for torch and JAX."""
    with pytest.raises(InvalidValueError, match="torch"):
        optimizers.Adam8p(as_published="torch")


@pytest.mark.parametrize(
    "schedule", [keras.optimizers.schedules.CosineDecay(1e-3, 10), lambda: 1e-3]
)
def test_a_schedule_as_learning_rate_is_refused(schedule):
    """The families have their own schedules: another one is refused, also later."""
    with pytest.raises(InvalidValueError, match="training_steps"):
        optimizers.NAdamW(schedule)
    optimizer = optimizers.NAdamW()
    with pytest.raises(InvalidValueError, match="training_steps"):
        optimizer.learning_rate = schedule


def test_the_base_class_weight_decay_is_refused_with_a_hint():
    """Keras's weight_decay would ignore the schedule; the message names what to use."""
    with pytest.raises(InvalidValueError, match="adamw_weight_decay or l2_weight_decay"):
        optimizers.NAdamW(weight_decay=1e-3)
    with pytest.raises(InvalidValueError, match="Use l2"):
        optimizers.Adam8p(weight_decay=1e-3)
    with pytest.raises(InvalidValueError, match="NAdamW"):
        optimizers.Adam4p(weight_decay=1e-3)
    assert optimizers.NAdamW(weight_decay=None).weight_decay is None


def test_setting_unknown_or_bad_hyperparameters_changes_nothing():
    """`set_hyperparameters` checks everything before it assigns anything."""
    optimizer = optimizers.NAdamW(training_steps=10)
    before = optimizer.hyperparameters
    with pytest.raises(UnknownNameError, match="epsilon"):
        optimizer.set_hyperparameters({"learning_rate": 0.5, "epsilom": 1.0})
    with pytest.raises(InvalidValueError, match="beta2"):
        optimizer.set_hyperparameters({"learning_rate": 0.5, "beta2": 1.0})
    with pytest.raises(InvalidValueError, match="training_steps"):
        optimizer.training_steps = 0
    for wrong in (float("nan"), np.array(-3.0)):
        with pytest.raises(HPListError, match="learning_rate"):
            optimizer.learning_rate = wrong
    for nameless in (None, 3, [0.1]):
        with pytest.raises(InvalidValueError, match=r"values is .*; give a dict of new values"):
            optimizer.set_hyperparameters(nameless)
    assert optimizer.hyperparameters == before
    assert float(optimizer.learning_rate) == np.float32(before["learning_rate"])
    assert optimizer.training_steps == 10


def test_numpy_numbers_are_taken_as_plain_ones():
    """Values from a DataFrame or array become plain Python numbers."""
    optimizer = optimizers.NAdamW(
        np.float32(0.5), use_nesterov=np.bool_(True), training_steps=np.int64(7)
    )
    assert type(optimizer.hyperparameters["learning_rate"]) is float
    assert optimizer.hyperparameters["use_nesterov"] is True
    assert type(optimizer.training_steps) is int
    optimizer.learning_rate = np.float32(0.25)
    assert optimizer.hyperparameters["learning_rate"] == 0.25
    optimizer.learning_rate = np.array(0.125)
    assert optimizer.hyperparameters["learning_rate"] == 0.125


def test_weights_carry_the_hyperparameters():
    """Variables loaded into an optimizer of other values bring their values along."""
    values = spaces.get("nadamw").draw(1)
    variable = keras.Variable(np.ones(3, "float32"))
    source = optimizers.NAdamW(**values, training_steps=123, schedule_start=4)
    target = optimizers.NAdamW()
    for optimizer in (source, target):
        optimizer.build([variable])
    target.set_weights([v.numpy() for v in source.variables])
    assert target.training_steps == 123
    assert target.schedule_start == 4
    for name, value in values.items():
        assert target.hyperparameters[name] == pytest.approx(value, rel=1e-6)


def test_schedule_is_readable_only_with_training_steps():
    """The next learning rate needs the horizon."""
    optimizer = optimizers.Adam8p(1e-3, linear_decay=1e-4)
    with pytest.raises(InvalidValueError, match="training_steps"):
        _ = optimizer.scheduled_learning_rate
    optimizer.training_steps = 100
    assert optimizer.scheduled_learning_rate == pytest.approx(1e-3)
    assert optimizers.Adam4p(1e-3).scheduled_learning_rate == pytest.approx(1e-3)
    # The published getter keeps the horizon at 10,000, so it needs to be told none.
    assert optimizers.Adam8p(1e-3, as_published=True).scheduled_learning_rate == pytest.approx(1e-3)


def test_unknown_family():
    """An unknown family offers the nearest name."""
    with pytest.raises(UnknownNameError, match="nadamw"):
        optimizers.get("nadam")


def test_encoding_keeps_the_digits_of_decay_rates():
    """One minus a decay rate is what float32 has to hold."""
    encoded = rules.Rule.encode({"beta2": 0.999999, "epsilon": [1.0, 2.0]})
    assert np.float32(encoded["one_minus_beta2"]) == pytest.approx(1e-6, rel=1e-7)
    assert encoded["epsilon"].shape == (2,)


def test_schedules_are_pure_functions_of_arrays():
    """A schedule takes arrays over a population as well as numbers."""
    steps = np.array([0.0, 50.0, 75.0, 100.0, 130.0], "float32")
    decay = np.asarray(schedules.hold_cosine(steps, 100.0, 0.5, 0.2))
    np.testing.assert_allclose(decay, [1, 1, 0.6, 0.2, 0.2], atol=1e-6)
    rise = np.asarray(schedules.linear_warmup(steps, 100.0, np.ones(5, "float32")))
    np.testing.assert_allclose(rise, [0, 0.5, 0.75, 1, 1], atol=1e-6)
    both = np.asarray(schedules.linear_exponential_decay(steps, 100.0, 1e-4, 1e-4))
    s = steps * 100
    expected = np.maximum(0, 1 - 1e-4 * s) * np.exp(-1e-4 * s)
    np.testing.assert_allclose(both, expected, atol=1e-6)
