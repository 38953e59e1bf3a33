"""One search space for studies whose spaces differ in part."""

import dataclasses
from collections.abc import Sequence

from keras_hplist.errors import InvalidValueError
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Boolean, Choice, Distribution, Fixed, Number


def union_of(spaces: Sequence[SearchSpace]) -> SearchSpace:
    """The smallest space that holds the configurations of all.

    A hyperparameter that stands in several spaces gets the widest bounds or all the choices; where
    two differ in sampling, step or default, the first space's holds, and a real number wins over a
    whole one. Its conditions on the same parents are joined, value by value; a hyperparameter that
    one space has under a condition and another without is without. One that stands in only one of
    the spaces is taken over as it is.

    Args:
        spaces: at least one; the first gives the name.

    Returns:
        The union.

    Raises:
        InvalidValueError: if a hyperparameter is a number in one space and something else in
            another.
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
    distribution = row.distribution
    if group:
        distribution = _joined(row.name, group[0].distribution, distribution)
    parents = [parent for parent, _ in row.when]
    if not parents:
        group[:] = [group[0] if group and not group[0].when else row]
    elif not (group and not group[0].when):
        for index, other in enumerate(group):
            if [parent for parent, _ in other.when] == parents:
                when = tuple(
                    (parent, tuple(dict.fromkeys(mine + theirs)))
                    for (parent, mine), (_, theirs) in zip(other.when, row.when, strict=True)
                )
                group[index] = dataclasses.replace(other, when=when)
                break
        else:
            group.append(row)
    group[:] = [dataclasses.replace(other, distribution=distribution) for other in group]


def _joined(name: str, first: Distribution, second: Distribution) -> Distribution:
    if first == second:
        return first
    if isinstance(first, Number) and isinstance(second, Number):
        return dataclasses.replace(
            first,
            low=min(first.low, second.low),
            high=max(first.high, second.high),
            step=first.step if first.step == second.step else None,
            integer=first.integer and second.integer,
        )
    if isinstance(first, Number) or isinstance(second, Number):
        raise InvalidValueError(
            f"Hyperparameter {name!r} is a range of numbers in one study and a choice in another; "
            "read the studies into histories with spaces of different names."
        )
    values = tuple(dict.fromkeys(_values(first) + _values(second)))
    return Choice(values, isinstance(first, Choice) and first.ordered)


def _values(distribution: Choice | Boolean | Fixed) -> tuple:
    return (distribution.value,) if isinstance(distribution, Fixed) else tuple(distribution.values)
