"""Float64 references in NumPy, and the comparison of a task's blocks with them."""

import numpy as np
import tensorflow as tf
from task_contract import assert_close
from task_contract import tensors as as_tensors

from keras_hplist.tasks.layers import Draws

SEED = (7, 3)
FACTORS = (1.0, 0.9, 1.05)
"""By how much the members of a population differ."""

ACTIVATIONS = {
    "relu": lambda x: np.where(x.real > 0, x, 0.0),
    "tanh": np.tanh,
    "cos": np.cos,
    "elu": lambda x: np.where(x.real > 0, x, np.exp(np.where(x.real > 0, 0.0, x)) - 1.0),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "swish": lambda x: x / (1.0 + np.exp(-x)),
    "leaky_relu4": lambda x: np.where(x.real > 0, x, 0.4 * x),
    "leaky_relu2": lambda x: np.where(x.real > 0, x, 0.2 * x),
    "leaky_relu1": lambda x: np.where(x.real > 0, x, 0.1 * x),
}
"""Of complex numbers too, whose imaginary part then holds a derivative (complex step)."""


def draws():
    """The draws that a block gets in these tests, from the first one on."""
    return Draws(tf.constant(SEED))


def mlp(weights, x, act):
    """Kernels and biases in turn, with an activation between the layers."""
    for i in range(0, len(weights), 2):
        x = x @ weights[i] + weights[i + 1]
        x = ACTIVATIONS[act](x) if i < len(weights) - 2 else x
    return x


def random_arrays(weights, scale=0.4):
    """A normal array for each `program.Weight`, biases too, so that no symmetry hides an error."""
    rng = np.random.default_rng(0)
    return [(scale * rng.standard_normal(w.shape)).astype(np.float32) for w in weights]


def stacked(weights):
    """A population of as many members as there are `FACTORS`."""
    return [np.stack([w * np.float32(factor) for factor in FACTORS]) for w in weights]


def values_and_gradients(f, arrays, jit=False):
    """Outputs of `f`, and the gradients of its mean over the last axis, summed over the others."""

    def run(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            values = f(*tensors)
            total = tf.reduce_sum(tf.reduce_mean(values, -1))
        return values, tape.gradient(total, tensors)

    values, gradients = (tf.function(run, jit_compile=True) if jit else run)(*as_tensors(arrays))
    return values.numpy(), [g.numpy() for g in gradients]


def some_slopes(f, arrays, entries=12, step=1e-5):
    """Central differences of a scalar function: for every array, flat indices and slopes."""
    rng = np.random.default_rng(1)
    found = []
    for array in arrays:
        flat = array.reshape(-1)
        indices = rng.permutation(flat.size)[:entries]
        slopes = []
        for i in indices:
            start = flat[i]
            flat[i] = start + step
            above = f(arrays)
            flat[i] = start - step
            slopes.append((above - f(arrays)) / (2 * step))
            flat[i] = start
        found.append((indices, np.array(slopes)))
    return found


def check_block(block, reference, weights, x, population, jit, tolerance=2e-5):
    """Values and gradients of a block are those of a float64 reference.

    Args:
        block: from `x` to (B,), or to (P, B) for a population.
        reference: called with float64 weights of one member, gives the values (B,).
        weights: float32 arrays of one member.
        x: inputs.
        population: whether to give the block a population, made of `weights` by `FACTORS`.
        jit: whether XLA compiles it.
        tolerance: of values and gradients, relative to the largest of each array.
    """
    values, gradients = values_and_gradients(
        lambda *w: block.apply(w, tf.convert_to_tensor(x), draws()),
        stacked(weights) if population else weights,
        jit,
    )
    if population:
        assert values.shape == (len(FACTORS), len(x))
    else:
        values, gradients = values[None], [g[None] for g in gradients]
    for i, value in enumerate(values):
        member = [(w * np.float32(FACTORS[i])).astype(np.float64) for w in weights]
        assert_close([value], [reference(member)], tolerance)
        slopes = some_slopes(lambda arrays: reference(arrays).mean(), member)
        for gradient, weight, (indices, expected) in zip(gradients, weights, slopes, strict=True):
            assert gradient[i].shape == weight.shape
            assert_close([gradient[i].reshape(-1)[indices]], [expected], 5 * tolerance)
