"""Measured facts of the suite's tasks. Imports neither Keras nor TensorFlow.

The file `facts.json` is what `keras-hplist tasks check --output` wrote on one machine. Its times
are in units of a reference, one product of two 1024 x 1024 float32 matrices on one thread, timed
beside every task: so most of the machine's load cancels, and another machine's times follow from
the time of one product there. All are processor times of one core.
"""

import functools
import json
import math
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any

from .errors import TaskDataError

FORMAT = "keras-hplist task facts"
REFERENCE = "one product of two 1024 x 1024 float32 matrices, one thread"
_SIZE = 1024


@dataclass(frozen=True)
class Facts:
    """What is known of a task without building it.

    Attributes:
        family: for example `"mlp_family"`; `"fixed"` for a hand-designed task.
        num_parameters: number of trainable numbers.
        flops_per_step: see `Task.flops_per_step`.
        batch_size: examples of a training step.
        data_set: published name of its data; `"synthetic"` where data are made, or none are used.
        relative_step: time of a training step in units of `REFERENCE`.
        seconds_per_step: the same in seconds of one core of the machine of the reference.
        first_step_seconds: of the first step, tracing included; of one core of that machine.
        initial_loss: loss of the first training batch, seed 0; NaN where it is not finite.
    """

    family: str
    num_parameters: int
    flops_per_step: float
    batch_size: int
    data_set: str
    relative_step: float
    seconds_per_step: float
    first_step_seconds: float
    initial_loss: float


@dataclass(frozen=True)
class Table:
    """Facts of many tasks, measured on one machine.

    Attributes:
        facts: by name of the task.
        version: of the package that measured.
        reference_seconds: the shortest time of the reference beside any of the tasks.
        machine: what they were measured on.
    """

    facts: Mapping[str, Facts]
    version: str
    reference_seconds: float
    machine: str

    @classmethod
    def of(cls, facts: Mapping[str, Facts], version: str) -> "Table":
        """A table of facts as they were measured here, now."""
        shortest = min((f.seconds_per_step / f.relative_step for f in facts.values()), default=0.0)
        return cls(facts, version, shortest, _machine())

    def to_json(self) -> str:
        """The text of the file: one line for each task, times in units of the reference."""
        head = {
            "format": FORMAT,
            "version": self.version,
            "reference": REFERENCE,
            "reference_seconds": float(f"{self.reference_seconds:.4g}"),
            "machine": self.machine,
            "columns": list(_COLUMNS),
        }
        lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        rows = [f"  {json.dumps(name)}: {json.dumps(_row(f))}" for name, f in self.facts.items()]
        return "{\n" + ",\n".join([*lines, ' "tasks": {\n' + ",\n".join(rows) + "\n }"]) + "\n}\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> "Table":
        """The table of a `to_json`.

        Args:
            text: of the file.
            where: the file, for messages.

        Raises:
            TaskDataError: the text is not a table of facts.
        """
        try:
            table = json.loads(text)
            if table["format"] != FORMAT or table["columns"] != list(_COLUMNS):
                raise KeyError("columns")
            seconds = table["reference_seconds"]
            facts = {name: _facts(row, seconds) for name, row in table["tasks"].items()}
            return cls(MappingProxyType(facts), table["version"], seconds, table["machine"])
        except (ValueError, TypeError, KeyError) as error:
            raise TaskDataError(
                f"{where} is no table of facts of this version ({error!r}). "
                "Write a new one with: keras-hplist tasks check --output FILE"
            ) from error


_COLUMNS = (
    "family",
    "num_parameters",
    "flops_per_step",
    "batch_size",
    "data_set",
    "relative_step",
    "relative_first_step",
    "initial_loss",
)


def _row(facts: Facts) -> list[Any]:
    first = facts.first_step_seconds * facts.relative_step / facts.seconds_per_step
    return [
        facts.family,
        facts.num_parameters,
        facts.flops_per_step,
        facts.batch_size,
        facts.data_set,
        float(f"{facts.relative_step:.4g}"),
        float(f"{first:.4g}"),
        float(f"{facts.initial_loss:.7g}") if math.isfinite(facts.initial_loss) else None,
    ]


def _facts(row: list[Any], reference_seconds: float) -> Facts:
    family, parameters, flops, batch_size, data_set, step, first_step, loss = row
    return Facts(
        family,
        parameters,
        flops,
        batch_size,
        data_set,
        relative_step=step,
        seconds_per_step=step * reference_seconds,
        first_step_seconds=first_step * reference_seconds,
        initial_loss=math.nan if loss is None else loss,
    )


@functools.cache
def shipped() -> Table:
    """The table that ships with the package."""
    file = resources.files(__package__) / "facts.json"
    return Table.from_json(file.read_text("utf-8"), str(file))


def facts() -> Mapping[str, Facts]:
    """Measured facts of the tasks of the suite, by name."""
    return shipped().facts


def time_reference() -> float:
    """Seconds of `REFERENCE` on this machine, now: the shortest of three tries."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    matrix = np.full((_SIZE, _SIZE), 1 / _SIZE, np.float32)
    times = []
    with threadpool_limits(1):
        for _ in range(3):
            began = time.process_time()
            matrix @ matrix
            times.append(time.process_time() - began)
    return min(times)


def _machine() -> str:
    """The processor and system, in words."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next(line.split(":")[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        pass  # not Linux: the name that Python knows
    return f"{model}, {platform.system()}, Python {platform.python_version()}"
