"""One search space for studies whose spaces differ in part."""

import dataclasses
import math
from collections.abc import Iterable, Sequence

from keras_hplist.errors import InvalidValueError
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import (
    Boolean,
    Choice,
    Distribution,
    Fixed,
    NotAllowedError,
    Number,
    Value,
)

Conditions = tuple[tuple[str, tuple[Value, ...]], ...]


def union_of(spaces: Sequence[SearchSpace]) -> SearchSpace:
    """The smallest space that holds the configurations of all.

    A hyperparameter that stands in several spaces gets the widest bounds or all the choices; where
    one is a range and the other chooses among numbers, the range holds these too. Where two differ
    in sampling or default, the first space's holds, but a range that reaches 0 or below is sampled
    linearly; a real number wins over a whole one; a step is kept if one grid holds the values of
    both. Rows that are alike but for the values of one parent become one row; those whose
    conditions exclude each other keep what they allow. A hyperparameter that one space has under a
    condition and another without is without. One that stands in only one of the spaces is taken
    over as it is.

    Args:
        spaces: at least one; the first gives the name.

    Returns:
        The union.

    Raises:
        InvalidValueError: naming a hyperparameter that has values of one type in one space and of
            another in another.
    """
    rows: dict[str, list[Hyperparameter]] = {}
    for space in spaces:
        for row in space.rows:
            _add(rows.setdefault(row.name, []), row)
    pending = [row for group in rows.values() for row in group]
    ordered: list[Hyperparameter] = []
    while pending:  # parents first
        named = {row.name for row in ordered}
        ready = [row for row in pending if all(parent in named for parent, _ in row.when)]
        if not ready:
            raise InvalidValueError(
                f"The hyperparameters {', '.join(sorted({row.name for row in pending}))} depend on "
                "each other in a circle once the studies' search spaces are joined."
            )
        ordered += ready
        pending = [row for row in pending if row not in ready]
    return SearchSpace(spaces[0].name, tuple(ordered))


def _add(group: list[Hyperparameter], row: Hyperparameter) -> None:
    """Join one more row with those of the same name, in place."""
    together = [other for other in group if not _exclude_each_other(other, row)]
    distribution = row.distribution
    for other in together:
        distribution = _joined(row.name, other.distribution, distribution)
    row = dataclasses.replace(row, distribution=distribution)
    group[:] = [
        dataclasses.replace(other, distribution=distribution) if other in together else other
        for other in group
    ]
    if not row.when or not all(other.when for other in group):
        group[:] = [group[0] if group and not group[0].when else row]
        return
    for index, other in enumerate(group):
        when = _either(other.when, row.when)
        if other.distribution == distribution and when is not None:
            group[index] = dataclasses.replace(other, when=when)
            return
    group.append(row)


def _exclude_each_other(first: Hyperparameter, second: Hyperparameter) -> bool:
    """Whether no value of a common parent makes both active, so that either keeps its values."""
    allowed = dict(first.when)
    return any(
        parent in allowed and set(allowed[parent]).isdisjoint(values)
        for parent, values in second.when
    )


def _either(first: Conditions, second: Conditions) -> Conditions | None:
    """The condition that one of two holds; None if the values of several parents differ."""
    if [parent for parent, _ in first] != [parent for parent, _ in second]:
        return None
    if sum(one != other for one, other in zip(first, second, strict=True)) > 1:
        return None
    return tuple(
        (parent, tuple(dict.fromkeys(mine + theirs)))
        for (parent, mine), (_, theirs) in zip(first, second, strict=True)
    )


def _joined(name: str, first: Distribution, second: Distribution) -> Distribution:
    if first == second:
        return first
    joined: Distribution | None
    if isinstance(first, Number):
        joined = _widened(first, second)
    elif isinstance(second, Number):
        joined = _widened(second, first)
    else:
        joined = _all_choices(first, second)
    if joined is None:
        raise InvalidValueError(
            f"Hyperparameter {name!r} is {_described(first)} in one study and "
            f"{_described(second)} in another; make its values one type, or read the studies into "
            "histories with spaces of different names."
        )
    return joined


def _widened(number: Number, other: Distribution) -> Number | None:
    """The range of a number and of something else; None if that gives other values than numbers."""
    if isinstance(other, Number):
        held = _ends(other)
        alike = (number.sampling, number.step) == (other.sampling, other.step)
    else:
        held, alike = _values(other), True
        if not _kinds(held) <= {int, float}:
            return None
        other = Number(min(held), max(held), integer=_kinds(held) == {int})
    integer = number.integer and other.integer
    low, high = _span(number, other, number.sampling)
    if number.sampling != "linear" and low <= 0:
        return Number(*_span(number, other, "linear"), integer=integer)
    joined = dataclasses.replace(number, low=low, high=high, integer=integer)
    if alike and _allows(joined, (*_ends(number), *held)):
        return joined
    return dataclasses.replace(joined, step=None)


def _ends(number: Number) -> tuple:
    """The values at its ends; of a grid the first and the last."""
    return number.draw(0.0), number.draw(math.nextafter(1.0, 0.0))


def _allows(number: Number, values: Iterable[Value]) -> bool:
    try:
        return all(number.check(value) is not None for value in values)
    except NotAllowedError:
        return False


def _span(first: Number, second: Number, sampling: str) -> tuple[float, float]:
    """The widest bounds, as a sampling states them."""
    ends = []
    for number in (first, second):
        low, high = number.bounds
        if number.sampling == sampling:
            ends.append((number.low, number.high))  # without rounding
        else:
            ends.append((1 - high, 1 - low) if sampling == "one_minus_log" else (low, high))
    return min(low for low, _ in ends), max(high for _, high in ends)


def _all_choices(
    first: Choice | Boolean | Fixed, second: Choice | Boolean | Fixed
) -> Choice | None:
    """The choices of both; None if they are of several types. Whole numbers become real ones."""
    values = _values(first) + _values(second)
    if _kinds(values) == {int, float}:
        values = tuple(map(float, values))
    if len(_kinds(values)) > 1:
        return None
    return Choice(tuple(dict.fromkeys(values)), isinstance(first, Choice) and first.ordered)


def _kinds(values: tuple) -> set[type]:
    return set(map(type, values))


def _described(distribution: Distribution) -> str:
    if isinstance(distribution, Number):
        return "a range of numbers"
    return f"one of {', '.join(map(repr, _values(distribution)))}"


def _values(distribution: Choice | Boolean | Fixed) -> tuple:
    return (distribution.value,) if isinstance(distribution, Fixed) else tuple(distribution.values)
