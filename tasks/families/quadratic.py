"""Quadratic functions of a vector, with and without noise in the matrix."""

from typing import Any

from ..sampling import Config, Rng, choice, log_float, log_int


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
