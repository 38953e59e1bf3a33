"""Densities of the normalising flows, by change of variables with the whole Jacobian."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm
from task_contract import assert_close
from task_numerics import (
    ACTIVATIONS,
    FACTORS,
    SEED,
    check_block,
    draws,
    mlp,
    random_arrays,
    stacked,
    values_and_gradients,
)

from keras_hplist.tasks.layers import flows

SIZE = 7
FLOWS = {"maf": flows.masked_autoregressive, "nvp": flows.real_nvp}
DESIGNS = [("tanh", [5], 1), ("cos", [4, 9], 3), ("leaky_relu2", [6], 2)]
EXECUTIONS = [(False, False), (True, False), (True, True)]


def permuted(step, x):
    """The published permutation between two steps."""
    return x[..., np.random.RandomState(step).permutation(x.shape[-1])]


def coupling_map(weights, x, act, hidden, steps):
    """Data to base of a RealNVP, step by step on permuted data."""
    kept, own = x.shape[-1] // 2, 2 * (len(hidden) + 1)
    for i in range(steps):
        x = permuted(i - 1, x) if i else x
        given, rest = x[:, :kept], x[:, kept:]
        shift, log_scale = np.split(mlp(weights[i * own : (i + 1) * own], given, act), 2, axis=-1)
        x = np.concatenate([given, (rest - shift) / np.exp(log_scale)], axis=-1)
    return x


def autoregressive_map(weights, x, act, hidden, steps):
    """Data to base of a MAF: data move between steps, and every step takes them in their order.

    Weights of input and output belong to dimensions of the data, so they move along.
    """
    size, layers = x.shape[-1], len(hidden) + 1
    order = np.arange(size)
    degrees = [np.arange(1, size + 1)]
    degrees += [1 + np.arange(width) * (size - 1) // width for width in hidden]
    for i in range(steps):
        if i:
            x, order = permuted(i - 1, x), permuted(i - 1, order)
        y = x
        for n in range(layers):
            kernel, bias = weights[2 * (i * layers + n)], weights[2 * (i * layers + n) + 1]
            kernel = kernel[order] if n == 0 else kernel
            if n < layers - 1:
                edges = degrees[n][:, None] <= degrees[n + 1]
                y = ACTIVATIONS[act](y @ (kernel * edges) + bias)
        edges = degrees[-1][:, None] < degrees[0]
        shift, log_scale = (
            y @ (kernel[:, part] * edges) + bias[part] for part in (order, size + order)
        )
        x = (x - shift) / np.exp(log_scale)
    return x


MAPS = {"maf": autoregressive_map, "nvp": coupling_map}


def negative_log_density(to_base, x):
    """Minus log N(z; 0, I) minus log |det dz/dx|, with dz/dx by complex steps."""
    rows, size = x.shape
    moved = x + 1e-30j * np.eye(size)[:, None]
    columns = to_base(moved.reshape(-1, size)).imag.reshape(size, rows, size) / 1e-30
    _, log_det = np.linalg.slogdet(np.moveaxis(columns, 0, -1))
    return -norm.logpdf(to_base(x)).sum(-1) - log_det


def images(rows=5, size=SIZE):
    """Flat images in [0, 1]."""
    return np.random.default_rng(5).random((rows, size), np.float32)


@pytest.mark.parametrize("population, jit", EXECUTIONS)
@pytest.mark.parametrize("act, hidden, steps", DESIGNS)
@pytest.mark.parametrize("kind", FLOWS)
def test_density_is_that_of_the_change_of_variables(kind, act, hidden, steps, population, jit):
    """Values and gradients, with the noise of the same draws added to the images."""
    block = FLOWS[kind](SIZE, hidden, act, ("zeros", None), steps)
    x = images()
    noisy = x.astype(np.float64) + draws().normal(x.shape, 0.01).numpy()

    def reference(weights):
        return negative_log_density(lambda x: MAPS[kind](weights, x, act, hidden, steps), noisy)

    check_block(block, reference, random_arrays(block.weights), x, population, jit)


@pytest.mark.parametrize("kind", FLOWS)
def test_density_integrates_to_one(kind):
    """Over the plane, by a sum on a grid."""
    block = FLOWS[kind](2, [8], "tanh", ("zeros", None), 2, stddev=0.0)
    axis = np.linspace(-12, 12, 400, dtype=np.float32)
    plane = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    nats = block.apply(
        [tf.constant(w) for w in random_arrays(block.weights)], tf.constant(plane), draws()
    )
    mass = np.exp(-nats.numpy().astype(np.float64)).sum() * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1.0, abs=1e-4)


@pytest.fixture
def steps_of(monkeypatch):
    """Makes a flow, and returns its steps as functions from x to (new x, sum of log_scale)."""

    def density(steps, invert, stddev):
        def step(i):
            own = sum(len(block.weights) for block in steps[:i])
            count = len(steps[i].weights)
            return lambda weights, x: invert(i, steps[i], weights[own : own + count], x, draws())

        return [step(i) for i in range(len(steps))], [w for block in steps for w in block.weights]

    def make(kind, *design):
        with monkeypatch.context() as patch:
            patch.setattr(flows, "negative_log_density", density)
            return FLOWS[kind](*design)

    return make


@pytest.mark.parametrize("kind, hidden", [("maf", [20, 15]), ("maf", [3]), ("nvp", [6])])
def test_step_is_triangular_in_its_order(kind, hidden, steps_of):
    """The Jacobian of each step, and the sum of log_scale as minus its log-determinant."""
    steps, weights = steps_of(kind, SIZE, hidden, "tanh", ("zeros", None), 3)
    weights = [tf.constant(w) for w in random_arrays(weights)]
    order = np.arange(SIZE)
    for i, step in enumerate(steps):
        if i:
            order = permuted(i - 1, order)
        x = tf.constant(images())
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            z, log_scale = step(weights, x)
        jacobian = tape.batch_jacobian(z, x).numpy()
        if kind == "maf":
            in_order = jacobian[:, order][:, :, order]
        else:
            in_order = jacobian[:, :, permuted(i - 1, np.arange(SIZE))] if i else jacobian
        assert not np.triu(in_order, 1).any()
        np.testing.assert_allclose(np.linalg.slogdet(jacobian)[1], -log_scale, atol=2e-6)
        if kind == "maf" and len(hidden) == 2:
            below = np.tril(np.ones((SIZE, SIZE), bool), -1)
            assert in_order[:, below].all()


@pytest.mark.parametrize("population", [False, True])
@pytest.mark.parametrize(
    "kind, raw",
    [("maf", [-7.0, -5.5, -1.0, 0.0, 2.0, 4.0, 9.0]), ("nvp", [-7.0, 1.0, 4.0, 9.0])],
)
def test_maf_alone_clips_log_scale_and_passes_its_gradient(kind, raw, population):
    """An affine map, of biases alone: MAF clips log_scale to [-5, 3], its gradient as if not."""
    block = FLOWS[kind](SIZE, [4], "tanh", ("zeros", None), 1, stddev=0.0)
    moved = len(raw)
    weights = [np.zeros(w.shape, np.float32) for w in block.weights]
    weights[-1] = np.array([*np.linspace(-0.5, 0.5, moved), *raw], np.float32)
    x = images()
    values, gradients = values_and_gradients(
        lambda *w: block.apply(w, tf.constant(x), draws()),
        stacked(weights) if population else weights,
    )
    factors = FACTORS if population else FACTORS[:1]
    slopes = gradients[-1].reshape(len(factors), -1)
    for value, slope, factor in zip(values.reshape(len(factors), -1), slopes, factors):
        shift, log_scale = np.split((weights[-1] * np.float32(factor)).astype(float), 2)
        if kind == "maf":
            log_scale = np.clip(log_scale, -5, 3)
        passed, rest = np.split(x.astype(float), [SIZE - moved], axis=-1)
        z = (rest - shift) * np.exp(-log_scale)
        expected = -norm.logpdf(passed).sum(-1) - norm.logpdf(z).sum(-1) + log_scale.sum()
        assert_close([value], [expected])
        by_shift, by_log_scale = -(z * np.exp(-log_scale)).mean(0), (1 - z * z).mean(0)
        np.testing.assert_allclose(slope, [*by_shift, *by_log_scale], rtol=1e-4)


@pytest.mark.parametrize("shape", [(4, SIZE), (3, 4, SIZE)])
def test_permutation_and_its_gradient(shape):
    """The order of the published seed; the gradient goes back to where the value came from."""
    order = flows.permutation(SEED[1], SIZE)
    assert np.array_equal(order, np.random.RandomState(SEED[1]).permutation(SIZE))
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    upstream = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        y = flows.permute(tensor, order)
        total = tf.reduce_sum(y * upstream)
    matrix = np.eye(SIZE, dtype=np.float32)[order]
    assert np.array_equal(y, x @ matrix.T)
    assert np.array_equal(tape.gradient(total, tensor), upstream @ matrix)
