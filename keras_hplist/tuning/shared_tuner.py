"""A tuner of which several processes may search one project folder, as chief and workers."""

import traceback
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from keras_hplist.spaces.bookkeeping import MESSAGE
from keras_hplist.tuning.roles import is_chief, is_worker
from keras_hplist.tuning.stored_oracle import StoredOracle
from keras_hplist.tuning.trial_store import load_state, save_state


class SharedTuner(keras_tuner.Tuner):
    """Reads and writes the folder of a `StoredOracle` whole, whichever process it is in.

    A worker asks the chief only while it searches, and only if there is something to do: the chief
    leaves when all trials are done, and KerasTuner would wait an hour for its answer. Before and
    after, `oracle` is the worker's own, which looks at the project's files.

    Args:
        oracle: the oracle.
        hypermodel: of `keras_tuner.Tuner`.
        overwrite: whether to delete the project first. On a worker it has no effect: KerasTuner
            deletes in each process as it starts, and a late one would delete finished trials.
        **kwargs: of `keras_tuner.Tuner`.
    """

    oracle: Any

    def __init__(
        self,
        oracle: StoredOracle,
        hypermodel: keras_tuner.HyperModel,
        *,
        overwrite: bool = False,
        **kwargs: Any,
    ) -> None:
        """Open or make the project."""
        super().__init__(oracle, hypermodel, overwrite=overwrite and not is_worker(), **kwargs)
        self._searching_oracle, self.oracle = self.oracle, oracle
        # Of a worker: the files may be those that the chief is about to delete.
        self._begins_anew = overwrite

    def search(self, *args: Any, **kwargs: Any) -> None:
        """Run the trials, or in a chief's process hand them out.

        Args:
            *args: of `model.fit`.
            **kwargs: of `model.fit`.

        Raises:
            SetupError: if every trial would fail alike; on a worker, after the chief was told to
                end the search.
        """
        own = self.oracle
        if (is_chief() or (is_worker() and not self._begins_anew)) and own.has_finished():
            return
        self.oracle = self._searching_oracle
        try:
            super().search(*args, **kwargs)
        finally:
            self.oracle = own

    def _try_run_and_update_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> None:
        try:
            super()._try_run_and_update_trial(trial, *args, **kwargs)
        except keras_tuner.errors.FatalError:
            if is_worker():
                trial.status = TrialStatus.STOPPED
                trial.hyperparameters.values[MESSAGE] = traceback.format_exc()
                self.oracle.end_trial(trial)
                # Its answer is to stop, after which the chief no longer waits for this worker.
                self.oracle.create_trial(self.tuner_id)
            raise

    def on_trial_end(self, trial: Trial) -> None:
        """Report the trial; a worker's traceback travels in the values, KerasTuner drops it."""
        if is_worker() and trial.message:
            trial.hyperparameters.values[MESSAGE] = trial.message
        super().on_trial_end(trial)

    def save(self) -> None:
        """Save the oracle's state and the tuner's, each file whole or not at all."""
        if not is_worker():
            self.oracle.save()
        save_state(self._get_tuner_fname(), self.get_state())

    def reload(self) -> None:
        """Take up the project where it was left; a torn state file of the tuner does no harm."""
        if not is_worker():
            self.oracle.reload()
        self.set_state(load_state(self._get_tuner_fname()))
