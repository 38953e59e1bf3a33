"""The weights of the best epoch, written once instead of after every better epoch."""

from typing import Any

import keras
from keras_tuner.src.engine.tuner_utils import SaveBestEpoch


class BestEpoch(SaveBestEpoch):
    """KerasTuner's checkpoint of the best epoch, kept in memory until the fit is over.

    Writing a small model's file takes as long as many of its training steps, and a trial that is
    killed runs again from its beginning anyway.
    """

    _state: list[Any] | None = None

    def _save_model(self) -> None:
        self._state = [keras.ops.convert_to_numpy(variable) for variable in self._variables()]

    def _variables(self) -> list[keras.Variable]:
        optimizer = self.model.optimizer
        return [*self.model.variables, *(optimizer.variables if optimizer is not None else [])]

    def write(self) -> None:
        """Put the model back to its best epoch and write its weights, if they are the best yet."""
        if self._state is None:
            return
        for variable, value in zip(self._variables(), self._state):
            variable.assign(value)
        self._state = None
        super()._save_model()
