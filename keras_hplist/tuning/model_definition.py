"""What decides how a model trains, apart from its numbers: comparable from model to model."""

import dataclasses
import functools
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from dis import get_instructions
from typing import Any

import keras
import numpy as np

from keras_hplist.optimizers import RuleOptimizer
from keras_hplist.tuning.model_state import inner_optimizer

Definition = Any
"""Nested tuples of types, names and plain values, comparable with ==."""

_PLAIN = bool | int | float | str | bytes | type | types.ModuleType
_STATEFUL = keras.Variable | keras.Layer | keras.optimizers.Optimizer

_FRAMEWORKS = ("keras", "tensorflow", "torch", "flax")

_OF_A_FIT = (
    "built",
    "history",
    *(f"stop_{loop}" for loop in ("training", "evaluating", "predicting")),
    *(f"{loop}_function" for loop in ("train", "test", "predict")),
)
"""Attributes that Keras sets, and that decide nothing in the next fit."""

_APART = ("optimizer", "_compile_config")
"""Attributes that are compared by themselves."""


def model_definition(model: keras.Model) -> Definition | None:
    """What decides how a compiled model trains, apart from its numbers; None if it cannot be told.

    That is what it was compiled with, and the class, the configuration and the attributes of the
    model and each of its layers. The model's own variables, which can be copied, count by their
    place; a second optimizer, or a variable that Keras does not track or that belongs to a loss, is
    equal to itself only. Functions are equal if they run the same code on equal defaults and equal
    captured values; objects if their classes are the same and their states, as they would be
    pickled, are equal.
    """
    compiled = _compile_arguments(model)
    compiled.pop("optimizer", None)
    try:
        definitions = _Definitions(model, compiled)
        return (
            definitions.of(compiled),
            [definitions.of_layer(layer) for layer in layers_of(model)],
            _optimizer_definition(model.optimizer, definitions),
        )
    except Exception:  # whatever a user's get_config raises
        return None


def layers_of(model: keras.Model) -> list[keras.Layer]:
    """The model and all layers in it, in the order in which Keras tracks them."""
    return list(model._flatten_layers())


def _compile_arguments(model: keras.Model) -> dict[str, Any]:
    arguments = getattr(model, "_compile_config", None)
    return {} if arguments is None else dict(arguments.config)


def _optimizer_definition(
    optimizer: keras.optimizers.Optimizer, definitions: "_Definitions"
) -> Definition:
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
        definitions.of(settings),
        definitions.of_exclusions(optimizer),
        None if inner is None else _optimizer_definition(inner, definitions),
    )


