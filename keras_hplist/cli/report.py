"""`keras-hplist report`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keras_hplist.cli.console import AsJson, console, print_json
from keras_hplist.errors import InvalidValueError


def _known(numbers: list[str] | None) -> list[str] | None:
    """Refuse numbers of figures that there are not."""
    if not numbers:
        return None
    from keras_hplist.figures import NUMBERS

    for number in numbers:
        if number not in NUMBERS:
            raise typer.BadParameter(f"{number!r} is none of {', '.join(NUMBERS)}.")
    return list(dict.fromkeys(numbers))


def report(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for pictures and page.")],
    path: Annotated[
        Path | None,
        typer.Argument(
            help="A history, other logs that `learn` reads, or a KerasTuner project folder. "
            "Default: the measured facts of the task suite."
        ),
    ] = None,
    numbers: Annotated[
        list[str] | None,
        typer.Option(
            "--figure",
            callback=_known,
            help="Only the figure of this number in the paper, such as 1a or S6; may be repeated.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw what was measured: every figure that applies, as files and as one HTML page.

    Of a KerasTuner project: how its search went, and what to try next.
    """
    if out.exists() and not out.is_dir():
        raise InvalidValueError(f"--out {out} is a file; name a folder.")
    from keras_hplist.figures.saving import require_matplotlib

    require_matplotlib("A report")
    if path is not None and (path / "oracle.json").is_file() and numbers is None:
        _project(path, out, as_json)
        return
    from keras_hplist.figures import NUMBERS
    from keras_hplist.figures import report as drawing
    from keras_hplist.history.sources import read_logs

    history = None if path is None else read_logs(path)
    material = drawing.material_of(history, out / ".cache")
    if numbers is not None:
        with _progress(len(numbers)) as begin:
            files = {}
            for number in numbers:
                begin(number)
                files[number] = drawing.draw(material, number).write(out)
        _tell(files, {}, None, as_json)
        return
    with _progress(len(NUMBERS) + 1) as begin:
        files, reasons = drawing.write(material, out, begin)
    _tell(files, reasons, out / drawing.PAGE, as_json)


def _project(project: Path, out: Path, as_json: bool) -> None:
    from keras_hplist.figures import project_report

    project_report.write(project, out)
    _tell({}, {}, out / "report.html", as_json)


def _tell(
    files: dict[str, dict[str, Path]], reasons: dict[str, str], page: Path | None, as_json: bool
) -> None:
    """Say what was written, and what was not and why."""
    if as_json:
        print_json(
            {
                "page": None if page is None else str(page),
                "figures": {
                    number: {kind: str(file) for kind, file in kinds.items()}
                    for number, kinds in files.items()
                },
                "not_applicable": reasons,
            }
        )
        return
    for kinds in files.values():
        console.print(kinds["png"], highlight=False, soft_wrap=True)
    for number, reason in reasons.items():
        console.print(f"Not drawn, figure {number}: {reason}", markup=False, highlight=False)
    if page is not None:
        console.print(f"Wrote the page {page}.", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on standard error; yields what is told the name of each part as it begins."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        job = bar.add_task("", total=total)
        begun = 0

        def begin(name: str) -> None:
            nonlocal begun
            bar.update(job, description=f"Drawing {name}", completed=begun)
            begun += 1

        yield begin
