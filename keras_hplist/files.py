"""Files: written whole or not at all, read with what is wrong in them named."""

import contextlib
import hashlib
import json
import os
import re
import sqlite3
import sys
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from keras_hplist.checks import checked_path
from keras_hplist.errors import FileFormatError, InvalidValueError

SQLITE_MAGIC = b"SQLite format 3\0"
"""What every file of SQLite begins with."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half of a pair as JSON writes it

_LONGEST = 255  # bytes of a name, in most file systems
_ABANDONED = 60  # seconds since the last write, of which one takes milliseconds


def write_atomically(
    path: str | os.PathLike[str], write: Callable[[BinaryIO], None], *, sync: bool = True
) -> None:
    """Write a file under a temporary name in the same folder, sync it, and rename it over `path`.

    Args:
        path: the file to make or replace; its folder is made if it is missing.
        write: called with the open binary file.
        sync: whether to wait until the disk has the bytes. A killed process never needs that, a
            power cut does: without it the file may then be the old one, or empty.

    Raises:
        InvalidValueError: if it is no path, or that of a folder.
        OSError: naming the file, if the disk is full or the folder not writable; `path` then is as
            it was.
    """
    path = Path(checked_path("path", path))
    if path.is_dir():
        raise InvalidValueError(f"{str(path)!r} is a folder; name a file in it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # A short name, since that of the file may be as long as the file system allows.
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


def write_text(path: str | os.PathLike[str], text: str, *, sync: bool = True) -> None:
    """Write UTF-8 text atomically (see `write_atomically`)."""
    write_atomically(path, lambda file: _ignore(file.write(text.encode())), sync=sync)


def sweep(folder: Path, pattern: str) -> None:
    """Delete temporary files of processes that were killed while they wrote.

    These are the ones last written to more than a minute ago: another process may be writing a
    younger one, and could not rename it if it were gone.

    Args:
        folder: where to look.
        pattern: of `Path.glob`, for the folders in it that files were written to.
    """
    for path in folder.glob(f"{pattern}/.*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # renamed since
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()


def read_json(path: str | os.PathLike[str], *, strict: bool = True) -> Any:
    """Read a JSON file, as `parse_json` does.

    Raises:
        FileFormatError: naming the file.
        FileNotFoundError: if there is no such file.
    """
    return parse_json(Path(path).read_bytes(), os.fspath(path), strict=strict)


def parse_json(text: str | bytes, name: str, *, strict: bool = True) -> Any:
    """Parse JSON.

    Args:
        text: the document; bytes are UTF-8.
        name: the file, and the place in it, for messages.
        strict: refuse what else Python's parser lets through: a key that stands twice in one
            object, and numbers that are not finite, be it NaN, Infinity or `1e999`.

    Returns:
        The document as plain Python objects.

    Raises:
        FileFormatError: naming the file and the place of the number; also if a text has half of a
            pair of surrogates, `"\\ud800"`, which no file and no terminal can be given.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        document = json.loads(text, object_pairs_hook=_unique if strict else None)
        if _SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode()
        infinite = next(_not_finite(document), None) if strict else None
    except (ValueError, RecursionError) as error:  # UnicodeError is a ValueError
        raise FileFormatError(f"{name} is not valid JSON: {error}") from error
    if infinite is not None:
        place, number = infinite
        raise FileFormatError(f"{name}: {where(place)} is {number}; it must be a finite number.")
    return document


def where(path: Iterable[str | int]) -> str:
    """A place in a document as text: `entries[3].values.beta1`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the document"


def connect_sqlite(path: str | os.PathLike[str]) -> sqlite3.Connection:
    """Open an SQLite file for reading only, for use in any thread."""
    address = f"{Path(path).resolve().as_uri()}?mode=ro"
    return sqlite3.connect(address, uri=True, check_same_thread=False)


@contextlib.contextmanager
def reading_sqlite(path: str | os.PathLike[str], kind: str) -> Iterator[sqlite3.Connection]:
    """Open an SQLite file for reading only, and close it at the end of the `with` block.

    Args:
        path: the file.
        kind: what the file should be, for the message.

    Raises:
        FileFormatError: if the block raises an error of SQLite or of a value: the file is damaged,
            or lacks a table or column that is asked for, or a value is not of its kind.
    """
    try:
        with contextlib.closing(connect_sqlite(path)) as connection:
            yield connection
    except (sqlite3.Error, TypeError, ValueError) as error:  # text may not be UTF-8
        raise FileFormatError(f"{os.fspath(path)} is no {kind} or is damaged: {error}") from error


def checked_folder(path: str | os.PathLike[str], given: str | None = None) -> Path:
    """The path of a folder that is there or can be made; nothing is made yet.

    Args:
        path: of the folder.
        given: how the user gave it, for messages; default: the path.

    Raises:
        InvalidValueError: if it is a file or lies below one, or may not be written.
    """
    path = Path(path)
    given = given or str(path)
    nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise InvalidValueError(f"{given}: {nearest} is a file, not a folder. Name another place.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InvalidValueError(f"{given}: the folder {nearest} cannot be written to.")
    return path


def visible(folder: Path, pattern: str) -> Iterator[Path]:
    """What of a folder matches a pattern of `Path.glob` and is not hidden.

    Hidden is what has a name that begins with a dot, or lies in such a folder below the given one:
    caches and what other programs keep for themselves.
    """
    for path in folder.glob(pattern):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def folder_of_task(task: str) -> str:
    """The name of the folder for the runs of a task, whatever characters the task's name has.

    One that is too long for file systems is cut, and ends in a hash of the whole.
    """
    name = f"task={urllib.parse.quote(task, safe=' ')}"
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 17]}~{hashlib.sha256(task.encode()).hexdigest()[:16]}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise ValueError(f"the key {key!r} stands twice in one object")
        document[key] = value
    return document


def _not_finite(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple, float]]:
    if isinstance(value, int | float):
        if not abs(value) <= sys.float_info.max:  # NaN is not; an int may be too long for a float
            yield place, value
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if not isinstance(item, str):
                yield from _not_finite(item, (*place, key))


def _ignore(_: object) -> None:
    return None
