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
import pyarrow.parquet as pq

from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.files import folder_of_task, visible, write_atomically
from keras_hplist.history.curves import CurveArray, curve_array
from keras_hplist.history.report import ReadReport
from keras_hplist.history.schema import KEY, SCHEMA, SPLITS, STATUSES, complete_record
from keras_hplist.history.union import union_of
from keras_hplist.spaces import SearchSpace

if TYPE_CHECKING:
    import pandas as pd

_SPACES = b"keras_hplist.spaces"  # key of the table's metadata: JSON, space name -> definition


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
        self.table = _without_repeats(_conform(table))
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
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
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
        files = sorted(visible(root, "**/*.parquet")) if root.is_dir() else [root]
        if not files:
            raise FileFormatError(f"The folder {root} holds no .parquet file.")
        report, tables = ReadReport([str(root)]), []
        for file in files:
            try:
                tables.append(_read_shard(file))
            except FileFormatError as error:
                if not skip_damaged:
                    raise
                warnings.warn(f"Left out: {error}", stacklevel=2)
                report.drop(str(file), str(error))
        history = cls(_concatenated(tables), report)
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
            _concatenated([history.table for history in histories]),
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
        """The family of each task, None where not known."""
        columns = (self.table[name].to_pylist() for name in ("task", "family"))
        return dict(sorted(zip(*columns, strict=True), key=lambda pair: pair[0]))

    @property
    def space_names(self) -> list[str]:
        """The names of the search spaces, sorted."""
        return sorted(self.table["space"].unique().to_pylist())

    @property
    def space_definitions(self) -> dict[str, Any]:
        """The search spaces that are a user's own: name to `SearchSpace.to_config()`."""
        return _definitions(self.table)

    def with_spaces(self, spaces: Iterable[SearchSpace]) -> Self:
        """The same runs, with definitions of search spaces that are a user's own."""
        definitions = self.space_definitions | {space.name: space.to_config() for space in spaces}
        return type(self)(_with_spaces(self.table, definitions), self.report)

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
            **columns: column name to the value it must have, or a list, tuple or set of allowed
                ones: `history.select(space="nadamw", task=["a", "b"])`.

        Returns:
            A new history, possibly empty.

        Raises:
            InvalidValueError: if there is no such column or it holds curves.
        """
        mask = np.ones(len(self), bool)
        for name, wanted in columns.items():
            if name not in SCHEMA.names or pa.types.is_list(SCHEMA.field(name).type):
                allowed = [f.name for f in SCHEMA if not pa.types.is_list(f.type)]
                raise InvalidValueError(
                    f"A history cannot be selected by {name!r}; columns: {', '.join(allowed)}."
                )
            many = wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
            allowed_values = pa.array(list(many), SCHEMA.field(name).type)
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
            _write_shard(self.table, Path(path))
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
        _write_shard(runs.table, file)
        files.append(file)
    return files


def _write_shard(table: pa.Table, path: Path) -> None:
    # With checksums, a byte that a disk has changed is found when the file is read.
    options = {"compression": "zstd", "write_page_checksum": True}
    write_atomically(path, lambda file: pq.write_table(table, file, **options))


def _read_shard(path: Path) -> pa.Table:
    try:
        # ParquetFile, not read_table: the latter makes columns of the folders' names.
        table = _conform(pq.ParquetFile(path, page_checksum_verification=True).read())
        _check_values(table)
        return table
    except InvalidValueError as error:
        raise FileFormatError(f"{path} is not a history: {error}") from error
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(
            f"{path} is damaged or not a Parquet file ({error}). Delete it, or read the rest with "
            "skip_damaged=True."
        ) from error


def _conform(table: pa.Table) -> pa.Table:
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise InvalidValueError(f"the column {missing[0]!r} is missing.")
    definitions = _definitions(table)
    columns = []
    for field in SCHEMA:
        try:
            column = table[field.name].cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidValueError(f"column {field.name!r}: {error}") from error
        if column.null_count and not field.nullable:
            raise InvalidValueError(f"column {field.name!r} has empty cells.")
        columns.append(column)
    table = _with_spaces(pa.table(columns, schema=SCHEMA), definitions)
    unknown = set(table["status"].unique().to_pylist()) - set(STATUSES)
    if unknown:
        raise InvalidValueError(
            f"column 'status' holds {unknown.pop()!r}; allowed: {', '.join(STATUSES)}."
        )
    for split in SPLITS:
        lengths = (pc.list_value_length(table[name]) for name in ("steps", split))
        uneven = pc.index(pc.equal(*lengths), False).as_py()
        if uneven >= 0:
            task = table["task"][uneven].as_py()
            raise InvalidValueError(
                f"column {split!r}: a run of task {task!r} has not one loss for every step."
            )
    _check_steps(table)
    return table


def _check_steps(table: pa.Table) -> None:
    row = 0
    for chunk in table["steps"].chunks:
        steps = chunk.flatten().fill_null(-1).to_numpy()
        run = pc.list_parent_indices(chunk).to_numpy()
        wrong = steps < 0
        wrong[1:] |= (np.diff(steps) <= 0) & (np.diff(run) == 0)
        if wrong.any():
            first = row + int(run[np.argmax(wrong)])
            raise InvalidValueError(
                f"column 'steps': those of a run of task {table['task'][first].as_py()!r} are not "
                f"whole numbers from 0 that increase: {table['steps'][first].as_py()}."
            )
        row += len(chunk)


def _check_values(table: pa.Table) -> None:
    for text in table["values"].unique().to_pylist():
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise InvalidValueError(
                f"column 'values' holds {text!r}; it must be a JSON object of hyperparameters."
            )


def _without_repeats(table: pa.Table) -> pa.Table:
    keys = table.select(list(KEY))
    if keys.group_by(list(KEY)).aggregate([]).num_rows == table.num_rows:
        return table
    frame = keys.to_pandas()
    repeated = frame.duplicated(keep=False).to_numpy()
    seen: dict[tuple, dict[str, Any]] = {}
    for row in table.filter(pa.array(repeated)).to_pylist():
        key = tuple(row[name] for name in KEY)
        first = seen.setdefault(key, row)
        # repr, because NaN does not equal itself
        different = [name for name in SCHEMA.names if repr(first[name]) != repr(row[name])]
        if different:
            run = ", ".join(f"{name} {value!r}" for name, value in zip(KEY, key, strict=True))
            raise InvalidValueError(
                f"The run of {run} stands twice, with different {different[0]!r}. "
                "Drop one of them, or give them different seeds."
            )
    return table.filter(pa.array(~frame.duplicated().to_numpy()))


def _concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    if not tables:
        return SCHEMA.empty_table()
    definitions: dict[str, Any] = {}
    for table in tables:
        for name, definition in _definitions(table).items():
            known = definitions.setdefault(name, definition)
            if known != definition:
                both = [SearchSpace.from_config(config) for config in (known, definition)]
                definitions[name] = union_of(both).to_config()
    plain = [table.replace_schema_metadata(None) for table in tables]
    return _with_spaces(pa.concat_tables(plain), definitions)


def _definitions(table: pa.Table) -> dict[str, Any]:
    return json.loads((table.schema.metadata or {}).get(_SPACES, b"{}"))


def _with_spaces(table: pa.Table, definitions: Mapping[str, Any]) -> pa.Table:
    text = json.dumps(definitions, sort_keys=True)
    return table.replace_schema_metadata({_SPACES: text} if definitions else None)


def _culprit(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which task and column does not fit the schema; called after a conversion failed."""
    for row in rows:
        for field in SCHEMA:
            try:
                pa.array([row[field.name]], field.type)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                return f"task {row['task']!r}, column {field.name!r}"
    return "some record"
