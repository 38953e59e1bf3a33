"""The callback that ends a fit whose loss left the finite numbers."""

import math
from collections.abc import Sequence

import keras


class StopOnDivergence(keras.callbacks.Callback):
    """Ends a fit whose training loss is no longer finite, and voids the objective of such epochs.

    Put it before the callbacks that save the best epoch: an epoch of a diverged model gets NaN as
    its objective, so that no accuracy of a broken model is taken for a result.

    Args:
        objectives: names of the logs to void, for example `["val_accuracy"]`.
        stop: whether to end the fit; False only voids.
    """

    def __init__(self, objectives: Sequence[str] = (), stop: bool = True) -> None:
        """Keep the arguments."""
        super().__init__()
        self.objectives, self.stop = tuple(objectives), stop

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """End the fit as soon as the running mean of the loss is not finite."""
        if self.stop and not math.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Void the objectives of a diverged epoch."""
        if logs and not math.isfinite(logs.get("loss", 0.0)):
            logs.update((name, math.nan) for name in self.objectives if name in logs)
