"""The published search spaces, as rows of data.

Names, distributions and order of drawing are those of Metz et al. 2020 (arXiv 2002.11887) as
published in google-research/task_set (Apache-2.0), so that every published configuration comes back
from its seed.
"""

import pandas as pd

from keras_hplist.checks import checked_name
from keras_hplist.errors import InvalidValueError
from keras_hplist.spaces.bookkeeping import DECAY_TO_ZERO, WARMUP, WEIGHT_DECAY
from keras_hplist.spaces.distributions import Boolean, Choice, Number
from keras_hplist.spaces.hyperparameter import Hyperparameter
from keras_hplist.spaces.search_space import FAMILIES, PUBLISHED, SearchSpace

_ADAM4P = (
    Hyperparameter("learning_rate", Number(1e-8, 1e1, "log"), default=1e-3),
    Hyperparameter("beta1", Number(1e-4, 1.0, "one_minus_log"), default=0.9),
    Hyperparameter("beta2", Number(1e-6, 1.0, "one_minus_log"), default=0.999),
    Hyperparameter("epsilon", Number(1e-10, 1e3, "log"), default=1e-8),
)
_PENALTIES = (
    Hyperparameter("l1", Number(1e-8, 1e1, "log"), default=1e-7),
    Hyperparameter("l2", Number(1e-8, 1e1, "log"), default=1e-7),
)
_DECAYS = (
    Hyperparameter("linear_decay", Number(1e-7, 1e-4, "log"), default=1e-5),
    # Published with its bounds the other way round.
    Hyperparameter("exponential_decay", Number(1e-6, 1e-3, "log", descending=True), default=1e-4),
)
_DECAY = Number(1e-5, 1e-1, "log")
_NADAMW = (
    Hyperparameter("learning_rate", Number(1e-5, 1.0, "log"), default=1e-3),
    Hyperparameter("beta1", Number(1e-3, 1.0, "one_minus_log"), default=0.9),
    Hyperparameter("beta2", Number(1e-5, 1.0, "one_minus_log"), default=0.999),
    Hyperparameter("epsilon", Number(1e-8, 1e4, "log"), default=1e-8),
    Hyperparameter("use_nesterov", Boolean()),
    Hyperparameter(
        WEIGHT_DECAY, Choice(("adamw", "l2", "both"), thresholds=(0.3333, 0.6666)), hidden=True
    ),
    Hyperparameter(
        "adamw_weight_decay",
        _DECAY,
        ((WEIGHT_DECAY, ("adamw", "both")),),
        otherwise=0.0,
        default=1e-3,
    ),
    Hyperparameter(
        "l2_weight_decay", _DECAY, ((WEIGHT_DECAY, ("l2", "both")),), otherwise=0.0, default=1e-3
    ),
    Hyperparameter(WARMUP, Boolean(), hidden=True),
    Hyperparameter(
        "warmup_fraction",
        Number(1e-5, 1e-1, "log"),
        ((WARMUP, (True,)),),
        otherwise=0.0,
        default=1e-2,
    ),
    Hyperparameter(DECAY_TO_ZERO, Boolean(), default=True, hidden=True),
    Hyperparameter(
        "min_learning_rate_mult",
        Number(1e-5, 1.0, "log"),
        ((DECAY_TO_ZERO, (False,)),),
        otherwise=0.0,
        default=1e-2,
    ),
    Hyperparameter("constant_fraction", Number(0.0, 1.0), default=0.5),
)

PUBLISHED.update(
    (space.name, space)
    for space in (
        SearchSpace("nadamw", _NADAMW, "nadamw_grid", 14358, "nadamw"),
        SearchSpace("adam8p", _ADAM4P + _PENALTIES + _DECAYS, "adam8p_wide_grid", family="adam8p"),
        SearchSpace("adam6p", _ADAM4P + _DECAYS, "adam6p_wide_grid", 123455, "adam6p"),
        SearchSpace("adam4p", _ADAM4P, "adam4p_wide_grid", family="adam4p"),
        SearchSpace("adam1p", _ADAM4P[:1], "adam1p_wide_grid", 4123, "adam1p"),
    )
)


def names() -> tuple[str, ...]:
    """The names of the published search spaces."""
    return FAMILIES


def get(space: str | SearchSpace) -> SearchSpace:
    """A published search space by name; a space is returned as it is.

    Raises:
        UnknownNameError: if there is no published space of that name; it offers the nearest.
        InvalidValueError: if it is neither a name nor a `SearchSpace`.
    """
    if isinstance(space, SearchSpace):
        return space
    if not isinstance(space, str):
        raise InvalidValueError(
            f"A search space is one of the names {', '.join(FAMILIES)} or a SearchSpace; "
            f"got {space!r}."
        )
    hint = "A space of your own is a SearchSpace object."
    return PUBLISHED[checked_name("search space", space, PUBLISHED, hint)]


def identified(space: SearchSpace) -> SearchSpace | None:
    """The published space that a space is which was read from KerasTuner; None if it is another.

    Defaults, and the order of the rows, are not compared.
    """
    rows = _in_keras_tuner(space)
    return next((known for known in PUBLISHED.values() if _in_keras_tuner(known) == rows), None)


def _in_keras_tuner(space: SearchSpace) -> set[tuple]:
    return {(row.name, row.when, row.distribution.in_keras_tuner()) for row in space.rows}


def half_orders() -> pd.DataFrame:
    """The published grid of learning rates: half orders of magnitude from 1e-7 to 10.

    Returns:
        17 rows with the column `learning_rate`, indexed `adam_lr_-7.00` to `adam_lr_1.00`:
        configurations of `adam1p` in order of size.
    """
    exponents = [half / 2 for half in range(-14, 3)]
    return pd.DataFrame(
        {"learning_rate": [10.0**exponent for exponent in exponents]},
        index=[f"adam_lr_{exponent:.2f}" for exponent in exponents],
    )
