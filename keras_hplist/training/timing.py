"""When, and on how much data, the members of a population are evaluated."""

import math
import numbers
from collections.abc import Sequence

import numpy as np

from keras_hplist.errors import InvalidValueError

POINTS = 16
"""Default number of evaluations of a run."""

EXAMPLES = 512
"""Most examples of a split that one evaluation looks at."""

SHARE = 0.25
"""Largest part of the running time that evaluation may take."""

_FORWARD = 0.5  # the largest measured; convolutions, flows and recurrent networks come near it


def evaluation_steps(training_steps: int, evaluations: int | Sequence[int] = POINTS) -> np.ndarray:
    """The steps after which members are evaluated.

    Args:
        training_steps: planned length of a run.
        evaluations: number of points from 0 to `training_steps`, placed at the squares of an even
            grid and so denser early; or the steps themselves, increasing.

    Returns:
        int32, increasing. Fewer than asked for where a run is too short for so many.

    Raises:
        InvalidValueError: if the number is below 2, or the steps do not increase from at least 0
            to at most `training_steps`.
    """
    if isinstance(evaluations, numbers.Integral) and not isinstance(evaluations, bool):
        if evaluations < 2:
            raise InvalidValueError(
                f"evaluations must be at least 2 points, the first and the last; got {evaluations}."
            )
        # With twice as many points as steps no step is left out.
        grid = np.linspace(0.0, 1.0, min(int(evaluations), 2 * training_steps + 2)) ** 2
        return np.unique(np.rint(grid * training_steps).astype(np.int32))
    steps = np.asarray(evaluations)
    whole = steps.ndim == 1 and steps.size > 0 and np.issubdtype(steps.dtype, np.integer)
    if not whole or steps[0] < 0 or (np.diff(steps) <= 0).any():
        raise InvalidValueError(
            "evaluations must be a number of points, or whole steps from 0 that increase; "
            f"got {evaluations!r}."
        )
    if steps[-1] > training_steps:
        raise InvalidValueError(
            f"evaluations go to step {steps[-1]}, beyond the {training_steps} training steps. "
            "Leave those out, or train longer."
        )
    return steps.astype(np.int32)


def evaluation_batches(training_steps: int, points: int, batch_size: int) -> int:
    """How many batches of each split one evaluation averages over.

    As many as hold `EXAMPLES` examples, but fewer where evaluation would take more than its
    `SHARE`, if a forward pass costs `_FORWARD` training steps; the evaluation before the first step
    is made once for all members. The rule counts steps, not seconds, so that a curve does not
    depend on the machine.

    Args:
        training_steps: length of a run.
        points: evaluations of a run, without that before the first step.
        batch_size: examples of a batch.
    """
    affordable = SHARE / (1 - SHARE) * training_steps / (3 * max(points, 1) * _FORWARD)
    return int(np.clip(affordable, 1, math.ceil(EXAMPLES / batch_size)))
