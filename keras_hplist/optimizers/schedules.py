"""Learning-rate schedules: the multiplier of the peak learning rate as a pure function of the step.

Every argument may be a scalar, a tensor of shape (), or an array of shape (P,) with one value for
each member of a population; the result has their common shape. Steps count from 0.
"""

import math
from typing import Any

from keras import ops

Array = Any  # a number, a NumPy array, or a tensor of whatever backend Keras runs on

# The horizon, in steps, in whose units the decay rates of the Adam8p family are given.
REFERENCE_STEPS = 10_000

# Keeps a quotient finite where `where` discards it: one step is the shortest distance there is.
_SHORTEST = 1e-6


def hold_cosine(
    step: Array, training_steps: Array, constant_fraction: Array, min_learning_rate_mult: Array
) -> Array:
    """Hold at 1, then half a cosine from 1 down to `min_learning_rate_mult` at the last step.

    With T = `training_steps` and C = `constant_fraction` * T the multiplier is 1 up to step C and
    F + (1 - F) * (1 + cos(pi * (step - C) / (T - C))) / 2 from there to T, F afterwards. The half
    cosine is computed as sin(pi/2 * (T - step) / (T - C))**2, the same number without the
    cancellation that costs float32 all its digits near the end.

    Args:
        step: steps done before this one; beyond T the multiplier stays at F.
        training_steps: T, positive.
        constant_fraction: in [0, 1]; at 1 nothing decays and the multiplier is 1.
        min_learning_rate_mult: F, final over peak learning rate, in [0, 1].
    """
    decay_start = constant_fraction * training_steps
    decay_steps = training_steps - decay_start
    remaining = training_steps - ops.maximum(ops.minimum(step, training_steps), decay_start)
    remaining = ops.where(decay_steps > 0, remaining / ops.maximum(decay_steps, _SHORTEST), 1.0)
    half_cosine = ops.square(ops.sin(0.5 * math.pi * remaining))
    return min_learning_rate_mult + (1.0 - min_learning_rate_mult) * half_cosine


def linear_warmup(step: Array, warmup_steps: Array, after: Array) -> Array:
    """Rise linearly from 0 at step 0 to 1 at `warmup_steps`, then follow `after`.

    Args:
        step: steps done before this one.
        warmup_steps: length of the rise; 0 for none. Need not be whole.
        after: the multiplier of the schedule that follows, at this same step.
    """
    return ops.where(step < warmup_steps, step / ops.maximum(warmup_steps, _SHORTEST), after)


def linear_exponential_decay(
    step: Array, training_steps: Array, linear_decay: Array, exponential_decay: Array
) -> Array:
    """max(0, 1 - linear_decay * s) * exp(-exponential_decay * s), s the step of a 10,000-step run.

    Args:
        step: steps done before this one.
        training_steps: T, positive; s = step * 10000 / T.
        linear_decay: per step of a 10,000-step run, at least 0.
        exponential_decay: per step of a 10,000-step run, at least 0.
    """
    rescaled = step * (REFERENCE_STEPS / training_steps)
    return ops.maximum(1.0 - linear_decay * rescaled, 0.0) * ops.exp(-exponential_decay * rescaled)
