"""The losses of the batches of an epoch, from what its train step reports."""

import math
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import keras

from keras_hplist.tuning.model_state import synchronize

_MEANS_BEGAN: WeakKeyDictionary[keras.Model, int] = WeakKeyDictionary()
"""After how many batches of the epoch a model's running means began, where not at its start."""


def begin_means(model: keras.Model, batches: int) -> None:
    """Reset Keras's running means after so many batches of an epoch; Keras does it after none."""
    if batches:
        model.reset_metrics()
    _MEANS_BEGAN[model] = batches


class BatchLosses:
    """Tells the loss of each batch of a fit.

    Keras reports the mean over the batches since its metrics were reset; a train step of the user's
    own may report the loss of the batch itself.

    Args:
        model: the one that is trained.
        params: those of the callback that asks.

    Attributes:
        batches: how many of the epoch are done.
    """

    def __init__(self, model: keras.Model, params: Mapping[str, Any] | None) -> None:
        """Begin with a fit."""
        self._model, self._per_epoch = model, (params or {}).get("steps")
        self._are_means: bool | None = None
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Keras has just reset its metrics."""
        begin_means(self._model, 0)
        self.batches = self._began = 0
        self._total = 0.0

    @property
    def means_are_empty(self) -> bool:
        """Whether a race has reset Keras's means after the last batch so far."""
        return 0 < _MEANS_BEGAN[self._model] == self.batches

    def after(self, batch: int, logs: Mapping[str, float] | None) -> tuple[int, float | None]:
        """The batches since the last call, from what `on_train_batch_end` is given.

        Returns:
            Their number, which `steps_per_execution` may make greater than 1, and their mean loss;
            None if none is reported.
        """
        before, self.batches = self.batches, min(batch + 1, self._per_epoch or batch + 1)
        new, loss = self.batches - before, (logs or {}).get("loss")
        if _MEANS_BEGAN[self._model] > self._began:
            self._began, self._total = _MEANS_BEGAN[self._model], 0.0
        if self._are_means is None and loss is not None:
            self._are_means = self._judge(loss, several=before > self._began)
        if loss is None or self._are_means is False:
            return new, loss
        former, self._total = self._total, loss * (self.batches - self._began)
        return new, (self._total - former) / new

    def _judge(self, loss: float, several: bool) -> bool | None:
        """Whether means are reported; None if that is open, as the first of them is no evidence."""
        if not math.isfinite(loss):
            return None
        return is_running_mean(self._model, "train_step", loss) and (several or None)


def is_running_mean(model: keras.Model, step: str, loss: float) -> bool:
    """Whether a loss is the mean that a metric of the model has just now.

    Args:
        model: that reports the loss.
        step: the method that made it, "train_step" or "test_step".
        loss: of the last batch or, where it is a mean, of all batches so far.
    """
    if getattr(type(model), step) is getattr(keras.Model, step):
        return True
    synchronize(model)
    means = [metric for metric in model.metrics if isinstance(metric, keras.metrics.Mean)]
    # Computed once more, it may differ in its last digits.
    return any(math.isclose(float(mean.result()), loss, rel_tol=1e-4) for mean in means)
