"""Small synthetic problems after "Learned Optimizers that Scale and Generalize" (1703.04813)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..sampling import Config, Rng, activation, choice, coin, log_float, log_int

if TYPE_CHECKING:
    from ..definition import Definition
    from ..layers import Draws

# In the order of the draws; the functions are in `objectives`, which loads Keras.
_TEST_FUNCTIONS = (
    "StyblinskiTang",
    "ackley",
    "beale",
    "branin",
    "logsumexp",
    "matyas",
    "michalewicz",
    "rosenbrock",
)


def _stdev(rng: Rng, noisy: bool) -> float:
    return log_float(rng, 0.01, 10) if noisy else 0.0


def _noisy_vector(rng: Rng) -> Config:
    noisy = coin(rng, 0.5)
    return {"dim": log_int(rng, 10, 1000), "noise_stdev": _stdev(rng, noisy)}


def _bowl(rng: Rng) -> Config:
    noisy = coin(rng, 0.5)
    return {
        "cond": log_float(rng, 0.01, 100),
        "angle": choice(rng, [0.0, 0.0, np.pi / 4, np.pi / 3]),
        "noise_stdev": _stdev(rng, noisy),
    }


def _sparse_softmax_regression(rng: Rng) -> Config:
    noisy = coin(rng, 0.5)
    return {
        "n_features": log_int(rng, 2, 100),
        "n_classes": 2,
        "noise_stdev": _stdev(rng, noisy),
        "bs": log_int(rng, 1, 50),
        "n_samples": log_int(rng, 1, 30),
    }


def _optimization_test_problems(rng: Rng) -> Config:
    noisy = coin(rng, 0.5)
    return {"problem": choice(rng, _TEST_FUNCTIONS), "noise_stdev": _stdev(rng, noisy)}


def _fully_connected(rng: Rng) -> Config:
    n_layer = choice(rng, [2, 3, 4, 5])
    fixed = coin(rng, 0.5)
    options = {
        "n_features": log_int(rng, 1, 16),
        "n_classes": 2,
        "activation": activation(rng),
        "bs": log_int(rng, 1, 200),
        "n_samples": log_int(rng, 1, 30),
    }
    if fixed:
        return options | {"hidden_sizes": [log_int(rng, 4, 32)] * n_layer}
    return options | {"hidden_sizes": [log_int(rng, 4, 32) for _ in range(n_layer)]}


def _norm(rng: Rng) -> Config:
    return {"dim": log_int(rng, 3, 1000), "norm_power": float(rng.uniform(0.1, 5.0))}


def _with_data(rng: Rng) -> Config:
    return {
        "dim": log_int(rng, 3, 100),
        "bs": log_int(rng, 1, 200),
        "n_samples": log_int(rng, 100, 20000),
    }


# In the order of the published draw of a base problem.
_BASES: dict[str, Callable[[Rng], Config]] = {
    "quadratic": _noisy_vector,
    "bowl": _bowl,
    "optimization_test_problems": _optimization_test_problems,
    "fully_connected": _fully_connected,
    "norm": _norm,
    "dependency_chain": _with_data,
    "outward_snake": _with_data,
    "min_max_well": _noisy_vector,
    "sum_of_quadratics": _with_data,
    "projection_quadratic": _with_data,
}


def _base(rng: Rng) -> list[Any]:
    key = choice(rng, list(_BASES))
    return [key, _BASES[key](rng)]


def _sparse_problems(rng: Rng) -> Config:
    noisy = coin(rng, 0.5)
    return {
        "base": _base(rng),
        "zero_probability": float(rng.uniform(0.9, 0.99)),
        "noise_stdev": _stdev(rng, noisy),
    }


def _rescale_problems(rng: Rng) -> Config:
    return {"base": _base(rng), "scale": log_float(rng, 0.001, 1000)}


def _log_objective(rng: Rng) -> Config:
    return {"base": _base(rng)}


_PROBLEMS = _BASES | {
    "sparse_softmax_regression": _sparse_softmax_regression,
    "sparse_problems": _sparse_problems,
    "rescale_problems": _rescale_problems,
    "log_objective": _log_objective,
}


def sample(seed: int) -> list[Any]:
    """The published triple [problem, options, instance seed] of `losg_tasks_family_seed<seed>`."""
    rng = Rng(seed)
    key = choice(rng, sorted(_PROBLEMS))
    return [key, _PROBLEMS[key](rng), int(rng.uniform(0, 100000))]


def build(config: list[Any]) -> "Definition":
    """One of the base objectives, bare or wrapped; see `objectives` for the formulas.

    The noise of a base problem is not used inside a wrapper, as in the published suite.
    """
    from keras import ops

    from ..definition import Definition
    from ..layers import mean_loss
    from ..objectives import BASES, disturbed
    from ..program import Block, Program, Weight
    from ..synthetic import repeated

    key, options, seed = config
    base, base_options = options.get("base", (key, options))
    problem = BASES[base](base_options, seed)
    weights, scale = problem.weights, options.get("scale", 1.0)
    if key == "rescale_problems":
        weights = tuple(
            Weight(w.name, w.shape, _scaled(w.shape, w.initializer, scale), w.uses) for w in weights
        )
    stddev = options.get("noise_stdev", 0.0)

    def apply(values: Any, x: Any, draws: "Draws") -> Any:
        zero_probability = options.get("zero_probability", 0.0)
        values, term = disturbed(problem, draws, values, stddev, zero_probability)
        value = problem.value([w / scale for w in values], x)
        if key == "log_objective":
            value = ops.log(value + 1e-6) - float(np.log(1e-6))
        return value + term

    program = Program(Block(weights, apply), mean_loss, "The objective of the batch, one number.")
    targets = problem.rows[:, -1].astype(np.int32)
    return Definition(
        program, problem.batch_size, lambda source: repeated(key, problem.rows, targets)
    )


def _scaled(shape: tuple[int, ...], initializer: Any, scale: float) -> Callable[..., np.ndarray]:
    from ..initializers import draw

    return lambda rng: scale * draw(initializer, shape, rng)
