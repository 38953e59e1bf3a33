"""Files that are either the old one or the new one, whole, at whatever moment a process dies."""

import hashlib
import json
import os
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from keras_hplist.errors import FileFormatError

_LONGEST = 255  # bytes of a name, in most file systems


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
        OSError: if the disk is full or the folder not writable; `path` then is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: str | os.PathLike[str], text: str, *, sync: bool = True) -> None:
    """Write UTF-8 text atomically (see `write_atomically`)."""
    write_atomically(path, lambda file: _ignore(file.write(text.encode())), sync=sync)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read strict JSON.

    Raises:
        FileFormatError: if the file is not UTF-8 or not JSON; NaN and Infinity count as not JSON.
        FileNotFoundError: if there is no such file.
    """

    def refuse(token: str) -> Any:
        raise ValueError(f"{token} is not a JSON value")

    try:
        return json.loads(Path(path).read_bytes().decode(), parse_constant=refuse)
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise FileFormatError(f"{os.fspath(path)} is not valid JSON: {error}") from error


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _ignore(_: object) -> None:
    return None
