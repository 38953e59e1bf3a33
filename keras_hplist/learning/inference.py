"""A search space made from configurations alone, where nobody wrote one down."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_hplist.errors import InvalidValueError
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Boolean, Choice, Number

_LOG_RANGE = 50.0  # positive floats that span more than this factor get a logarithmic scale


def infer_space(name: str, values: Sequence[Mapping[str, Any]]) -> SearchSpace:
    """The smallest search space that holds some configurations.

    Booleans become Boolean, texts Choice, whole numbers Int and others Float between the lowest and
    the highest value seen, logarithmic where positive values span more than a factor of 50. Where a
    hyperparameter is missing in some configurations, it becomes conditional on the first one whose
    values tell when.

    Args:
        name: of the space; not that of a published one.
        values: the configurations.

    Returns:
        The space.

    Raises:
        InvalidValueError: if the values of a hyperparameter have no common type, or nothing tells
            when it is there.
    """
    names = list(dict.fromkeys(key for entry in values for key in entry))
    # What is always there comes first, so that conditions refer to earlier rows.
    names.sort(key=lambda key: -sum(key in entry for entry in values))
    rows: list[Hyperparameter] = []
    for key in names:
        seen = [entry[key] for entry in values if key in entry]
        when = () if len(seen) == len(values) else (_condition(key, rows, values),)
        rows.append(Hyperparameter(key, _distribution(key, seen), when))
    return SearchSpace(name, tuple(rows))


def _distribution(name: str, seen: Sequence[Any]) -> Boolean | Choice | Number:
    if all(isinstance(value, bool) for value in seen):
        return Boolean()
    if all(isinstance(value, str) for value in seen):
        return Choice(tuple(sorted(set(seen))))
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in seen):
        kinds = sorted({type(value).__name__ for value in seen})
        raise InvalidValueError(
            f"Hyperparameter {name!r} has values of several types ({', '.join(kinds)}); give the "
            "learner a space=…, or make them one type."
        )
    low, high = min(seen), max(seen)
    integer = all(isinstance(value, int) for value in seen)
    if low == high:
        return Choice((low,))
    scale = "log" if low > 0 and high / low > _LOG_RANGE else "linear"
    return Number(
        low if integer else float(low), high if integer else float(high), scale, integer=integer
    )


def _condition(
    name: str, rows: Sequence[Hyperparameter], values: Sequence[Mapping[str, Any]]
) -> tuple[str, tuple[Any, ...]]:
    for row in rows:
        if isinstance(row.distribution, Number) and not row.distribution.integer:
            continue
        present = {entry[row.name] for entry in values if name in entry and row.name in entry}
        absent = {entry[row.name] for entry in values if name not in entry and row.name in entry}
        always_with_parent = all(row.name in entry for entry in values if name in entry)
        if present and always_with_parent and not present & absent:
            return row.name, tuple(sorted(present))
    raise InvalidValueError(
        f"Hyperparameter {name!r} is missing in some configurations, and the values of no other "
        "tell when. Give the learner a space=… with the conditions, or leave it out of the history."
    )
