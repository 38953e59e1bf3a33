"""CSV and Parquet files as Arrow tables; what is wrong in them is named by file, row and column."""

import io
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from keras_hplist.errors import FileFormatError, InvalidValueError, UnknownNameError
from keras_hplist.history.readers.values import parse_value
from keras_hplist.history.report import ReadReport

DECIMALS = (".", ",")
_SWAPPED = str.maketrans(".,", ",.")
_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".gz", ".bz2", ".zst")


def read_table(
    path: str | os.PathLike[str],
    delimiter: str = ",",
    report: ReadReport | None = None,
    names: Iterable[str] = (),
    decimal: str = ".",
) -> pa.Table:
    """Read a CSV file (plain or compressed, with a header) or a Parquet file.

    An empty cell of a CSV file is null, the text `NaN` is a number.

    Args:
        path: the file; `.parquet` tells Parquet, `.gz`, `.bz2`, `.zst` a compressed CSV file.
        delimiter: what separates the cells of a CSV file.
        report: if given, a last line of a CSV file that has no line break, as a killed process
            leaves it, is left out and noted here.
        names: columns of a CSV file that hold names, and are text even if all are digits.
        decimal: the decimal sign of a CSV file, one of `DECIMALS`.

    Returns:
        The table; the types of the other CSV columns are inferred from all rows.

    Raises:
        FileFormatError: naming the file and, for a CSV row of the wrong length, the row (1 is the
            header).
        FileNotFoundError: if there is no such file.
        InvalidValueError: if the delimiter is not one ASCII character.
    """
    if not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter.isascii()):
        raise InvalidValueError(f"delimiter is {delimiter!r}; give one ASCII character, as ';'.")
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {file}.")
    parquet = file.suffix == ".parquet"
    try:
        if parquet:
            table = pq.ParquetFile(file).read()
        else:
            table = _read_csv(file, delimiter, report, names, decimal)
        columns = table.column_names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        kind = "Parquet" if parquet else "CSV"
        raise FileFormatError(f"{file} is not a {kind} file or is damaged: {error}") from error
    for name, kind in zip(columns, table.schema.types, strict=True):
        if pa.types.is_binary(kind):
            raise FileFormatError(f"{file}, column {name!r}: its text is not UTF-8.")
    return table


def _read_csv(
    file: Path, delimiter: str, report: ReadReport | None, names: Iterable[str], decimal: str
) -> pa.Table:
    return pyarrow.csv.read_csv(
        file if report is None else _whole_lines(file, report),
        # Only the reader without threads knows the number of a row.
        read_options=pyarrow.csv.ReadOptions(use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            null_values=[""],
            strings_can_be_null=True,
            column_types=dict.fromkeys(names, pa.string()),
            decimal_point=decimal,
        ),
    )


def _whole_lines(file: Path, report: ReadReport) -> io.BytesIO:
    content = file.read_bytes()
    if not content.endswith(b"\n"):
        report.note(f"{file}: the last line is incomplete and was left out")
    return io.BytesIO(content[: content.rfind(b"\n") + 1])


def bare(file: Path) -> Path:
    """A table's path without the suffixes that tell its format."""
    while file.suffix in _SUFFIXES:
        file = file.with_suffix("")
    return file


def column(table: pa.Table, name: str, file: str | os.PathLike[str]) -> pa.ChunkedArray:
    """A column by name.

    Raises:
        UnknownNameError: if there is none, with near names.
        FileFormatError: if there are several of this name.
    """
    found = table.schema.get_all_field_indices(name)
    if not found:
        raise UnknownNameError("column", name, table.column_names, f"File: {os.fspath(file)}.")
    if len(found) > 1:
        raise FileFormatError(f"{os.fspath(file)} has {len(found)} columns named {name!r}.")
    return table.column(found[0])


