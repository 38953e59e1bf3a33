"""What the subcommands share: the console, the `--json` option, and how values are printed."""

import json
import math
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    import pandas as pd

console = Console()

REPORTED = (1, 2, 3, 5, 10, 20, 50, 100)
"""The numbers of trials that tables show."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]


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
