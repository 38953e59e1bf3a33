"""`keras-hplist export`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_hplist.cli.console import console
from keras_hplist.cli.output import check_apart, check_output


def export(
    hyperparameter_list: Annotated[
        str, typer.Argument(metavar="LIST", help="Shipped name or path of the list.")
    ],
    to: Annotated[str, typer.Option(help="opt-list, keras-tuner, optuna or csv.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write; -: standard output.")
    ] = Path("-"),
    entries: Annotated[
        int | None, typer.Option(min=1, help="Only so many, from the first on.")
    ] = None,
) -> None:
    """Write a list for another tool: opt_list, KerasTuner or Optuna (JSON), or a table (CSV)."""
    from keras_hplist.files import write_text
    from keras_hplist.lists import HyperparameterList, available_lists
    from keras_hplist.lists import export as text_for

    if str(output) != "-":
        shipped = hyperparameter_list in available_lists()
        check_apart({"--output": output}, [] if shipped else [Path(hyperparameter_list)])
        check_output(output)
    chosen = HyperparameterList.load(hyperparameter_list)[:entries]
    text = text_for(chosen, to)
    if str(output) == "-":
        typer.echo(text, nl=False)
        return
    write_text(output, text)
    console.print(f"Wrote {len(chosen)} entries to {output}.", markup=False, highlight=False)
