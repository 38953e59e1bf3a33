"""The `keras-hplist` command: every subcommand parses, calls one public function, and prints.

Exit status 0: done; 1: failed, with one message on standard error; 2: wrong usage; 128 and the
number of the signal: stopped.
"""

import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from keras_hplist import __version__
from keras_hplist.cli import collect, demo, export, histories, lists, report, tasks
from keras_hplist.errors import HPListError
from keras_hplist.tasks.errors import TaskError

app = typer.Typer(
    name="keras-hplist",
    help="Learned, ordered lists of optimizer hyperparameters for Keras and KerasTuner.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
app.command()(lists.lists)
app.command("import")(histories.import_)
app.command()(histories.learn)
app.command()(histories.evaluate)
app.command()(export.export)
app.add_typer(collect.app, name="collect")
app.add_typer(tasks.app, name="tasks")
app.command()(report.report)


def main() -> None:
    """Run the command line; an error of this package or a disk ends it: status 1, its message."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's greetings are not ours
    try:
        app()
    except (HPListError, TaskError, OSError) as error:
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
