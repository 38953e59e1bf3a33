"""`keras-hplist report`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keras_hplist.cli.console import AsJson, console, print_json


class Figure(StrEnum):
    """The figures of Metz et al. 2020 that can be drawn, by number."""

    PARAMETERS = "1a"
    TIMES = "1c"


def report(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")],
    figures: Annotated[
        list[Figure] | None,
        typer.Option("--figure", help="Number of a figure; may be repeated. Default: all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw figures from what was measured: 1a, sizes of the tasks; 1c, how long they train."""
    import pandas as pd

    from keras_hplist import figures as drawing
    from keras_hplist import tasks

    facts = pd.DataFrame([vars(task) for task in tasks.facts().values()])
    written = {}
    for number in dict.fromkeys(figures or Figure):
        module = drawing.FIGURES[number.value]
        written[number.value] = out / f"figure_{number.value}.png"
        drawing.save(module.draw, module.compute(facts), written[number.value], module.SIZE)
    if as_json:
        print_json({number: str(path) for number, path in written.items()})
        return
    for path in written.values():
        console.print(path, highlight=False, soft_wrap=True)
