"""Files that subcommands write: refused before any work where they cannot be written."""

import os
from pathlib import Path

from keras_hplist.errors import InvalidValueError


def check_output(path: Path, option: str = "--output") -> None:
    """See whether a file can be made.

    Args:
        path: of the file.
        option: by which the user gave it.

    Raises:
        InvalidValueError: if it is a folder, or its folder is not there or cannot be written to.
    """
    folder = path.parent
    if path.is_dir():
        raise InvalidValueError(f"{option} {path} is a folder; name a file in it.")
    if not folder.is_dir():
        raise InvalidValueError(f"{option} {path}: there is no folder {folder}. Make it first.")
    if not os.access(folder, os.W_OK):
        raise InvalidValueError(f"{option} {path}: the folder {folder} cannot be written to.")
