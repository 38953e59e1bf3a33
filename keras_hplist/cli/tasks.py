"""`keras-hplist tasks list`, `tasks show` and `tasks check`: the task suite."""

import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import TimeRemainingColumn

from keras_hplist import __version__
from keras_hplist.cli.console import AsJson, console, print_json, progress
from keras_hplist.cli.output import check_output
from keras_hplist.errors import InvalidValueError

if TYPE_CHECKING:
    from keras_hplist.tasks import Facts
    from keras_hplist.tasks.measurements import Table as FactsTable

app = typer.Typer(
    help="The task suite: 1162 training problems by name.",
    no_args_is_help=True,
)

Family = Annotated[
    str | None,
    typer.Option("--family", "-f", help="Only this family; `fixed`: the hand-designed tasks."),
]

_LOG_SECONDS = 60.0


@app.command("list")
def list_(
    family: Family = None,
    max_parameters: Annotated[
        int | None, typer.Option(min=0, help="Only tasks with at most so many parameters.")
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(min=0, help="Only tasks whose step takes at most so many seconds."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Only tasks on this data set, or on those whose names begin so."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the suite, or a part of it, with what was measured."""
    from keras_hplist import tasks

    names = tasks.names(family, max_parameters=max_parameters, max_cost=max_cost, data=data)
    known = tasks.facts()
    if as_json:
        print_json([{"name": name, **_plain(known[name])} for name in names])
        return
    # Not a table of Rich, which would cut long names where the output is piped on.
    width = max(map(len, names), default=0)
    for name in names:
        facts = known[name]
        typer.echo(
            f"{name:{width}}  {facts.num_parameters:>9,} parameters  "
            f"{facts.seconds_per_step:>8.2g} s/step  {facts.data_set}"
        )
    typer.echo(f"{len(names)} tasks")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A task: of the suite, or any <family>_seed<n>.")],
    as_json: AsJson = False,
) -> None:
    """Show one task: configuration, weights, data, and what was measured."""
    from keras_hplist import tasks

    task = tasks.get(name)
    facts = tasks.facts().get(name)
    described = {
        "name": name,
        "family": task.family,
        "problem": task.summary,
        "outputs": task.program.outputs_doc,
        "config": task.config,
        "batch_size": task.batch_size,
        "num_parameters": task.num_parameters,
        "flops_per_step": task.flops_per_step,
        "weights": [{"name": w.name, "shape": w.shape} for w in task.program.weights],
        "data": dict(task.provenance),
        "facts": _plain(facts) if facts else None,
    }
    if as_json:
        print_json(described)
        return
    console.print(f"[bold]{name}[/bold]", highlight=False)
    _print(
        {
            "family": task.family,
            "problem": task.summary,
            "outputs": task.program.outputs_doc,
            "batch size": task.batch_size,
            "parameters": f"{task.num_parameters:,}",
            "operations per step": f"{task.flops_per_step:.3g}",
        }
    )
    _print({"weights": ""} | {f"  {w.name}": _shape(w.shape) for w in task.program.weights})
    _print({"data": ""} | {f"  {key}": value for key, value in task.provenance.items()})
    if facts:
        loss = "not finite, as published" if math.isnan(facts.initial_loss) else facts.initial_loss
        _print(
            {
                "measured": "",
                "  seconds per step": f"{facts.seconds_per_step:.3g} on one core, "
                f"{facts.relative_step:.3g} reference products",
                "  first step": f"{facts.first_step_seconds:.2g} s, tracing included",
                "  initial loss": loss,
            }
        )
    console.print("configuration", style="bold")
    console.print_json(data=task.config)


@app.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="Tasks by name; default: the whole suite.")
    ] = None,
    family: Family = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1: one per core.")] = -1,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File of measured facts, written as they come."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with --output: skip the tasks it has.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build tasks, train each for three steps with Adam, check and measure them."""
    from keras_hplist import tasks
    from keras_hplist.files import write_text
    from keras_hplist.training import suite

    chosen = [tasks.get(name).name for name in names or ()]
    if family or not chosen:
        chosen += tasks.names(family)
    chosen = list(dict.fromkeys(chosen))
    table = _earlier(output, resume)
    earlier = len(table.facts.keys() & set(chosen))
    began = time.monotonic()
    with _progress(len(chosen) - earlier) as advance:

        def show(name: str, result: "Facts | str", table: "FactsTable") -> None:
            if isinstance(result, str):
                Console(stderr=True).print(
                    f"failed: {name}: {result}", style="red", markup=False, soft_wrap=True
                )
            elif output:
                write_text(output, table.to_json(), sync=False)
            advance()

        measured = suite.measure(chosen, n_jobs=jobs, table=table, on_result=show)
    facts, failed = measured.table.facts, measured.failed
    passed = [name for name in chosen if name in facts]
    if as_json:
        print_json(
            {
                "passed": len(passed),
                "failed": failed,
                "seconds": time.monotonic() - began,
                "facts": {name: _plain(facts[name]) for name in passed},
            }
        )
    else:
        if earlier:
            typer.echo(f"{earlier} were checked before ({output}).")
        typer.echo(f"{len(passed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)


def _earlier(output: Path | None, resume: bool) -> "FactsTable":
    """The table to go on with: empty, or what `output` has from this version."""
    from keras_hplist.tasks.measurements import Table

    empty = Table.of({}, __version__)
    if output is None:
        if resume:
            raise InvalidValueError("--resume needs --output FILE, the file to go on with.")
        return empty
    check_output(output)
    if not output.exists():
        return empty
    if not resume:
        raise InvalidValueError(
            f"{output} exists already. Give --resume to go on with it, or name another file."
        )
    table = Table.from_json(output.read_text("utf-8"), str(output))
    return table if table.version == __version__ else empty


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A bar on a terminal, a line a minute elsewhere; yields what to call after each task."""
    if sys.stderr.isatty():
        with progress(TimeRemainingColumn()) as bar:
            line = bar.add_task("checking", total=total)
            yield lambda: bar.advance(line)
        return
    done, logged = 0, time.monotonic()

    def advance() -> None:
        nonlocal done, logged
        done += 1
        if time.monotonic() - logged > _LOG_SECONDS:
            logged = time.monotonic()
            typer.echo(f"checked {done} of {total} tasks", err=True)

    yield advance


def _plain(facts: "Facts") -> dict[str, Any]:
    """For JSON, which has no NaN."""
    fields = dataclasses.asdict(facts)
    return fields | {"initial_loss": None} if math.isnan(facts.initial_loss) else fields


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "scalar"


def _print(rows: dict[str, Any]) -> None:
    for key, value in rows.items():
        text = value if isinstance(value, str) else json.dumps(value)
        console.print(f"{key:22}{text}".rstrip(), markup=False, highlight=False, soft_wrap=True)
