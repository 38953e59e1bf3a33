"""Checks of the rules and optimizers against float64 formulas, on every backend of Keras."""

import contextlib
import functools

import keras
import numpy as np
import optimizer_reference
from keras import ops

from keras_hplist import optimizers, spaces

FAMILIES = ("nadamw", "adam8p", "adam6p", "adam4p", "adam1p")
STEPS, CONFIGURATIONS = 200, 50
START = np.random.default_rng(1).normal(size=(2, 3))
GRADIENTS = np.random.default_rng(2).normal(size=(STEPS, 2, 3))
BACKEND = keras.backend.backend()

# Largest error of a trajectory's end, relative to the largest number on the way. On JAX and torch
# Keras has some functions of the schedules, such as the sine, computed in float32 in any case.
FLOAT32, FLOAT64 = 1e-5, 1e-11 if BACKEND == "tensorflow" else 1e-7


@functools.cache
def configurations(family):
    return [spaces.get(family).draw(seed) for seed in range(CONFIGURATIONS)]


@functools.cache
def reference(family, configuration, as_published):
    """End and scale of a configuration's trajectory, and whether it is chaotic."""
    arguments = (family, dict(configuration)), (GRADIENTS, STEPS, as_published)
    path = optimizer_reference.trajectory(*arguments[0], START, *arguments[1])
    scale = np.abs(path).max()
    if family != "adam8p":
        return path[-1], scale, False
    moved = optimizer_reference.trajectory(*arguments[0], START * (1 + 1e-12), *arguments[1])
    return path[-1], scale, np.abs(path[-1] - moved[-1]).max() > 1e-9 * scale


def relative_errors(family, configurations, ends, as_published=False):
    """Error of each configuration's end, NaN for the chaotic ones.

    An L1 or L2 term at a high learning rate can throw a weight back and forth so that a change of
    1e-12 in the start grows more than a thousandfold in 200 steps, which no float32 follows. Of the
    50 configurations of adam8p at most two are so, of the other families none.
    """
    errors = []
    for configuration, end in zip(configurations, ends):
        exact, scale, chaotic = reference(family, tuple(configuration.items()), as_published)
        errors.append(np.nan if chaotic else np.abs(end - exact).max() / scale)
    return np.array(errors)


def compiled(function):
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    return function


@contextlib.contextmanager
def double_precision():
    keras.config.set_floatx("float64")
    try:
        if BACKEND == "jax":
            import jax

            with jax.enable_x64(True):
                yield
        else:
            yield
    finally:
        keras.config.set_floatx("float32")


def run_population(family, configurations, dtype, as_published=False):
    """All configurations at once by the family's rule; ends of shape (P, 2, 3)."""
    rule = optimizers.get(family).rule_class(as_published)
    columns = {name: [c[name] for c in configurations] for name in rule.hyperparameters}
    parameters = {k: ops.convert_to_tensor(v, dtype) for k, v in rule.encode(columns).items()}
    gradients = ops.convert_to_tensor(GRADIENTS, dtype)

    def one_step(step, carry):
        variable, momentum, velocity = carry
        scalars = rule.scalars(parameters, step, STEPS)
        gradient = ops.broadcast_to(gradients[step], variable.shape)
        variable, slots = rule.update(variable, gradient, (momentum, velocity), scalars)
        return variable, *slots

    start = ops.convert_to_tensor(np.tile(START, (len(configurations), 1, 1)), dtype)
    carry = (start, ops.zeros_like(start), ops.zeros_like(start))
    run = compiled(lambda carry: ops.fori_loop(0, STEPS, one_step, carry))
    return ops.convert_to_numpy(run(carry)[0])


def run_optimizer(family, configurations, jit=True):
    """The configurations one after the other, by one Keras optimizer in one compiled loop.

    Returns:
        Ends of shape (P, 2, 3), and how often the update was traced.
    """
    traces = []

    class Counting(optimizers.get(family)):
        def update_step(self, *args):
            traces.append(1)
            super().update_step(*args)

    variable = keras.Variable(START, dtype=keras.config.floatx())
    optimizer = Counting(**configurations[0], training_steps=STEPS)
    optimizer.build([variable])
    initial = [ops.convert_to_numpy(v) for v in optimizer.variables]
    run = fit_function(optimizer, variable, jit)
    ends = []
    for configuration in configurations:
        variable.assign(START)
        optimizer.set_weights(initial)
        optimizer.set_hyperparameters(configuration)
        run()
        ends.append(ops.convert_to_numpy(variable))
    return np.stack(ends), len(traces)


def fit_function(optimizer, variable, jit):
    """A function without arguments that applies all gradients in turn."""
    gradients = ops.convert_to_tensor(GRADIENTS, keras.config.floatx())
    if BACKEND == "tensorflow":
        import tensorflow as tf

        @tf.function(jit_compile=jit)
        def run():
            for step in tf.range(STEPS):
                optimizer.apply([gradients[step]])

        return run

    if BACKEND == "jax":
        variables = [variable, *optimizer.variables]

        def one_step(step, values):
            new = optimizer.stateless_apply(values[1:], [gradients[step]], values[:1])
            return [*new[0], *new[1]]

        loop = compiled(lambda values: ops.fori_loop(0, STEPS, one_step, values))

        def run_stateless():
            for old, new in zip(variables, loop([v.value for v in variables])):
                old.assign(new)

        return run_stateless

    def run_eagerly():
        for step in range(STEPS):
            optimizer.apply([gradients[step]])

    return run_eagerly


