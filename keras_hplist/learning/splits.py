"""How much tasks count, and which are held out together."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.learning.selection import checked_weights

_FEW_TASKS = 20  # up to this many are held out one by one
_FOLDS = 10


def task_weights(
    tasks: Sequence[Hashable],
    families: Sequence[str | None],
    weights: str | Mapping[Any, float] = "family",
) -> np.ndarray:
    """The weight of each task in J.

    Args:
        tasks: their labels.
        families: for each task its family; None where not known.
        weights: "family": families have equal weight, shared equally by their tasks, and a task
            without a family is one of its own; "equal"; or a mapping of every task to its weight.

    Returns:
        float64 array (task,) with sum 1.

    Raises:
        UnknownNameError, InvalidValueError: if `weights` is none of these.
    """
    if isinstance(weights, str):
        if weights not in ("family", "equal"):
            raise UnknownNameError("weights", weights, ("family", "equal"))
        given = np.ones(len(tasks))
        if weights == "family":
            groups = _groups(families)
            sizes = Counter(groups)
            given = np.array([1 / sizes[group] for group in groups])
    else:
        missing = [task for task in tasks if task not in weights]
        if missing:
            raise InvalidValueError(
                f"weights has none for task {missing[0]!r}; give one for each of the tasks."
            )
        given = np.array([weights[task] for task in tasks], float)
    given = checked_weights(given, len(tasks))
    return given / given.sum()


def held_out_folds(families: Sequence[str | None], seed: int = 0) -> tuple[str, list[np.ndarray]]:
    """Parts of the tasks to hold out in turn, for judging a learned list.

    One family at a time if at least three are known for all tasks; else one task at a time if there
    are at most 20; else ten random parts.

    Args:
        families: for each task its family; None where not known.
        seed: of the random parts.

    Returns:
        A phrase that says which of these, and bool arrays (task,), true for what is held out. No
        arrays for a single task.
    """
    groups = _groups(families)
    known = set(families)
    if None not in known and len(known) >= 3:
        names = sorted(known, key=str)
        return "one family at a time", [np.array([g == name for g in groups]) for name in names]
    tasks = len(families)
    if tasks == 1:
        return "nothing: there is one task", []
    if tasks <= _FEW_TASKS:
        return "one task at a time", list(np.eye(tasks, dtype=bool))
    fold = np.random.default_rng(seed).permutation(tasks) % _FOLDS
    return "a tenth of the tasks at a time", [fold == number for number in range(_FOLDS)]


def _groups(families: Sequence[str | None]) -> list[Hashable]:
    """The family of each task, or its own number where it has none."""
    return [index if family is None else family for index, family in enumerate(families)]
