"""Train many models that differ in their numbers only with one compiled train step."""

import contextlib
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from keras_hplist.optimizers import RuleOptimizer
from keras_hplist.tuning.model_definition import Definition, layers_of, model_definition
from keras_hplist.tuning.model_state import (
    assign,
    inner_optimizer,
    model_variables,
    optimizer_variables,
)


class CompiledModels:
    """Keeps the model that was trained last, and trains its twins in its place.

    To compile a train step takes far longer than to build a model. So each trial builds its model
    as ever, with its own seed; if it is a twin of the one before, with equal definition and other
    numbers, all its numbers (weights, states of layers and of random generators, optimizer state,
    hyperparameters) are copied to that one, and that one is trained. It then trains as the new one
    would have.

    Two models are twins if their classes, configurations, attributes (also private ones, and what
    lies in lists and objects), compile arguments and optimizer settings are equal, also after the
    training of the one; see `model_definition`. Whatever cannot be compared counts as different.
    """

    def __init__(self) -> None:
        """Start with no model."""
        self._kept: keras.Model | None = None
        self._definition: Definition = None

    def forget(self) -> None:
        """Let go of the model, for example because an error left it in an unknown state."""
        self._kept = self._definition = None

    def adopt(self, fresh: keras.Model, context: Any = None) -> keras.Model:
        """The model to train in place of a fresh one.

        Args:
            fresh: compiled, never trained. Not to be used any more if another model is returned.
            context: what else decides on the model; models of unequal contexts are no twins.

        Returns:
            The kept model with the state of `fresh`, or `fresh`, which is kept from now on.
        """
        kept, definition = self._kept, model_definition(fresh)
        if definition is None:
            self.forget()
            return fresh
        if kept is not None and self._definition == (context, definition):
            with contextlib.suppress(Exception):  # of a user's own build_from_config
                build_like(fresh, kept.get_build_config())
            # Training may have changed what is no variable, such as a factor that is annealed.
            if model_definition(fresh) == model_definition(kept) and _copy_state(fresh, kept):
                return kept
        self._kept, self._definition = fresh, (context, definition)
        return fresh


def build_like(model: keras.Model, build_config: Mapping[str, Any] | None) -> None:
    """Build a model for the input shapes another one was built for.

    Keras makes the variables of a subclassed model but does not mark the model as built, and then
    refuses to load weights into it.

    Args:
        model: may be built already; then nothing happens.
        build_config: what the other model's `get_build_config()` gave.
    """
    if model.built or not build_config:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whoever needs the model built sees that it is not
        model.build_from_config(build_config)
    model.built = model.built or bool(model.weights)


def _copy_state(source: keras.Model, target: keras.Model) -> bool:
    """Copy all numbers, if the variables correspond; nothing is changed otherwise."""
    if not source.built or _trainable(source) != _trainable(target):
        return False
    numbers = model_variables(source)
    # Keras calls a model built that has no variables yet; no optimizer must be built on none.
    if not numbers or _layout(numbers) != _layout(model_variables(target)):
        return False
    if source.optimizer is not None:
        source.optimizer.build(source.trainable_variables)
    if _layout(optimizer_variables(source)) != _layout(optimizer_variables(target)):
        return False
    assign(target, numbers, optimizer_variables(source))
    optimizer = inner_optimizer(target)
    if isinstance(optimizer, RuleOptimizer):  # the exact numbers; variables hold them in float32
        optimizer.set_hyperparameters(inner_optimizer(source).hyperparameters)
    return True


def _layout(variables: Iterable[keras.Variable]) -> list[tuple]:
    return [(tuple(variable.shape), variable.dtype) for variable in variables]


def _trainable(model: keras.Model) -> list[bool]:
    return [layer.trainable for layer in layers_of(model)]
