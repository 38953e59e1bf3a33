"""What a hyperparameter list is made of, checked: entries, gains, provenance."""

import json
import numbers
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.spaces.distributions import Value

if TYPE_CHECKING:
    from keras_hplist.spaces import SearchSpace

SOURCE_RANKS = "source_ranks"
"""The key of a provenance for the rank that each entry had in the list of which it tells."""


def checked_entries(
    entries: Iterable[Mapping[str, Value]] | pd.DataFrame, space: "SearchSpace"
) -> list[dict[str, Value]]:
    """Each configuration as a new dict of plain values in the order of the space.

    Raises:
        InvalidValueError: naming the entry.
    """
    rows: Any = entries.to_dict("records") if isinstance(entries, pd.DataFrame) else entries
    if not isinstance(rows, Iterable):
        raise InvalidValueError(
            f"entries is {entries!r}; give several configurations: a list of dicts, or a DataFrame "
            "with a row for each."
        )
    checked: list[dict[str, Value]] = []
    first: dict[tuple, int] = {}
    for index, entry in enumerate(rows):
        try:
            values = space.validate(entry)
        except InvalidValueError as error:
            raise InvalidValueError(f"entry {index}: {error}") from error
        values = {key: values[key] for key in space.names if key in values}
        earlier = first.setdefault(tuple(values.items()), index)
        if earlier != index:
            raise InvalidValueError(
                f"entry {index} repeats entry {earlier}; every configuration may stand once."
            )
        checked.append(values)
    if not checked:
        raise InvalidValueError("A hyperparameter list needs at least one entry; none was given.")
    return checked


def checked_gains(gains: Iterable[float | None] | None, length: int) -> list[float | None]:
    """The gain of each entry as a float; None where it is not known.

    Raises:
        InvalidValueError: if they are no finite numbers, or not as many as entries.
    """
    if gains is None:
        return [None] * length
    if isinstance(gains, str) or not isinstance(gains, Iterable):
        raise InvalidValueError(f"gains is {gains!r}; give a number or None for each entry.")
    given = list(gains)
    if len(given) != length:
        raise InvalidValueError(f"{len(given)} gains were given for {length} entries.")
    for index, gain in enumerate(given):
        number = isinstance(gain, numbers.Real) and not isinstance(gain, bool)
        # NaN is no finite number; an int may be too long for a float.
        if gain is not None and not (number and abs(gain) <= sys.float_info.max):
            raise InvalidValueError(
                f"entry {index}: gain is {gain!r}; give a finite number or None."
            )
    return [None if gain is None else float(gain) for gain in given]


def provenance_text(provenance: Mapping[str, Any] | None) -> str:
    """The JSON text of a provenance; of None that of an empty one.

    Raises:
        InvalidValueError: if it is no mapping, or JSON in UTF-8 cannot hold it.
    """
    if provenance is None:
        provenance = {}
    if not isinstance(provenance, Mapping):
        raise InvalidValueError(f"provenance is {provenance!r}; give a dict, or None.")
    try:
        text = json.dumps(provenance, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError) as error:  # UnicodeEncodeError is a ValueError
        raise InvalidValueError(
            f"provenance cannot be written as JSON ({error}); give strings, finite numbers, "
            "booleans, None, lists and dicts with string keys only."
        ) from error
    return text


def checked_source_ranks(provenance: Mapping[str, Any], length: int) -> list[int | None]:
    """For each entry its rank in the list of which the provenance tells; None for one not in it.

    Raises:
        InvalidValueError: if the provenance has others.
    """
    ranks = provenance.get(SOURCE_RANKS, list(range(length)))
    fits = isinstance(ranks, list) and len(ranks) == length
    if not fits or not all(rank is None or (type(rank) is int and rank >= 0) for rank in ranks):
        raise InvalidValueError(
            f"provenance: {SOURCE_RANKS} is {ranks!r}; give a whole number from 0, or None, for "
            f"each of the {length} entries, or leave it out."
        )
    return ranks
