"""`keras-hplist report`."""

import itertools
from pathlib import Path
from typing import Annotated

import typer

from keras_hplist.cli.console import AsJson, console, print_json, progress
from keras_hplist.errors import InvalidValueError


def _known(numbers: list[str] | None) -> list[str] | None:
    """Refuse numbers of figures that there are not."""
    from keras_hplist.figures import NUMBERS

    for number in numbers or ():
        if number not in NUMBERS:
            raise typer.BadParameter(f"{number!r} is none of {', '.join(NUMBERS)}.")
    return list(dict.fromkeys(numbers)) if numbers else None


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
    hyperparameter_list: Annotated[
        str | None,
        typer.Option(
            "--list", help="Of a project: the list that was followed, or else the one to suggest."
        ),
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help="Of a project: the metric to rank trials by.")
    ] = None,
    direction: Annotated[
        str | None, typer.Option(help="Of a project that does not tell: min or max.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw what was measured: every figure that applies, as files and as one HTML page.

    Of a KerasTuner project, also while the search runs: how it stands, what to try next, when to
    stop.
    """
    from keras_hplist.history.keras_tuner_project import is_project, projects_in

    if out.exists() and not out.is_dir():
        raise InvalidValueError(f"--out {out} is a file; name a folder.")
    of_project = {
        "hyperparameter_list": hyperparameter_list,
        "objective": objective,
        "direction": direction,
    }
    asked = any(of_project.values())
    if path and numbers is None and (is_project(path) or (asked and projects_in(path))):
        _project(path, out, of_project, as_json)
        return
    if asked:
        raise typer.BadParameter(
            "they are for the report on a KerasTuner project folder, without --figure.",
            param_hint="--list, --objective, --direction",
        )
    _figures(path, out, numbers, as_json)


def _project(project: Path, out: Path, options: dict[str, str | None], as_json: bool) -> None:
    from keras_hplist.reports import project_report

    told = project_report.write(project, out, **options)
    if as_json:
        print_json(told)
        return
    _say_page(out / "report.html")


def _figures(path: Path | None, out: Path, numbers: list[str] | None, as_json: bool) -> None:
    """Draw figures of a history, or of the facts of the suite."""
    from keras_hplist.figures import NUMBERS
    from keras_hplist.figures import report as drawing
    from keras_hplist.figures.saving import require_matplotlib
    from keras_hplist.history.sources import read_logs

    require_matplotlib("A report")
    history = None if path is None else read_logs(path)
    material = drawing.material_of(history, out / ".cache")
    out.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, Path]] = {}
    reasons: dict[str, str] = {}
    page = out / drawing.PAGE if numbers is None else None
    with progress(transient=True) as shown:
        job = shown.add_task("", total=len(numbers or NUMBERS))
        begun = itertools.count()

        def begin(part: str) -> None:
            shown.update(job, description=part, completed=next(begun))

        if numbers is None:
            files, reasons = drawing.write(material, out, begin)
        else:
            for number in numbers:
                begin(f"figure {number}")
                files[number] = drawing.draw(material, number).write(out)
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
        _say_page(page)


def _say_page(page: Path) -> None:
    console.print(f"Wrote the page {page}.", markup=False, highlight=False, soft_wrap=True)
