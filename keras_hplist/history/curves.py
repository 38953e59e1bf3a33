"""Learning curves as one dense array on one time axis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from keras_hplist.checks import checked_name
from keras_hplist.errors import InvalidValueError
from keras_hplist.history.schema import SPLITS

DEFAULT_TIMES = 51
"""Points of the common time axis where curves differ in theirs; TaskSet's number."""


@dataclass(frozen=True)
class CurveArray:
    """Losses by task, configuration, seed and time.

    Attributes:
        values: float32 of shape (tasks, configurations, seeds, times): a finite loss, +inf from the
            time on at which the run had diverged, NaN where nothing is known (never run, pruned
            before, failed).
        tasks: names, sorted.
        configurations: ids, sorted.
        seeds: the seeds, sorted, int64.
        times: float64 of shape (times,), increasing, as fractions of the planned training steps.
        training_steps: int32 of shape (tasks,), the planned steps of each task's runs.
        initial: float64 of shape (tasks,), the mean loss at step 0 over the runs that measured it,
            NaN if none did.
        seconds: float64 of shape (tasks, configurations, seeds), NaN where not known.
        families: for each task its family, or None; of several the first by name.
    """

    values: np.ndarray
    tasks: tuple[str, ...]
    configurations: tuple[str, ...]
    seeds: np.ndarray
    times: np.ndarray
    training_steps: np.ndarray
    initial: np.ndarray
    seconds: np.ndarray
    families: tuple[str | None, ...]


def curve_array(table: pa.Table, split: str, times: Sequence[float] | None = None) -> CurveArray:
    """Scatter the rows of a history into a dense array.

    The time of a point is its step divided by the planned training steps. If every run was measured
    at the same times and `times` is None, these are the time axis; otherwise the losses are put on
    `times` (default: 51 evenly spaced ones from 0 to 1) by straight lines between measured points.
    Before the first finite loss of a run that loss is used. After the last one: the last loss
    (status `ok`), +inf (`diverged`) or NaN (`pruned`). A diverged run is +inf at the last time at
    the latest, even if its last loss, there, is finite. So is a pruned run NaN whose only loss is
    there, which then is that of an earlier time, as in tables of final losses. Losses that are not
    finite inside a curve are gaps and are bridged. A diverged run without losses is +inf
    throughout. Failed runs are left out.

    Args:
        table: rows of `SCHEMA`, without duplicates of a run.
        split: "train", "valid" or "test".
        times: fractions of the training steps in [0, 1], increasing.

    Returns:
        The array with its labels. Losses are copied once, straight from the table.

    Raises:
        InvalidValueError: if a task was run for several numbers of training steps, or no run has
            losses of this split.
    """
    checked_name("split", split, SPLITS)
    measured = pc.and_(pc.is_valid(table[split]), pc.not_equal(table["status"], "failed"))
    lost = pc.and_(pc.is_null(table[split]), pc.equal(table["status"], "diverged"))
    table = _filtered(table, pc.or_(measured, lost))
    measured = pc.is_valid(table[split])
    if not pc.any(measured, min_count=0).as_py():
        raise InvalidValueError(
            f"No run of this history has losses of the split {split!r}; "
            "choose another: 'train', 'valid' or 'test'."
        )
    (tasks, task), (configurations, configuration), (seeds, seed) = (
        _codes(table[column]) for column in ("task", "configuration", "seed")
    )
    cells = np.stack([task, configuration, seed])
    training_steps = _one_per_task(table["training_steps"].to_numpy(), task, tasks)
    known = measured.to_numpy()
    losses = _filtered(table, measured)
    shared = _shared_times(losses) if times is None else None
    grid = shared if shared is not None else _checked_times(times)

    values = np.full((len(tasks), len(configurations), len(seeds), len(grid)), np.nan, np.float32)
    values[tuple(cells[:, ~known])] = np.inf
    initial = _scatter(losses, split, cells[:, known], grid, values, shared is not None)
    seconds = np.full(values.shape[:3], np.nan)
    seconds[task, configuration, seed] = table["seconds"].to_numpy()
    families = families_of(table)
    return CurveArray(
        values=values,
        tasks=tuple(tasks),
        configurations=tuple(configurations),
        seeds=np.asarray(seeds, np.int64),
        times=grid,
        training_steps=training_steps,
        initial=initial,
        seconds=seconds,
        families=tuple(families[name] for name in tasks),
    )


def families_of(table: pa.Table) -> dict[str, str | None]:
    """The family of each task, None where not known; of several the first by name."""
    columns = (table[name].to_pylist() for name in ("task", "family"))
    named = set(zip(*columns, strict=True))
    families: dict[str, str | None] = {}
    for task, family in sorted(named, key=lambda pair: (pair[0], pair[1] is None, pair[1] or "")):
        families.setdefault(task, family)
    return families


