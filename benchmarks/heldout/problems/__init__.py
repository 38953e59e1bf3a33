"""Held-out problems: real data, networks of no family of the suite. No list is learned from them.

problem = problems.get("residual_garments")
model = problem.build()
model.compile("adam", loss=problem.loss)
model.fit(*problem.data.train, batch_size=problem.batch_size)
"""

from keras_hplist.checks import checked_name

from . import pixels, relations, series, tabular, text, vision
from .problem import Data, Part, Problem, fingerprints, size, take

PROBLEMS = {
    problem.name: problem
    for module in (text, vision, pixels, tabular, series, relations)
    for problem in module.PROBLEMS
}

__all__ = ["PROBLEMS", "Data", "Part", "Problem", "fingerprints", "get", "names", "size", "take"]


def names() -> list[str]:
    """The names of all problems."""
    return list(PROBLEMS)


def get(name: str) -> Problem:
    """A problem by its name.

    Raises:
        UnknownNameError: if there is none.
    """
    return PROBLEMS[checked_name("held-out problem", name, PROBLEMS)]
