"""Lists made from lists: with fewer entries, within other bounds, and how two differ."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_hplist.checks import checked_count, checked_name
from keras_hplist.errors import InvalidValueError
from keras_hplist.lists.hyperparameter_list import HyperparameterList, ListLike, checked_list
from keras_hplist.spaces import Hyperparameter, SearchSpace, configuration_id
from keras_hplist.spaces.distributions import Choice, Number, Value
from keras_hplist.spaces.hyperparameter import configured_rows

if TYPE_CHECKING:
    import pandas as pd

Condition = Value | tuple[float | None, float | None] | Collection[Value]
"""What a hyperparameter may be: one value; a tuple (low, high) of bounds that may be reached, None
for an open end; or a list or set of allowed values."""


def restrict(
    hplist: ListLike, conditions: Mapping[str, Condition], clip: bool = False
) -> HyperparameterList:
    """The entries of a list that meet conditions, in their order.

    Args:
        hplist: the list, the name of a shipped one, or the path of a list file.
        conditions: hyperparameter to what it may be. Entries in which a hyperparameter is not
            active meet every condition on it.
        clip: move the values of the other entries instead of leaving them out: to the nearest one
            within the bounds that the space allows, or to the one value that is allowed. A
            hyperparameter that becomes active gets its default, moved likewise. Entries that become
            equal to an earlier one are left out. Gains are not known then.

    Returns:
        A new list, whose provenance says what was done.

    Raises:
        UnknownNameError: if the search space has no such hyperparameter.
        InvalidValueError: if bounds are not two numbers in order, or no entry meets the conditions;
            or, with `clip`, if a condition allows several values and not a range, or the search
            space does not allow a moved value.
    """
    hplist = checked_list(hplist)
    conditions = {name: _plain(allowed) for name, allowed in conditions.items()}
    for name, allowed in conditions.items():
        checked_name(f"hyperparameter of space {hplist.space.name!r}", name, hplist.space.names)
        if isinstance(allowed, tuple):
            _check_bounds(name, allowed)
    step = {"restrict": {name: _shown(allowed) for name, allowed in conditions.items()}}
    if clip:
        moved = [_clipped(hplist.space, entry, conditions) for entry in hplist]
        places = {tuple(entry.items()): rank for rank, entry in enumerate(hplist)}
        unique = dict.fromkeys(tuple(entry.items()) for entry in moved)
        return HyperparameterList(
            map(dict, unique),
            hplist.space,
            name=hplist.name,
            provenance=noted(hplist, [places.get(each) for each in unique], step | {"clip": True}),
        )
    ranks = [
        rank
        for rank, entry in enumerate(hplist)
        if all(_meets(entry[name], what) for name, what in conditions.items() if name in entry)
    ]
    if not ranks:
        raise InvalidValueError(
            f"No entry of list {hplist.name!r} meets the conditions {step['restrict']}. Widen "
            "them, or move values with clip=True."
        )
    return _kept(hplist, ranks, step)


def drop(hplist: ListLike, ranks: Iterable[int]) -> HyperparameterList:
    """The list without some entries.

    Args:
        hplist: the list, the name of a shipped one, or the path of a list file.
        ranks: of the entries to leave out, from 0.

    Raises:
        InvalidValueError: if a rank is not that of an entry, or none would be left.
    """
    hplist = checked_list(hplist)
    if not isinstance(ranks, Iterable):
        raise InvalidValueError(f"ranks is {ranks!r}; give several, such as [0, 3].")
    out = {checked_count("each of ranks", rank, 0, len(hplist) - 1) for rank in ranks}
    kept = [rank for rank in range(len(hplist)) if rank not in out]
    return _kept(hplist, kept, {"drop": sorted(out)})


def diff(first: ListLike, second: ListLike) -> "pd.DataFrame":
    """Where the entries of two lists over the same search space stand.

    Args:
        first: a list, the name of a shipped one, or the path of a list file.
        second: likewise.

    Returns:
        A DataFrame indexed by configuration id, in the order of the second list and then of what is
        only in the first: `rank_first`, `rank_second` (integers, missing where not in the list),
        `move` (ranks gained from first to second), and the hyperparameters.

    Raises:
        InvalidValueError: if the lists are over different spaces.
    """
    import pandas as pd

    first, second = checked_list(first), checked_list(second)
    if first.space != second.space:
        raise InvalidValueError(
            f"The lists are over different search spaces, {first.space.name!r} and "
            f"{second.space.name!r}; only lists over one can be compared entry by entry."
        )
    space = first.space.name
    ranks = [
        {configuration_id(space, entry): rank for rank, entry in enumerate(hplist)}
        for hplist in (first, second)
    ]
    entries = {configuration_id(space, entry): entry for entry in (*second, *first)}
    frame = pd.DataFrame(
        {
            "rank_first": pd.array([ranks[0].get(key) for key in entries], dtype="Int64"),
            "rank_second": pd.array([ranks[1].get(key) for key in entries], dtype="Int64"),
        },
        index=pd.Index(entries, name="configuration"),
    )
    frame["move"] = frame["rank_first"] - frame["rank_second"]
    values = pd.DataFrame(list(entries.values()), frame.index, columns=list(first.space.names))
    return frame.rename(columns=first.space.free_name).join(values)


def noted(
    hplist: HyperparameterList, ranks: Sequence[int | None], step: Mapping[str, Any]
) -> dict[str, Any]:
    """The provenance of a list made of another's entries: with one more step, and where from.

    Args:
        hplist: the other list.
        ranks: for each entry its rank in the other list; None if it is not in it.
        step: what was done.
    """
    earlier = hplist.provenance.get("surgery", [])
    done = {"from": hplist.fingerprint, **step}
    return hplist.provenance_of(ranks) | {"surgery": [*earlier, done]}


def _kept(
    hplist: HyperparameterList, ranks: list[int], step: Mapping[str, Any]
) -> HyperparameterList:
    gains = hplist.gains
    return HyperparameterList(
        [hplist[rank] for rank in ranks],
        hplist.space,
        name=hplist.name,
        gains=[gains[rank] for rank in ranks],
        provenance=noted(hplist, ranks, step),
    )


def _plain(allowed: Any) -> Any:
    """A condition with Python's values for NumPy's, which a list file cannot hold."""
    if isinstance(allowed, np.ndarray | np.generic):
        return allowed.tolist()
    if isinstance(allowed, tuple):
        return tuple(map(_plain, allowed))
    if isinstance(allowed, Collection) and not isinstance(allowed, str):
        return list(map(_plain, allowed))
    return allowed


def _meets(value: Value, allowed: Condition) -> bool:
    if isinstance(allowed, tuple):
        low, high = _bounds(allowed)
        return not isinstance(value, str) and low <= value <= high
    if isinstance(allowed, Collection) and not isinstance(allowed, str):
        return value in allowed
    return value == allowed


def _clipped(
    space: SearchSpace, entry: Mapping[str, Value], conditions: Mapping[str, Condition]
) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for row in configured_rows(space.rows, values):
        value = entry.get(row.name, row.start)
        values[row.name] = _moved(row, value, conditions.get(row.name))
    return space.validate(values)


def _moved(row: Hyperparameter, value: Value, allowed: Condition | None) -> Value:
    if allowed is None or _meets(value, allowed):
        return value
    if isinstance(allowed, tuple) and not isinstance(value, str):
        low, high = _bounds(allowed)
        bound = low if value < low else high
        if isinstance(row.distribution, Number | Choice):
            return row.distribution.nearest(bound, low, high)
        return bound
    if isinstance(allowed, bool | int | float | str):
        return allowed
    raise InvalidValueError(
        f"{row.name!r} is {value!r}, and the condition {allowed!r} does not say to which value to "
        "move it; give one value or a tuple of bounds."
    )


def _check_bounds(name: str, allowed: tuple[Any, ...]) -> None:
    if len(allowed) == 2 and all(
        bound is None or (isinstance(bound, int | float) and not isinstance(bound, bool))
        for bound in allowed
    ):
        low, high = _bounds(allowed)
        if low <= high:  # NaN is not
            return
    raise InvalidValueError(
        f"The condition on {name!r} is {allowed!r}; bounds are a tuple (low, high) of two numbers, "
        "the lower first, None for an open end, and several allowed values are a list."
    )


def _bounds(allowed: tuple[float | None, float | None]) -> tuple[float, float]:
    low, high = allowed
    return -float("inf") if low is None else low, float("inf") if high is None else high


def _shown(allowed: Condition) -> Any:
    if isinstance(allowed, str) or not isinstance(allowed, Collection):
        return allowed
    return list(allowed) if isinstance(allowed, tuple) else sorted(allowed, key=repr)
