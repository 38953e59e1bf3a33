"""The callback that writes learning curves into a history."""

import math
import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_hplist import spaces
from keras_hplist.checks import checked_count, checked_path, checked_text
from keras_hplist.errors import InvalidValueError
from keras_hplist.history import History, complete_record
from keras_hplist.optimizers import RuleOptimizer
from keras_hplist.spaces import SearchSpace
from keras_hplist.tuning.batch_losses import BatchLosses
from keras_hplist.tuning.model_state import inner_optimizer
from keras_hplist.tuning.validation import checked_validation_arguments, evaluate_apart
from keras_hplist.versions import versions


class CurveRecorder(keras.callbacks.Callback):
    """Writes the learning curve of a fit into a history, one row and one file for each fit.

    The file is written when the fit ends, whole or not at all; a fit that is killed leaves those of
    earlier fits as they were. Read them with `keras_hplist.History.read(path)`.

    The curve counts steps (batches) from the start of the fit. Its train loss is the `loss` of the
    train step, the mean over the batches since the last point, during training, in which they count
    by their samples (with a train step of your own all alike); at step 0 that of the first batch,
    before its update. Its valid loss is `val_loss` at the end of each epoch, and
    the loss on `validation_data` wherever that is evaluated besides. NaN stands for not measured.

    Args:
        path: a folder to add to, or the `.parquet` file to make or replace.
        task: what problem this is; runs of one task are compared with each other.
        every: "epoch", or a number of steps after which a further point is taken; a fit with
            `steps_per_execution` takes it after the execution in which it falls due.
        initial: whether to take a point before training, which normalised scores need.
        validation_data: what to give to `model.evaluate` for the points that are not the end of an
            epoch: `(x, y)`, `(x, y, sample_weight)` or a dataset that can be iterated repeatedly.
            None: no such evaluation.
        validation_arguments: `batch_size`, `steps` or `callbacks` for `model.evaluate`.
        values: the configuration; default: the hyperparameters of the model's optimizer.
        space: its search space, or the name of a published one or, beside `values`, of one of your
            own; default: that of the optimizer's family.
        seed: tells runs of one configuration from each other: a whole number from 0; default: a
            random one.
        family: a name for a group of tasks.
        batch_size: to be noted in the history.
        source: to be noted in the history.

    Raises:
        InvalidValueError: if an argument is not allowed, or `path` is a file of another kind.
        UnknownNameError: if no published search space has the name `space`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        task: str,
        *,
        every: Literal["epoch"] | int = "epoch",
        initial: bool = True,
        validation_data: Any = None,
        validation_arguments: Mapping[str, Any] | None = None,
        values: Mapping[str, Any] | None = None,
        space: str | SearchSpace | None = None,
        seed: int | None = None,
        family: str | None = None,
        batch_size: int | None = None,
        source: str = "keras",
    ) -> None:
        """Check the arguments; nothing is written yet."""
        super().__init__()
        _check_place(path)
        if every != "epoch":
            every = checked_count("every", every, 1, or_else="'epoch'")
        _check_row(task, values, space, {"family": family, "source": source})
        if seed is not None:
            seed = checked_count("seed", seed, or_else="None")
        if batch_size is not None:
            batch_size = checked_count("batch_size", batch_size, 1, or_else="None")
        self.path, self.task, self.every, self.initial = path, task, every, initial
        self.validation_data = validation_data
        self.validation_arguments = checked_validation_arguments(
            validation_arguments, validation_data
        )
        self.values, self.space, self.seed = values, space, seed
        self.family, self.batch_size, self.source = family, batch_size, source
        self._started: float | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Start the clock and take the point before training."""
        self._started = time.perf_counter()
        self._points: dict[int, dict[str, float]] = {}
        self._steps = self._last_point = 0
        self._unmeasured = self._total = 0.0  # weight and loss of the steps since the last point
        self._losses = BatchLosses(self.model, self.params)
        self._finite = {"train": True, "valid": True}
        if self.initial:
            self._measure_valid()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keras starts its running means anew."""
        self._losses.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count, and take a point where one falls due."""
        steps, loss, weight = self._losses.after(batch, logs)
        self._steps += steps
        if loss is not None:
            self._unmeasured += weight
            self._total += loss * weight
            if self._steps == 1 and self.initial:
                self._note(0, train=loss)
            if self._finite["train"] and not math.isfinite(loss):
                self._note(self._steps, train=loss)  # where the run diverged
        if self.every != "epoch" and self._steps // self.every > self._last_point // self.every:
            self._measure_train()
            self._measure_valid()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Take the point of the epoch."""
        if self._started is None:  # a user's own training loop that calls this method alone
            return
        self._measure_train()
        if "val_loss" in (logs := logs or {}):
            self._note(self._steps, valid=logs["val_loss"])

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Write the curve."""
        self.write("ok" if all(self._finite.values()) else "diverged")

    def write(self, status: Literal["ok", "diverged", "pruned", "failed"]) -> None:
        """Write the curve as far as it got, with how the run ended.

        Keras does not tell callbacks that a fit was ended by an exception: whoever catches it may
        call this with "failed". Nothing is written if no fit has begun.
        """
        if self._started is None:
            return
        definitions = []
        if isinstance(self.space, SearchSpace) and self.space.name not in spaces.names():
            definitions.append(self.space)
        History.from_records([self.record(status)], spaces=definitions).write(self.path)

    def record(self, status: str) -> dict[str, Any]:
        """The curve as a row of a history, see `keras_hplist.history.SCHEMA`."""
        optimizer = inner_optimizer(self.model)
        steps = sorted(self._points)
        curves = {
            split: [self._points[step].get(split, math.nan) for step in steps]
            for split in ("train", "valid")
        }
        assert self._started is not None
        return {
            "task": self.task,
            "family": self.family,
            "space": self._space_name(optimizer),
            "values": hyperparameters_of(optimizer) if self.values is None else dict(self.values),
            "seed": random.SystemRandom().getrandbits(31) if self.seed is None else self.seed,
            "training_steps": self._planned_steps(optimizer),
            "batch_size": self.batch_size,
            "steps": steps,
            **{split: curve for split, curve in curves.items() if not np.isnan(curve).all()},
            "status": status,
            "seconds": time.perf_counter() - self._started,
            "num_parameters": self.model.count_params(),
            "source": self.source,
            "versions": versions("keras_hplist", "keras", keras.backend.backend()),
        }

    def _note(self, step: int, **losses: float) -> None:
        self._points.setdefault(step, {}).update(losses)
        self._finite.update((split, math.isfinite(loss)) for split, loss in losses.items())

    def _measure_train(self) -> None:
        """Note the mean loss since the last point."""
        if self._unmeasured:
            self._note(self._steps, train=self._total / self._unmeasured)
        self._last_point, self._unmeasured, self._total = self._steps, 0.0, 0.0

    def _measure_valid(self) -> None:
        if self.validation_data is not None:
            loss = evaluate_apart(self.model, self.validation_data, self.validation_arguments)
            if loss is not None:
                self._note(self._steps, valid=loss)

    def _space_name(self, optimizer: keras.optimizers.Optimizer) -> str:
        if self.space is None:
            return getattr(optimizer, "family", type(optimizer).__name__.lower())
        return self.space if isinstance(self.space, str) else self.space.name

    def _planned_steps(self, optimizer: keras.optimizers.Optimizer) -> int:
        planned = getattr(optimizer, "training_steps", None)
        if planned is None and self.params.get("steps"):
            planned = self.params["steps"] * self.params["epochs"]
        return self._steps if planned is None else planned


def _check_place(path: Any) -> None:
    place = Path(checked_path("path", path))
    if place.is_file() and place.suffix != ".parquet":
        raise InvalidValueError(
            f"path is {str(place)!r}, which is a file; give a folder, or a file whose name ends in "
            "'.parquet'."
        )


def _check_row(task: Any, values: Any, space: Any, notes: Mapping[str, Any]) -> None:
    """Check now what would else be refused only when the row is written, after the training."""
    checked_text("task", task)
    complete_record({"task": task, "values": {} if values is None else values})
    if space is not None and (values is None or not isinstance(space, str)):
        spaces.get(space)
    for name, text in notes.items():
        if text is not None:
            checked_text(name, text, or_else="None")


def hyperparameters_of(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Those of the list's optimizers; of others the plain values of their configuration."""
    if isinstance(optimizer, RuleOptimizer):
        return optimizer.hyperparameters
    config = optimizer.get_config()
    return {
        name: value
        for name, value in config.items()
        if name != "name" and isinstance(value, bool | int | float | str)
    }
