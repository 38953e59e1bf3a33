"""The committed histories of the suite, by search space and number of training steps."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

import keras_hplist as khl
from keras_hplist.training.folder import Folder

HERE = Path(__file__).parent
DRAWN, MODERN, REFINED = HERE / "suite", HERE / "modern", HERE / "refined"
"""The suite and the modern problems with draws of the search spaces; proposals of `refine.py`."""


def folders(space: str, steps: int) -> list[Path]:
    """The collections of a search space with so many training steps."""
    found = []
    for path in sorted([*DRAWN.glob("*/"), *MODERN.glob("*/"), *REFINED.glob("*/")]):
        settings = Folder(path).manifest()["settings"]
        if settings["space"] == space and settings["training_steps"] == steps:
            found.append(path)
    return found


def suite(space: str, steps: int) -> khl.History:
    """All runs of a search space with so many training steps."""
    return khl.History.concat(khl.History.read(path) for path in folders(space, steps))


def with_horizons(space: str, horizons: Iterable[int]) -> khl.History:
    """All runs of a search space, where a task is one task for each number of training steps.

    Returns:
        A history whose tasks are called `<task>@<training steps>`.
    """
    parts = []
    for steps in horizons:
        if folders(space, steps):
            table = suite(space, steps).table
            names = pa.array([f"{task}@{steps}" for task in table["task"].to_pylist()])
            column = table.schema.get_field_index("task")
            parts.append(khl.History(table.set_column(column, table.schema.field(column), names)))
    return khl.History.concat(parts)


def complete(history: khl.History) -> khl.History:
    """The tasks that ran every configuration, so that no score has to be estimated."""
    runs = history.table.select(["task", "configuration"]).to_pandas().drop_duplicates()
    counts = runs.groupby("task").size()
    kept = set(counts.index[counts == runs["configuration"].nunique()])
    return history.select(task=sorted(kept))
