"""What `train_population` gives: learning curves, and their form as rows of a history."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_hplist.history import SPLITS, History
from keras_hplist.versions import versions


@dataclass(frozen=True)
class Curves:
    """Learning curves of n configurations on one task.

    Attributes:
        task: name of the task.
        family: its family.
        space: name of the search space.
        values: hyperparameter values of each configuration.
        seed: of weights, batches and the task's own draws.
        training_steps: planned number of steps.
        batch_size: examples of a step.
        num_parameters: trainable numbers of one member.
        steps: int32 (E,), where members were evaluated.
        losses: by split ("train", "valid", "test"), float32 (n, E); NaN once a member diverged.
        diverged: int32 (n,): the step at which a member's loss left the finite numbers; -1 for
            those that did not.
        seconds: wall time of all, compilation included.
        evaluation_share: part of the running time, compilation excluded, spent on evaluation.
        size: members that trained side by side.
    """

    task: str
    family: str
    space: str
    values: list[dict[str, Any]]
    seed: int
    training_steps: int
    batch_size: int
    num_parameters: int
    steps: np.ndarray
    losses: dict[str, np.ndarray] = field(repr=False)
    diverged: np.ndarray = field(repr=False)
    seconds: float
    evaluation_share: float
    size: int

    def __len__(self) -> int:
        """The number of configurations."""
        return len(self.values)

    @property
    def status(self) -> list[str]:
        """For each configuration "ok" or "diverged"."""
        return ["ok" if step < 0 else "diverged" for step in self.diverged]

    def records(self) -> list[dict[str, Any]]:
        """One row of a history for each configuration; a diverged one ends at that step, in NaN."""
        return [self._record(i) for i in range(len(self))]

    def _record(self, i: int) -> dict[str, Any]:
        steps = self.steps
        curves = {split: self.losses[split][i] for split in SPLITS}
        if self.diverged[i] >= 0:
            last = int(self.diverged[i])
            kept = int(np.searchsorted(steps, last))
            steps = np.append(steps[:kept], last).astype(np.int32)
            curves = {k: np.append(c[:kept], np.float32(np.nan)) for k, c in curves.items()}
        return {
            "task": self.task,
            "family": self.family,
            "space": self.space,
            "values": self.values[i],
            "seed": self.seed,
            "training_steps": self.training_steps,
            "batch_size": self.batch_size,
            "steps": steps,
            **curves,
            "status": self.status[i],
            "seconds": self.seconds / len(self),
            "num_parameters": self.num_parameters,
            "source": "keras_hplist.training",
            "versions": versions("keras_hplist", "keras", "tensorflow"),
        }

    def history(self) -> History:
        """The curves as a history."""
        return History.from_records(self.records())
