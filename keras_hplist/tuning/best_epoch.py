"""The weights of the best epoch, written once instead of after every better epoch."""

from typing import Any

from keras_tuner.src.engine.tuner_utils import SaveBestEpoch

from keras_hplist.tuning.model_state import ModelState


class BestEpoch(SaveBestEpoch):
    """KerasTuner's checkpoint of the best epoch, kept in memory until its fit is over.

    Writing a small model's file takes as long as many of its training steps, and a trial that is
    killed runs again from its beginning anyway.
    """

    _state: ModelState | None = None

    def _save_model(self) -> None:
        self._state = ModelState.of(self.model)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write now: in a further fit of the trial the model may have other trainable variables."""
        if self._state is not None:
            last = ModelState.of(self.model)
            self.write()
            last.put_into(self.model)

    def write(self) -> None:
        """Put the model back to its best epoch and write its weights, if they are the best yet."""
        if self._state is not None:
            self._state.put_into(self.model)
            self._state = None
            super()._save_model()
