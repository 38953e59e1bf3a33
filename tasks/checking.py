"""One task put to the test: built, trained for three steps, and measured."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from .errors import TaskError
from .measurements import Facts, time_reference
from .task import Task

STEPS = 3
SEED = 0
_SAME_CODE = 1e-5  # relative tolerance of a loss computed twice by several threads
# By differently compiled code: a flow that starts from large weights takes exponentials of numbers
# that rounding has touched.
_OTHER_CODE = 1e-2
_TIMED_SECONDS = 0.25
_TIMED_STEPS = 20

# fmt: off
_LOSS_NOT_FINITE = {
    "char_rnn_language_model_family": (50,),
    "mlp_vae_family": (11, 13, 17, 27, 43, 58, 63, 70, 74, 85),
    "nvp_family": (
        0, 2, 6, 8, 10, 11, 13, 15, 16, 17, 23, 25, 31, 34, 43, 53, 57, 59, 61, 62, 63, 71, 72, 76,
        81, 82,
    ),
    "rnn_text_classification_family": (72,),
    "word_rnn_language_model_family": (50,),
}
# fmt: on
_GRADIENT_NOT_FINITE = {
    "char_rnn_language_model_family": (12,),
    "maf_family": (6, 8, 22, 27, 44, 56, 64, 71),
    "rnn_text_classification_family": (20,),
    "word_rnn_language_model_family": (12,),
}


def _names(seeds: Mapping[str, Sequence[int]]) -> frozenset[str]:
    return frozenset(f"{family}_seed{seed}" for family in seeds for seed in seeds[family])


NOT_FINITE_AT_START = _names(_LOSS_NOT_FINITE)
"""Tasks whose first loss overflows float32, as published: large initial weights meet the scales of
a RealNVP step or the deviations of a latent space, which are exponentials, or a recurrent core
whose activation has no bound."""

GRADIENT_NOT_FINITE_AT_START = _names(_GRADIENT_NOT_FINITE)
"""Tasks whose first loss is finite, though large, and whose first gradient overflows float32 for
the same reasons: every optimizer diverges at once."""

DIVERGING_AT_ONCE = NOT_FINITE_AT_START | GRADIENT_NOT_FINITE_AT_START
"""Tasks from which nothing can be learned about optimizers."""


class CheckError(TaskError, AssertionError):
    """A task that does not keep the contract of the suite; says in what."""


def check(name: str) -> Facts:
    """Build a task and train it for three steps with Adam, twice from the same start.

    Required are: weights, gradients and outputs of the right shapes, a finite first loss (except
    for `NOT_FINITE_AT_START`, whose first loss must not be finite), and that weights, batches and
    first loss follow from the seed. The first loss is computed three times: by both runs of
    `model.fit`, and by the pure function.

    Args:
        name: of a task.

    Returns:
        What was measured.

    Raises:
        CheckError: something required is not so; the message says what.
    """
    try:
        return _measure(Task.named(name))
    finally:
        keras.backend.clear_session()


def _measure(task: Task) -> Facts:
    start = task.program.init(SEED)
    _require_same(start, Task.named(task.name).program.init(SEED), "initial weights")
    batch = next(task.train_data(SEED))
    _require_same(batch, next(task.train_data(SEED)), "first batches")

    optimizer, steps, again = _RecordingAdam(1e-3, name="adam"), _Steps(), _Steps()
    # Not compiled with XLA, which would take most of the time of the check.
    model = task.compile(optimizer, SEED, jit_compile=False)
    shapes = [w.shape for w in task.program.weights]
    _require_shapes([v.shape for v in model.trainable_variables], shapes, "weights")
    _fit(model, task, STEPS, steps)
    _require_shapes(optimizer.gradient_shapes, shapes, "gradients")

    for variable, value in zip(model.trainable_variables, start):
        variable.assign(value)
    model.training_calls.assign(0)
    count = np.clip(_TIMED_SECONDS / min(steps.seconds[1:]), 1, _TIMED_STEPS)
    _fit(model, task, int(count), again)
    seconds, reference = min(steps.seconds[1:] + again.seconds), time_reference()

    first = steps.losses[0]
    _require_equal_losses(first, again.losses[0], _SAME_CODE, "a second run of model.fit")
    _require_equal_losses(first, _pure_loss(task, start, batch), _OTHER_CODE, "the pure function")
    if math.isfinite(first) == (task.name in NOT_FINITE_AT_START):
        expected = "not finite, as documented" if math.isfinite(first) else "finite"
        raise CheckError(f"The first loss is {first}; expected one that is {expected}.")
    return Facts(
        family=task.family,
        num_parameters=task.num_parameters,
        flops_per_step=task.flops_per_step,
        batch_size=task.batch_size,
        data_set=task.provenance["data_set"],
        relative_step=seconds / reference,
        seconds_per_step=seconds,
        first_step_seconds=steps.seconds[0],
        initial_loss=first if math.isfinite(first) else math.nan,
    )


class _RecordingAdam(keras.optimizers.Adam):
    """Adam that keeps the shapes of the gradients it was given; None for a missing one."""

    gradient_shapes: Sequence[tuple[int, ...] | None] = ()

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Update the variables."""
        self.gradient_shapes = [None if g is None else tuple(g.shape) for g in grads]
        super().apply(grads, trainable_variables)


@dataclass
class _Steps(keras.callbacks.Callback):
    """Seconds of processor time of each step, and the mean loss of the steps so far.

    Processor time, since another process that shares the core would be counted in wall time.
    """

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._began = time.process_time()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Read the clock and the loss, for which the step must have ended."""
        self.losses.append(float(logs["loss"]))
        self.seconds.append(time.process_time() - self._began)


def _fit(model: keras.Model, task: Task, steps: int, callback: keras.callbacks.Callback) -> None:
    data = task.train_data(SEED)
    model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[callback])


def _pure_loss(task: Task, weights: Sequence[np.ndarray], batch: tuple[Any, Any]) -> float:
    x, y = (ops.convert_to_tensor(array) for array in batch)
    seed = ops.convert_to_tensor([SEED, 0], "int32")
    outputs = task.program.outputs([ops.convert_to_tensor(w) for w in weights], x, seed)
    loss = task.program.loss(y, outputs)
    if len(outputs) != task.batch_size and len(outputs) != 1:
        raise CheckError(f"Outputs have shape {outputs.shape} for {task.batch_size} examples.")
    if loss.shape != ():
        raise CheckError(f"The loss has shape {tuple(loss.shape)}; it must be a scalar.")
    return float(loss)


def _require_same(one: Sequence[Any], other: Sequence[Any], what: str) -> None:
    if not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True)):
        raise CheckError(f"The {what} differ, although the seed is the same.")


def _require_shapes(found: Sequence[Any], expected: Sequence[Any], what: str) -> None:
    if len(found) != len(expected) or not all(map(_fits, found, expected)):
        raise CheckError(f"The {what} have shapes {list(found)}; expected {list(expected)}.")


def _fits(found: tuple[int | None, ...] | None, expected: tuple[int, ...]) -> bool:
    """Whether a shape, in which the compiler may not know a length (None), is the expected one."""
    if found is None or len(found) != len(expected):
        return False
    return all(length in (None, wanted) for length, wanted in zip(found, expected))


def _require_equal_losses(loss: float, other: float, tolerance: float, where: str) -> None:
    if not (np.isclose(loss, other, tolerance, _SAME_CODE) or not np.isfinite([loss, other]).any()):
        raise CheckError(f"The first loss is {loss}, but {other} by {where}.")
