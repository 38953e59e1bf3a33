"""Waiting until a model has its variables: TensorFlow's `fit` may make them in its first batch."""

from collections.abc import Callable
from typing import Any

import keras

from keras_hplist.tuning.errors import SetupError


def when_built(model: keras.Model, begin: Callable[[], None]) -> None:
    """Call a function when a model has its variables, before they are trained.

    Args:
        model: its `fit` is under way, and is before the first batch.
        begin: called now or, if the layers wait for data to tell their shapes, with these.

    Raises:
        SetupError: with the first batch, if the model cannot be built for it.
    """
    built = all(layer.built for layer in model._flatten_layers())
    if built or keras.backend.backend() != "tensorflow":
        begin()
        return
    # A fit that broke off before its first batch has left a function that begins what it was to.
    model.make_train_function(force=True)
    train = model.train_function

    def build_and_train(batches: Any) -> Any:
        model.train_function = train
        _build(model, batches.element_spec)
        begin()
        return train(batches)

    model.train_function = build_and_train


def _build(model: keras.Model, batch: Any) -> None:
    x, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
    try:
        model(keras.tree.map_structure(_symbolic, x))
    except Exception as error:
        parts = model._flatten_layers(include_self=False)
        if model.variables and all(layer.built for layer in parts):
            return  # only its train step can call this one, part by part
        raise SetupError(
            f"The race needs the variables of the model before its first batch, and the model "
            f"cannot be built for {x}: {error}. Give its layers their shapes: begin a Sequential "
            "model with keras.Input(shape), or call the model on a batch before fit()."
        ) from error


def _symbolic(spec: Any) -> keras.KerasTensor:
    return keras.KerasTensor(spec.shape, spec.dtype.name)
