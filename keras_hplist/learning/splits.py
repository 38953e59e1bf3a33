"""How much tasks count, and which are held out together."""

import numbers
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_hplist.checks import checked_count, checked_name
from keras_hplist.errors import InvalidValueError
from keras_hplist.learning.selection import checked_weights

WEIGHTS = ("family", "equal")
"""The rules by which tasks can be weighed; see `task_weights`."""

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
            without a family is one of its own; "equal"; or a mapping of every task, or of every
            family, to its weight.

    Returns:
        float64 array (task,) with sum 1.

    Raises:
        UnknownNameError, InvalidValueError: if `weights` is none of these.
    """
    if isinstance(weights, str):
        checked_name("weights", weights, WEIGHTS)
        given = _shares(families) if weights == "family" else np.ones(len(tasks))
    elif not isinstance(weights, Mapping):
        raise InvalidValueError(
            f"weights is {weights!r}; give one of {', '.join(WEIGHTS)}, or a mapping of tasks or "
            "families to numbers."
        )
    elif all(task in weights for task in tasks):
        given = _numbers(weights, tasks)
    elif all(family in weights for family in families):
        given = _shares(families) * _numbers(weights, families)
    else:
        missing = next(task for task in tasks if task not in weights)
        raise InvalidValueError(
            f"weights has none for task {missing!r}; give one for each of the tasks, or for each "
            "of their families."
        )
    given = checked_weights(given, len(tasks))
    return given / given.sum()


def _numbers(weights: Mapping[Any, float], labels: Sequence[Hashable]) -> np.ndarray:
    for label in labels:
        if not isinstance(weights[label], numbers.Real):
            raise InvalidValueError(
                f"The weight of {label!r} is {weights[label]!r}; give a number, none negative."
            )
    return np.array([weights[label] for label in labels], float)


def _shares(families: Sequence[str | None]) -> np.ndarray:
    """The share of each task in its family."""
    groups = _groups(families)
    sizes = Counter(groups)
    return np.array([1 / sizes[group] for group in groups])


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


SPLITS = ("tasks", "families", "leave_one_task_out", "leave_one_family_out")


@dataclass(frozen=True)
class Split:
    """A part of the tasks to hold out.

    Attributes:
        number: of the split, from 0.
        test: bool (task,), true for what is held out.
        left_out: the name of the task or family, where it is a single one.
    """

    number: int
    test: np.ndarray
    left_out: Hashable | None = None


def task_splits(
    tasks: Sequence[Hashable],
    families: Sequence[str | None],
    split: str,
    n_resamplings: int,
    test_size: float | int,
    seed: int,
) -> list[Split]:
    """Splits of the tasks into training and test tasks.

    Args:
        tasks: their labels.
        families: for each task its family; None where not known.
        split: one of `SPLITS`.
        n_resamplings: how many, for the random ones.
        test_size: share or number of tasks or families to hold out, for the random ones; at least
            one is held out and one kept.
        seed: of the random ones.

    Raises:
        UnknownNameError: if `split` is none of these.
        InvalidValueError: if there are fewer than two tasks or families, a family is not known, or
            the numbers are out of range.
    """
    checked_name("split of tasks", split, SPLITS)
    by_family = split in ("families", "leave_one_family_out")
    if by_family and None in families:
        raise InvalidValueError(
            f"split={split!r} needs the family of every task; that of "
            f"{tasks[list(families).index(None)]!r} is not known."
        )
    labels: list[Hashable] = list(families if by_family else tasks)
    units = sorted(set(labels), key=str)
    if len(units) < 2:
        raise InvalidValueError(
            f"split={split!r} needs at least two {'families' if by_family else 'tasks'} to hold "
            f"one out; there is {len(units)}."
        )
    if split.startswith("leave_one"):
        return [
            Split(number, np.array([label == unit for label in labels]), unit)
            for number, unit in enumerate(units)
        ]
    held_out = _checked_test_size(test_size, len(units))
    checked_count("n_resamplings", n_resamplings, 1)
    splits = []
    for number in range(n_resamplings):
        random = np.random.default_rng([seed, number])
        chosen = {units[i] for i in random.choice(len(units), held_out, replace=False)}
        splits.append(Split(number, np.array([label in chosen for label in labels])))
    return splits


def _checked_test_size(test_size: float | int, units: int) -> int:
    if isinstance(test_size, float) and 0 < test_size < 1:
        return min(max(1, round(test_size * units)), units - 1)
    whole = isinstance(test_size, int | np.integer) and not isinstance(test_size, bool)
    if whole and 1 <= test_size < units:
        return int(test_size)
    raise InvalidValueError(
        f"test_size is {test_size!r}; give a share between 0 and 1 (float), or a number from 1 to "
        f"{units - 1} (int)."
    )