class _Definitions:
    """Values of a model as something that `==` compares by what they do, not by where they are."""

    def __init__(self, model: keras.Model, compiled: Mapping[str, Any]) -> None:
        """Find the parts of the model, which stand for themselves wherever they are met."""
        self._places: dict[int, _Place] = {}
        given = keras.tree.flatten([compiled.get("metrics"), compiled.get("weighted_metrics")])
        for metric in (*model.metrics, *given):
            self._place("variable of a metric", getattr(metric, "variables", ()))
        self._place("optimizer", [model.optimizer, inner_optimizer(model)])
        self._place("layer", layers_of(model))
        self._variables = model.variables
        self._place("variable", self._variables)
        self._met: list[Any] = []

    def _place(self, kind: str, things: Iterable[Any]) -> None:
        self._places |= {id(thing): _Place(kind, number) for number, thing in enumerate(things)}

    def _meet(self, thing: Any) -> None:
        """Place what may lead back to itself before it is followed, and keep it, for its id."""
        self._places[id(thing)] = _Place("met", len(self._met))
        self._met.append(thing)

    def of(self, value: Any) -> Definition:
        """The definition of a value."""
        if value is None or isinstance(value, _PLAIN):
            return value
        if id(value) in self._places:
            return self._places[id(value)]
        if isinstance(value, Mapping):
            return tuple((key, self.of(item)) for key, item in value.items())
        if isinstance(value, list | tuple):
            return (type(value), *map(self.of, value))
        if isinstance(value, set | frozenset):
            return type(value), frozenset(map(self.of, value))
        if _is_array(value):
            array = keras.ops.convert_to_numpy(value)
            return array.dtype.str, array.shape, array.tobytes()
        if isinstance(value, types.FunctionType):
            self._meet(value)
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            return value.__code__, self.of((value.__defaults__, value.__kwdefaults__, cells))
        if isinstance(value, functools.partial):
            return self.of((value.func, value.args, value.keywords))
        if isinstance(value, types.MethodType):
            return self.of(value.__func__), self.of(value.__self__)
        return self._of_object(value)

    def of_exclusions(self, optimizer: keras.optimizers.Optimizer) -> Definition:
        """Which variables are exempt from decay, by name and by what they are."""
        keys = getattr(optimizer, "_exclude_from_weight_decay", ())
        pattern = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
        return self.of(pattern), [optimizer._var_key(each) in keys for each in self._variables]

    def of_layer(self, layer: keras.Layer) -> Definition:
        """A layer's class, configuration and attributes."""
        try:
            config = self.of(layer.get_config())
        except NotImplementedError:
            if _is_of_a_framework(type(layer)):
                raise
            config = None  # the attributes of a user's class tell all
        return type(layer), config, self.of_attributes(layer)

    def of_attributes(self, thing: Any) -> Definition:
        """An object's attributes by name, without those in which Keras keeps its books."""
        books = _set_by_frameworks(type(thing))
        return tuple(
            (name, self.of(value))
            for name, value in sorted(vars(thing).items())
            if name not in (*_OF_A_FIT, *_APART)
            and (name not in books or _is_setting(type(thing), name, value))
        )

    def _of_object(self, value: Any) -> Definition:
        if isinstance(value, _STATEFUL):
            return _Itself(value)
        if isinstance(value, keras.random.SeedGenerator):
            return type(value), self.of(value.state)
        if isinstance(value, keras.losses.Loss | keras.metrics.Metric):
            return self._of_measure(value)
        if _is_of_a_framework(type(value)) and hasattr(value, "get_config"):
            return type(value), self.of(value.get_config())
        self._meet(value)
        try:
            return type(value), self.of(value.__reduce_ex__(4))
        except Exception:  # what cannot be pickled
            return _Itself(value)

    def _of_measure(self, value: keras.losses.Loss | keras.metrics.Metric) -> Definition:
        variables = map(self.of, getattr(value, "variables", ()))
        if any(isinstance(each, _Itself) for each in variables):  # of a metric not reset by Keras
            return _Itself(value)
        return type(value), self.of(value.get_config()), self.of_attributes(value)


@dataclasses.dataclass(frozen=True)
class _Place:
    """Something of the model itself, or that was met before, by its place."""

    kind: str
    number: int


@dataclasses.dataclass(frozen=True, eq=False)
class _Itself:
    """An object of which nothing is known; equal to itself only."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


def _is_setting(cls: type, name: str, value: Any) -> bool:
    """Whether an attribute that Keras sets is a public number, string, flag, array or function."""
    if name.startswith("_"):
        return False
    # Keras wraps some methods; their definitions are the class's.
    function = isinstance(value, types.FunctionType) and not hasattr(cls, name)
    return function or isinstance(value, bool | int | float | str) or _is_array(value)


def _is_array(value: Any) -> bool:
    """Whether it is an array or a tensor, and no variable, whose numbers are copied."""
    tensor = keras.ops.is_tensor(value) and not isinstance(value, keras.Variable)
    return tensor or isinstance(value, np.ndarray | np.generic)


def _is_of_a_framework(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in _FRAMEWORKS


def _set_by_frameworks(cls: type) -> set[str]:
    """The names of the attributes that the methods of Keras's classes among the bases set."""
    return set().union(*map(_set_by, filter(_is_of_a_framework, cls.__mro__)))


@functools.cache
def _set_by(cls: type) -> frozenset[str]:
    """The names of the attributes that the methods of one class set."""
    return frozenset(
        instruction.argval
        for function in _functions(cls)
        for instruction in get_instructions(function)
        if instruction.opname == "STORE_ATTR"
    )


def _functions(cls: type) -> Iterator[types.FunctionType]:
    """The functions behind methods, properties, and what decorators made of them."""
    for member in vars(cls).values():
        parts = (getattr(member, name, None) for name in ("__func__", "fget", "fset"))
        for function in map(inspect.unwrap, (member, *parts)):
            if isinstance(function, types.FunctionType):
                yield function
