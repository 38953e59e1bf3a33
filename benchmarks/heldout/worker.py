"""What a worker process does. TensorFlow is not loaded before there is a run to make."""

import functools
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from configurations import Configuration
from store import Runs, best_point, search_file, write_search

if TYPE_CHECKING:
    from training import Trainer


@dataclass(frozen=True)
class FixedRuns:
    """Runs whose configurations are known beforehand."""

    folder: Path
    problem: str
    seed: int
    configurations: tuple[Configuration, ...]

    @property
    def key(self) -> str:
        """Unique among the units of work."""
        ids = "-".join(configuration.id for configuration in self.configurations)
        return f"{self.problem}, seed {self.seed}: {ids}"

    def __str__(self) -> str:
        """For people."""
        return f"{self.problem}, seed {self.seed}: {len(self.configurations)} runs"

    def work(self) -> int:
        """Make the runs that are missing; each is kept as soon as it is done."""
        runs = Runs(self.folder, self.problem)
        missing = [c for c in self.configurations if runs.find(c, self.seed) is None]
        for configuration in missing:
            runs.add(_trainer(self.problem).run(configuration, self.seed))
        return len(missing)


@dataclass(frozen=True)
class Search:
    """A search, whose configurations follow from its results."""

    folder: Path
    problem: str
    seed: int
    method: str

    @property
    def key(self) -> str:
        """Unique among the units of work."""
        return f"{self.problem}, seed {self.seed}: {self.method}"

    def __str__(self) -> str:
        """For people."""
        return self.key

    def work(self) -> int:
        """Run the search; runs that are kept already are not made again."""
        from searches import search

        runs, made, trainer = Runs(self.folder, self.problem), 0, _trainer(self.problem)

        def evaluate(configuration: Configuration, stop: int) -> float:
            nonlocal made
            record = runs.find(configuration, self.seed, stop)
            if record is None:
                record = trainer.run(configuration, self.seed, stop)
                runs.add(record)
                made += 1
            return best_point(record, stop)[0]

        steps = trainer.problem.training_steps
        trials = list(search(self.method, self.seed, steps, evaluate))
        write_search(search_file(self.folder, self.problem, self.method, self.seed), trials)
        return made


def work(unit: FixedRuns | Search) -> int | str:
    """Do a unit of work: the number of runs made, or the text of an error."""
    try:
        return unit.work()
    except Exception:
        return traceback.format_exc()


@functools.cache
def _trainer(problem: str) -> "Trainer":
    import problems
    from training import Trainer

    return Trainer(problems.get(problem))
