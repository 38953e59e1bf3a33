"""The JSON text of a hyperparameter list: reading with located errors, writing with fixed bytes."""

import functools
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from keras_hplist.errors import FileFormatError

FORMAT, VERSION = "keras-hplist", 1


def parse(path: str | os.PathLike[str]) -> Any:
    """Read JSON, refusing what JSON readers usually let through, with its place in the document.

    Args:
        path: the file.

    Returns:
        The document as plain Python objects.

    Raises:
        FileFormatError: if it is a folder, the text is not JSON, a key stands twice in one object,
            or a number is NaN or infinite (`1e999` is).
        FileNotFoundError: if there is no such file.
    """
    file = os.fspath(path)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                raise ValueError(f"the key {key!r} stands twice in one object")
            seen[key] = value
        return seen

    try:
        document = json.loads(Path(path).read_bytes().decode(), object_pairs_hook=unique)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no list file {file}.") from None
    except IsADirectoryError:
        raise FileFormatError(f"{file} is a folder, not a list file.") from None
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{file} is not valid JSON: {error}") from error
    for place, number in _numbers(document, ()):
        if not abs(number) <= sys.float_info.max:  # NaN is not; an int may be too long for a float
            raise FileFormatError(
                f"{file}: {where(place)} is {number}; it must be a finite number."
            )
    return document


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


def where(path: Sequence[str | int] | Any) -> str:
    """A place in a document as text: `entries[3].values.beta1`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the document"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _numbers(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple, float]]:
    if isinstance(value, int | float):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, (*place, index))


@functools.cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    schema = resources.files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(schema))
