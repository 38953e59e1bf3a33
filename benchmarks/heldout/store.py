"""Where runs and searches are kept: whole files that are there or not, read again after a kill."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from configurations import Configuration, Value

from keras_hplist.files import folder_of_task, read_json, write_text
from keras_hplist.history import History

Record = dict[str, Any]
PACKED = "packed.parquet"


class Runs:
    """The runs of one problem, at most one for a configuration and a seed: the longest.

    Runs are deterministic, so that a longer run holds a shorter one as its beginning. Each new run
    is a Parquet file of its own, in the format of `keras_hplist.History`; `pack` joins them.
    """

    def __init__(self, folder: Path, problem: str) -> None:
        """Read what is there."""
        self.folder = folder / "runs" / folder_of_task(problem)
        self.records: dict[tuple[str, int], Record] = {}
        self._read: set[Path] = set()
        self._read_new("*")

    def find(
        self, configuration: Configuration, seed: int, stop: int | None = None
    ) -> Record | None:
        """The run of a configuration, if it went on to step `stop`, or as far as it could.

        Runs that other processes made in the meantime are found as well.
        """
        for is_read_again in (False, True):
            if is_read_again:
                self._read_new(f"{configuration.id}-{seed}-*")
            record = self.records.get((configuration.id, seed))
            if record is not None:
                wanted = record["training_steps"] if stop is None else stop
                if record["status"] == "diverged" or record["steps"][-1] >= wanted:
                    return record
        return None

    def add(self, record: Record) -> None:
        """Keep a new run."""
        key = f"{record['configuration']}-{record['seed']}-{record['steps'][-1]}"
        History.from_records([record]).write(self.folder / f"{key}.parquet")
        self._keep(record)

    def pack(self) -> None:
        """Join all files of the problem to one."""
        self._read_new("*")  # what other processes have made in the meantime
        singles = [file for file in self._read if file.name != PACKED]
        if singles:
            records = [self.records[key] for key in sorted(self.records)]
            History.from_records(records).write(self.folder / PACKED)
        for file in singles:
            file.unlink()

    def _read_new(self, pattern: str) -> None:
        for file in sorted(set(self.folder.glob(f"{pattern}.parquet")) - self._read):
            self._read.add(file)
            for record in History.read(file).table.to_pylist():
                self._keep(record)

    def _keep(self, record: Record) -> None:
        key = record["configuration"], record["seed"]
        known = self.records.get(key)
        if known is None or record["steps"][-1] >= known["steps"][-1]:
            self.records[key] = record


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes:
        kind: of the configuration.
        values: of the configuration.
        start: step from which it went on; more than 0 where a trial was promoted.
        stop: step to which it went.
        seconds: processor time that the search took to propose it.
    """

    kind: str
    values: dict[str, Value]
    start: int
    stop: int
    seconds: float

    @property
    def configuration(self) -> Configuration:
        """What was tried."""
        return Configuration.of(self.kind, self.values)


def search_file(folder: Path, problem: str, method: str, seed: int) -> Path:
    """Where the trials of a finished search stand."""
    return folder / "searches" / problem / f"{method}-{seed}.json"


def write_search(file: Path, trials: Iterable[Trial]) -> None:
    """Keep the trials of a finished search."""
    write_text(file, json.dumps([asdict(trial) for trial in trials], indent=1) + "\n")


def read_search(file: Path) -> list[Trial]:
    """The trials of a finished search, in order."""
    return [Trial(**trial) for trial in read_json(file)]


def best_point(record: Record, stop: int | None = None) -> tuple[float, float]:
    """Loss on valid and on test at the point of the lowest loss on valid, up to step `stop`."""
    last = record["steps"][-1] if stop is None else stop
    points = [
        (valid, test)
        for step, valid, test in zip(record["steps"], record["valid"], record["test"])
        if step <= last and math.isfinite(valid) and math.isfinite(test)
    ]
    return min(points)
