"""The KerasTuner oracle that tries the entries of a hyperparameter list."""

import copy
import functools
import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from keras_hplist.checks import checked_count, checked_name
from keras_hplist.errors import InvalidValueError
from keras_hplist.lists import HyperparameterList
from keras_hplist.lists.hyperparameter_list import checked_list
from keras_hplist.spaces.bookkeeping import INDEX, MESSAGE, RUN
from keras_hplist.tuning.after_list import AFTER_LIST
from keras_hplist.tuning.arguments import (
    ARCHITECTURES,
    ORDERS,
    checked_max_trials,
    checked_objective,
    directions,
)
from keras_hplist.tuning.errors import SetupError
from keras_hplist.tuning.list_space import ListSpace
from keras_hplist.tuning.locking import synchronized
from keras_hplist.tuning.roles import is_chief
from keras_hplist.tuning.stored_oracle import StoredOracle, afresh, has_diverged
from keras_hplist.tuning.trial_store import FINISHED

if TYPE_CHECKING:
    from keras_hplist.learning import AdaptiveOrder

_OUTCOMES = (*FINISHED, TrialStatus.INVALID)


class HyperparameterListOracle(StoredOracle):
    """Proposes the entries of a hyperparameter list in order; then what `after_list` says.

    Give it to any KerasTuner tuner. A trial's values are the entry's values under their own names,
    `hplist/index` (the entry's rank, -1 for a trial after the list), `hplist/name` (the list) and,
    where the trial runs again, `hplist/run` (how often it ran before). All are plain `float`,
    `int`, `bool` and `str`, so they also reach workers over gRPC.

    **Names.** What the list names, the list sets: a `build_model` that asks for
    `hp.Float("learning_rate", …)` gets the entry's value, whatever range it gives. The same name
    in the `hyperparameters` argument with another definition is refused, since it would be ignored.

    **Kills.** The project folder is whole at every moment (see `trial_store`) and is read before
    the first trial, even if the process died before it ever wrote its tuner file. A trial that had
    not ended runs again from its beginning, lowest entry first; one whose end was recorded never
    does. A folder of another list is refused and left as it is.

    **Failures.** An objective that is finite in no epoch is a result: the trial is COMPLETED with
    the worst possible score (`inf`, or `-inf` for an objective to maximize), ranks last, and never
    ends the search. With `max_retries_per_trial` it runs again first, and the rerun's result
    counts. An exception makes the trial FAILED, with the traceback as its message, and counts
    towards `max_consecutive_failed_trials`.

    Args:
        objective: a metric name, a `keras_tuner.Objective`, or a list of these, as in KerasTuner;
            None: what `run_trial` returns, a float to minimize.
        max_trials: how many trials to run at most. None: the whole list.
        hyperparameter_list: a `HyperparameterList`, the name of a shipped one, or the path of a
            list file.
        after_list: when the list is at its end and `max_trials` is not: "stop"; "sample" the
            list's search space; or "bayesian", KerasTuner's Bayesian optimization from all results
            so far.
        architecture: what to do with hyperparameters that the list does not set: hold them at
            their "default", or draw them at "random" for each trial, by the seed. To have a list
            set them, learn one over a space that names them.
        seed: a whole number from 0; None: a random one. A resumed search keeps the seed it began
            with.
        hyperparameters: a `keras_tuner.HyperParameters` with definitions that take the place of
            those in `build_model`, as in KerasTuner.
        allow_new_entries: as in KerasTuner.
        tune_new_entries: as in KerasTuner.
        max_retries_per_trial: how often a trial that crashed or diverged runs again. Default: 0.
        max_consecutive_failed_trials: so many failed trials in a row end the search with a
            `RuntimeError`. Default: 3. Under a chief, the workers are told to stop instead, and
            the chief warns.
        order: in which order the entries are tried: that of the "list", or "adaptive", by the
            trials so far (see `keras_hplist.learning.AdaptiveOrder`). A resumed search may have
            another order than it began with.

    Attributes:
        hyperparameter_list: the list.
        order: as above.
        after_list: as above.
        architecture: as above.

    Raises:
        InvalidValueError: if an argument is not allowed, or the order is to be adaptive and the
            list carries no scores by task; before anything is read or written. Later, on opening
            a project folder that holds the search of another list, objective or oracle.
        UnknownNameError: if there is no such list, `after_list`, `architecture` or `order`.
        FileFormatError: if the list file is malformed.
    """

    def __init__(
        self,
        objective: "str | keras_tuner.Objective | list | None" = None,
        max_trials: int | None = None,
        hyperparameter_list: "str | os.PathLike[str] | HyperparameterList" = "nadamw",
        after_list: str = "stop",
        architecture: str = "default",
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        order: str = "list",
    ) -> None:
        """Check the arguments; the project folder is looked at when a tuner sets it."""
        list_ = checked_list(hyperparameter_list)
        self.after_list = checked_name("after_list", after_list, AFTER_LIST)
        self.architecture = checked_name("architecture", architecture, ARCHITECTURES)
        self.order = checked_name("order", order, ORDERS)
        self._adaptive = _adaptive_order(list_) if order == "adaptive" else None
        super().__init__(
            list_,
            ListSpace(list_, self.architecture, hyperparameters),
            None if seed is None else checked_count("seed", seed),
            objective=checked_objective(objective),
            max_trials=checked_max_trials(max_trials, list_, self.after_list),
            allow_new_entries=allow_new_entries,
            tune_new_entries=tune_new_entries,
            max_retries_per_trial=checked_count("max_retries_per_trial", max_retries_per_trial),
            max_consecutive_failed_trials=checked_count(
                "max_consecutive_failed_trials", max_consecutive_failed_trials, smallest=1
            ),
        )
        self._gave_up = False

    # What to try.

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose the values of the next trial; changes nothing, so asking twice gives the same.

        Args:
            trial_id: unused; the trials so far decide.

        Returns:
            `{"status": "RUNNING", "values": …}`, or `{"status": "STOPPED", "values": None}` at the
            end of the search.
        """
        rank = index = self._next_entry()
        if index < len(self.hyperparameter_list):
            configuration: dict[str, Any] | None = self.hyperparameter_list[index]
        else:
            rank, index = len(self.hyperparameter_list) + self.trials_after_list, -1
            configuration = AFTER_LIST[self.after_list](self)
        if configuration is None:
            return {"status": TrialStatus.STOPPED, "values": None}
        values = self._space.values(
            configuration, index, f"{self.seed}/{rank}", self.hyperparameters
        )
        return {"status": TrialStatus.RUNNING, "values": values}

    def _next_entry(self) -> int:
        """The rank of the entry to try; the length of the list if none is left."""
        if self._adaptive is None:
            return self._ledger.next_entry()
        losses = self._ledger.losses
        rank = self._adaptive.next_entry(losses, self._ledger.entries - losses.keys())
        return len(self.hyperparameter_list) if rank is None else rank

    @property
    def trials_after_list(self) -> int:
        """The number of trials so far that are not from the list."""
        return self._ledger.after_list

    def searches(self, name: str) -> bool:
        """Whether a hyperparameter may vary after the list."""
        return self._space.searches(name)

    def was_tried(self, configuration: Mapping[str, Any]) -> bool:
        """Whether a trial has these values of the list's hyperparameters."""
        return self._ledger.was_tried(configuration)

    # The life of a trial.

    @synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """Start the next trial of a tuner; a tuner that has one running gets it again.

        Args:
            tuner_id: which tuner asks. Tuners that work side by side need different ids.

        Returns:
            A trial to run, or one with the status "STOPPED" when the search is at its end.

        Raises:
            InvalidValueError: if no project folder was set, or it holds the search of another list.
            OSError: if the trial cannot be written.
        """
        self._load_once()
        running = self.ongoing_trials.get(tuner_id)
        if running is not None and not running.metrics.metrics:
            return running
        self._project.sweep()
        self.tuner_ids.add(tuner_id)
        # A tuner whose running trial has metrics was interrupted between these and the end.
        trial = self._next_trial() if running is None else afresh(running)
        if trial.status == TrialStatus.STOPPED:
            self.tuner_ids.discard(tuner_id)
            return trial
        if runs := self._run_times[trial.trial_id]:
            trial.hyperparameters.values[RUN] = runs
        self.save()
        self._write(trial)
        if trial.trial_id not in self.trials:
            self.start_order.append(trial.trial_id)
            self._ledger.start(trial)
        elif running is None:
            self._retry_queue.remove(trial.trial_id)
        self.trials[trial.trial_id] = trial
        self.ongoing_trials[tuner_id] = trial
        self._display.on_trial_begin(trial)
        return trial

    def _next_trial(self) -> Trial:
        hyperparameters = copy.deepcopy(self.hyperparameters)  # half the time of its own `copy()`
        trial_id = f"{self._project.next_number:04d}"
        proposal: dict[str, Any] = {"status": TrialStatus.STOPPED, "values": None}
        if not self._gave_up:
            room = len(self.trials) < self.max_trials
            waiting = min(self._retry_queue, key=self._rank, default=None)
            # An entry whose trial was lost is new again, and in list order may come before those
            # that wait.
            may_be_lost = room and self.order == "list"
            if waiting and not (may_be_lost and self._ledger.next_entry() < self._rank(waiting)[0]):
                return afresh(self.trials[waiting])
            if room:
                proposal = self.populate_space(trial_id)
        hyperparameters.values = proposal["values"] or {}
        return Trial(hyperparameters, trial_id, proposal["status"])

    def _rank(self, trial_id: str) -> tuple[int, int]:
        index = self.trials[trial_id].hyperparameters.values[INDEX]
        return (len(self.hyperparameter_list) if index < 0 else index, int(trial_id))

    @synchronized
    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Report metrics of a running trial; they are written when it ends.

        Args:
            trial_id: which trial.
            metrics: values by metric name; the objective must be among them.
            step: of the values, for example the epoch.

        Returns:
            The trial.

        Raises:
            SetupError: if the objective is missing; it ends the search, for it will be missing in
                every trial.
        """
        metrics = self._with_objective(metrics)
        trial = self.trials[trial_id]
        if self._ledger.has_ended(trial_id):  # by a worker that was given up for lost
            return trial
        for name, value in metrics.items():
            if not trial.metrics.exists(name):
                trial.metrics.register(name, self._direction(name))
            # Not `trial.metrics.update`, which goes through all former observations.
            trial.metrics.metrics[name].update(float(value), step=step)
        return trial

    def _with_objective(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        missing = [name for name in directions(self.objective) if name not in metrics]
        if missing and self.objective.name not in metrics:
            raise SetupError(
                f"Objective value missing in metrics reported to the Oracle: {missing}. Reported: "
                f"{sorted(metrics)}. Choose one of these as the objective, or have the missing one "
                "measured: a name that begins with 'val_' needs validation_data in search()."
            )
        return {self.objective.name: self.objective.get_value(metrics), **metrics}

    def _direction(self, metric: str) -> str | None:
        if metric == self.objective.name:
            return self.objective.direction
        return directions(self.objective).get(metric) or _usual_direction(metric)

    @synchronized
    def end_trial(self, trial: Trial) -> None:
        """Take the outcome of a trial: a result, a divergence or a crash.

        The first outcome counts: a second report on a trial that has ended changes nothing.

        Args:
            trial: with the status "COMPLETED", "INVALID" (crashed, to be run again if retries are
                left) or "FAILED" (not to be run again), and the traceback as `message`; to a chief
                also "STOPPED": the worker met a mistake in the set-up. That ends the search, and
                the trial runs again in a resumed one, as it does where there is no chief.

        Raises:
            InvalidValueError: if the status is none of these, or a completed trial has reported no
                objective.
            RuntimeError: at the `max_consecutive_failed_trials`-th failure in a row. The trial and
                the state are on disk by then, and a resumed search goes on with the next entry.
        """
        reported, trial = trial, self.trials[trial.trial_id]
        if reported.status == TrialStatus.STOPPED and is_chief():
            message = reported.hyperparameters.values.get(MESSAGE)
            self._give_up(f"Trial {trial.trial_id} met a mistake that ends the search:\n{message}")
        elif not self._ledger.has_ended(trial.trial_id):
            if reported.status not in _OUTCOMES:
                raise InvalidValueError(
                    f"Trial {trial.trial_id} ends with the status {reported.status!r}; set "
                    f"trial.status to one of {', '.join(_OUTCOMES)}."
                )
            if reported.status == TrialStatus.COMPLETED:
                self.score_trial(trial)
            self._take_over_values(trial, reported)
            self.update_space(trial.hyperparameters)
            trial.status, trial.message = reported.status, reported.message
            self._run_times[trial.trial_id] += 1
            self._settle(trial)
            self.save()
            if trial.trial_id in self._display.trial_start:
                self._display.on_trial_end(trial)
        for tuner_id, running in list(self.ongoing_trials.items()):
            if running.trial_id == trial.trial_id:
                del self.ongoing_trials[tuner_id]
        if trial.status == TrialStatus.FAILED:
            self._check_consecutive_failures()

    def _take_over_values(self, trial: Trial, reported: Trial) -> None:
        """Add what `build_model` registered; what the list set stays as it is."""
        known, seen = trial.hyperparameters, reported.hyperparameters
        if seen is known:
            return
        # It came over gRPC, where the message and the order of the space are lost.
        reported.message = seen.values.pop(MESSAGE, None)
        if reported.status != TrialStatus.COMPLETED and reported.message is None:
            reported.message = "Failed on a worker; the traceback is in the worker's own output."
        listed = {name: value for name, value in known.values.items() if self._space.sets(name)}
        known.merge(seen.space, overwrite=False)
        known.values = {**seen.values, **listed}

    def _settle(self, trial: Trial) -> None:
        """Decide whether a trial has ended or runs again, and write it."""
        diverged = has_diverged(trial)
        if diverged:
            trial.message = f"Diverged: {self.objective.name} is not finite."
        again = self._run_times[trial.trial_id] <= self.max_retries_per_trial
        if again and (diverged or trial.status == TrialStatus.INVALID):
            trial.status = TrialStatus.INVALID
            self._write(trial)
            self._retry_queue.append(trial.trial_id)
            return
        if trial.status == TrialStatus.INVALID:
            trial.status = TrialStatus.FAILED
        self._write(trial, ended=self._next_end)
        self._close(trial, self._next_end)
        if trial.trial_id in self._retry_queue:  # its worker outlived a former chief
            self._retry_queue.remove(trial.trial_id)

    def _check_consecutive_failures(self) -> None:
        failures, limit = self._ledger.failures_in_a_row, self.max_consecutive_failed_trials
        if failures < limit:
            return
        last = self.trials[self.end_order[-1]]
        message = (
            f"Number of consecutive failures exceeded the limit of {limit}. The last was trial "
            f"{last.trial_id}:\n{last.message}"
        )
        if not is_chief():
            raise RuntimeError(message)
        self._give_up(message)

    def _give_up(self, message: str) -> None:
        """Tell all workers to stop; an error would kill one, and the chief would wait for it."""
        self._gave_up = True
        warnings.warn(message, stacklevel=2)


def _adaptive_order(list_: HyperparameterList) -> "AdaptiveOrder":
    from keras_hplist.learning import AdaptiveOrder  # with scikit-learn, which takes a second

    return AdaptiveOrder(list_)


@functools.lru_cache
def _usual_direction(metric: str) -> str | None:
    return keras_tuner.engine.metrics_tracking.infer_metric_direction(metric)
