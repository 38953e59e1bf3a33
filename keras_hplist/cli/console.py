"""What the subcommands share: the console, the `--json` option, and how values are printed."""

import json
import math
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

if TYPE_CHECKING:
    import pandas as pd

console = Console()

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]


def progress(*columns: ProgressColumn, **options: Any) -> Progress:
    """Bars on standard error: what is done, how much of it, and for how long.

    Args:
        columns: what to show besides, before the time.
        options: of `rich.progress.Progress`.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeElapsedColumn(),
        console=Console(stderr=True),
        **options,
    )


def short(value: Any) -> str:
    """A value as a table shows it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def records(frame: "pd.DataFrame") -> list[dict[Any, Any]]:
    """Rows for JSON, which has no infinity and no NaN: null there."""
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        for row in frame.to_dict("records")
    ]


def print_json(value: Any) -> None:
    """Print one JSON document."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")