def check_rule_in_float64(family):
    """The population form is the formula, for 50 drawn configurations over 200 steps."""
    with double_precision():
        ends = run_population(family, configurations(family), "float64")
    errors = relative_errors(family, configurations(family), ends)
    assert np.isnan(errors).sum() <= (2 if family == "adam8p" else 0)
    assert np.nanmax(errors) < FLOAT64, errors


def check_rule_in_float32(family):
    """The population form in float32 keeps five digits over 200 steps."""
    ends = run_population(family, configurations(family), "float32")
    errors = relative_errors(family, configurations(family), ends)
    assert np.nanmax(errors) < FLOAT32, errors


def check_optimizer(family):
    """The Keras optimizer follows the formula; new hyperparameters need no new trace."""
    count = 3 if BACKEND == "torch" else CONFIGURATIONS  # torch runs step by step
    ends, traces = run_optimizer(family, configurations(family)[:count])
    errors = relative_errors(family, configurations(family)[:count], ends)
    assert np.nanmax(errors) < FLOAT32, errors
    if BACKEND != "torch":
        assert traces == 1


def check_optimizer_without_jit(family):
    """The Keras optimizer follows the formula also where nothing is compiled by XLA."""
    ends, _ = run_optimizer(family, configurations(family)[:3], jit=False)
    assert np.nanmax(relative_errors(family, configurations(family)[:3], ends)) < FLOAT32


def check_optimizer_in_float64(family):
    """Under floatx float64 the Keras optimizer computes in float64 throughout."""
    with double_precision():
        ends, _ = run_optimizer(family, configurations(family)[:3])
        assert ends.dtype == np.float64
    assert np.nanmax(relative_errors(family, configurations(family)[:3], ends)) < FLOAT64


def check_published_variants():
    """Each published form is that front end's: L2 sign, Nesterov flag, warm-up, horizon."""
    for family, variants in (
        ("nadamw", (True, "tensorflow", "torch", "jax")),
        ("adam8p", (True, "tensorflow")),
        ("adam6p", (True,)),
    ):
        for variant in variants:
            some = configurations(family)[:15]
            with double_precision():
                ends = run_population(family, some, "float64", variant)
            errors = relative_errors(family, some, ends, variant)
            assert np.isnan(errors).sum() <= 1
            assert np.nanmax(errors) < FLOAT64, (family, variant, errors)


def check_limits():
    """Extreme hyperparameters give the formula's limits and no NaN."""
    base = configurations("nadamw")[0] | {"learning_rate": 1e-2, "epsilon": 1e-8}
    changes = (
        {"constant_fraction": 0.0, "warmup_fraction": 0.0},
        {"constant_fraction": 1.0, "warmup_fraction": 0.0},
        {"constant_fraction": 1.0, "warmup_fraction": 1.0},
        {"constant_fraction": 0.0, "warmup_fraction": 0.1},
        {"constant_fraction": 0.05, "warmup_fraction": 0.4},
        {"constant_fraction": 0.9999, "warmup_fraction": 1e-5},
        {"beta1": 0.0, "use_nesterov": True},
        {"beta1": 0.0, "use_nesterov": False},
        {"beta2": 1e-3},
        {"beta1": 0.0, "beta2": 1e-3, "use_nesterov": True},
        {"beta2": 0.999999, "beta1": 0.9999},
        {"min_learning_rate_mult": 1.0},
        {"learning_rate": 0.0},
    )
    cases = [base | change for change in changes]
    for variant in (False, "torch") if BACKEND == "tensorflow" else ():
        with double_precision():
            ends = run_population("nadamw", cases, "float64", variant)
        errors = relative_errors("nadamw", cases, ends, variant)
        assert np.max(errors) < FLOAT64, errors
    ends, _ = run_optimizer("nadamw", cases)
    assert np.max(relative_errors("nadamw", cases, ends)) < FLOAT32

    # At beta2 = 0 the step is sign(g), up to the rounding of v + (g^2 - v) where g is tiny.
    signs = {**configurations("adam4p")[0], "beta1": 0.0, "beta2": 0.0, "epsilon": 0.0}
    ends, _ = run_optimizer("adam4p", [signs | {"learning_rate": 1e-2}])
    np.testing.assert_allclose(ends[0], START - 1e-2 * np.sign(GRADIENTS).sum(axis=0), atol=1e-3)

    base = configurations("adam8p")[0] | {"learning_rate": 1e-2}
    cases = [
        base | change
        for change in (
            {"beta1": 0.0},
            {"linear_decay": 1e-3, "exponential_decay": 0.0},  # the rate reaches 0 on the way
            {"l1": 0.0, "l2": 0.0},
            {"epsilon": 0.0},
        )
    ]
    ends, _ = run_optimizer("adam8p", cases)
    assert np.max(relative_errors("adam8p", cases, ends)) < FLOAT32


def check_schedule_numbers():
    """The learning rate keeps its digits from the first step to the last."""
    for seed in range(20):
        values = spaces.get("nadamw").draw(seed)
        optimizer = optimizers.NAdamW(**values, training_steps=10_000)
        for step in (0, 1, 77, 4_000, 9_990, 9_999, 10_000, 12_000):
            optimizer._iterations.assign(step)
            rate = optimizer_reference.learning_rate(values, step, 10_000)
            np.testing.assert_allclose(
                optimizer.scheduled_learning_rate, rate, rtol=2e-5, atol=1e-9 * rate + 1e-12
            )
