"""The check that every part makes of the counts and seeds it is given."""

import operator
from typing import Any

from keras_hplist.errors import InvalidValueError

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
        raise InvalidValueError(
            f"{name} is {given!r}; give a whole number from {smallest} to {largest}"
            + (f", or {or_else}." if or_else else ".")
        )
    return count
