"""What values the hyperparameters of the optimizers may have."""

import math
import numbers
from typing import Any, NoReturn

import numpy as np

from keras_hplist.errors import InvalidValueError

_FRACTIONS = ("warmup_fraction", "min_learning_rate_mult", "constant_fraction")
_LARGEST = float(np.finfo(np.float32).max)  # variables are float32


def checked(name: str, value: Any) -> float | bool:
    """The value as a plain number, if it is in its hyperparameter's domain.

    Raises:
        InvalidValueError: naming the hyperparameter, what is allowed, and what was given.
    """
    if name == "use_nesterov":
        if isinstance(value, bool | np.bool_):
            return bool(value)
        raise InvalidValueError(f"{name} must be True or False; got {value!r}.")
    if name == "learning_rate" and callable(value):
        refuse_schedule(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise InvalidValueError(f"{name} must be a number; got {value!r}.")
    number = float(value)
    if name in ("beta1", "beta2"):
        allowed, domain = 0 <= number < 1, "in [0, 1)"
    elif name in _FRACTIONS:
        allowed, domain = 0 <= number <= 1, "in [0, 1]"
    else:
        allowed, domain = 0 <= number <= _LARGEST, "finite and at least 0"
    if not (allowed and math.isfinite(number)):
        raise InvalidValueError(f"{name} must be {domain}; got {value!r}.")
    return number


def refuse_schedule(value: Any) -> NoReturn:
    """Say that and why a learning rate must be a number."""
    raise InvalidValueError(
        f"learning_rate must be a float; got {value!r}. These optimizers have a schedule of their "
        "own: pass the peak learning rate, and training_steps for the length of the schedule."
    )
