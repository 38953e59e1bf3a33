"""The errors of the package: each says what was given, what is allowed, and how to mend it."""

import difflib
from collections.abc import Iterable


class HPListError(Exception):
    """Base class of the errors that this package raises on bad input, except the task suite's.

    `keras_hplist.tasks` imports nothing of the rest of the package, so that it can be used apart:
    its errors derive from `keras_hplist.tasks.errors.TaskError`.
    """


class InvalidValueError(HPListError, ValueError):
    """A value that is not allowed; the message names it, the allowed ones and the way out."""


class UnknownNameError(HPListError, KeyError):
    """A name that is not registered; offers the nearest names.

    Args:
        kind: what the name stands for, for example `"search space"`.
        name: the name that was given.
        known: the names that exist.
        hint: a sentence on how to see or widen the known names.
    """

    def __init__(self, kind: str, name: object, known: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        self.close = difflib.get_close_matches(str(name), self.known, n=3)
        self.hint = hint
        super().__init__(kind, name)

    def __str__(self) -> str:
        """The whole message; `KeyError` alone would print the bare name."""
        message = f"Unknown {self.kind} {self.name!r}."
        if self.close:
            message += f" Did you mean {', '.join(map(repr, self.close))}?"
        elif len(self.known) <= 20:
            message += f" Known: {', '.join(self.known)}."
        return f"{message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[type, tuple]:
        """Pickle by the four arguments, so that the error crosses process borders."""
        return type(self), (self.kind, self.name, self.known, self.hint)


class FileFormatError(HPListError, ValueError):
    """A file that cannot be read as what it should be; names the file and the place in it."""


class MissingExtraError(HPListError, ImportError):
    """An optional package is needed and not installed; names the extra that brings it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra, self.purpose = package, extra, purpose
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Run: pip install 'keras_hplist[{extra}]'"
        )

    def __reduce__(self) -> tuple[type, tuple]:
        """Pickle by the three arguments."""
        return type(self), (self.package, self.extra, self.purpose)
