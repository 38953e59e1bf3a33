"""`keras-hplist collect`, `collect status` and `collect compact`: measure learning curves."""

import contextlib
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from keras_hplist.cli.console import AsJson, console, print_json
from keras_hplist.errors import FileFormatError
from keras_hplist.files import checked_folder

app = typer.Typer(
    help="Train configurations on tasks of the suite and store their learning curves.",
    invoke_without_command=True,
    no_args_is_help=True,
)

Out = Annotated[Path, typer.Argument(help="Folder of a collection.")]


@app.callback()
def collect(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write, or to go on with.")
    ] = None,
    tasks: Annotated[
        list[str] | None, typer.Option("--task", "-t", help="A task by name; may be repeated.")
    ] = None,
    families: Annotated[
        list[str] | None, typer.Option("--family", "-f", help="All of a family; may be repeated.")
    ] = None,
    tasks_per_family: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many tasks of each family.")
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(min=0, help="Only tasks whose step takes at most so many seconds."),
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Search space; default: that of the list, or nadamw.")
    ] = None,
    configurations: Annotated[
        int | None,
        typer.Option(
            "--configurations", "-n", min=1, help="How many; default: 32, or the whole list."
        ),
    ] = None,
    first_configuration: Annotated[
        int, typer.Option(min=0, help="Seed of the first configuration.")
    ] = 0,
    from_list: Annotated[
        str | None,
        typer.Option(
            "--list", help="Train the first entries of a list, by name or file; no random ones."
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each run.")] = 200,
    points: Annotated[int, typer.Option(min=2, help="Evaluations of each run.")] = 16,
    seeds: Annotated[
        int, typer.Option(min=1, help="Runs of each configuration, seeds 0, 1, ...")
    ] = 1,
    engine: Annotated[str, typer.Option(help="loky, dask or ray.")] = "loky",
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1: one per core.")] = -1,
    budget: Annotated[
        str | None, typer.Option(help="Wall time, such as 30m or 2h; cheap work comes first.")
    ] = None,
    per_family: Annotated[
        bool, typer.Option(help="With a budget: the same share of it for every family.")
    ] = True,
    retry_failed: Annotated[bool, typer.Option(help="Run again what failed earlier.")] = False,
    as_json: AsJson = False,
) -> None:
    """Collect learning curves; called again with the same options, it goes on where it was."""
    if context.invoked_subcommand is not None:
        return
    if out is None:
        raise typer.BadParameter("name the folder to write to", param_hint="--out")
    checked_folder(out)  # at once: what comes next loads TensorFlow
    if from_list and first_configuration:
        raise typer.BadParameter(
            "--list trains the list's entries, not random ones; leave one of the two out",
            param_hint="--first-configuration",
        )
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("keras_hplist").setLevel(logging.INFO)
    with _stoppable(out):
        from keras_hplist import HyperparameterList, training

        entries = HyperparameterList.load(from_list) if from_list else None
        summary = training.collect(
            _tasks(tasks or [], families or [], tasks_per_family, max_cost),
            space or (entries.space if entries else "nadamw"),
            configurations or (len(entries) if entries else 32),
            steps,
            out,
            engine,
            seeds=range(seeds),
            configuration_seed=first_configuration,
            configurations=entries,
            evaluations=points,
            n_jobs=jobs,
            budget=budget,
            per_family=per_family,
            retry_failed=retry_failed,
            progress=not as_json,
        )
    if as_json:
        print_json(summary.to_dict())
    else:
        console.print(
            f"{summary.done} units done in {summary.seconds:.0f} s ({summary.curves} curves, "
            f"{summary.rate:.0f} configuration-steps/s); {summary.already_done} were done before.",
            highlight=False,
        )
        if summary.left_out:
            console.print(
                f"The budget left out {sum(summary.left_out.values())} units of "
                f"{len(summary.left_out)} tasks; call again to go on.",
                highlight=False,
            )
        _print_failures(summary.failed)
    if summary.failed:
        raise typer.Exit(1)


@app.command()
def status(out: Out, as_json: AsJson = False) -> None:
    """Show what of a collection is done, missing, failed and damaged."""
    from keras_hplist import training

    found = training.status(out)
    if as_json:
        print_json(found.to_dict())
        return
    table = Table(
        title=", ".join(f"{k} {v}" for k, v in found.settings.items() if k != "evaluations")
    )
    for column in ("family", "done", "missing", "failed"):
        table.add_column(column, justify="left" if column == "family" else "right")
    for family, counts in found.families.items():
        table.add_row(family, *(str(counts[k]) for k in ("done", "missing", "failed")))
    table.add_section()
    table.add_row("all", str(found.done), str(found.missing), str(len(found.failed)))
    console.print(table)
    console.print(f"{found.curves} curves", highlight=False)
    for file in found.damaged:
        console.print(f"damaged: {file}: collect runs its units again", markup=False)
    _print_failures(found.failed)


@app.command()
def compact(out: Out, as_json: AsJson = False) -> None:
    """Merge the files of a collection into one; what was merged before stays as it is."""
    from keras_hplist import training

    merged = training.compact(out)
    if as_json:
        size = merged.stat().st_size if merged else 0
        print_json({"output": merged and str(merged), "bytes": size})
    elif merged:
        console.print(
            f"{merged}: {merged.stat().st_size / 1e6:.1f} MB", markup=False, highlight=False
        )
    else:
        console.print("Nothing to merge.")


@contextlib.contextmanager
def _stoppable(out: Path) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the work in order: a message, status 130 or 143."""

    def stop(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as stopped:
        from keras_hplist import training

        done = "Nothing is on disk yet"
        with contextlib.suppress(FileNotFoundError, FileFormatError):
            found = training.status(out)
            total = found.done + found.missing + len(found.failed)
            done = f"{found.done} of {total} units are on disk"
        Console(stderr=True).print(
            f"Stopped. {done}; the same command goes on from there.",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(128 + (stopped.args[0] if stopped.args else signal.SIGINT)) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _tasks(
    names: list[str], families: list[str], per_family: int | None, max_cost: float | None
) -> list[str]:
    """The named tasks, and those of the families: of all families where nothing is named."""
    from keras_hplist import tasks

    limits = {"--tasks-per-family": per_family, "--max-cost": max_cost}
    for option, limit in limits.items():
        if limit is not None and names and not families:
            raise typer.BadParameter(
                "does not apply to --task, only to families", param_hint=option
            )
    chosen = list(names)
    for family in families or ([] if names else tasks.family_names()):
        found = tasks.names(family, max_cost=max_cost)
        chosen += [name for name in found[:per_family] if name not in chosen]
    if not chosen:
        raise typer.BadParameter(f"no task has steps of {max_cost} s", param_hint="--max-cost")
    return chosen


def _print_failures(failed: dict[str, str]) -> None:
    for label, error in failed.items():
        console.print(f"failed: {label}: {error.strip().splitlines()[-1]}", markup=False)