def hyperparameter(
    table: pa.Table, name: str, file: Path, delimiter: str = ",", decimal: str = "."
) -> list[Any]:
    """A column of hyperparameters, None where a cell is empty.

    Args:
        table: the table.
        name: the column.
        file: the table's file; it is read again if a CSV file seems to have an infinite value,
            which may be text that looks like a number, such as the commit `12e4567`.
        delimiter: what separates the cells of a CSV file.
        decimal: the decimal sign of a CSV file.

    Raises:
        UnknownNameError, FileFormatError: as `column`.
    """
    cells = column(table, name, file)
    floats = file.suffix != ".parquet" and pa.types.is_floating(cells.type)
    if floats and pc.any(pc.is_inf(cells)).as_py():
        texts = column(read_table(file, delimiter, names=[name]), name, file).to_pylist()
        values = [None if text is None else parse_value(_pointed(text, decimal)) for text in texts]
        return [t if isinstance(v, str) else v for t, v in zip(texts, values, strict=True)]
    return cells.to_pylist()


def note_numbers_among_texts(
    report: ReadReport, cells: Iterable[Any], name: str, file: Path, decimal: str | None = None
) -> None:
    """Note a column of hyperparameters that is text, so a category, though most are numbers.

    Args:
        report: is told.
        cells: of the column.
        name: the column.
        file: the table's file.
        decimal: the decimal sign of a CSV file, if the user can choose it.
    """
    texts = [cell for cell in cells if isinstance(cell, str)]
    others = [t for t in texts if not (_is_number(t) or _is_number(t.translate(_SWAPPED)))]
    if 2 * len(others) >= len(texts):
        return
    hints = [hint for text in texts if (hint := _decimal_hint(text, decimal))]
    example = f"; {others[0]!r} is none" if others else f", as {texts[0]!r}"
    report.note(
        f"{file}: column {name!r} is text, though {len(texts) - len(others)} of {len(texts)} "
        f"cells are numbers{example}.{hints[0] if hints else ''}".removesuffix(".")
    )


def numbers(
    table: pa.Table,
    name: str,
    file: str | os.PathLike[str],
    missing: Collection[str] = (),
    decimal: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A column of numbers.

    Args:
        table: the table.
        name: the column.
        file: the table's file, for messages.
        missing: texts that stand for a missing number.
        decimal: the decimal sign, if the user can choose it.

    Returns:
        The numbers, float64 of shape (rows,), and a mask of the same shape that is True where a
        number, possibly NaN, was given.

    Raises:
        FileFormatError: naming file, row and column of the first cell that is not a number.
    """
    cells = column(table, name, file)
    given = pc.is_valid(cells).to_numpy()
    kind = cells.type
    if pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return cells.cast(pa.float64(), safe=False).to_numpy(), given
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells.to_pylist()):
        if cell is None or (isinstance(cell, str) and cell in missing):
            given[row] = False
            continue
        try:
            values[row] = _number(cell, decimal)
        except (TypeError, ValueError):
            raise FileFormatError(
                f"{os.fspath(file)}, row {row + 2}, column {name!r}: {cell!r} is not a number."
                + _decimal_hint(cell, decimal)
            ) from None
    return values, given


def _number(cell: Any, decimal: str | None) -> float:
    if isinstance(cell, bool):
        raise TypeError
    return float(_pointed(cell, decimal) if isinstance(cell, str) else cell)


def _is_number(text: str) -> bool:
    return type(parse_value(text)) in (int, float)


def _pointed(text: str, decimal: str | None) -> str:
    """A number's text with a point for its decimal sign; 1.234 is no number with a comma."""
    return text.translate(_SWAPPED) if decimal == "," else text


def _decimal_hint(cell: Any, decimal: str | None) -> str:
    """How to mend a cell that is a number with the other decimal sign; else empty."""
    if not isinstance(cell, str) or decimal is None or _is_number(_pointed(cell, decimal)):
        return ""
    (other,) = set(DECIMALS) - {decimal}
    is_other = _is_number(_pointed(cell, other))
    return f" If the decimal sign of {cell!r} is {other!r}, give decimal={other!r}." * is_other
