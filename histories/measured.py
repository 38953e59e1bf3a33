"""The committed histories of the suite, by search space and number of training steps."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

import keras_hplist as khl
from keras_hplist.history.schema import KEY
from keras_hplist.spaces.search_space import configuration_id
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
    """All runs of a search space with so many training steps.

    A run that two collections hold is the first one's: populations of other sizes sum in another
    order, so that its losses differ in the last digits, and its seconds anyway.
    """
    histories = [khl.History.read(path) for path in folders(space, steps)]
    table = pa.concat_tables(history.table for history in histories)
    repeated = table.select(list(KEY)).to_pandas().duplicated()
    return khl.History(table.filter(pa.array(~repeated.to_numpy())))


def longest(
    space: str, horizons: Iterable[int], candidates: Sequence[Mapping[str, Any]] = ()
) -> khl.History:
    """Each task with its longest training, of those in which it ran every configuration.

    Args:
        space: name of a search space.
        horizons: numbers of training steps that count.
        candidates: the configurations that count; default: all that were run.
    """
    parts: list[khl.History] = []
    known: set[str] = set()
    for steps in sorted(horizons, reverse=True):
        history = complete(suite(space, steps), candidates)
        parts.append(history.select(task=sorted(set(history.tasks) - known)))
        known.update(history.tasks)
    return khl.History.concat(parts)


def complete(history: khl.History, candidates: Sequence[Mapping[str, Any]] = ()) -> khl.History:
    """The tasks that ran every configuration, so that no score has to be estimated.

    Args:
        history: runs of one search space.
        candidates: the configurations that count; default: all that were run.
    """
    if candidates:
        space = history.table["space"][0].as_py()
        history = history.select(configuration=[configuration_id(space, c) for c in candidates])
    runs = history.table.select(["task", "configuration"]).to_pandas().drop_duplicates()
    counts = runs.groupby("task").size()
    kept = set(counts.index[counts == runs["configuration"].nunique()])
    return history.select(task=sorted(kept))
