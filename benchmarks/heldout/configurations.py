"""What is compared: optimizers by kind, and configurations of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from keras_hplist import spaces
from keras_hplist.spaces import configuration_id

Value = float | int | bool | str

NADAMW, AS_PUBLISHED = "nadamw", "nadamw_as_published"
WARM_UP = 0.05
"""Share of the steps in which ScheduleFreeAdamW's rate rises, as its authors do (2405.15682)."""


@dataclass(frozen=True)
class Configuration:
    """An optimizer with all its values.

    Attributes:
        kind: a key of `KINDS`; the space column of the history.
        values: name and value, in order.
    """

    kind: str
    values: tuple[tuple[str, Value], ...]

    @classmethod
    def of(cls, kind: str, values: Mapping[str, Value]) -> "Configuration":
        """A configuration of a mapping."""
        return cls(kind, tuple(values.items()))

    @classmethod
    def with_rate(cls, kind: str, rate: float | None = None) -> "Configuration":
        """An optimizer of Keras; by default at Keras's own default rate."""
        return cls(kind, (("learning_rate", DEFAULT_RATES[kind] if rate is None else rate),))

    @property
    def id(self) -> str:
        """The stable identity, see `keras_hplist.spaces.configuration_id`."""
        return configuration_id(self.kind, dict(self.values))


@dataclass(frozen=True)
class Kind:
    """Optimizers that share a compiled training step.

    Attributes:
        optimizer: of the number of training steps; its values are set before each run.
        assign: sets the values of an optimizer.
    """

    optimizer: Callable[[int], keras.optimizers.Optimizer]
    assign: Callable[[Any, Mapping[str, Any]], None]


def _family(name: str, as_published: bool = False) -> Kind:
    space = spaces.get(name)

    def optimizer(steps: int) -> keras.optimizers.Optimizer:
        return space.optimizer(space.draw(0), steps, as_published=as_published)

    return Kind(optimizer, lambda made, values: made.set_hyperparameters(values))


def _assign_rate(optimizer: keras.optimizers.Optimizer, values: Mapping[str, Any]) -> None:
    optimizer.learning_rate = values["learning_rate"]


def _assign_peak(optimizer: keras.optimizers.Optimizer, values: Mapping[str, Any]) -> None:
    optimizer._learning_rate.initial_learning_rate.assign(values["learning_rate"])


def _cosine(steps: int) -> keras.optimizers.Optimizer:
    peak = keras.Variable(0.0, trainable=False)  # live, so that one compiled step serves all peaks
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(peak, steps))


_keras = keras.optimizers
KINDS = {
    **{name: _family(name) for name in spaces.names()},
    AS_PUBLISHED: _family(NADAMW, as_published=True),
    "adam": Kind(lambda steps: _keras.Adam(), _assign_rate),
    "adamw": Kind(lambda steps: _keras.AdamW(), _assign_rate),
    "nadam": Kind(lambda steps: _keras.Nadam(), _assign_rate),
    "rmsprop": Kind(lambda steps: _keras.RMSprop(), _assign_rate),
    "sgd_momentum": Kind(lambda steps: _keras.SGD(momentum=0.9), _assign_rate),
    "adam_cosine": Kind(_cosine, _assign_peak),
    "schedule_free": Kind(lambda steps: _keras.ScheduleFreeAdamW(), _assign_rate),
    "schedule_free_warm_up": Kind(
        lambda steps: _keras.ScheduleFreeAdamW(warmup_steps=round(WARM_UP * steps)), _assign_rate
    ),
    # Muon's documentation: not for the output layer, nor for embeddings (which it knows).
    "muon": Kind(lambda steps: _keras.Muon(exclude_layers=["(^|/)output"]), _assign_rate),
}

DEFAULT_RATES = {
    "adam": 0.001,
    "adamw": 0.001,
    "nadam": 0.001,
    "rmsprop": 0.001,
    "sgd_momentum": 0.01,
    "schedule_free": 0.0025,
    "muon": 0.001,
}
"""The default learning rates of Keras 3.15."""


def averaged_weights(optimizer: keras.optimizers.Optimizer) -> list[Any] | None:
    """The weights that ScheduleFreeAdamW is to be evaluated at; None for other optimizers.

    Keras leaves the model at y, where gradients are taken; its documentation names the average x,
    y = (1 - beta_1) z + beta_1 x, as the sequence for evaluation. (When it moves x, Keras 3.15.1 on
    TensorFlow takes the z after the step for the z before it; it is compared as it is.)
    """
    if not isinstance(optimizer, keras.optimizers.ScheduleFreeAdamW):
        return None
    beta = optimizer.beta_1
    return [
        (variable - (1.0 - beta) * momentum) / beta
        for variable, momentum in zip(optimizer._trainable_variables, optimizer._momentums)
    ]
