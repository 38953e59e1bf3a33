"""`keras-hplist demo`."""

from typing import Annotated, Any

import typer
from rich.progress import TextColumn
from rich.table import Table

from keras_hplist.checks import LAST_SEED
from keras_hplist.cli.console import AsJson, console, print_json, progress, records, short


def demo(
    trials: Annotated[int, typer.Option(min=1, help="Trials of each method.")] = 8,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each trial.")] = 10,
    hyperparameter_list: Annotated[
        str, typer.Option("--list", help="Shipped name or path of the list.")
    ] = "nadamw",
    seed: Annotated[int, typer.Option(min=0, max=LAST_SEED, help="Seed of both methods.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Tune a small real network with a learned list, and with RandomSearch beside it."""
    from keras_hplist import demo as demonstration

    lowest_loss = TextColumn("best validation loss {task.fields[best]:.4f}")
    with progress(lowest_loss, disable=as_json) as shown:
        bars: dict[str, Any] = {}

        def advance(method: str, trials_done: int, loss: float) -> None:
            if method not in bars:
                bars[method] = shown.add_task(method, total=trials, best=float("inf"))
            best = min(shown.tasks[bars[method]].fields["best"], loss)
            shown.update(bars[method], completed=trials_done, best=best)

        results = demonstration.run(hyperparameter_list, trials, epochs, seed, report=advance)

    if as_json:
        print_json(
            [
                {
                    "method": result.method,
                    "trials": records(result.trials),
                    "test_accuracy": result.test_accuracy,
                }
                for result in results
            ]
        )
        return
    for result in results:
        best = result.trials["val_loss"].idxmin()
        table = Table(title=f"{result.method}: trials in the order tried")
        for column in ("trial", *result.trials.columns):
            table.add_column(column, justify="right")
        for number, row in result.trials.iterrows():
            table.add_row(
                str(number),
                *map(short, row),
                style="bold green" if number == best else None,
            )
        console.print(table)
    for result in results:
        console.print(
            f"{result.method}: best validation loss [bold]{result.best['val_loss']:.4f}[/bold] "
            f"in trial {result.best.name} of {len(result.trials)}; "
            f"test accuracy of that model [bold]{result.test_accuracy:.1%}[/bold]"
        )
