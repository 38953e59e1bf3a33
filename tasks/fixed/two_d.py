"""Functions of two weights, without data and without noise."""

from typing import TYPE_CHECKING, Any

from ..sampling import Config

if TYPE_CHECKING:
    from ..definition import Definition

# The published starts: draws of N(0, 1), or of U(-1, 1) with the box of the function, that
# TensorFlow makes of op seed 123 whatever the seed of a run.
_NORMAL = [2.443537712097168, 0.6532977819442749]


def _bowl(cond: float) -> Config:
    return {"problem": "bowl", "options": {"cond": cond, "angle": 0.0}, "start": _NORMAL}


def _test_function(name: str, *start: float) -> Config:
    options = {"problem": name}
    return {"problem": "optimization_test_problems", "options": options, "start": list(start)}


ROWS: dict[str, Config] = {
    "TwoD_Bowl1": _bowl(1.0),
    "TwoD_Bowl10": _bowl(10.0),
    "TwoD_Bowl100": _bowl(100.0),
    "TwoD_Bowl1000": _bowl(1000.0),
    "TwoD_Rosenbrock": _test_function("rosenbrock", -4.387855529785156, -1.8736815452575684),
    "TwoD_Ackley": _test_function("ackley", -30.093502044677734, -19.108905792236328),
    "TwoD_Beale": _test_function("beale", -4.132713317871094, -2.624208927154541),
    "TwoD_StyblinskiTang": _test_function(
        "StyblinskiTang", -4.5919036865234375, -2.915787696838379
    ),
}


def build(config: Config) -> "Definition":
    """One of the functions of `objectives`, from the same start in every run."""
    from dataclasses import replace

    from ..definition import Definition
    from ..layers import mean_loss
    from ..objectives import BASES
    from ..program import Block, Program
    from ..synthetic import generated

    problem = BASES[config["problem"]](config["options"], 0)
    (weight,) = problem.weights
    start = replace(weight, initializer=lambda rng: config["start"])

    def apply(weights: Any, inputs: Any, draws: Any) -> Any:
        return problem.value(weights, inputs)

    program = Program(Block((start,), apply), mean_loss, "The function's value, one number.")
    return Definition(program, 1, lambda source: generated("two weights"))
