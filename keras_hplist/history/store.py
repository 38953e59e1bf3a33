"""A history: a table of learning curves, in memory and in Parquet files."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.files import folder_of_task, visible
from keras_hplist.history.curves import CurveArray, curve_array, families_of
from keras_hplist.history.report import ReadReport
from keras_hplist.history.schema import KEY, SCHEMA, complete_record
from keras_hplist.history.table import (
    concatenated,
    conform,
    definitions_in,
    read_shard,
    with_definitions,
    without_repeats,
    write_shard,
)
from keras_hplist.spaces import SearchSpace

if TYPE_CHECKING:
    import pandas as pd

_REFUSED = (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError)
"""What Arrow raises on a value that is not of a column's type."""


class History:
    """Learning curves and their context, one row per run.

    A run that stands twice with equal content is kept once.

    Args:
        table: an Arrow table with the columns of `keras_hplist.history.SCHEMA`; other columns are
            left out.
        report: what the reader took and dropped.

    Attributes:
        table: the table, with exactly the columns of the schema.
        report: a `ReadReport`.

    Raises:
        InvalidValueError: if a column is missing or of another type, or a run (task, configuration,
            seed, training_steps) stands twice with different content.
    """

    def __init__(self, table: pa.Table, report: ReadReport | None = None) -> None:
        """Check the table and keep it."""
        self.table = without_repeats(conform(table))
        self.report = report or ReadReport(read=self.table.num_rows)

    @classmethod
    def from_records(
        cls,
        records: Iterable[Mapping[str, Any]],
        spaces: Iterable[SearchSpace] = (),
        report: ReadReport | None = None,
    ) -> Self:
        """Make a history of records, each the run of one configuration.

        Args:
            records: mappings of column to value; `task` and one of `values` and `configuration`
                must be there, the rest has defaults (see `keras_hplist.history.complete_record`).
            spaces: the definitions of the search spaces that are a user's own.
            report: what the reader took and dropped.

        Returns:
            The history.

        Raises:
            InvalidValueError: naming the task and the column.
        """
        rows = [complete_record(record) for record in records]
        try:
            table = pa.Table.from_pylist(rows, schema=SCHEMA)
        except _REFUSED as error:
            raise InvalidValueError(f"{_culprit(rows)}: {error}") from error
        return cls(table, report).with_spaces(spaces)

    @classmethod
    def read(cls, path: str | os.PathLike[str], skip_damaged: bool = False) -> Self:
        """Read a Parquet file, or every Parquet file in a folder and the folders below it.

        Hidden files and folders, whose names begin with a dot, are passed over.

        Args:
            path: the file or folder.
            skip_damaged: leave out files that cannot be read, with a warning each, instead of
                raising an error; they are named in the report.

        Returns:
            The history, with a report.

        Raises:
            FileNotFoundError: if there is no such file or folder.
            FileFormatError: naming the damaged file; or if the folder holds no Parquet file.
        """
        root = Path(path)
        if not root.exists():
            raise FileNotFoundError(f"There is no history at {root}.")
        try:
            return cls._read(root, skip_damaged)
        except FileNotFoundError:  # a compaction merged files after they were listed
            return cls._read(root, skip_damaged)

    @classmethod
    def _read(cls, root: Path, skip_damaged: bool) -> Self:
        files = [root]
        if root.is_dir():  # a folder may be called so as well
            files = sorted(f for f in visible(root, "**/*.parquet") if not f.is_dir())
        if not files:
            raise FileFormatError(f"The folder {root} holds no .parquet file.")
        report, tables = ReadReport([str(root)]), []
        for file in files:
            try:
                tables.append(read_shard(file))
            except FileFormatError as error:
                if not skip_damaged:
                    raise
                warnings.warn(f"Left out: {error}", stacklevel=3)
                report.drop(str(file), str(error))
        history = cls(concatenated(tables), report)
        report.read = len(history)
        return history

    @classmethod
    def concat(cls, histories: "Iterable[History]") -> Self:
        """One history of several; runs that stand in more than one must be equal.

        Where two define the same search space differently, the union is taken (see
        `keras_hplist.history.union.union_of`).

        Raises:
            InvalidValueError: if a run stands twice with different content, or two histories define
                the same search space so differently that they have no union.
        """
        histories = list(histories)
        return cls(
            concatenated([history.table for history in histories]),
            ReadReport.merged(history.report for history in histories),
        )

    def __len__(self) -> int:
        """The number of runs."""
        return self.table.num_rows

    def __repr__(self) -> str:
        """A line for people: runs, tasks, configurations, spaces."""
        return (
            f"<History: {len(self)} runs, {len(self.tasks)} tasks, "
            f"{pc.count_distinct(self.table['configuration']).as_py()} configurations, "
            f"spaces {', '.join(self.space_names) or 'none'}>"
        )

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks, sorted."""
        return sorted(self.table["task"].unique().to_pylist())

    @property
    def families(self) -> dict[str, str | None]:
        """The family of each task, None where not known; of several the first by name."""
        return families_of(self.table)

    @property
    def space_names(self) -> list[str]:
        """The names of the search spaces, sorted."""
        return sorted(self.table["space"].unique().to_pylist())

    @property
    def space_definitions(self) -> dict[str, Any]:
        """The search spaces that are a user's own: name to `SearchSpace.to_config()`."""
        return definitions_in(self.table)

    def with_spaces(self, spaces: Iterable[SearchSpace]) -> Self:
        """The same runs, with definitions of search spaces that are a user's own."""
        definitions = self.space_definitions | {space.name: space.to_config() for space in spaces}
        return type(self)(with_definitions(self.table, definitions), self.report)

    def with_tasks(self, names: Mapping[str, str]) -> Self:
        """The same runs, with other names for some of the tasks: old name to new name."""
        renamed = [names.get(task, task) for task in self.table["task"].to_pylist()]
        column = self.table.schema.get_field_index("task")
        table = self.table.set_column(column, SCHEMA.field("task"), [pa.array(renamed, "string")])
        return type(self)(table, self.report)

    def values(self) -> dict[str, dict[str, Any]]:
        """The hyperparameter values of every configuration.

        Returns:
            Configuration id to a dict of hyperparameter name to value, ids sorted.
        """
        columns = [self.table[name].to_pylist() for name in ("configuration", "values")]
        texts = dict(zip(*columns, strict=True))
        return {key: json.loads(texts[key]) for key in sorted(texts)}

    def select(self, **columns: Any) -> Self:
        """The runs whose columns have given values.

        Args:
            **columns: column name to the value it must have, or several allowed ones, as a list,
                a set, an array: `history.select(space="nadamw", task=["a", "b"])`.

        Returns:
            A new history, possibly empty.

        Raises:
            InvalidValueError: if there is no such column, it holds curves, or values of another
                type than those given.
        """
        mask = np.ones(len(self), bool)
        for name, wanted in columns.items():
            if name not in SCHEMA.names or pa.types.is_list(SCHEMA.field(name).type):
                allowed = [f.name for f in SCHEMA if not pa.types.is_list(f.type)]
                raise InvalidValueError(
                    f"A history cannot be selected by {name!r}; columns: {', '.join(allowed)}."
                )
            several = isinstance(wanted, Iterable) and not isinstance(wanted, str)
            kind = SCHEMA.field(name).type
            try:
                allowed_values = pa.array(list(wanted) if several else [wanted], kind)
            except (*_REFUSED, pa.ArrowNotImplementedError) as error:
                raise InvalidValueError(f"column {name!r} holds {kind}: {error}.") from error
            mask &= pc.is_in(self.table[name], allowed_values).to_numpy()
        return type(self)(self.table.filter(pa.array(mask)), self.report)

    def curves(self, split: str = "valid", times: Sequence[float] | None = None) -> CurveArray:
        """The losses as one dense array (task, configuration, seed, time).

        Args:
            split: "train", "valid" or "test".
            times: the time axis, as fractions of the training steps; default: the times at which
                the runs were measured if all share them, else 51 from 0 to 1.

        Returns:
            A `CurveArray`: NaN where nothing is known, +inf where a run had diverged.

        Raises:
            InvalidValueError: if a task was run for several numbers of training steps, or no run
                has losses of this split.
        """
        return curve_array(self.table, split, times)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of the content, whatever the order of rows and their files."""
        order = pc.sort_indices(self.table, [(name, "ascending") for name in KEY])
        digest = hashlib.sha256()
        for name in SCHEMA.names:
            column = self.table[name].take(order).combine_chunks()
            if name == "seed":
                column = _as_int32(column)
            if pa.types.is_list(column.type):
                digest.update(pc.fill_null(pc.list_value_length(column), -1).to_numpy().tobytes())
                column = column.flatten()
            if pa.types.is_string(column.type):
                digest.update(json.dumps(column.to_pylist()).encode())
            else:
                digest.update(column.to_numpy(zero_copy_only=False).tobytes())
        return digest.hexdigest()

    def to_frame(self) -> "pd.DataFrame":
        """The table as a pandas DataFrame; curves are NumPy arrays in its cells."""
        return self.table.to_pandas()

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write to one Parquet file (a path that ends in `.parquet`) or to a folder.

        A folder gets one file per task, `task=<name>/<name of the content>.parquet`, each complete
        in itself; files are whole or not there. Files that are in the folder already stay.

        Args:
            path: the file to make or replace, or the folder to add to.
        """
        if Path(path).suffix == ".parquet":
            write_shard(self.table, Path(path))
        else:
            append_shards(path, self)


def append_shards(folder: str | os.PathLike[str], history: History) -> list[Path]:
    """Add runs to a folder of history files: one new file per task.

    A file's name is made of its content, so adding the same runs again changes nothing.

    Args:
        folder: the folder; made if it is missing.
        history: the runs to add.

    Returns:
        The paths of the files.
    """
    files = []
    for task in history.tasks:
        runs = history.select(task=task)
        file = Path(folder) / folder_of_task(task)
        file /= f"{runs.fingerprint[:16]}.parquet"
        write_shard(runs.table, file)
        files.append(file)
    return files


def _as_int32(seeds: pa.Array) -> pa.Array:
    """Seeds as files once held them all, so that known histories keep their fingerprints."""
    try:
        return seeds.cast(pa.int32())
    except pa.ArrowInvalid:
        return seeds


def _culprit(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which task and column does not fit the schema; called after a conversion failed."""
    for row in rows:
        for field in SCHEMA:
            try:
                pa.array([row[field.name]], field.type)
            except _REFUSED:
                return f"task {row['task']!r}, column {field.name!r}"
    return "some record"
