"""Search spaces made from configurations, and configurations completed for a search space."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from keras_hplist.errors import InvalidValueError
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Boolean, Choice, Number

_LOG_RANGE = 50.0  # positive floats that span more than this factor get a logarithmic scale


def infer_space(name: str, values: Sequence[Mapping[str, Any]]) -> SearchSpace:
    """The smallest search space that holds some configurations.

    Booleans become Boolean, texts Choice, whole numbers Int and others Float between the lowest and
    the highest value seen, logarithmic where positive values span more than a factor of 50. A
    hyperparameter that is missing in some configurations becomes conditional on another whose
    values tell when, the one of fewest values; if none does, it is unconditional, and its default
    is the median or the most frequent value (see `completed_values`).

    Args:
        name: of the space; not that of a published one.
        values: the configurations.

    Returns:
        The space.

    Raises:
        InvalidValueError: if the values of a hyperparameter have no common type.
    """
    names = list(dict.fromkeys(key for entry in values for key in entry))
    # What is always there comes first, so that conditions refer to earlier rows.
    names.sort(key=lambda key: -sum(key in entry for entry in values))
    rows: list[Hyperparameter] = []
    for key in names:
        seen = [entry[key] for entry in values if key in entry]
        distribution = _distribution(key, seen)
        when = () if len(seen) == len(values) else _condition(key, rows, values)
        default = _typical(seen, distribution) if when == () and len(seen) < len(values) else None
        rows.append(Hyperparameter(key, distribution, when, default=default))
    return SearchSpace(name, tuple(rows))


def completed_values(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration of a space from one that some other study recorded.

    A hyperparameter that the study did not have gets its default, as KerasTuner gives it to a
    model that asks for it: the default of the space, else the lowest bound or first choice. One
    that hangs on a hidden switch counts as switched off.

    Args:
        space: the space, which may be the union of several studies'.
        values: hyperparameters of one configuration.

    Returns:
        Plain values of all active hyperparameters.

    Raises:
        InvalidValueError: if a value is outside the space.
    """
    filled = dict(values)
    for row in space.rows:
        if row.hidden or row.name in filled:
            continue
        value = row.start if row.is_active(filled) else row.otherwise
        if value is not None:
            filled[row.name] = value
    return space.validate(filled)


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
) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    # The fewer values, the less they tell by chance: a number that never comes twice always does.
    by_count = sorted(rows, key=lambda row: len({e[row.name] for e in values if row.name in e}))
    for row in by_count:
        if isinstance(row.distribution, Number) and not row.distribution.integer:
            continue
        present = {entry[row.name] for entry in values if name in entry and row.name in entry}
        absent = {entry[row.name] for entry in values if name not in entry and row.name in entry}
        always_with_parent = all(row.name in entry for entry in values if name in entry)
        if present and always_with_parent and not present & absent:
            return ((row.name, tuple(sorted(present))),)
    return ()


def _typical(seen: Sequence[Any], distribution: Boolean | Choice | Number) -> Any:
    if isinstance(distribution, Number):
        return statistics.median_low(seen)
    return Counter(seen).most_common(1)[0][0]
