"""Objectives of the LOSG problems: functions of weights and a batch, with values (1,) or (P, 1).

Formulas are those of the published suite, after arXiv 1703.04813. All work on the last axis, so
that weights may carry a population axis. A batch x is (B, F + 1): features, and the label in the
last column, since the label enters the objective before the wrappers do.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops

from .layers import ACTIVATIONS, Draws, add_bias, dense
from .program import Weight
from .sampling import Config, Rng

Objective = Callable[[Sequence[Any], Any], Any]


@dataclass(frozen=True)
class Problem:
    """One optimisation problem.

    Attributes:
        weights: what is trained.
        value: function of (weights, x).
        rows: the data (N, F + 1), empty where none are used.
        batch_size: examples of a step.
    """

    weights: tuple[Weight, ...]
    value: Objective
    rows: np.ndarray = field(default_factory=lambda: np.zeros((1, 1), np.float32))
    batch_size: int = 1


def _half_square(v: Any) -> Any:
    return 0.5 * ops.sum(v * v, axis=-1, keepdims=True)


def _affine(dim: int, seed: int) -> Callable[[Any], Any]:
    """x to W x - y, W and y of independent N(0, 1) fixed by the seed."""
    rng = Rng(seed)
    w = rng.normal(size=(dim, dim)).astype(np.float32)
    y = rng.normal(size=dim).astype(np.float32)
    # One product, whose rows are the members of a population.
    return lambda x: ops.reshape(ops.matmul(ops.reshape(x, (-1, dim)), w.T), x.shape) - y


def _vector(dim: int, value: Callable[[Any], Any], uses: float = 1.0) -> Problem:
    weight = Weight("x", (dim,), ("random_normal", 1.0), uses)
    return Problem((weight,), lambda w, x: value(w[0]))


def _quadratic(options: Config, seed: int) -> Problem:
    affine = _affine(options["dim"], seed)
    return _vector(options["dim"], lambda x: _half_square(affine(x)), uses=options["dim"])


def _bowl(options: Config, seed: int) -> Problem:
    sine, cosine = math.sin(options["angle"]), math.cos(options["angle"])
    root = math.sqrt(options["cond"])

    def value(x: Any) -> Any:
        first = root * (cosine * x[..., :1] - sine * x[..., 1:])
        second = sine * x[..., :1] + cosine * x[..., 1:]
        return 0.5 * (first * first + second * second)

    return _vector(2, value)


def _norm(options: Config, seed: int) -> Problem:
    affine, power = _affine(options["dim"], seed), options["norm_power"]

    def value(x: Any) -> Any:
        powers = ops.power(ops.abs(affine(x)) + 1e-6, power)
        return ops.power(ops.sum(powers, axis=-1, keepdims=True), 1 / power)

    return _vector(options["dim"], value, uses=options["dim"])


def _dependency_chain(options: Config, seed: int) -> Problem:
    def value(x: Any) -> Any:
        square = x * x
        terms = square[..., :1] + square[..., 1:] / (square[..., :-1] + 1e-6)
        return ops.sum(terms, axis=-1, keepdims=True)

    return _vector(options["dim"] + 1, value)


def _min_max_well(options: Config, seed: int) -> Problem:
    def value(x: Any) -> Any:
        square = x * x
        largest = ops.max(square, axis=-1, keepdims=True)
        return largest + 1.0 / ops.min(square, axis=-1, keepdims=True) - 2.0 + 1e-12

    return _vector(options["dim"], value)


def _ackley(x: Any, y: Any) -> Any:
    turns = ops.cos(2 * math.pi * x) + ops.cos(2 * math.pi * y)
    radius = ops.sqrt(0.5 * (x * x + y * y))
    return -20 * ops.exp(-0.2 * radius) - ops.exp(0.5 * turns) + math.e + 20


def _beale(x: Any, y: Any) -> Any:
    return sum((c - x + x * y**k) ** 2 for k, c in ((1, 1.5), (2, 2.25), (3, 2.625)))


def _branin(x: Any, y: Any) -> Any:
    bend = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return bend * bend + 10 * (1 - 1 / (8 * math.pi)) * ops.cos(x) + 10


def _logsumexp(x: Any, y: Any) -> Any:
    terms = [x + 3 * y - 0.1, x - 3 * y - 0.1, -x - 0.1, 0.0 * x]
    return ops.logsumexp(ops.concatenate(terms, axis=-1), axis=-1, keepdims=True)


def _michalewicz(x: Any, y: Any) -> Any:
    first = ops.sin(x) * ops.sin(x * x / math.pi) ** 10
    return 2 - first - ops.sin(y) * ops.sin(2 * y * y / math.pi) ** 10


def _styblinski_tang(x: Any, y: Any) -> Any:
    return 0.5 * sum(t**4 - 16 * t * t + 5 * t for t in (x, y)) + 80


# Name -> (function of the coordinates, box of the start; None for N(0, 1)).
TEST_FUNCTIONS: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "ackley": (_ackley, [(-32.768, 32.768)] * 2),
    "beale": (_beale, [(-4.5, 4.5)] * 2),
    "branin": (_branin, [(-5, 10), (0, 15)]),
    "logsumexp": (_logsumexp, None),
    "matyas": (lambda x, y: 0.26 * (x * x + y * y) - 0.48 * x * y, [(-10, 10)] * 2),
    "michalewicz": (_michalewicz, [(0, math.pi)] * 2),
    "rosenbrock": (lambda x, y: (1 - x) ** 2 + 100 * (y - x * x) ** 2, [(-5, 10)] * 2),
    "StyblinskiTang": (_styblinski_tang, [(-5, 5)] * 2),
}


def _test_function(options: Config, seed: int) -> Problem:
    function, box = TEST_FUNCTIONS[options["problem"]]
    problem = _vector(2, lambda x: function(x[..., :1], x[..., 1:]))
    if box is None:
        return problem
    low, high = np.transpose(box)
    return Problem((Weight("x", (2,), lambda rng: rng.uniform(low, high), 1.0),), problem.value)


def _symmetric(options: Config, seed: int) -> np.ndarray:
    half = Rng(seed).normal(size=(options["n_samples"] // 2, options["dim"]))
    return np.pad(np.concatenate([half, -half]), ((0, 0), (0, 1))).astype(np.float32)


def random_mlp(features: int, samples: int, seed: int) -> np.ndarray:
    """Inputs N(0, 1), labelled by the sign of a random ReLU network's first output."""
    rng = Rng(seed)
    inputs = hidden = rng.normal(size=(samples, features))
    for _ in range(6):
        kernel = rng.normal(size=(hidden.shape[1], 20)) * math.sqrt(2 / features)
        hidden = np.maximum(hidden @ kernel, 0)
    labels = hidden[:, :1] > 0
    return np.concatenate([inputs, labels], axis=1).astype(np.float32)


