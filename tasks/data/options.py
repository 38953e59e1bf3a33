"""What a task may ask of its data, checked before anything is read."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..checks import checked_whole
from ..errors import TaskDataError
from .catalog import DataSet


@dataclass(frozen=True)
class Options:
    """What a task asks of its data.

    Attributes:
        num_train: keep only the first so many training examples; None (default) keeps all.
        valid_size: wanted number of examples of each validation split (V of the published rule);
            lowered where the data at hand are too few. None (default) is the published one of the
            data set.
        patch_length: tokens of a text window; text needs it, images do not take it.
        just_train: whether all four splits are the training split (default False).
        seed: which examples fall in which split, and which windows are cut from photographs
            (default 0).
    """

    num_train: int | None = None
    valid_size: int | None = None
    patch_length: int | None = None
    just_train: bool = False
    seed: int = 0

    @classmethod
    def check(cls, data_set: DataSet, given: Mapping[str, Any] | None) -> "Options":
        """Options from a mapping.

        Raises:
            TaskDataError: a key or a value is not allowed, or text comes without `patch_length`.
        """
        known = [field.name for field in fields(cls)]
        values: dict[str, Any] = {}
        for key, value in (given or {}).items():
            if key not in known:
                raise TaskDataError(f"Unknown option {key!r} for data. Known: {', '.join(known)}.")
            if key == "just_train":
                values[key] = _boolean(key, value)
            elif value is None and key != "seed":
                values[key] = None
            else:
                values[key] = checked_whole(f"Option {key}", value, least=int(key != "seed"))
        if data_set.kind == "text" and values.get("patch_length") is None:
            raise TaskDataError(
                f"{data_set.name} is text: the option patch_length (tokens of a window) is needed."
            )
        if data_set.kind == "image" and values.get("patch_length") is not None:
            raise TaskDataError(f"{data_set.name} has images: it takes no option patch_length.")
        return cls(**values)


def _boolean(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TaskDataError(f"Option {key} is {value!r}; it must be True or False.")
    return value
