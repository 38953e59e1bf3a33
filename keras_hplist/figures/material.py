"""What figures are made from: facts of the suite, a history, its scores; with a cache on disk."""

import hashlib
import json
from collections.abc import Callable
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

import keras_hplist
from keras_hplist.checks import checked_name
from keras_hplist.errors import HPListError
from keras_hplist.files import write_atomically
from keras_hplist.history import CurveArray, History
from keras_hplist.learning import ScoreMatrix, score_matrix

_SPLITS = ("valid", "test", "train")  # the first that was measured is drawn
_COMPUTING = ("figures", "learning", "history")  # parts whose code decides what a table holds


class NotApplicable(HPListError):
    """A figure needs what the material does not have; the message says what."""


class Material:
    """Facts, a history, or both.

    Args:
        facts: one row per task of the suite, indexed by task, with the columns `family`,
            `num_parameters` and `seconds_per_step`; None for tasks of a user's own.
        history: learning curves.
        cache: folder for tables that took long; made when needed. None: memory only.
    """

    def __init__(
        self,
        facts: pd.DataFrame | None = None,
        history: History | None = None,
        cache: Path | None = None,
    ) -> None:
        """Keep what there is."""
        self.facts, self.history, self.cache = facts, history, cache
        self._runs: dict[bytes, History] = {}
        self._curves: dict[int, CurveArray] = {}
        self._scores: dict[Any, ScoreMatrix] = {}

    @cached_property
    def spaces(self) -> tuple[str, ...]:
        """The search spaces of the history, most runs first; none without a history."""
        if self.history is None:
            return ()
        return tuple(self._context["space"].value_counts(sort=True).index)

    @cached_property
    def families(self) -> pd.Series:
        """The family of each task of the history, None where not known; index: task, sorted."""
        known = self.require_history().families
        return pd.Series(known, dtype=object, name="family").rename_axis("task")

    @cached_property
    def tasks(self) -> pd.DataFrame:
        """What is known of tasks: the facts, or what the history tells, as medians over runs.

        Returns:
            One row per task, indexed by it, with the columns `family` ("unknown" where not known),
            `num_parameters` and `seconds_per_step` (NaN where not known).
        """
        if self.facts is not None:
            return self.facts
        table = self.require_history().table
        names = ["task", "seconds", "training_steps", "num_parameters"]
        runs = table.select(names).to_pandas()
        runs["seconds_per_step"] = runs["seconds"] / runs["training_steps"].where(lambda n: n > 0)
        tasks = runs.groupby("task")[["num_parameters", "seconds_per_step"]].median()
        tasks.insert(0, "family", self.families.fillna("unknown"))
        return tasks

    @cached_property
    def split(self) -> str:
        """The split whose losses are drawn: valid, or test, or train, whichever was measured."""
        table = self.require_history().table
        for split in _SPLITS:
            if table[split].null_count < len(table):
                return split
        raise NotApplicable("No run of the history has losses.")

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of facts and history."""
        digest = hashlib.sha256()
        if self.facts is not None:
            digest.update(pd.util.hash_pandas_object(self.facts).to_numpy().tobytes())
        if self.history is not None:
            digest.update(self.history.fingerprint.encode())
        return digest.hexdigest()

    def require_history(self) -> History:
        """The history.

        Raises:
            NotApplicable: if there is none.
        """
        if self.history is None:
            raise NotApplicable("It is drawn from learning curves; give a history.")
        return self.history

    def timed_tasks(self) -> pd.DataFrame:
        """The rows of `tasks` of which the time is known.

        Raises:
            NotApplicable: if there are none.
        """
        tasks = self.tasks[self.tasks["seconds_per_step"] > 0]
        if tasks.empty:
            raise NotApplicable("The history does not say how long its runs took.")
        return tasks

    def require_space(self, name: str) -> str:
        """The name of a search space, if the history has runs of it.

        Raises:
            NotApplicable: if it has none.
        """
        self.require_history()
        if name not in self.spaces:
            raise NotApplicable(f"The history has no runs of the search space {name!r}.")
        return name

    def runs(self, space: str | None = None, training_steps: int | None = None) -> History:
        """Runs whose curves can be compared: in each task all of the same number of steps.

        Args:
            space: one of `spaces`, whose runs decide about the number; None: all runs do.
            training_steps: the number; default: for each task that of most runs, of several the
                largest.

        Returns:
            The runs of all search spaces planned for these numbers. Tasks without are left out.
        """
        history, deciding = self.require_history(), self._context
        if space is not None:
            deciding = deciding[deciding["space"] == space]
        if training_steps is not None:
            deciding = deciding[deciding["training_steps"] == training_steps]
        counts = deciding.groupby(["task", "training_steps"]).size().reset_index(name="runs")
        counts = counts.sort_values(["runs", "training_steps"], kind="stable")
        planned = counts.groupby("task")["training_steps"].last()
        kept = self._context["training_steps"] == self._context["task"].map(planned)
        keep = kept.to_numpy()
        if keep.all():
            return history
        key = keep.tobytes()  # the same runs are the same History, however they were asked for
        if key not in self._runs:
            self._runs[key] = History(history.table.filter(pa.array(keep)), history.report)
        return self._runs[key]

    def scores(
        self,
        space: str | None = None,
        *,
        training_steps: int | None = None,
        **settings: Any,
    ) -> ScoreMatrix:
        """Scores of the configurations of a search space; every task's scale is that of all spaces.

        They count the losses of `split`.

        Args:
            space: one of `spaces`; None: the configurations of all.
            training_steps: see `runs`.
            **settings: of `keras_hplist.learning.score_matrix`: normalization, aggregation, seeds,
                horizon.

        Returns:
            The scores of the tasks and configurations that were run.

        Raises:
            NotApplicable: if there is no history.
            UnknownNameError: if the history has no such search space.
        """
        self.require_history()
        if space is not None:
            checked_name("search space in this history", space, self.spaces)
        key = (space, training_steps, *sorted(settings.items()))
        if key not in self._scores:
            history = self.runs(space, training_steps)
            matrix = score_matrix(self._curves_of(history), **settings)
            if space is not None:
                own = set(history.select(space=space).table["configuration"].unique().to_pylist())
                matrix = matrix.columns(np.array([c in own for c in matrix.configurations]))
            known = ~np.isnan(matrix.upper)
            if not known.all():
                matrix = matrix.rows(known.any(axis=1)).columns(known.any(axis=0))
            self._scores[key] = matrix
        return self._scores[key]

    def cached(self, name: str, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """A table, from the cache if it was made before from the same material by the same code.

        Args:
            name: what the table is; it tells one table from another.
            compute: makes the table, with columns named by strings.

        Returns:
            The table, with its `attrs`.
        """
        if self.cache is None:
            return compute()
        told = json.dumps([name, self.fingerprint, _code()])
        digest = hashlib.sha256(told.encode()).hexdigest()[:16]
        file = self.cache / f"{name.replace(' ', '_')}-{digest}.parquet"
        if file.exists():
            try:
                return pd.read_parquet(file)
            except (pa.ArrowException, OSError, ValueError):
                pass  # written by another version of Arrow, or damaged: make it anew
        frame = compute()
        write_atomically(file, lambda opened: frame.to_parquet(opened), sync=False)
        return frame

    def _curves_of(self, history: History) -> CurveArray:
        """The curves of a result of `runs`, made once, whichever space they are asked for."""
        key = id(history)
        if key not in self._curves:
            self._curves[key] = history.curves(self.split)
        return self._curves[key]

    @cached_property
    def _context(self) -> pd.DataFrame:
        """For each run its task, search space, and number of training steps."""
        return self.require_history().table.select(["task", "space", "training_steps"]).to_pandas()


@cache
def _code() -> str:
    """The version of this package, with a digest of the code that computes tables."""
    digest = hashlib.sha256()
    for part in _COMPUTING:
        for file in sorted(resources.files(f"keras_hplist.{part}").iterdir(), key=str):
            if file.name.endswith(".py"):
                digest.update(file.read_bytes())
    return f"{keras_hplist.__version__} {digest.hexdigest()[:16]}"
