"""JSON and YAML documents that tools leave beside their runs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_hplist.errors import FileFormatError, MissingExtraError
from keras_hplist.files import parse_json


def read_mapping(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """Read a JSON or YAML file (`.yaml`, `.yml`) that holds one mapping.

    NaN and Infinity, which Python's tools write, are accepted in JSON.

    Raises:
        FileFormatError: naming the file and, where it is known, the line.
        FileNotFoundError: if there is no such file.
        MissingExtraError: if it is YAML and PyYAML is not installed.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{file} is not text: {error}") from error
    if file.suffix in (".yaml", ".yml"):
        return _mapping(_yaml(text, file), os.fspath(file))
    return parse_mapping(text, os.fspath(file))


def parse_mapping(text: str | bytes, place: str) -> Mapping[str, Any]:
    """Parse JSON that holds one mapping.

    Raises:
        FileFormatError: naming `place`.
    """
    return _mapping(parse_json(text, place, strict=False), place)


def _mapping(document: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise FileFormatError(f"{place} holds {type(document).__name__}, not a mapping of names.")
    return document


def _yaml(text: str, file: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("PyYAML", "yaml", f"Reading {file}") from error
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FileFormatError(f"{file} is not valid YAML: {error}") from error
