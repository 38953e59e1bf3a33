"""The check that the suite makes of whole numbers it is given."""

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
