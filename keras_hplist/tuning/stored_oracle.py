"""An oracle over a list whose project folder opens again whatever moment the process died at."""

import collections
import math
import os
import random
import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from keras_hplist.errors import InvalidValueError
from keras_hplist.lists import HyperparameterList
from keras_hplist.tuning.arguments import directions
from keras_hplist.tuning.ledger import Ledger
from keras_hplist.tuning.list_space import ListSpace
from keras_hplist.tuning.locking import synchronized
from keras_hplist.tuning.roles import is_worker, tuner_id
from keras_hplist.tuning.trial_store import FINISHED, TrialRecord, TrialStore, load_state


class StoredOracle(keras_tuner.Oracle):
    """Keeps its trials in a `TrialStore`, and rebuilds all it knows from them.

    A subclass says what to try and what an outcome means. It writes a trial when it begins, before
    it counts it, and when it has ended; nothing it knows may be only in memory.

    Args:
        hyperparameter_list: the list that is tried; a folder with the search of another is refused.
        space: its hyperparameters.
        seed: a whole number from 0; None: a random one.
        **kwargs: of `keras_tuner.Oracle`.
    """

    def __init__(
        self,
        hyperparameter_list: HyperparameterList,
        space: ListSpace,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        """Begin without a project folder; the tuner sets it."""
        super().__init__(hyperparameters=space.hyperparameters, **kwargs)
        self.hyperparameter_list = hyperparameter_list
        self._space = space
        # KerasTuner takes a seed of 0 for none.
        self.seed = random.randint(1, 10_000) if seed is None else seed
        self._store: TrialStore | None = None
        self._loaded = False
        self._saved: tuple | None = None
        self._forget_trials()

    def _forget_trials(self) -> None:
        self.trials: dict[str, Trial] = {}
        self.ongoing_trials: dict[str, Trial] = {}
        self.start_order: list[str] = []
        self.end_order: list[str] = []
        self._next_end = 0
        self._run_times: dict[str, int] = collections.defaultdict(int)
        self._retry_queue: list[str] = []
        self._ledger = Ledger(self.hyperparameter_list.space.names, self.objective.direction)

    def _close(self, trial: Trial, ended: int) -> None:
        self._next_end = ended + 1
        self.end_order.append(trial.trial_id)
        self._ledger.end(trial)

    @property
    def _worst_score(self) -> float:
        return math.inf if self.objective.direction == "min" else -math.inf

    def score_trial(self, trial: Trial) -> None:
        """Set a trial's score to its best finite objective, or to the worst possible score.

        Raises:
            InvalidValueError: if the trial has reported no objective.
        """
        if not trial.metrics.exists(self.objective.name):
            raise InvalidValueError(
                f"Trial {trial.trial_id} ended as {TrialStatus.COMPLETED} and has no value of the "
                f"objective {self.objective.name!r}; call update_trial before end_trial."
            )
        better = min if self.objective.direction == "min" else max
        means = {seen.step: seen.mean() for seen in trial.metrics.get_history(self.objective.name)}
        finite = {step: float(mean) for step, mean in means.items() if math.isfinite(mean)}
        trial.best_step = better(finite, key=finite.__getitem__, default=0)
        trial.score = finite.get(trial.best_step, self._worst_score)

    @synchronized
    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """The best trials, best first; diverged ones after all others.

        Args:
            num_trials: how many. As in KerasTuner, trials that failed or still run follow if fewer
                are complete.

        Returns:
            Trials; in a worker's process what the chief has on disk at this moment.
        """
        self._load_or_look()
        best = [self.trials[trial_id] for trial_id in self._ledger.best(num_trials)]
        if len(best) < num_trials:
            ranked = {trial.trial_id for trial in best}
            best += [trial for trial in self.trials.values() if trial.trial_id not in ranked]
        return best[:num_trials]

    @synchronized
    def has_finished(self) -> bool:
        """Whether all trials have ended and there is no other to start."""
        self._load_or_look()
        if self._retry_queue or self.ongoing_trials:
            return False
        if len(self.trials) >= self.max_trials:
            return True
        return self.populate_space("")["status"] == TrialStatus.STOPPED

    @synchronized
    def remaining_trials(self) -> int:
        """How many trials may still be started."""
        self._load_once()
        return max(0, self.max_trials - len(self.trials))

    @synchronized
    def get_space(self) -> keras_tuner.HyperParameters:
        """The list's hyperparameters, at the first entry's values, and the user's own."""
        self._load_once()
        return super().get_space()

    @synchronized
    def update_space(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        """Add the user's own hyperparameters; those with a name of the list's are the list's.

        Raises:
            RuntimeError: if there are new ones and `allow_new_entries` is False.
        """
        super().update_space(types.SimpleNamespace(space=self._own(hyperparameters)))

    def _own(self, hyperparameters: keras_tuner.HyperParameters) -> list:
        return [hp for hp in hyperparameters.space if not self._space.sets(hp.name)]

    @synchronized
    def _set_project_dir(self, directory: "str | os.PathLike[str]", project_name: str) -> None:
        super()._set_project_dir(directory, project_name)
        folder = os.path.join(os.fspath(directory), project_name)
        if self._store is None or self._store.folder != folder or not self.ongoing_trials:
            # Read when first needed: the tuner may be about to delete it (`overwrite=True`).
            self._store, self._loaded = TrialStore(folder), False
            self._forget_trials()
            if is_worker():
                self._mend_tuner_file()

    @property
    def _project(self) -> TrialStore:
        if self._store is None:
            raise InvalidValueError(
                "The oracle has no project folder yet; give it to a tuner: "
                "keras_tuner.Tuner(oracle=…, directory=…, project_name=…)."
            )
        return self._store

    def _mend_tuner_file(self) -> None:
        """Let `Tuner.reload`, which follows, find a whole file: it would fail on a torn one."""
        load_state(os.path.join(self._project.folder, f"{tuner_id()}.json"))

    @synchronized
    def save(self) -> None:
        """Write `oracle.json`, if it would change; trials are in files of their own."""
        self._load_once()
        # All that may change in `get_state`; that is asked for several times in each trial.
        state = (self._project, self.seed, len(self.hyperparameters.space), self._search_start)
        if state != self._saved:
            self._project.write_oracle(self.get_state())
            self._saved = state

    @property
    def _search_start(self) -> str | None:
        start = self._display.search_start
        return None if start is None else start.isoformat()

    def get_state(self) -> dict[str, Any]:
        """What the trial files do not say; its size does not grow with the number of trials."""
        return {
            "hyperparameter_list": {
                "name": self.hyperparameter_list.name,
                "fingerprint": self.hyperparameter_list.fingerprint,
            },
            "hyperparameters": self.hyperparameters.get_config(),
            "objective": directions(self.objective),
            "seed": self.seed,
            "search_start": self._search_start,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `get_state` gave."""
        self.seed = int(state["seed"])
        self._take_over_space(keras_tuner.HyperParameters.from_config(state["hyperparameters"]))
        if state.get("search_start"):
            self._display.search_start = datetime.fromisoformat(state["search_start"])

    @synchronized
    def reload(self) -> None:
        """Read the project folder, unless trials run right now: then memory is newer.

        Raises:
            InvalidValueError: if the folder holds the search of another list or oracle.
        """
        if not self.ongoing_trials:
            self._load()

    def _load_once(self) -> None:
        # A worker's own oracle is a stand-in; the files are the chief's.
        if self._store is not None and not self._loaded and not is_worker():
            self._load()

    def _load_or_look(self) -> None:
        if is_worker():
            self._look()
        else:
            self._load_once()

    def _load(self) -> None:
        self._look()
        # From here on files may be changed.
        self._project.set_damaged_aside()
        self._mend_tuner_file()
        self._loaded = True

    def _look(self) -> None:
        """Take over what is on disk, and change nothing there."""
        state, stored = self._project.read_oracle(), self._project.read_trials()
        self._refuse_another_search(state, stored)
        self._forget_trials()
        if state is not None:
            self.set_state(state)
        elif stored:
            self.seed = stored[0][1].seed
        for trial, record in stored:
            self._take_over_trial(trial, record)
        ended = [(record.ended, trial) for trial, record in stored if trial.status in FINISHED]
        for place, trial in sorted(ended, key=lambda pair: pair[0]):
            self._close(trial, place)
        # Whoever resumes a search that gave up has mended something: count anew.
        if self._ledger.failures_in_a_row >= self.max_consecutive_failed_trials:
            self._ledger.failures_in_a_row = 0

    def _take_over_trial(self, trial: Trial, record: TrialRecord) -> None:
        if trial.status not in FINISHED:
            trial = afresh(trial)
            self._retry_queue.append(trial.trial_id)
        elif record.diverged:
            trial.score = self._worst_score
        self.trials[trial.trial_id] = trial
        self.start_order.append(trial.trial_id)
        self._ledger.start(trial)
        self._run_times[trial.trial_id] = record.runs
        self._take_over_space(trial.hyperparameters)

    def _take_over_space(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        if self.tune_new_entries:
            self.hyperparameters.merge(self._own(hyperparameters), overwrite=False)

    def _refuse_another_search(self, state: Mapping[str, Any] | None, stored: list) -> None:
        own = directions(self.objective)
        objective = (state or {}).get("objective", own)
        if objective != own:
            raise InvalidValueError(
                f"{self._project.folder} holds a search by {_text(objective)}; this search is by "
                f"{_text(own)}, and scores of different objectives do not compare. "
                "Nothing was changed. Give the objective of that search, another project_name or "
                "directory, or overwrite=True to delete that search."
            )
        mine = self.hyperparameter_list
        found = [] if state is None else [state.get("hyperparameter_list", {}).get("fingerprint")]
        found += [record.fingerprint for _, record in stored]
        others = [fingerprint for fingerprint in found if fingerprint != mine.fingerprint]
        if not others:
            return
        theirs = (
            f"another hyperparameter list (fingerprint {others[0]})"
            if others[0]
            else "another kind of oracle"
        )
        raise InvalidValueError(
            f"{self._project.folder} holds a search with {theirs}; this search has the list "
            f"{mine.name!r} (fingerprint {mine.fingerprint}). Nothing was changed. Give the list "
            "of that search, another project_name or directory, or overwrite=True to delete that "
            "search."
        )

    def _write(self, trial: Trial, ended: int = -1) -> None:
        """Write a trial; `ended` is its place in the order of ends, if it has ended."""
        record = TrialRecord(
            fingerprint=self.hyperparameter_list.fingerprint,
            seed=self.seed,
            runs=self._run_times[trial.trial_id],
            ended=ended,
            diverged=has_diverged(trial),
        )
        self._project.write_trial(trial, record)


def _text(objective: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({direction})" for name, direction in objective.items())


def afresh(trial: Trial) -> Trial:
    """The same trial without results: KerasTuner drops a rerun's result if there is one already."""
    return Trial(trial.hyperparameters, trial.trial_id, TrialStatus.RUNNING)


def has_diverged(trial: Trial) -> bool:
    """Whether a trial's result is not finite."""
    return trial.score is not None and not math.isfinite(trial.score)
