"""The losses of the batches of an epoch, from what its train step reports."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np

from keras_hplist.tuning.model_state import metric_values

_MEANS_BEGAN: WeakKeyDictionary[keras.Model, int] = WeakKeyDictionary()
"""After how many batches of the epoch a model's running means began, where not at its start."""


def begin_means(model: keras.Model, batches: int) -> None:
    """Reset Keras's running means after so many batches of an epoch; Keras does it after none."""
    if batches:
        model.reset_metrics()
    _MEANS_BEGAN[model] = batches


class BatchLosses:
    """Tells the loss of each batch of a fit.

    Keras reports the mean over the samples since its metrics were reset; that of a batch is what it
    has added to the metric's total and count. A train step of the user's own may report the mean of
    one of the model's metrics too; any other number is taken for the loss of the batch.

    Args:
        model: the one that is trained.
        params: those of the callback that asks.

    Attributes:
        batches: how many of the epoch are done.
    """

    def __init__(self, model: keras.Model, params: Mapping[str, Any] | None) -> None:
        """Begin with a fit."""
        self._model, self._per_epoch = model, (params or {}).get("steps")
        self._keras_step = type(model).train_step is keras.Model.train_step
        self._means: list[keras.metrics.Mean] | None = None
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Keras has just reset its metrics."""
        begin_means(self._model, 0)
        self.batches = self._began = 0
        self._sums: dict[keras.metrics.Mean, np.ndarray] = {}

    @property
    def means_are_empty(self) -> bool:
        """Whether a race has reset Keras's means after the last batch so far."""
        return 0 < _MEANS_BEGAN[self._model] == self.batches

    def after(
        self, batch: int, logs: Mapping[str, float] | None
    ) -> tuple[int, float | None, float]:
        """The batches since the last call, from what `on_train_batch_end` is given.

        Returns:
            Their number, which `steps_per_execution` may make greater than 1; their mean loss, None
            if none is reported; and its weight beside others: the number of samples or, with a
            train step of the user's own, of batches.
        """
        before, self.batches = self.batches, min(batch + 1, self._per_epoch or batch + 1)
        new, loss = self.batches - before, (logs or {}).get("loss")
        if _MEANS_BEGAN[self._model] > self._began:
            self._began, self._sums = _MEANS_BEGAN[self._model], {}
        if loss is None or not math.isfinite(loss):
            return new, loss, new
        former, self._sums = self._sums, self._sums_of_means(loss)
        for mean, sums in self._sums.items():
            total, count = sums - former.get(mean, 0.0)
            if count > 0:  # not so where it has outgrown its dtype
                return new, float(total / count), float(count) if self._keras_step else new
        return new, loss, new

    def _sums_of_means(self, loss: float) -> dict[keras.metrics.Mean, np.ndarray]:
        """Total and count of the metric whose mean is reported; of all that it still may be."""
        if self._means is None:
            self._means = _means(self._model)
        # By its name, since on several replicas Keras reports the mean of their means.
        named = [mean for mean in self._means if self._keras_step and mean.name == "loss"]
        sums = _sums(self._model, named[-1:] or self._means)
        if not named:
            sums = {mean: pair for mean, pair in sums.items() if _is_mean(loss, *pair)}
        self._means = list(sums)
        return sums


def is_running_mean(model: keras.Model, loss: float) -> bool:
    """Whether a loss is the mean that a metric of the model has just now."""
    return any(_is_mean(loss, *pair) for pair in _sums(model, _means(model)).values())


def _means(model: keras.Model) -> list[keras.metrics.Mean]:
    return [metric for metric in model.metrics if isinstance(metric, keras.metrics.Mean)]


def _sums(
    model: keras.Model, means: Sequence[keras.metrics.Mean]
) -> dict[keras.metrics.Mean, np.ndarray]:
    """Total and count of each."""
    values = metric_values(model, [v for mean in means for v in (mean.total, mean.count)])
    return dict(zip(means, np.reshape(values, (-1, 2)).astype("float64")))


def _is_mean(loss: float, total: float, count: float) -> bool:
    # Computed once more, it may differ in its last digits.
    return count > 0 and math.isclose(total / count, loss, rel_tol=1e-4)
