"""What a worker process does with one unit. Nothing here loads TensorFlow before it is needed."""

import time
import traceback
from dataclasses import dataclass, field
from typing import Any

from keras_hplist.training.plan import Unit


@dataclass(frozen=True)
class Work:
    """A unit with all that its worker needs.

    Attributes:
        unit: what to train.
        task: its task, or the name of one of the suite, which the worker makes itself.
        space: name of the search space.
        training_steps: horizon.
        evaluations: the steps of evaluation.
        memory: bound of a process in bytes.
    """

    unit: Unit
    task: Any = field(repr=False)
    space: str
    training_steps: int
    evaluations: tuple[int, ...]
    memory: float

    @property
    def key(self) -> str:
        """The key of the unit."""
        return self.unit.key


def train(work: Work) -> "Result":
    """Train a unit; an error becomes part of the result."""
    began = time.perf_counter()
    try:
        from keras_hplist.training.population import train_population

        curves = train_population(
            work.task,
            list(work.unit.values),
            work.training_steps,
            work.evaluations,
            work.unit.seed,
            space=work.space,
            threads=1,
            memory=work.memory,
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
