"""Train many models that differ in their numbers only with one compiled train step."""

import contextlib
import dataclasses
import functools
import types
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from keras_hplist.optimizers import RuleOptimizer
from keras_hplist.tuning.model_state import assign, inner_optimizer, optimizer_variables

_OF_A_FIT = (
    "built",
    *(f"stop_{loop}" for loop in ("training", "evaluating", "predicting")),
    *(f"{loop}_function" for loop in ("train", "test", "predict")),
)
"""Attributes that Keras sets, and that decide nothing in the next fit."""

_Definition = Any  # nested tuples of types, names and plain values, comparable with ==


class CompiledModels:
    """Keeps the model that was trained last, and trains its twins in its place.

    To compile a train step takes far longer than to build a model. So each trial builds its model
    as ever, with its own seed; if it is a twin of the one before, with equal definition and other
    numbers, all its numbers (weights, states of layers and of random generators, optimizer state,
    hyperparameters) are copied to that one, and that one is trained. It then trains as the new one
    would have.

    Two models are twins if their classes, configurations, attributes, compile arguments and
    optimizer settings are equal, also after the training of the one, and nothing is found in them
    whose state is unknown: a second optimizer, a variable that Keras does not track or that belongs
    to a loss. Functions are equal if they run the same code on equal defaults and equal captured
    values. Whatever cannot be compared counts as different.
    """

    def __init__(self) -> None:
        """Start with no model."""
        self._kept: keras.Model | None = None
        self._definition: _Definition = None

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
        kept, definition = self._kept, _model_definition(fresh)
        if definition is None or _has_unknown_state(fresh):
            self.forget()
            return fresh
        if kept is not None and self._definition == (context, definition):
            with contextlib.suppress(Exception):  # of a user's own build_from_config
                build_like(fresh, kept.get_build_config())
            # Training may have changed what is no variable, such as a factor that is annealed.
            if _model_definition(fresh) == _model_definition(kept) and _copy_state(fresh, kept):
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
    # Keras calls a model built that has no variables yet; no optimizer must be built on none.
    if not source.variables or _layout(source.variables) != _layout(target.variables):
        return False
    if source.optimizer is not None:
        source.optimizer.build(source.trainable_variables)
    if _layout(optimizer_variables(source)) != _layout(optimizer_variables(target)):
        return False
    assign(target, source.variables, optimizer_variables(source))
    optimizer = inner_optimizer(target)
    if isinstance(optimizer, RuleOptimizer):  # the exact numbers; variables hold them in float32
        optimizer.set_hyperparameters(inner_optimizer(source).hyperparameters)
    return True


def _layout(variables: Iterable[keras.Variable]) -> list[tuple]:
    return [(tuple(variable.shape), variable.dtype) for variable in variables]


def _trainable(model: keras.Model) -> list[bool]:
    return [layer.trainable for layer in _layers(model)]


def _layers(model: keras.Model) -> list[keras.Layer]:
    return list(model._flatten_layers())


def _has_unknown_state(model: keras.Model) -> bool:
    if any(hasattr(member, "assign") for loss in _losses(model) for member in vars(loss).values()):
        return True
    known = [id(model.optimizer), id(inner_optimizer(model))]
    for member in (each for layer in _layers(model) for each in vars(layer).values()):
        values = list(member.values()) if isinstance(member, Mapping) else member
        for value in values if isinstance(values, list | tuple | set) else [values]:
            if isinstance(value, keras.optimizers.Optimizer):
                if id(value) not in known:
                    return True
            elif hasattr(value, "assign") and not isinstance(value, keras.Variable):
                return True
    return False


def _compile_arguments(model: keras.Model) -> dict[str, Any]:
    arguments = getattr(model, "_compile_config", None)
    return {} if arguments is None else dict(arguments.config)


def _losses(model: keras.Model) -> list[keras.losses.Loss]:
    given = keras.tree.flatten(_compile_arguments(model).get("loss"))
    return [loss for loss in given if isinstance(loss, keras.losses.Loss)]


def _model_definition(model: keras.Model) -> _Definition | None:
    """What decides how a model trains, apart from its numbers; None if that cannot be told."""
    compiled = _compile_arguments(model)
    compiled.pop("optimizer", None)
    try:
        return (
            type(model),
            _definition(model.get_config()),
            _definition(compiled),
            [(type(layer), _plain_attributes(layer)) for layer in _layers(model)],
            _optimizer_definition(model.optimizer),
        )
    except Exception:  # whatever a user's get_config raises; a function that captures itself
        return None


def _optimizer_definition(optimizer: keras.optimizers.Optimizer) -> _Definition:
    config = optimizer.get_config()
    live = {"name", "learning_rate", "inner_optimizer"}
    if isinstance(optimizer, RuleOptimizer):
        live |= {"training_steps", "schedule_start", *optimizer.hyperparameter_names}
    elif not isinstance(config.get("learning_rate"), float):
        live -= {"learning_rate"}  # a schedule's numbers are compiled into the train step
    settings = {name: value for name, value in config.items() if name not in live}
    inner = getattr(optimizer, "inner_optimizer", None)
    return (
        type(optimizer),
        _definition(settings),
        None if inner is None else _optimizer_definition(inner),
    )


def _definition(value: Any) -> _Definition:
    """A value as something that `==` compares by what it does, not by where it is."""
    if isinstance(value, Mapping):
        return tuple((key, _definition(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return (type(value), *map(_definition, value))
    if _is_array(value):
        array = keras.ops.convert_to_numpy(value)
        return array.dtype.str, array.shape, array.tobytes()
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return value.__code__, _definition((value.__defaults__, value.__kwdefaults__, cells))
    if isinstance(value, functools.partial):
        return _definition((value.func, value.args, value.keywords))
    if isinstance(value, types.MethodType):
        return _definition(value.__func__), _definition(value.__self__)
    if isinstance(value, keras.losses.Loss | keras.metrics.Metric):
        return type(value), _definition(value.get_config()), _plain_attributes(value)
    if value is None or isinstance(value, bool | int | float | str | bytes | type):
        return value
    return _Itself(value)


@dataclasses.dataclass(frozen=True, eq=False)
class _Itself:
    """An object of which nothing is known; equal to itself only."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


def _plain_attributes(thing: Any) -> _Definition:
    """An object's own public numbers, strings, flags, arrays and functions, by name."""
    return tuple(
        (name, _definition(value))
        for name, value in sorted(vars(thing).items())
        if not name.startswith("_")
        and name not in _OF_A_FIT
        and (
            isinstance(value, bool | int | float | str)
            or _is_array(value)
            # Keras wraps some methods; their definitions are the class's.
            or (isinstance(value, types.FunctionType) and not hasattr(type(thing), name))
        )
    )


def _is_array(value: Any) -> bool:
    """Whether it is an array or a tensor, and no variable, whose numbers are copied."""
    tensor = keras.ops.is_tensor(value) and not isinstance(value, keras.Variable)
    return tensor or isinstance(value, np.ndarray | np.generic)
