"""What a race inside one fit gains, replayed on the recorded curves of families left out.

    python histories/races.py        # Markdown, for docs/results.md

A list is learned without each family in turn, and its first entries race on the family's tasks as
`RaceList` lets them: by their validation losses after as many steps as they would have had in each
round. The winner counts with its whole recorded training, of which a race takes some steps away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import learn_lists
import measured
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

import keras_hplist as khl
from keras_hplist.learning.splits import task_weights
from keras_hplist.tuning.race_list import field_sizes

LISTS = ("nadamw", "nadamw-modern", "adam8p", "adam1p")
TRIALS = (1, 2, 3)
RACES = ((2, 0.3), (4, 0.1), (4, 0.2), (4, 0.3), (8, 0.3))
"""How many entries, and the part of the steps that the race takes."""

MOST = max(entries for entries, _ in RACES)
SHORT = (200, 400)
"""Training steps of the same configurations of NAdamW, on the suite and on modern problems."""

Floats = NDArray[np.float64]


def rounds(entries: int, fraction: float) -> list[tuple[int, float]]:
    """How many entries run in each round, and how far each then is: a fraction of the training."""
    sizes = field_sizes(entries)
    ends = np.cumsum([fraction / len(sizes) / size for size in sizes])
    return list(zip(sizes, ends.tolist(), strict=True))


TIMES = sorted({time for race in RACES for _, time in rounds(*race)})
"""When entries drop out."""


@dataclass(frozen=True)
class Replay:
    """Trainings of the tasks that a list is not learned from.

    Attributes:
        entries: int64 (task, entry), the configurations in list order, for each task those of the
            list without its family.
        valid: float32 (task, configuration, time), losses at `TIMES`; inf where diverged.
        tests: float64 (task, configuration), normalised scores on test.
        families: of the tasks.
    """

    entries: NDArray[np.int64]
    valid: NDArray[np.float32]
    tests: Floats
    families: Sequence[str]

    @classmethod
    def of(cls, name: str, history: khl.History) -> "Replay":
        """Replay a shipped list, learned from its own recipe, on the trainings of a history."""
        recipe = learn_lists.RECIPES[name]
        matrix, candidates = recipe.learner.prepare(recipe.history)
        assert candidates.values is not None
        values = [candidates.values[label] for label in matrix.configurations]
        curves = history.curves("valid", TIMES)
        at = [curves.configurations.index(label) for label in matrix.configurations]
        tests = clone(recipe.learner).set_params(split="test").score(history).to_frame()
        kept = [number for number, task in enumerate(curves.tasks) if task in tests.index]
        families = [curves.families[number] or "" for number in kept]
        orders = {}
        for family in set(families):
            rest = matrix.rows(np.array([other != family for other in matrix.families]))
            orders[family] = recipe.learner.choose(rest, values).selection.order[:MOST]
        return cls(
            np.array([orders[family] for family in families]),
            curves.values[kept][:, at, 0],
            tests[list(matrix.configurations)].to_numpy(),
            families,
        )

    def best_of(self, trials: int) -> Floats:
        """The best score of the first entries on each task."""
        return np.take_along_axis(self.tests, self.entries[:, :trials], axis=1).min(axis=1)

    def raced(self, entries: int, fraction: float) -> Floats:
        """The score of the winner of a race on each task."""
        field = self.entries[:, :entries]
        for size, time in rounds(entries, fraction):
            field = field[:, :size]
            losses = np.take_along_axis(self.valid[..., TIMES.index(time)], field, axis=1)
            field = np.take_along_axis(field, losses.argsort(axis=1, kind="stable"), axis=1)
        return np.take_along_axis(self.tests, field[:, :1], axis=1)[:, 0]

    def mean(self, scores: Floats) -> float:
        """The mean over tasks, families equal."""
        return float(task_weights(range(len(scores)), list(self.families)) @ scores)


def main() -> None:
    """Print the table."""
    heads = [f"the first {k}" for k in TRIALS]
    heads += [f"a race of {entries} for {fraction}" for entries, fraction in RACES]
    print("| list | trainings | " + " | ".join(heads) + " |")
    print("| --- " * (len(heads) + 2) + "|")
    for name in LISTS:
        recipe = learn_lists.RECIPES[name]
        lengths = [recipe.horizons]
        if recipe.learner.space == "nadamw":
            lengths += [(each,) for each in SHORT]
        for steps in lengths:
            history = measured.longest(recipe.learner.space, steps, recipe.candidates)
            replay = Replay.of(name, history)
            scores = [replay.best_of(k) for k in TRIALS] + [replay.raced(*race) for race in RACES]
            counts = " and ".join(f"{count:,}" for count in steps)
            cells = [f"{len(replay.families)} tasks, {counts} steps"]
            cells += [f"{replay.mean(each):.3f}" for each in scores]
            print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
