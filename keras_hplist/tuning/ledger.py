"""What the trials so far amount to, kept up to date at a cost that does not grow with them."""

import bisect
import math
from collections.abc import Iterable, Mapping
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus

from keras_hplist.spaces.bookkeeping import INDEX


class Ledger:
    """Which entries are used, which configurations were tried, which trials are best.

    Args:
        names: the hyperparameters that make a configuration.
        direction: "min" or "max", of the objective.

    Attributes:
        after_list: the number of trials that are not from the list.
        failures_in_a_row: how many of the last trials to end have failed, back to the last that
            has not.
        entries: the ranks of the entries that have a trial.
        losses: of the entries whose trial is complete, by rank: the score, or minus the score where
            that is maximized; `inf` if it diverged.
    """

    def __init__(self, names: Iterable[str], direction: str) -> None:
        """Begin without trials."""
        self.after_list = 0
        self.failures_in_a_row = 0
        self.entries: set[int] = set()
        self.losses: dict[int, float] = {}
        self._names = tuple(names)
        self._sign = 1 if direction == "min" else -1
        self._next = 0
        self._tried: set[tuple] = set()
        self._ended: set[str] = set()
        # Sorted, best first: (whether diverged, score to minimize, trial number, trial id).
        self._ranking: list[tuple[bool, float, int, str]] = []

    def start(self, trial: Trial) -> None:
        """Take account of a trial that was not known before."""
        values = trial.hyperparameters.values
        self._tried.add(self._configuration(values))
        if values[INDEX] < 0:
            self.after_list += 1
        else:
            self.entries.add(values[INDEX])

    def end(self, trial: Trial) -> None:
        """Take account of a trial that has ended."""
        self._ended.add(trial.trial_id)
        if trial.status == TrialStatus.COMPLETED:
            key = (math.isinf(trial.score), self._sign * trial.score)
            if (rank := trial.hyperparameters.values[INDEX]) >= 0:
                self.losses[rank] = key[1]
            bisect.insort(self._ranking, (*key, int(trial.trial_id), trial.trial_id))
            self.failures_in_a_row = 0
        else:
            self.failures_in_a_row += 1

    def next_entry(self) -> int:
        """The lowest rank that no trial has."""
        while self._next in self.entries:
            self._next += 1
        return self._next

    def was_tried(self, values: Mapping[str, Any]) -> bool:
        """Whether a trial has this configuration."""
        return self._configuration(values) in self._tried

    def has_ended(self, trial_id: str) -> bool:
        """Whether the outcome of a trial is known."""
        return trial_id in self._ended

    def best(self, number: int) -> list[str]:
        """The ids of the best completed trials, best first, diverged ones last."""
        return [trial_id for *_, trial_id in self._ranking[:number]]

    def _configuration(self, values: Mapping[str, Any]) -> tuple:
        return tuple(values.get(name) for name in self._names)
