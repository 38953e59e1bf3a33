"""What a worker process does with one unit. Nothing here loads TensorFlow before it is needed."""

import time
import traceback
from dataclasses import dataclass
from typing import Any

from keras_hplist.training.plan import Unit


@dataclass(frozen=True)
class Work:
    """The function that workers call.

    Attributes:
        tasks: by name; None for a task of the suite, which the worker makes itself.
        space: name of the search space.
        training_steps: horizon.
        evaluations: the steps of evaluation.
        memory: bound of a process in bytes.
    """

    tasks: dict[str, Any]
    space: str
    training_steps: int
    evaluations: tuple[int, ...]
    memory: float

    def __call__(self, unit: Unit) -> "Result":
        """Train a unit; an error becomes part of the result."""
        began = time.perf_counter()
        try:
            from keras_hplist.training.population import train_population

            curves = train_population(
                self.tasks.get(unit.task) or unit.task,
                list(unit.values),
                self.training_steps,
                self.evaluations,
                unit.seed,
                space=self.space,
                threads=1,
                memory=self.memory,
            )
            return Result(curves.records(), "", time.perf_counter() - began)
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            return Result([], text, time.perf_counter() - began)


@dataclass(frozen=True)
class Result:
    """Outcome of a unit: records of a history or an error's text, and the seconds it took."""

    records: list[dict[str, Any]]
    error: str
    seconds: float
