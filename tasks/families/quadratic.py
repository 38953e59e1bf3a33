"""Quadratic functions of a vector, with and without noise in the matrix."""

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..sampling import Config, Rng, choice, log_float, log_int

if TYPE_CHECKING:
    from ..definition import Definition
    from ..layers import Draws


def _span(rng: Rng, low: float, high: float, width: float) -> Config:
    start = float(rng.uniform(low, high))
    return {"min": start, "max": start + float(rng.uniform(0, width))}


def _normal(rng: Rng, mean: float, std: float) -> Config:
    return {"mean": float(rng.normal(0, mean)), "std": float(rng.uniform(0, std))}


def _matrix(rng: Rng, noise: bool) -> list[Any]:
    """Pair [type, parameters] of a random matrix: the problem's own, or its noise."""
    kind = choice(rng, ["normal", "linspace_eigen", "uniform", "logspace_eigen"])
    if kind == "normal":
        return [kind, _normal(rng, 0.05, 0.05) if noise else _normal(rng, 1, 2)]
    if kind == "uniform":
        return [kind, _span(rng, -0.15, 0.05, 0.25) if noise else _span(rng, -3, 1, 5)]
    if kind == "linspace_eigen":
        return [kind, _span(rng, 0.01, 2, 10) if noise else _span(rng, 0.01, 50, 100)]
    return [kind, {"min": 1e-5, "max": float(rng.uniform(1, 10 if noise else 1000))}]


def _vector(rng: Rng) -> list[Any]:
    kind = choice(rng, ["normal", "uniform"])
    return [kind, _normal(rng, 1, 2) if kind == "normal" else _span(rng, -5, 2.5, 5)]


def sample(seed: int) -> Config:
    """The published configuration of `quadratic_family_seed<seed>`."""
    rng = Rng(seed)
    return {
        "A_dist": _matrix(rng, noise=False),
        "initial_dist": _vector(rng),
        "output_fn": choice(rng, ["identity", "log"]),
        "dims": log_int(rng, 2, 3000),
        "seed": int(rng.randint(0, 100000)),
        "loss_scale": log_float(rng, 1e-5, 1e3),
        "noise": {"A_noise": _matrix(rng, noise=True)} if choice(rng, [True, False]) else None,
    }


def _entries(rng: Rng, dist: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    kind, p = dist
    if kind == "normal":
        return rng.normal(p["mean"], p["std"], shape)
    return rng.uniform(p["min"], p["max"], shape)


def _eigenvalues(kind: str, p: Config, dims: int) -> np.ndarray:
    space = np.linspace if kind == "linspace_eigen" else np.geomspace
    return space(p["min"], p["max"], dims)


def matrix(dist: list[Any], dims: int, seed: int) -> np.ndarray:
    """The matrix A of a configuration, float32 (dims, dims)."""
    rng, (kind, p) = Rng(seed), dist
    if kind in ("normal", "uniform"):
        return _entries(rng, dist, (dims, dims)).astype(np.float32)
    q, _ = np.linalg.qr(rng.uniform(-1, 1, (dims, dims)))
    return ((q * _eigenvalues(kind, p, dims)) @ q.T).astype(np.float32)


def _noise(dist: list[Any], x: Any, dims: int, draws: "Draws") -> Any:
    """Product of a fresh random matrix with every row of x (N, dims)."""
    from keras import ops

    kind, p = dist
    if kind == "normal":
        drawn = p["mean"] + draws.normal((dims, dims), p["std"])
    elif kind == "uniform":
        drawn = draws.uniform((dims, dims), p["min"], p["max"])
    else:
        q, _ = ops.qr(draws.uniform((dims, dims), -1.0, 1.0))
        scaled = ops.matmul(x, q) * ops.cast(_eigenvalues(kind, p, dims), "float32")
        return ops.matmul(scaled, ops.transpose(q))
    return ops.matmul(x, ops.transpose(drawn))


def build(config: Config) -> "Definition":
    """s out(|(A + E) x|²) of the weight x; out is the identity or ln(max(v, 0) + 1e-8)."""
    from keras import ops

    from ..definition import Definition
    from ..layers import mean_loss
    from ..program import Block, Program, Weight
    from ..synthetic import generated

    dims, seed, scale = config["dims"], config["seed"], config["loss_scale"]
    noise = config["noise"]

    @cache
    def transposed() -> np.ndarray:
        # Made at the first use: the largest takes seconds and tens of megabytes.
        return np.ascontiguousarray(matrix(config["A_dist"], dims, seed + 2).T)

    def apply(weights: Any, inputs: Any, draws: "Draws") -> Any:
        (x,) = weights
        # One product, whose rows are the members of a population.
        rows = ops.reshape(x, (-1, dims))
        product = ops.matmul(rows, ops.convert_to_tensor(transposed()))
        if noise:
            product = product + _noise(noise["A_noise"], rows, dims, draws)
        value = ops.sum(product * product, axis=-1)
        if config["output_fn"] == "log":
            value = ops.log(ops.maximum(value, 0.0) + 1e-8)
        return ops.reshape(scale * value, (*x.shape[:-1], 1))

    def start(rng: np.random.Generator) -> np.ndarray:
        # The published start depends on the instance alone, not on the seed of the run.
        return _entries(Rng(seed + 1), config["initial_dist"], (dims,))

    block = Block((Weight("x", (dims,), start, uses=dims),), apply)
    program = Program(block, mean_loss, "The function's value, one number.")
    return Definition(program, 1, lambda source: generated("quadratic"))