def _scatter(
    table: pa.Table,
    split: str,
    cells: np.ndarray,
    grid: np.ndarray,
    values: np.ndarray,
    regular: bool,
) -> np.ndarray:
    """Put the losses of a table's rows into `values`; the mean loss at step 0 of each task.

    Args:
        table: runs that have losses of the split.
        split: which.
        cells: int array (3, row), where in the first three axes of `values` each row belongs.
        grid: the time axis.
        values: the array to fill.
        regular: whether every run was measured at the times of the grid.
    """
    initial, runs = np.zeros(len(values)), np.zeros(len(values))
    done = 0
    for batch in table.select(["steps", split, "status", "training_steps"]).to_batches():
        rows = cells[:, done : done + batch.num_rows]
        done += batch.num_rows
        steps, losses = (batch[name].flatten().to_numpy() for name in ("steps", split))
        lengths = pc.list_value_length(batch["steps"]).to_numpy()
        ends = np.cumsum(lengths)
        planned = np.maximum(batch["training_steps"].to_numpy(), 1)
        by_hand = np.ones(len(lengths), bool)
        if regular:
            block = losses.reshape(len(lengths), len(grid))
            values[tuple(rows)] = block
            by_hand = ~np.isfinite(block).all(axis=1)
            by_hand |= pc.not_equal(batch["status"], "ok").to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(by_hand):
            points = slice(ends[row] - lengths[row], ends[row])
            values[tuple(rows[:, row])] = _on_grid(
                steps[points] / planned[row], losses[points], grid, batch["status"][row].as_py()
            )
        filled = np.flatnonzero(lengths)
        first = (ends - lengths)[filled]
        at_start = (steps[first] == 0) & np.isfinite(losses[first])
        tasks = rows[0, filled[at_start]]
        initial += np.bincount(tasks, losses[first[at_start]], len(values))
        runs += np.bincount(tasks, minlength=len(values))
    return np.where(runs > 0, initial / np.maximum(runs, 1), np.nan)


def _filtered(table: pa.Table, keep: pa.ChunkedArray) -> pa.Table:
    """The rows to keep; the table itself, uncopied, if these are all."""
    return table if pc.all(keep, min_count=0).as_py() else table.filter(keep)


def _codes(column: pa.ChunkedArray) -> tuple[list, np.ndarray]:
    labels = sorted(column.unique().to_pylist())
    return labels, pc.index_in(column, pa.array(labels, column.type)).to_numpy()


def _one_per_task(planned: np.ndarray, task: np.ndarray, tasks: list[str]) -> np.ndarray:
    steps = np.zeros(len(tasks), np.int32)
    steps[task] = planned
    other = np.flatnonzero(steps[task] != planned)
    if other.size:
        name, several = tasks[task[other[0]]], (planned[other[0]], steps[task[other[0]]])
        raise InvalidValueError(
            f"task {name!r} was run for several numbers of training steps ({several[0]} and "
            f"{several[1]}); their times cannot be compared. Choose one with "
            f"history.select(training_steps={max(several)}) or --training-steps {max(several)}, or "
            "give the task two names. If a study had grown when it was imported again, import it "
            "into a new folder."
        )
    return steps


def _shared_times(table: pa.Table) -> np.ndarray | None:
    """The times at which every run was measured, if they are the same for all."""
    first: dict[int, np.ndarray] = {}  # planned steps -> steps of the first such run
    for batch in table.select(["training_steps", "steps"]).to_batches():
        lengths = pc.list_value_length(batch["steps"]).to_numpy()
        if not len(lengths):
            continue
        if lengths.min() != lengths.max() or not lengths[0]:
            return None
        steps = batch["steps"].flatten().to_numpy().reshape(len(lengths), -1)
        planned = batch["training_steps"].to_numpy()
        for horizon in np.unique(planned):
            rows = steps[planned == horizon] if planned.min() != planned.max() else steps
            expected = first.setdefault(int(horizon), rows[0])
            if len(expected) != rows.shape[1] or (rows != expected).any():
                return None
    grids = [steps / max(horizon, 1) for horizon, steps in first.items()]
    if any(len(grid) != len(grids[0]) or not np.allclose(grid, grids[0]) for grid in grids):
        return None
    return grids[0]


def _checked_times(times: Sequence[float] | None) -> np.ndarray:
    if times is None:
        return np.linspace(0, 1, DEFAULT_TIMES)
    grid = np.asarray(times, float)
    if grid.ndim != 1 or not grid.size or (np.diff(grid) <= 0).any() or grid[0] < 0 or grid[-1] > 1:
        raise InvalidValueError(
            f"times is {times!r}; give increasing fractions of the training steps from 0 to 1."
        )
    return grid


def _on_grid(times: np.ndarray, losses: np.ndarray, grid: np.ndarray, status: str) -> np.ndarray:
    after = {"ok": None, "diverged": np.inf, "pruned": np.nan}[status]
    known = np.isfinite(losses)
    if not known.any():
        return np.full(len(grid), np.nan if after is None else after)
    row = np.interp(grid, times[known], losses[known])
    if after is not None:
        margin = 1e-9  # times are rounded quotients
        row[grid > times[known][-1] + margin] = after
        if times[-1] <= grid[-1] + margin and (status == "diverged" or len(times) == 1):
            row[-1] = after
    return row
