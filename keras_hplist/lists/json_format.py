"""The JSON text of a hyperparameter list: reading with located errors, writing with fixed bytes."""

import functools
import json
import os
from collections.abc import Mapping
from importlib import resources
from typing import Any

from keras_hplist.errors import FileFormatError
from keras_hplist.files import read_json, where

FORMAT, VERSION = "keras-hplist", 1


def parse(path: str | os.PathLike[str]) -> Any:
    """Read strict JSON (see `keras_hplist.files.parse_json`).

    Args:
        path: the file.

    Returns:
        The document as plain Python objects.

    Raises:
        FileFormatError: if it is a folder, the text is not JSON, a key stands twice in one object,
            or a number is NaN or infinite (`1e999` is).
        FileNotFoundError: if there is no such file.
    """
    try:
        return read_json(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no list file {os.fspath(path)}.") from None
    except IsADirectoryError:
        raise FileFormatError(f"{os.fspath(path)} is a folder, not a list file.") from None


def check(document: Any, file: str) -> None:
    """Check a document against the shipped schema.

    Args:
        document: what `parse` returned.
        file: the file's name, for messages.

    Raises:
        FileFormatError: naming the file, the entry and the key.
    """
    from jsonschema.exceptions import best_match

    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise FileFormatError(
            f"{file} is not a hyperparameter list: its key 'format' must be {FORMAT!r}. "
            "To read the published opt_list format, use HyperparameterList.from_opt_list(path)."
        )
    version = document.get("version")
    if version != VERSION or isinstance(version, bool):
        raise FileFormatError(
            f"{file}: version is {version!r}, and this release reads version {VERSION}. "
            "If the file comes from a newer release, run: pip install --upgrade keras_hplist"
        )
    error = best_match(_validator().iter_errors(document))
    if error is not None:
        raise FileFormatError(f"{file}: {where(error.absolute_path)}: {error.message}")


def dump(document: Mapping[str, Any]) -> str:
    """The text of a list file: one entry a line, keys in a fixed order, floats in full.

    The same document gives the same bytes; reading the text gives the same floats back.

    Args:
        document: with the keys `format`, `version`, `name`, `space`, `entries`, `provenance`.

    Returns:
        JSON text that ends with a line break.
    """
    entries = ",\n".join(f"    {_compact(entry)}" for entry in document["entries"])
    lines = [
        f'  "{key}": {_compact(document[key])}' for key in ("format", "version", "name", "space")
    ]
    lines.append(f'  "entries": [\n{entries}\n  ]')
    provenance = json.dumps(
        document["provenance"], indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    lines.append('  "provenance": ' + provenance.replace("\n", "\n  "))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


@functools.cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    schema = resources.files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(schema))
