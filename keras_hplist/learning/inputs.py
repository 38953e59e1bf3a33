"""What a learner is fitted on, in any form, as a score matrix with the values of its columns."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from keras_hplist import spaces
from keras_hplist.errors import InvalidValueError
from keras_hplist.history import History
from keras_hplist.history.union import union_of
from keras_hplist.learning.inference import completed_values, infer_space
from keras_hplist.learning.normalization import known_mean
from keras_hplist.learning.scores import ScoreMatrix
from keras_hplist.learning.selection import checked_scores

_NO_SPACE = "custom"


@dataclass(frozen=True)
class Candidates:
    """The configurations that may enter a list.

    Attributes:
        values: label to hyperparameter values, or None where not known.
        space: their search space, or None if nobody defined it.
        space_name: its name in any case.
    """

    values: Mapping[Any, Mapping[str, Any]] | None
    space: "spaces.SearchSpace | None"
    space_name: str


def candidates_of_history(history: History, space: "str | spaces.SearchSpace | None") -> Candidates:
    """The configurations of a history.

    Args:
        history: of one search space, or of several if `space` is one of them.
        space: what the user said the space is, or None.

    Raises:
        InvalidValueError: if the history is empty, or mixes search spaces of which `space` is none.
    """
    given = None if space is None else spaces.get(space)
    names = history.space_names
    if not names:
        raise InvalidValueError(
            "The history is empty; there is nothing to learn from. Its report may say why: "
            "print(history.report)"
        )
    if len(names) > 1:
        if given is None or given.name not in names:
            raise InvalidValueError(
                f"The history mixes the search spaces {', '.join(names)}; a list is over one. Say "
                f"which: ListLearner(space={names[0]!r}), or history.select(space={names[0]!r})"
            )
        history = history.select(space=given.name)
        names = [given.name]
    if given is None and names[0] in spaces.names():
        given = spaces.get(names[0])
    elif given is None and names[0] in history.space_definitions:
        defined = spaces.SearchSpace.from_config(history.space_definitions[names[0]])
        # Not every study that is joined to one need have defined the space.
        others = [entry for entry in history.values().values() if not _lies_in(defined, entry)]
        given = union_of([defined, infer_space(names[0], others)]) if others else defined
    return Candidates(history.values(), given, names[0])


def _lies_in(space: spaces.SearchSpace, values: Mapping[str, Any]) -> bool:
    try:
        completed_values(space, values)
    except InvalidValueError:
        return False
    return True


def candidates_of_labels(
    labels: Sequence[Any],
    configurations: "Mapping[Any, Mapping[str, Any]] | pd.DataFrame | None",
    space: "str | spaces.SearchSpace | None",
) -> Candidates:
    """The configurations of a matrix.

    Args:
        labels: of its columns.
        configurations: label to hyperparameter values, a DataFrame with the labels as its index, or
            None.
        space: what the user said the space is, or None.

    Raises:
        InvalidValueError: if a label has no values.
    """
    values = None
    if configurations is not None:
        if isinstance(configurations, pd.DataFrame):
            rows = configurations.astype(object).to_dict("index")
            configurations = {
                label: {str(name): value for name, value in row.items() if not pd.isna(value)}
                for label, row in rows.items()
            }
        missing = [label for label in labels if label not in configurations]
        if missing:
            raise InvalidValueError(
                f"configurations has no values for the column {missing[0]!r} of the scores."
            )
        values = {label: _plain(configurations[label]) for label in labels}
    resolved = None if space is None else spaces.get(space)
    return Candidates(values, resolved, _NO_SPACE if resolved is None else resolved.name)


def matrix_of_scores(
    scores: "pd.DataFrame | np.ndarray",
    families: Sequence[str | None] | Mapping[Any, str] | None = None,
) -> ScoreMatrix:
    """A score matrix from plain numbers, tasks × configurations, NaN where not measured.

    Args:
        scores: tasks are rows.
        families: of the tasks in their order, or by the tasks' labels (a mapping, or a Series that
            has them as its index); None or NaN where not known.

    Raises:
        InvalidValueError: if it is no such matrix, a label stands twice, or families do not fit.
    """
    if not isinstance(scores, pd.DataFrame) and np.ndim(scores) > 2:
        raise InvalidValueError(
            f"The scores have the shape {np.shape(scores)}; give one row for each task, one column "
            "for each configuration."
        )
    frame = scores if isinstance(scores, pd.DataFrame) else pd.DataFrame(np.atleast_2d(scores))
    table = frame.to_numpy()
    values = checked_scores(frame.to_numpy(na_value=np.nan) if table.dtype == object else table)
    for kind, labels in (("task", frame.index), ("configuration", frame.columns)):
        if isinstance(labels, pd.MultiIndex):
            raise InvalidValueError(
                f"The scores have {labels.nlevels} levels of {kind} labels; give one, for example "
                "the levels joined to texts."
            )
        if not labels.is_unique:
            twice = labels[labels.duplicated()][0]
            raise InvalidValueError(f"The {kind} {twice!r} stands twice in the scores.")
    if isinstance(families, pd.Series) and families.index.isin(frame.index).any():
        families = families.to_dict()
    if isinstance(families, Mapping):
        families = [families.get(task) for task in frame.index]
    known = [None] * len(frame) if families is None else list(families)
    known = [None if pd.isna(family) else family for family in known]  # NaN, as pandas has it
    if len(known) != len(frame):
        raise InvalidValueError(f"{len(known)} families were given for {len(frame)} tasks.")
    bounds = np.asarray(values, float)
    return ScoreMatrix(
        lower=bounds,
        upper=bounds,
        tasks=tuple(frame.index),
        configurations=tuple(frame.columns),
        families=tuple(known),
        seconds=None,
    )


def canonical(matrix: ScoreMatrix, candidates: Candidates) -> tuple[ScoreMatrix, Candidates]:
    """Configurations as their search space sees them, each once.

    Hyperparameters that a configuration lacks get their defaults (`completed_values`).
    Configurations outside the space are left out with a warning. Those that then are equal become
    one, the first, with the mean of their scores on each task.

    Args:
        matrix: the scores.
        candidates: the values of its columns; the space is inferred if it is None.

    Returns:
        Both, with the same columns, and with a space.
    """
    if candidates.values is None:
        return matrix, candidates
    given = [candidates.values[label] for label in matrix.configurations]
    space = candidates.space or infer_space(candidates.space_name, given)
    groups: dict[tuple, list[int]] = {}
    outside = []
    values = {}
    for column, (label, entry) in enumerate(zip(matrix.configurations, given, strict=True)):
        try:
            values[label] = completed_values(space, entry)
        except InvalidValueError as error:
            outside.append(f"{label} ({error})")
            continue
        groups.setdefault(tuple(values[label].items()), []).append(column)
    if not groups:
        raise InvalidValueError(
            f"No configuration lies in the search space {space.name!r}; for one, {outside[0]}"
        )
    if outside:
        _warn("configurations", outside, f"they lie outside the search space {space.name!r}")
    if len(groups) < len(given):
        columns = list(groups.values())
        matrix = replace(
            matrix,
            lower=_joined(matrix.lower, columns),
            upper=_joined(matrix.upper, columns),
            seconds=None if matrix.seconds is None else _joined(matrix.seconds, columns),
            configurations=tuple(matrix.configurations[group[0]] for group in columns),
        )
        matrix = _with_scores(matrix, f"they ran nothing in the search space {space.name!r}")
    return matrix, Candidates(values, space, space.name)


def _joined(values: np.ndarray, columns: list[list[int]]) -> np.ndarray:
    return np.stack([known_mean(values[:, group], axis=1) for group in columns], axis=1)


def without_unknown(matrix: ScoreMatrix) -> ScoreMatrix:
    """The matrix without tasks and configurations of which nothing is known, with a warning each.

    Raises:
        InvalidValueError: if nothing is known at all.
    """
    if matrix.dropped:
        why = "no configuration improves on the start, or all losses are equal"
        _warn("tasks", matrix.dropped, why)
    known = ~np.isnan(matrix.upper)
    if not known.any():
        raise InvalidValueError("Every score is NaN; there is nothing to learn from.")
    configurations = known.any(axis=0)
    matrix = _with_scores(matrix, "they have no score")
    if not configurations.all():
        labels = matrix.configurations
        _warn(
            "configurations",
            tuple(c for c, full in zip(labels, configurations, strict=True) if not full),
            "they have no score",
        )
        matrix = matrix.columns(configurations)
    return matrix


def _with_scores(matrix: ScoreMatrix, why: str) -> ScoreMatrix:
    """The matrix without tasks that have no score; the reason goes into a warning."""
    known = ~np.isnan(matrix.upper).all(axis=1)
    if known.all():
        return matrix
    empty = tuple(t for t, full in zip(matrix.tasks, known, strict=True) if not full)
    _warn("tasks", empty, why)
    return replace(matrix.rows(known), dropped=matrix.dropped + empty)


def fingerprint(matrix: ScoreMatrix) -> str:
    """Hexadecimal SHA-256 of the scores and their labels."""
    digest = hashlib.sha256(repr((matrix.tasks, matrix.configurations)).encode())
    for bounds in (matrix.lower, matrix.upper):
        digest.update(np.ascontiguousarray(bounds).data)
    return digest.hexdigest()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in values.items()
    }


def _warn(kind: str, names: Sequence[Any], why: str) -> None:
    shown = ", ".join(map(str, names[:5])) + (", …" if len(names) > 5 else "")
    warnings.warn(f"{len(names)} {kind} were left out, because {why}: {shown}.", stacklevel=4)
