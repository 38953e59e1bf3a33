"""The names under which a trial's values hold what is no hyperparameter."""

from collections.abc import Mapping
from typing import Any

PREFIX = "hplist/"
"""Of this package's names; no hyperparameter of a user's may begin so."""

INDEX, NAME = f"{PREFIX}index", f"{PREFIX}name"
"""Which list entry a trial tries, as rank from 0 (-1: none), and of which list."""

RUN = f"{PREFIX}run"
"""How often a trial has run before; not there in its first run. As a value it reaches workers."""

MESSAGE = f"{PREFIX}message"
"""Why a trial failed. KerasTuner drops a trial's message on its way from a worker, not a value."""

TRAINING_STEPS = f"{PREFIX}training_steps"
"""By which a trial may state its number of training steps."""

WEIGHT_DECAY, WARMUP, DECAY_TO_ZERO = (
    f"{PREFIX}{name}" for name in ("weight_decay", "warmup", "decay_to_zero")
)
"""The switches on which hyperparameters of the published spaces hang."""

LIST_RANK = "list_rank"
"""What TensorBoard's HParams call the rank of a trial's entry; they show no `hplist/` names."""

_PREFIXES = (PREFIX, "tuner/")  # KerasTuner's own: the rungs of Hyperband


def is_bookkeeping(name: str) -> bool:
    """Whether a trial's value of this name is KerasTuner's or ours, and no hyperparameter."""
    return name.startswith(_PREFIXES)


def own_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a KerasTuner trial without the bookkeeping."""
    return {name: value for name, value in values.items() if not is_bookkeeping(name)}
