"""The checks that the suite makes of numbers it is given."""

import numbers
import operator

from .errors import TaskDataError


def checked_whole(name: str, given: object, least: int = 0) -> int:
    """A whole number, of Python or NumPy, as an int.

    Raises:
        TaskDataError: it is no whole number, or below `least`.
    """
    try:
        number = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if isinstance(given, bool) or number < least:
        raise TaskDataError(f"{name} is {given!r}; give a whole number, at least {least}.")
    return number


def check_bound(name: str, given: object) -> None:
    """Refuse what is no upper bound of sizes or times.

    Raises:
        TaskDataError: it is no number, NaN, or below 0.
    """
    if not isinstance(given, numbers.Real) or isinstance(given, bool) or not float(given) >= 0:
        raise TaskDataError(f"{name} is {given!r}; give a number, at least 0, or None for any.")
