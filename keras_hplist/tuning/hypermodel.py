"""A hypermodel whose models train with the optimizer that a trial's values describe."""

import contextlib
import math
from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from typing import Any

import keras
import keras_tuner

from keras_hplist import spaces
from keras_hplist.optimizers import RuleOptimizer
from keras_hplist.spaces import SearchSpace
from keras_hplist.spaces.bookkeeping import TRAINING_STEPS
from keras_hplist.tuning.errors import SetupError
from keras_hplist.tuning.model_state import inner_optimizer
from keras_hplist.tuning.race_list import RaceList
from keras_hplist.tuning.training_steps import TrainingSteps

# What an optimizer does apart from its update rule; a swap keeps it.
_KEPT_SETTINGS = (
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)
# What `exclude_from_weight_decay` sets, which no argument takes; the variables are the model's own.
_EXCLUSIONS = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")


class OptimizerHyperModel(keras_tuner.HyperModel):
    """A user's hypermodel with the optimizers of a search space in place of its own.

    Works in any KerasTuner tuner: the hyperparameters of the space are declared to it, and each
    model gets the optimizer that the trial's values describe. The user's model is compiled once, by
    the user, and keeps its loss, metrics, weights of both, `jit_compile`, `steps_per_execution`,
    mixed precision and distribution; of its optimizer, it keeps gradient clipping and accumulation,
    the moving average of weights, and which variables are exempt from decay. The schedule learns
    its length when this hypermodel's `fit` begins; a model from `build` that is trained in another
    way needs the `TrainingSteps` callback, or, in a training loop of its own,
    `model.optimizer.training_steps` set.

    A search space that is not of an optimizer family (a user's own) changes nothing in the models:
    the trial's values reach `build` as its own hyperparameters.

    Args:
        hypermodel: a function `build(hp)` that returns a compiled Keras model, or a `HyperModel`.
        space: the search space, or its name.

    Attributes:
        hypermodel: the user's, as a `HyperModel`.
        space: the `SearchSpace`.
        swaps_optimizer: whether the space is that of an optimizer family.
        names_used: the hyperparameters that the user's `build` read when it was called last, but
            for those whose values it gave to the optimizer, which is replaced.
        names_read: the hyperparameters that the user's `build` or `fit` ever read.

    Raises:
        SetupError: if `hypermodel` is neither; from `build`, if it gives no compiled Keras model.
        UnknownNameError: if there is no such space.
    """

    def __init__(
        self,
        hypermodel: keras_tuner.HyperModel | Callable[[keras_tuner.HyperParameters], keras.Model],
        space: str | SearchSpace,
    ) -> None:
        """Wrap the user's hypermodel."""
        super().__init__()
        self.space = spaces.get(space)
        self.swaps_optimizer = bool(self.space.family)
        self.hypermodel = _as_hypermodel(hypermodel)
        self.names_used: set[str] = set()
        self.names_read: set[str] = set()

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Add the space's hyperparameters, then those that the user's hypermodel declares."""
        hp.merge(self.space.hyperparameters(), overwrite=False)
        self.hypermodel.declare_hyperparameters(hp)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build the user's model and swap its optimizer.

        Args:
            hp: the trial's hyperparameters; those of the space that it lacks are declared.

        Returns:
            A compiled model.
        """
        self.declare_hyperparameters(hp)
        with self._noting(hp) as self.names_used:
            model = _compiled(self.hypermodel.build(hp))
        if self.swaps_optimizer:
            values = self.configuration(hp)
            old = inner_optimizer(model)
            self.names_used -= _names_held(old, values)
            new = self.space.optimizer(values, hp.values.get(TRAINING_STEPS), **_kept_settings(old))
            for name in _EXCLUSIONS:
                if hasattr(old, name):
                    setattr(new, name, getattr(old, name))
            swap_optimizer(model, new)
        return model

    @contextlib.contextmanager
    def _noting(self, hp: keras_tuner.HyperParameters) -> Iterator[set[str]]:
        """Note the names of the hyperparameters that are read."""
        values = hp.values
        hp.values = noted = _NotedValues(values)
        try:
            yield noted.names_read
        finally:
            self.names_read |= noted.names_read
            hp.values = values
            values.update(dict.items(noted))

    def configuration(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """The configuration of the space that a trial's values hold, as plain Python values.

        Raises:
            InvalidValueError: if they hold none, or one that is not allowed.
        """
        named = {name: hp.values[name] for name in self.space.names if name in hp.values}
        if len(named) == len(self.space.names):  # no matter what KerasTuner takes for inactive
            return self.space.validate(named)
        return self.space.from_keras_tuner(hp.values)

    def fit(
        self, hp: keras_tuner.HyperParameters, model: keras.Model, *args: Any, **kwargs: Any
    ) -> Any:
        """Train with the user's `fit`, adding a `TrainingSteps` callback where none is given.

        Raises:
            SetupError: if a `RaceList` is among the callbacks, and the space swaps the optimizer.
        """
        callbacks = list(kwargs.pop("callbacks", None) or [])
        if self.swaps_optimizer and any(isinstance(each, RaceList) for each in callbacks):
            raise SetupError(
                "RaceList is among the callbacks of a search over the same hyperparameters: a "
                "trial's score would stand under those of its own entry, and not under the "
                "winner's, with which it was trained. Leave it out of search(), which tries the "
                "entries one after the other, or race in a plain model.fit."
            )
        needed = isinstance(inner_optimizer(model), RuleOptimizer)
        if needed and not any(isinstance(callback, TrainingSteps) for callback in callbacks):
            callbacks.insert(0, TrainingSteps(hp.values.get(TRAINING_STEPS)))
        with self._noting(hp):
            return self.hypermodel.fit(hp, model, *args, callbacks=callbacks, **kwargs)


class _NotedValues(dict[str, Any]):
    """The values of hyperparameters, which notes the names of those that are read."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.names_read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names_read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        return Mapping.get(self, name, default)

    # What reads all goes by `__getitem__`; `dict(values)` does for there is an `__iter__`.

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        return ItemsView(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        return ValuesView(self)


def _names_held(optimizer: keras.optimizers.Optimizer, values: Mapping[str, Any]) -> set[str]:
    """The hyperparameters whose values are among the settings of an optimizer or its schedule."""
    try:
        settings = keras.tree.flatten(optimizer.get_config())
    except Exception:  # whatever a user's get_config raises
        return set()
    return {
        name
        for name, value in values.items()
        if any(
            type(setting) is type(value) and math.isclose(setting, value, rel_tol=1e-6)
            for setting in settings  # in float32
        )
    }


def swap_optimizer(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Give a compiled model another optimizer, and leave all else as it was compiled.

    Compiling again would lose what `compile` cannot be asked for: losses that are not registered
    for serialization, and the arguments of an overridden `compile`.

    Args:
        model: compiled; if it was trained before, its train step will be traced anew.
        optimizer: new. It is wrapped in a `LossScaleOptimizer` if the old one is.
    """
    old, new = model.optimizer, optimizer
    if isinstance(old, keras.optimizers.LossScaleOptimizer):
        new = keras.optimizers.LossScaleOptimizer(
            optimizer,
            initial_scale=old.initial_scale,
            dynamic_growth_steps=old.dynamic_growth_steps,
        )
    model.optimizer = new
    model.train_function = None
    # What `model.save` writes; `compile` keeps the optimizer there as it was given.
    compiled = getattr(model, "_compile_config", None)
    if compiled is not None:
        compiled.config["optimizer"] = new if compiled.config["optimizer"] is old else optimizer


def _as_hypermodel(hypermodel: Any) -> keras_tuner.HyperModel:
    if isinstance(hypermodel, keras_tuner.HyperModel):
        return hypermodel
    if isinstance(hypermodel, keras.Model) or not callable(hypermodel):
        raise SetupError(
            f"hypermodel is {hypermodel!r}; give a function build_model(hp) that returns a "
            "compiled Keras model, or a keras_tuner.HyperModel."
        )
    built = keras_tuner.HyperModel()
    built.build = hypermodel
    return built


def _compiled(model: Any) -> keras.Model:
    if not isinstance(model, keras.Model):
        raise SetupError(
            f"The hypermodel returned {model!r} of type {type(model).__name__}; it must return a "
            "compiled keras.Model."
        )
    if not model.compiled:
        raise SetupError(
            f"The hypermodel returned the model {model.name!r}, which is not compiled. Call "
            "model.compile(loss=..., metrics=...) in it; its optimizer will be replaced."
        )
    return model


def _kept_settings(optimizer: keras.optimizers.Optimizer | None) -> dict[str, Any]:
    return {
        name: value
        for name in _KEPT_SETTINGS
        if (value := getattr(optimizer, name, None)) not in (None, False)
    }
