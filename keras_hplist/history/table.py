"""The Arrow table of a history: checked, joined, written and read."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.files import write_atomically
from keras_hplist.history.schema import KEY, SCHEMA, SPLITS, STATUSES
from keras_hplist.history.union import union_of
from keras_hplist.spaces import SearchSpace

_SPACES = b"keras_hplist.spaces"  # key of the table's metadata: JSON, space name -> definition


def write_shard(table: pa.Table, path: Path) -> None:
    """Write a table to a file, which is whole or not there."""
    # With checksums, a byte that a disk has changed is found when the file is read.
    options = {"compression": "zstd", "write_page_checksum": True}
    write_atomically(path, lambda file: pq.write_table(table, file, **options))


def read_shard(path: Path) -> pa.Table:
    """Read and check a file that may be anybody's.

    Raises:
        FileNotFoundError: if there is no such file.
        FileFormatError: naming the file, if it is damaged, no history, or may not be read.
    """
    try:
        # ParquetFile, not read_table: the latter makes columns of the folders' names.
        table = conform(pq.ParquetFile(path, page_checksum_verification=True).read())
        _check_values(table)
        return table
    except InvalidValueError as error:
        raise FileFormatError(f"{path} is not a history: {error}") from error
    except PermissionError as error:
        raise FileFormatError(
            f"{path} may not be read by this user. Change its permissions, or read the rest with "
            "skip_damaged=True."
        ) from error
    except FileNotFoundError as error:
        if path.is_symlink():
            raise FileFormatError(
                f"{path} is a link to a file that is not there. Mend it, or read the rest with "
                "skip_damaged=True."
            ) from error
        raise
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(
            f"{path} is damaged or not a Parquet file ({error}). Delete it, or read the rest with "
            "skip_damaged=True."
        ) from error


def conform(table: pa.Table) -> pa.Table:
    """The table with exactly the columns and types of the schema.

    Raises:
        InvalidValueError: naming the column that is missing, of another type, or has what is not
            allowed in it.
    """
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise InvalidValueError(f"the column {missing[0]!r} is missing.")
    definitions = definitions_in(table)
    columns = []
    for field in SCHEMA:
        try:
            column = table[field.name].cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidValueError(f"column {field.name!r}: {error}") from error
        if column.null_count and not field.nullable:
            raise InvalidValueError(f"column {field.name!r} has empty cells.")
        columns.append(_without_gaps(column) if field.name in SPLITS else column)
    table = with_definitions(pa.table(columns, schema=SCHEMA), definitions)
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
    _check_seconds(table)
    return table


def _without_gaps(curves: pa.ChunkedArray) -> pa.ChunkedArray:
    """Curves with NaN for null inside of one, as which other programs write a missing loss."""
    if not any(chunk.flatten().null_count for chunk in curves.chunks):
        return curves
    filled = [
        curve and [math.nan if loss is None else loss for loss in curve]
        for curve in curves.to_pylist()
    ]
    return pa.chunked_array([pa.array(filled, curves.type)])


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


def _check_seconds(table: pa.Table) -> None:
    seconds = table["seconds"].to_numpy()
    wrong = (seconds < 0) | np.isinf(seconds)  # NaN is not known
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InvalidValueError(
            f"column 'seconds': a run of task {table['task'][row].as_py()!r} took {seconds[row]}; "
            "give seconds of at least 0, or none where they are not known."
        )


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


def without_repeats(table: pa.Table) -> pa.Table:
    """The table with one row for each run.

    Raises:
        InvalidValueError: if a run stands twice with different content.
    """
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
                "Drop one of them, or give them different seeds; if they are of two tasks, give "
                "these two names, task=… for what another tool recorded."
            )
    return table.filter(pa.array(~frame.duplicated().to_numpy()))


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """One table of several; of search spaces that they define differently the union.

    Raises:
        InvalidValueError: if two definitions have no union.
    """
    if not tables:
        return SCHEMA.empty_table()
    definitions: dict[str, Any] = {}
    for table in tables:
        for name, definition in definitions_in(table).items():
            known = definitions.setdefault(name, definition)
            if known != definition:
                both = [SearchSpace.from_config(config) for config in (known, definition)]
                definitions[name] = union_of(both).to_config()
    plain = [table.replace_schema_metadata(None) for table in tables]
    return with_definitions(pa.concat_tables(plain), definitions)


def definitions_in(table: pa.Table) -> dict[str, Any]:
    """The search spaces that are a user's own: name to `SearchSpace.to_config()`."""
    return json.loads((table.schema.metadata or {}).get(_SPACES, b"{}"))


def with_definitions(table: pa.Table, definitions: Mapping[str, Any]) -> pa.Table:
    """The same table with these search spaces."""
    text = json.dumps(definitions, sort_keys=True)
    return table.replace_schema_metadata({_SPACES: text} if definitions else None)