def noisy_parity(samples: int, seed: int) -> np.ndarray:
    """Rows of five ids in {0, 1} and their parity, which is wrong in one of four cases."""
    rng = Rng(seed)
    ids = rng.randint(0, 2, (samples, 5))
    wrong = rng.uniform(size=(samples, 1)) < 0.25
    labels = (ids.sum(1, keepdims=True) + wrong) % 2
    return np.concatenate([ids, labels], axis=1).astype(np.float32)


def _over_batch(terms: Any) -> Any:
    return ops.expand_dims(ops.sum(terms, axis=(-2, -1)), -1)


def _with_rows(dim: int, value: Objective, rows: np.ndarray, batch_size: int) -> Problem:
    return Problem((Weight("x", (dim,), ("random_normal", 1.0), 1.0),), value, rows, batch_size)


def _outward_snake(options: Config, seed: int) -> Problem:
    def value(weights: Any, rows: Any) -> Any:
        x, data = ops.expand_dims(weights[0], -2), rows[:, :-1]
        radius = ops.sqrt(ops.sum(x * x, axis=-1, keepdims=True))
        path = (x[..., 1:] - math.pi * ops.cos(x[..., :-1])) * data[:, 1:]
        return _over_batch(data[:, :1] / (radius + 1e-6)) + _over_batch(path * path)

    rows = random_mlp(options["dim"], options["n_samples"], seed)
    return _with_rows(options["dim"], value, rows, options["bs"])


def _sum_of_quadratics(options: Config, seed: int) -> Problem:
    def value(weights: Any, rows: Any) -> Any:
        x, data = ops.expand_dims(weights[0], -2), rows[:, :-1]
        return _over_batch((x - data) ** 2) - ops.sum(data * data) + 1e-12

    return _with_rows(options["dim"], value, _symmetric(options, seed), options["bs"])


