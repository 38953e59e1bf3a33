"""`keras-hplist import`, `learn` and `evaluate`: from logs to a list, and what it is worth."""

import contextlib
import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from keras_hplist.checks import LAST_SEED
from keras_hplist.cli.console import (
    AsJson,
    console,
    print_json,
    records,
    short,
)
from keras_hplist.cli.output import check_apart, check_history_output, check_output
from keras_hplist.errors import InvalidValueError

if TYPE_CHECKING:
    import pandas as pd

    from keras_hplist.history import History
    from keras_hplist.learning import ListLearner

Logs = Annotated[
    list[Path], typer.Argument(help="Histories, tuner project folders, or other tools' logs.")
]
Source = Annotated[
    str | None, typer.Option("--from", help="The tool; default: told from the files.")
]
ReaderOptions = Annotated[
    list[str] | None,
    typer.Option("--set", help="An argument of the reader, NAME=JSON; may be repeated."),
]
TrainingSteps = Annotated[
    int | None, typer.Option(min=1, help="Use the runs planned for this many training steps.")
]
Aggregation = Annotated[str, typer.Option(help="Over time: mean, min or last.")]
Horizon = Annotated[int | None, typer.Option(min=1, help="Cut curves at this many training steps.")]
Weights = Annotated[str, typer.Option(help="Of tasks: family (families count equally) or equal.")]
Scale = Annotated[
    str, typer.Option(help="On which scores count: linear, or median (bent at the median).")
]
Budget = Annotated[
    int | None,
    typer.Option(min=1, help="Choose the first so many entries for this number of trials."),
]


def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of one tool.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder or .parquet to write.")],
    source: Source = None,
    options: ReaderOptions = None,
    as_json: AsJson = False,
) -> None:
    """Turn what another tool recorded into a history."""
    check_apart({"--output": output}, paths)
    check_history_output(output)
    with _noted():
        history = _read(paths, source, options)
    history.write(output)
    if as_json:
        print_json({"output": str(output), "runs": len(history), "dropped": history.report.dropped})
        return
    console.print(str(history.report), markup=False, highlight=False)
    console.print(f"Wrote {output}.", markup=False, highlight=False)


