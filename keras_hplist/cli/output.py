"""Files that subcommands write: refused before any work where they cannot be written."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import typer

from keras_hplist.errors import InvalidValueError
from keras_hplist.files import checked_folder


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
    checked_folder(folder, f"{option} {path}")


def check_history_output(path: Path) -> None:
    """See whether a history can be written; folders that are missing will be made.

    Args:
        path: of a file that ends in `.parquet`, or of a folder.

    Raises:
        InvalidValueError: if a file has the place of a folder or a folder that of a file, or the
            folder cannot be written to.
    """
    is_file = path.suffix == ".parquet"
    if is_file and path.is_dir():
        raise InvalidValueError(f"--output {path} is a folder; name a file in it.")
    if not is_file and path.is_file():
        raise InvalidValueError(
            f"--output {path} is a file; name a folder, or a file that ends in .parquet."
        )
    checked_folder(path.parent if is_file else path, f"--output {path}")


def check_apart(outputs: Mapping[str, Path | None], inputs: Iterable[Path] = ()) -> None:
    """Refuse to write over what is read, and to write two files to one path.

    Args:
        outputs: the option by which the user gave each path; None where it was not given.
        inputs: the paths to read.

    Raises:
        typer.BadParameter: if two paths are the same, also by way of links.
    """
    taken = [(path.resolve(), "is to be read") for path in inputs]
    for option, path in outputs.items():
        if path is None:
            continue
        for other, use in taken:
            if path.resolve() == other:
                raise typer.BadParameter(
                    f"{path} {use}; name another path to write to.", param_hint=option
                )
        taken.append((path.resolve(), f"is what {option} names"))