def _projection_quadratic(options: Config, seed: int) -> Problem:
    def value(weights: Any, rows: Any) -> Any:
        return _over_batch((ops.expand_dims(weights[0], -2) * rows[:, :-1]) ** 2)

    return _with_rows(options["dim"], value, _symmetric(options, seed), options["bs"])


def _classifier_loss(weights: Sequence[Any], shapes: Sequence[Weight], logits: Any, y: Any) -> Any:
    """Sigmoid cross-entropy of the first logit, and 1e-3 times the mean square norm of arrays."""
    first = logits[..., 0]
    entropy = ops.mean(ops.softplus(first) - first * y, axis=-1, keepdims=True)
    norms = [ops.sum(w * w, axis=tuple(range(-len(s.shape), 0))) for w, s in zip(weights, shapes)]
    return entropy + 1e-3 * ops.expand_dims(sum(norms) / len(norms), -1)


def _classifier_weight(name: str, *shape: int) -> Weight:
    uses = 1.0 if len(shape) == 2 else 0.0
    return Weight(name, shape, ("random_normal", 1.2 / math.sqrt(shape[0])), uses)


def _fully_connected(options: Config, seed: int) -> Problem:
    sizes = [options["n_features"], *options["hidden_sizes"], options["n_classes"]]
    weights = tuple(
        weight
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
        for weight in (
            _classifier_weight(f"dense{i}_kernel", inputs, outputs),
            _classifier_weight(f"dense{i}_bias", outputs),
        )
    )
    act = ACTIVATIONS[options["activation"]]

    def value(values: Any, rows: Any) -> Any:
        x = rows[:, :-1]
        for i in range(0, len(values), 2):
            x = add_bias(dense(act(x) if i else x, values[i]), values[i + 1])
        return _classifier_loss(values, weights, x, rows[:, -1])

    rows = random_mlp(options["n_features"], options["n_samples"], seed)
    return Problem(weights, value, rows, options["bs"])


def _sparse_softmax_regression(options: Config, seed: int) -> Problem:
    features, classes = options["n_features"], options["n_classes"]
    weights = (
        _classifier_weight("embeddings", 2, features),
        _classifier_weight("kernel", features, classes),
        _classifier_weight("bias", classes),
    )

    def value(values: Any, rows: Any) -> Any:
        embeddings, kernel, bias = values
        # The sum of the five looked-up rows is a product with the counts of the two ids.
        ones = ops.sum(rows[:, :-1], axis=-1, keepdims=True)
        hidden = dense(ops.concatenate([5.0 - ones, ones], axis=-1), embeddings)
        return _classifier_loss(values, weights, add_bias(dense(hidden, kernel), bias), rows[:, -1])

    return Problem(weights, value, noisy_parity(options["n_samples"], seed), options["bs"])


BASES: dict[str, Callable[[Config, int], Problem]] = {
    "quadratic": _quadratic,
    "bowl": _bowl,
    "optimization_test_problems": _test_function,
    "fully_connected": _fully_connected,
    "norm": _norm,
    "dependency_chain": _dependency_chain,
    "outward_snake": _outward_snake,
    "min_max_well": _min_max_well,
    "sum_of_quadratics": _sum_of_quadratics,
    "projection_quadratic": _projection_quadratic,
    "sparse_softmax_regression": _sparse_softmax_regression,
}


def disturbed(
    problem: Problem, draws: Draws, weights: Sequence[Any], stddev: float, zero_probability: float
) -> tuple[list[Any], Any]:
    """Weights and a term to add, which change gradients and leave the value of the objective.

    Every entry of the gradient is zero with `zero_probability`, else it gets N(0, stddev²).

    Returns:
        The weights to use in the objective, and the term (1,) or (P, 1), zero in value.
    """
    used, term = [], 0.0
    for w, shape in zip(weights, problem.weights):
        keep = draws.bernoulli(shape.shape, 1 - zero_probability) if zero_probability else 1.0
        fixed = ops.stop_gradient(w)
        used.append(fixed + keep * (w - fixed))
        if stddev:
            push = keep * draws.normal(shape.shape, stddev) * (w - fixed)
            term = term + ops.sum(push, axis=tuple(range(-len(shape.shape), 0)))
    return used, ops.expand_dims(term, -1) if stddev else 0.0
