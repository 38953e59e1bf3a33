"""The `keras-hplist` command: every subcommand parses, calls one public function, and prints.

Exit status 0: done; 1: failed, with one message on standard error; 2: wrong usage.
"""

import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from keras_hplist import __version__
from keras_hplist.errors import HPListError

if TYPE_CHECKING:
    import pandas as pd

    from keras_hplist.history import History

app = typer.Typer(
    name="keras-hplist",
    help="Learned, ordered lists of optimizer hyperparameters for Keras and KerasTuner.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console()

_REPORTED = (1, 2, 3, 5, 10, 20, 50, 100)  # the numbers of trials that tables show
_COLUMNS = 4  # as many entries fit beside the names of hyperparameters in 80 characters

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]


def main() -> None:
    """Run the command line; an error of this package ends it with status 1 and its message."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings are not ours
    try:
        app()
    except (HPListError, FileNotFoundError, PermissionError) as error:
        Console(stderr=True).print(
            f"keras-hplist: {error}", style="red", markup=False, soft_wrap=True
        )
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def demo(
    trials: Annotated[int, typer.Option(min=1, help="Trials of each method.")] = 8,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each trial.")] = 10,
    hyperparameter_list: Annotated[
        str, typer.Option("--list", help="Shipped name or path of the list.")
    ] = "nadamw",
    seed: Annotated[int, typer.Option(help="Seed of both methods.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Tune a small real network with a learned list, and with RandomSearch beside it."""
    from keras_hplist import demo as demonstration

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("best validation loss {task.fields[best]:.4f}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=as_json,
    ) as progress:
        bars: dict[str, Any] = {}

        def advance(method: str, trials_done: int, loss: float) -> None:
            if method not in bars:
                bars[method] = progress.add_task(method, total=trials, best=float("inf"))
            best = min(progress.tasks[bars[method]].fields["best"], loss)
            progress.update(bars[method], completed=trials_done, best=best)

        results = demonstration.run(hyperparameter_list, trials, epochs, seed, report=advance)

    if as_json:
        _print_json(
            [
                {
                    "method": result.method,
                    "trials": _records(result.trials),
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
                *map(_short, row),
                style="bold green" if number == best else None,
            )
        console.print(table)
    for result in results:
        console.print(
            f"{result.method}: best validation loss [bold]{result.best['val_loss']:.4f}[/bold] "
            f"in trial {result.best.name} of {len(result.trials)}; "
            f"test accuracy of that model [bold]{result.test_accuracy:.1%}[/bold]"
        )


@app.command()
def lists(
    name: Annotated[
        str | None, typer.Argument(help="A list to show: shipped name or path.")
    ] = None,
    entries: Annotated[int, typer.Option(min=1, help="Entries to show.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Show the shipped lists, or the first entries of one."""
    from keras_hplist.lists import HyperparameterList, available_lists

    if name is None:
        loaded = [HyperparameterList.load(each) for each in available_lists()]
        if as_json:
            _print_json(
                [
                    {
                        "name": x.name,
                        "space": x.space.name,
                        "entries": len(x),
                        "provenance": x.provenance,
                    }
                    for x in loaded
                ]
            )
            return
        table = Table(
            title="Shipped lists; J(k): mean score of the best of k entries, tasks left out"
        )
        for column in (
            "name",
            "search space",
            "entries",
            "tasks",
            "steps",
            "J(1)",
            "J(5)",
            "J(10)",
        ):
            table.add_column(column)
        for each in loaded:
            known = each.provenance
            held_out = known.get("J", {}).get("held_out", {})
            table.add_row(
                each.name,
                each.space.name,
                str(len(each)),
                str(len(known.get("tasks", ()))),
                ", ".join(map(str, known.get("training_steps", ()))),
                *(_short(held_out.get(k, "")) for k in ("1", "5", "10")),
            )
        console.print(table)
        return
    chosen = HyperparameterList.load(name)
    if as_json:
        _print_json(
            {
                "name": chosen.name,
                "space": chosen.space.name,
                "fingerprint": chosen.fingerprint,
                "entries": [dict(entry) for entry in chosen],
                "provenance": chosen.provenance,
            }
        )
        return
    shown = chosen[:entries].to_frame()
    for start in range(0, len(shown), _COLUMNS):
        table = Table(title=f"{chosen.name}, {len(chosen)} entries")
        table.add_column("rank", no_wrap=True)
        block = shown.iloc[start : start + _COLUMNS].T
        for rank in block:
            table.add_column(str(rank), justify="right")
        for label, row in block.iterrows():
            table.add_row(str(label), *map(_short, row))
        console.print(table)
    if "about" in chosen.provenance:
        console.print(chosen.provenance["about"], markup=False, highlight=False)


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of one tool.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder or .parquet to write.")],
    source: Annotated[
        str | None, typer.Option("--from", help="The tool; default: told from the files.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An argument of the reader, NAME=JSON; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn what another tool recorded into a history."""
    history = _read(paths, source, options)
    history.write(output)
    if as_json:
        _print_json(
            {"output": str(output), "runs": len(history), "dropped": history.report.dropped}
        )
        return
    console.print(str(history.report), markup=False, highlight=False)
    console.print(f"Wrote {output}.", markup=False, highlight=False)


@app.command()
def learn(
    paths: Annotated[
        list[Path], typer.Argument(help="Histories, tuner project folders, or other tools' logs.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The list to write (.json).")],
    source: Annotated[
        str | None, typer.Option("--from", help="The tool; default: told from the files.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An argument of the reader, NAME=JSON; may be repeated."),
    ] = None,
    space: Annotated[str | None, typer.Option(help="Learn from runs of this search space.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the list; default: its space's.")
    ] = None,
    length: Annotated[int, typer.Option(min=1, help="Entries of the list.")] = 100,
    normalization: Annotated[
        str, typer.Option(help="How losses of a task become scores.")
    ] = "initial",
    aggregation: Annotated[str, typer.Option(help="Over time: mean, min or last.")] = "mean",
    split: Annotated[
        str, typer.Option(help="Learn on this split: valid, train or test.")
    ] = "valid",
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Cut curves at this many training steps.")
    ] = None,
    weights: Annotated[str, typer.Option(help="Weigh by family, or tasks equal.")] = "family",
    seed: Annotated[int, typer.Option(help="Seed of surrogates and splits.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Learn a list from histories or from the logs of a tuner."""
    from keras_hplist.learning import ListLearner

    history = _read(paths, source, options)
    if space is not None:
        history = history.select(space=space)
    learner = ListLearner(
        length=length,
        normalization=normalization,
        aggregation=aggregation,
        split=split,
        horizon=horizon,
        weights=weights,
        name=name,
        seed=seed,
    ).fit(history)
    learner.list_.save(output)
    curve = learner.curve_.loc[[k for k in learner.curve_.index if k in _REPORTED]]
    if as_json:
        _print_json(
            {
                "output": str(output),
                "entries": len(learner.list_),
                "runs": len(history),
                "dropped_runs": history.report.dropped,
                "dropped_tasks": list(learner.dropped_),
                "curve": _records(curve.reset_index()),
            }
        )
        return
    console.print(str(history.report), markup=False, highlight=False)
    table = Table(
        title="Mean score of the best among the first k entries (0: best known, 1: start)"
    )
    for column in ("k", "tasks learned from", "tasks left out"):
        table.add_column(column, justify="right")
    for k, row in curve.iterrows():
        table.add_row(str(k), _short(row["training"]), _short(row["held_out"]))
    console.print(table)
    console.print(f"Wrote {len(learner.list_)} entries to {output}.", markup=False, highlight=False)


@app.command()
def evaluate(
    paths: Annotated[
        list[Path], typer.Argument(help="Histories, tuner project folders, or other tools' logs.")
    ],
    source: Annotated[
        str | None, typer.Option("--from", help="The tool; default: told from the files.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An argument of the reader, NAME=JSON; may be repeated."),
    ] = None,
    space: Annotated[str | None, typer.Option(help="Use the runs of this search space.")] = None,
    length: Annotated[int, typer.Option(min=1, help="Trials to follow.")] = 20,
    resamplings: Annotated[int, typer.Option(min=1, help="Splits of the tasks.")] = 50,
    split: Annotated[str, typer.Option(help="How tasks are left out.")] = "tasks",
    normalization: Annotated[str, typer.Option(help="How losses become scores.")] = "initial",
    aggregation: Annotated[str, typer.Option(help="Over time: mean, min or last.")] = "mean",
    seed: Annotated[int, typer.Option(help="Seed of the splits.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Say what a list learned from these runs is worth on tasks it was not learned from."""
    from keras_hplist.learning import ListLearner
    from keras_hplist.learning.evaluation import resample

    history = _read(paths, source, options)
    if space is not None:
        history = history.select(space=space)
    learner = ListLearner(length=length, normalization=normalization, aggregation=aggregation)
    frame = resample(history, learner, resamplings, split=split, seed=seed).reset_index()
    frame = frame[frame["k"].isin(_REPORTED)]
    if as_json:
        _print_json(_records(frame))
        return
    table = Table(title="Score of the best of k trials on tasks left out: median (quartiles)")
    table.add_column("k", justify="right")
    methods = list(dict.fromkeys(frame["method"]))
    for method in methods:
        table.add_column(str(method), justify="right")
    cells = {(row["method"], row["k"]): row for row in _records(frame)}
    for k in sorted(set(frame["k"])):
        rows = [cells.get((method, k)) for method in methods]
        table.add_row(
            str(k),
            *(
                f"{row['median']:.3f} ({row['lower_quartile']:.3f}-{row['upper_quartile']:.3f})"
                if row
                else ""
                for row in rows
            ),
        )
    console.print(table)


def _read(paths: list[Path], source: str | None, options: list[str] | None) -> "History":
    """Read all paths with the reader of one source; warnings are printed as they come."""
    from keras_hplist.history import History
    from keras_hplist.history.sources import read_logs

    arguments = dict(map(_option, options or []))
    return History.concat([read_logs(path, source, **arguments) for path in paths])


def _option(text: str) -> tuple[str, Any]:
    """Split NAME=JSON; what is not JSON is taken as text."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise typer.BadParameter(f"{text!r} is not of the form NAME=VALUE", param_hint="--set")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _records(frame: "pd.DataFrame") -> list[dict[Any, Any]]:
    """Rows for JSON, which has no infinity and no NaN: null there."""
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        for row in frame.to_dict("records")
    ]


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")
