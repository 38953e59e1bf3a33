"""What the arguments of a `model.fit` call say about its data."""

import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class FitData:
    """The data of a fit.

    Attributes:
        batch_size: samples per batch; None if it cannot be told.
        validation_data: what to give to `model.evaluate`; None if there is none, or if evaluating
            would use it up (a generator).
        validation_arguments: `batch_size` and `steps` of that evaluation.
    """

    batch_size: int | None
    validation_data: Any
    validation_arguments: Mapping[str, Any]

    @classmethod
    def of(cls, args: tuple, kwargs: Mapping[str, Any]) -> "FitData":
        """Read the arguments of `model.fit`, or of a user's `HyperModel.fit` that resembles it."""
        try:
            signature = inspect.signature(keras.Model.fit)
            arguments = signature.bind_partial(None, *args, **kwargs).arguments
        except TypeError:
            arguments = dict(kwargs)
        batch_size = arguments.get("batch_size")
        validation_data = arguments.get("validation_data")
        if validation_data is None and arguments.get("validation_split") and "x" in arguments:
            validation_data = _last_part(arguments)
        if isinstance(validation_data, Iterator):
            validation_data = None
        return cls(
            batch_size=batch_size or _own_batch_size(arguments.get("x")),
            validation_data=validation_data,
            validation_arguments={
                "batch_size": arguments.get("validation_batch_size") or batch_size,
                "steps": arguments.get("validation_steps"),
            },
        )


def _last_part(arguments: Mapping[str, Any]) -> tuple:
    """The samples that `validation_split` sets apart: the last ones, before shuffling."""
    x = arguments["x"]
    first = math.floor(_leaves(x)[0].shape[0] * (1.0 - arguments["validation_split"]))

    def last(array: Any) -> Any:
        return None if array is None else getattr(array, "iloc", array)[first:]

    return keras.tree.map_structure(last, (x, arguments.get("y"), arguments.get("sample_weight")))


def _own_batch_size(x: Any) -> int | None:
    """The batch size of data that come in batches, or Keras's default for arrays."""
    if hasattr(x, "element_spec"):  # tf.data
        shape = getattr(_leaves(x.element_spec)[0], "shape", None)
        return shape[0] if shape else None
    return 32 if all(hasattr(leaf, "shape") for leaf in _leaves(x) or [None]) else None


def _leaves(structure: Any) -> list[Any]:
    return list(keras.tree.flatten(structure) or [])
