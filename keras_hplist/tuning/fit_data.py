"""What the arguments of a `model.fit` call say about its data."""

import contextlib
import functools
import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from keras_hplist.tuning.curve_recorder import CurveRecorder


@contextlib.contextmanager
def data_told(model: keras.Model, recorder: CurveRecorder) -> Iterator[None]:
    """Tell a recorder what data each `model.fit` has, before it begins.

    A `HyperModel.fit` may load, split or scale what `search()` was given. What it does without
    `model.fit`, or what a `fit` of the model's own makes of it, stays unknown.
    """
    if getattr(model.fit, "__func__", None) is not keras.Model.fit:
        yield
        return
    fit = model.fit

    @functools.wraps(fit)
    def telling_fit(*args: Any, **kwargs: Any) -> Any:
        data = FitData.of(args, kwargs)
        recorder.batch_size = data.batch_size
        recorder.validation_data = data.validation_data
        recorder.validation_arguments = dict(data.validation_arguments)
        return fit(*args, **kwargs)

    model.fit = telling_fit
    try:
        yield
    finally:
        del model.fit


@dataclass(frozen=True)
class FitData:
    """The data of a fit.

    Attributes:
        batch_size: samples per batch; None if it cannot be told.
        validation_data: what to give to `model.evaluate`; None if there is none, if evaluating
            would use it up (a generator), or if it is a part of what cannot be sliced.
        validation_arguments: `batch_size` and `steps` of that evaluation.
    """

    batch_size: int | None
    validation_data: Any
    validation_arguments: Mapping[str, Any]

    @classmethod
    def of(cls, args: tuple, kwargs: Mapping[str, Any]) -> "FitData":
        """Read the arguments of `model.fit`."""
        arguments = inspect.signature(keras.Model.fit).bind(None, *args, **kwargs).arguments
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


def _last_part(arguments: Mapping[str, Any]) -> tuple | None:
    """The samples that `validation_split` sets apart: the last ones, before shuffling."""
    x = arguments["x"]

    def last(array: Any) -> Any:
        if array is None:
            return None
        if hasattr(array, "tocsr"):  # not all of SciPy's sparse matrices can be sliced
            array = array.tocsr()
        return getattr(array, "iloc", array)[first:]

    try:
        first = math.floor(_leaves(x)[0].shape[0] * (1.0 - arguments["validation_split"]))
        data = (x, arguments.get("y"), arguments.get("sample_weight"))
        return keras.tree.map_structure(last, data)
    except (AttributeError, IndexError, TypeError):
        return None  # `fit` says so if it cannot slice them either


def _own_batch_size(x: Any) -> int | None:
    """The batch size of data that come in batches, or Keras's default for arrays."""
    if hasattr(x, "element_spec"):  # tf.data
        shape = getattr(_leaves(x.element_spec)[0], "shape", None)
        return shape[0] if shape else None
    if isinstance(getattr(x, "batch_size", None), int):  # torch.utils.data.DataLoader
        return x.batch_size
    return 32 if all(hasattr(leaf, "shape") for leaf in _leaves(x) or [None]) else None


def _leaves(structure: Any) -> list[Any]:
    return list(keras.tree.flatten(structure) or [])
