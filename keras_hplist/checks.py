"""The checks that every part makes of the counts, seeds, names and paths it is given."""

import numbers
import operator
import os
from collections.abc import Collection, Mapping
from typing import Any

from keras_hplist.errors import InvalidValueError, UnknownNameError

LARGEST_COUNT = 2**31 - 1
"""What a counter of batches holds on every backend of Keras."""

LAST_SEED = 2**32 - 1
"""The largest that NumPy's legacy generators and scikit-learn take."""


def checked_count(
    name: str, given: Any, smallest: int = 0, largest: int = LARGEST_COUNT, *, or_else: str = ""
) -> int:
    """A whole number, of Python or NumPy, as an int.

    Args:
        name: of the argument.
        given: its value.
        smallest: allowed.
        largest: allowed.
        or_else: what is allowed beside numbers, for the message.

    Raises:
        InvalidValueError: if it is no whole number from `smallest` to `largest`.
    """
    try:
        count = operator.index(given)
    except TypeError:
        count = smallest - 1
    if isinstance(given, bool) or not smallest <= count <= largest:
        raise _refused(name, given, f"a whole number from {smallest} to {largest}", or_else)
    return count


def checked_share(name: str, given: Any) -> float:
    """A number above 0 and below 1, of Python or NumPy, as a float.

    Args:
        name: of the argument.
        given: its value.

    Raises:
        InvalidValueError: if it is anything else.
    """
    if isinstance(given, numbers.Real) and 0.0 < float(given) < 1.0:
        return float(given)
    raise _refused(name, given, "a number above 0 and below 1")


def checked_text(name: str, given: Any, *, or_else: str = "") -> str:
    """A text that is not empty, and that a file can hold.

    Args:
        name: of the argument.
        given: its value.
        or_else: what is allowed beside text, for the message.

    Raises:
        InvalidValueError: if it is something else, or UTF-8 has no place for one of its characters.
    """
    if not isinstance(given, str) or not given:
        raise _refused(name, given, "a text that is not empty", or_else)
    try:
        given.encode()
    except UnicodeEncodeError as error:  # half of a pair of surrogates
        raise InvalidValueError(f"{name} is {given!r}; give text of UTF-8: {error}.") from None
    return given


def checked_name(kind: str, given: Any, known: Collection[str], hint: str = "") -> str:
    """One of the known names.

    Args:
        kind: what the name stands for.
        given: the name.
        known: the names that exist.
        hint: a sentence on how to see or widen the known names.

    Raises:
        UnknownNameError: if it is none of them, or no text.
    """
    if isinstance(given, str) and given in known:
        return given
    raise UnknownNameError(kind, given, known, hint)


def checked_names(name: str, given: Any) -> list[str]:
    """Several names, as a list.

    Args:
        name: of the argument.
        given: its value.

    Raises:
        InvalidValueError: if it is no sequence or set, or one of it is no text or empty.
    """
    if isinstance(given, Collection) and not isinstance(given, str | bytes | Mapping):
        return [checked_text(f"each of {name}", each) for each in given]
    raise _refused(name, given, "a sequence of names, such as ['…']")


def checked_path(name: str, given: Any, *, or_else: str = "") -> str:
    """A path, as a text.

    Args:
        name: of the argument.
        given: its value.
        or_else: what is allowed beside paths, for the message.

    Raises:
        InvalidValueError: if it is no path.
    """
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    raise _refused(name, given, "a path as a text or a pathlib.Path", or_else)


def _refused(name: str, given: Any, allowed: str, or_else: str = "") -> InvalidValueError:
    allowed += f", or {or_else}" if or_else else ""
    return InvalidValueError(f"{name} is {given!r}; give {allowed}.")