def learn(
    paths: Logs,
    output: Annotated[Path, typer.Option("--output", "-o", help="The list to write (.json).")],
    source: Source = None,
    options: ReaderOptions = None,
    space: Annotated[str | None, typer.Option(help="Learn from runs of this search space.")] = None,
    training_steps: TrainingSteps = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the list; default: its space's.")
    ] = None,
    length: Annotated[int, typer.Option(min=1, help="Entries of the list.")] = 100,
    normalization: Annotated[
        str,
        typer.Option(
            help="How losses of a task become scores: initial, min, last, quantile or "
            "last_quantile."
        ),
    ] = "initial",
    aggregation: Aggregation = "mean",
    split: Annotated[
        str,
        typer.Option(help="Learn on this split: valid, train or test; or on several: valid,train."),
    ] = "valid",
    horizon: Horizon = None,
    weights: Weights = "family",
    scale: Scale = "linear",
    budget: Budget = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LAST_SEED, help="Seed of surrogates and splits.")
    ] = 0,
    report: Annotated[
        Path | None, typer.Option(help="Also write a page about the list (.html).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Learn a list from histories or from the logs of a tuner."""
    from keras_hplist.learning import ListLearner
    from keras_hplist.learning.evidence import Evidence

    check_apart({"--output": output, "--report": report}, paths)
    check_output(output)
    if report is not None:
        from keras_hplist.figures.saving import require_matplotlib

        check_output(report, "--report")
        require_matplotlib("A page about the list")
    learner = ListLearner(
        length=length,
        normalization=normalization,
        aggregation=aggregation,
        split=split.split(",") if "," in split else split,
        horizon=horizon,
        weights=weights,
        scale=scale,
        budget=budget,
        name=name,
        seed=seed,
    )
    learner.check_parameters()
    with _noted() as notes:
        history = _read(paths, source, options, space, training_steps)
        learned = learner.fit(history).list_
        with contextlib.suppress(InvalidValueError):  # ranks, or one task, are no evidence
            learned = Evidence.of(learner, history).attached_to(learned)
    learned.save(output)
    if report is not None:
        from keras_hplist.files import write_text
        from keras_hplist.reports.list_report import list_report

        write_text(report, list_report(learner, history.report, notes))
    curve = _followed(learner)
    if as_json:
        print_json(
            {
                "output": str(output),
                "report": None if report is None else str(report),
                "entries": len(learner.list_),
                "runs": len(history),
                "dropped_runs": history.report.dropped,
                "dropped_tasks": list(learner.dropped_),
                "curve": records(curve.reset_index()),
            }
        )
        return
    console.print(str(history.report), markup=False, highlight=False)
    console.print(_table(curve))
    console.print(f"Wrote {len(learner.list_)} entries to {output}.", markup=False, highlight=False)
    if report is not None:
        console.print(f"Wrote the page {report}.", markup=False, highlight=False)


def _followed(learner: "ListLearner") -> "pd.DataFrame":
    """The score after k trials on the tasks learned from and left out; random search on these."""
    from keras_hplist.learning.provenance import REPORTED

    curve = learner.curve_.loc[[k for k in learner.curve_.index if k in REPORTED]].copy()
    random = learner.held_out_.get("random search")
    curve["random_search"] = math.nan if random is None else learner.weights_ @ random
    return curve


def _table(curve: "pd.DataFrame") -> Table:
    table = Table(
        title="Mean score of the best among the first k entries (0: best known, 1: start)"
    )
    for column in ("k", "tasks learned from", "tasks left out", "random search there"):
        table.add_column(column, justify="right")
    for k, row in curve.iterrows():
        known = (row[column] for column in ("training", "held_out", "random_search"))
        table.add_row(str(k), *("-" if math.isnan(value) else short(value) for value in known))
    return table


def evaluate(
    paths: Logs,
    source: Source = None,
    options: ReaderOptions = None,
    space: Annotated[str | None, typer.Option(help="Use the runs of this search space.")] = None,
    training_steps: TrainingSteps = None,
    length: Annotated[int, typer.Option(min=1, help="Trials to follow.")] = 20,
    resamplings: Annotated[int, typer.Option(min=1, help="Splits of the tasks.")] = 50,
    split: Annotated[str, typer.Option(help="How tasks are left out.")] = "tasks",
    normalization: Annotated[str, typer.Option(help="How losses become scores.")] = "initial",
    aggregation: Aggregation = "mean",
    horizon: Horizon = None,
    weights: Weights = "family",
    scale: Scale = "linear",
    budget: Budget = None,
    seed: Annotated[int, typer.Option(min=0, max=LAST_SEED, help="Seed of the splits.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Say what lists learned on the validation losses of these runs are worth on tasks left out."""
    from keras_hplist.learning import ListLearner
    from keras_hplist.learning.evaluation import resample
    from keras_hplist.learning.provenance import REPORTED

    learner = ListLearner(
        length=length,
        normalization=normalization,
        aggregation=aggregation,
        horizon=horizon,
        weights=weights,
        scale=scale,
        budget=budget,
    )
    learner.check_parameters()
    with _noted():
        history = _read(paths, source, options, space, training_steps)
        frame = resample(
            history,
            learner,
            resamplings,
            split=split,
            seed=seed,
            normalization=normalization,
            aggregation=aggregation,
            weights=weights,
        ).reset_index()
    frame = frame[frame["k"].isin(REPORTED)]
    if as_json:
        print_json(records(frame))
        return
    table = Table(title="Score of the best of k trials on tasks left out: median (quartiles)")
    table.add_column("k", justify="right")
    methods = list(dict.fromkeys(frame["method"]))
    for method in methods:
        table.add_column(str(method), justify="right")
    cells = {(row["method"], row["k"]): row for row in records(frame)}
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


def _read(
    paths: list[Path],
    source: str | None,
    options: list[str] | None,
    space: str | None = None,
    training_steps: int | None = None,
) -> "History":
    """Read all paths with the reader of one source; keep the runs of a space and length, if given.

    Raises:
        UnknownNameError: if no run is of the space.
        InvalidValueError: if no run is of the length.
    """
    from keras_hplist.history.sources import read_logs, select_runs

    history = read_logs(paths, source, **dict(map(_option, options or [])))
    return select_runs(history, space, training_steps)


@contextlib.contextmanager
def _noted() -> Iterator[list[str]]:
    """Collect the warnings of this package, and print each once, as a line."""
    notes: list[str] = []

    def note(message: Warning | str, category: type[Warning], *_: Any) -> None:
        if category is UserWarning and str(message) not in notes:
            notes.append(str(message))
            typer.echo(f"note: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = note  # type: ignore[assignment]
        yield notes


def _option(text: str) -> tuple[str, Any]:
    """Split NAME=JSON; what is not JSON is taken as text, unless it begins as JSON does."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise typer.BadParameter(f"{text!r} is not of the form NAME=VALUE", param_hint="--set")
    if name in ("path", "source"):
        raise typer.BadParameter(
            f"{name!r} is no option of a reader; give files as arguments, their kind by --from",
            param_hint="--set",
        )
    try:
        return name, json.loads(value)
    except ValueError as error:
        if value.lstrip().startswith(("{", "[", '"')):
            raise typer.BadParameter(f"{text!r} is no JSON: {error}", param_hint="--set") from error
        return name, value
