"""Errors of the suite: each says what was given, what is allowed, and how to mend it."""

import difflib
from collections.abc import Iterable


class TaskError(Exception):
    """Base class of the errors of the suite."""


class UnknownTaskError(TaskError, KeyError):
    """A name of a task, family or data set that does not exist; offers the nearest ones.

    Args:
        name: what was asked for.
        known: the names that exist.
        kind: what the name stands for: `"task"`, `"family"` or `"data set"`.
    """

    def __init__(self, name: object, known: Iterable[str], kind: str = "task") -> None:
        """Look for the nearest names."""
        self.name, self.known, self.kind = name, list(known), kind
        self.close = difflib.get_close_matches(str(name), self.known, n=3)
        super().__init__(name)

    def __str__(self) -> str:
        """The whole message; a bare `KeyError` would print the name only."""
        hint = f" Did you mean {', '.join(map(repr, self.close))}?" if self.close else ""
        if self.kind == "task":
            hint += (
                " keras_hplist.tasks.names() lists the suite; any <family>_seed<n> with n from 0 "
                "to 999999999 works as well."
            )
        else:
            hint += f" Known: {', '.join(self.known)}."
        return f"Unknown {self.kind} {self.name!r}.{hint}"

    def __reduce__(self):
        """Pickle by the three arguments, so that the error crosses process borders."""
        return type(self), (self.name, self.known, self.kind)


class InfeasibleTaskError(TaskError, ValueError):
    """A sampled configuration that describes no possible model; says which layer fails."""


class TaskDataError(TaskError, ValueError):
    """Data that cannot serve the task: wrong, truncated, or too few for one batch."""


class MissingExtraError(TaskError, ImportError):
    """An optional package is needed and not installed; the message names the extra to install."""
