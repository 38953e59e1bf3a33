"""The report over a history: every figure that applies, as files and together on one page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from keras_hplist.errors import HPListError, InvalidValueError
from keras_hplist.figures import NUMBERS, FigureModule, load
from keras_hplist.figures import page as html
from keras_hplist.figures.material import Material
from keras_hplist.figures.page import Section
from keras_hplist.figures.saving import save_with_table
from keras_hplist.files import write_text
from keras_hplist.history import SPLITS, History

PAGE = "report.html"

_SIZE = (7.0, 4.2)  # inches; the style's
_NARROW_WIDTH = 4.4
_SHORT_TABLE = 60  # rows that a page shows; the rest is in the file
_NAMED = 5  # versions and sources that a page names


@dataclass(frozen=True)
class Drawn:
    """A figure with its table.

    Attributes:
        number: as in the paper.
        module: draws it.
        frame: what it shows.
    """

    number: str
    module: FigureModule
    frame: pd.DataFrame

    @property
    def caption(self) -> str:
        """What it shows, in sentences."""
        return self.module.caption(self.frame)

    @property
    def size(self) -> tuple[float, float]:
        """Inches of the picture."""
        return getattr(self.module, "SIZE", _SIZE)

    @property
    def narrow(self) -> tuple[float, float]:
        """Inches of the picture on a narrow screen."""
        return getattr(self.module, "NARROW", (_NARROW_WIDTH, self.size[1]))

    def write(self, out: Path) -> dict[str, Path]:
        """Write picture and table.

        Args:
            out: a folder; made if it is missing.

        Returns:
            The files, by their kind: "png", "svg" and "csv".
        """
        stem = out / f"figure_{self.number.lower()}"
        return save_with_table(self.module.draw, self.frame, stem, self.size)


def suite_facts() -> pd.DataFrame:
    """The measured facts of the suite's tasks, one row each."""
    from keras_hplist import tasks

    rows = {name: vars(facts) for name, facts in tasks.facts().items()}
    return pd.DataFrame.from_dict(rows, "index").rename_axis("task")


def material_of(history: History | None, cache: Path | None = None) -> Material:
    """What figures need, with the facts of the suite if its tasks are the history's.

    Args:
        history: or None, for the facts alone.
        cache: folder for tables that took long.

    Raises:
        InvalidValueError: if the history has no runs.
    """
    facts = suite_facts()
    if history is None:
        return Material(facts)
    if not len(history):
        raise InvalidValueError(f"There is nothing to draw. {history.report}")
    known = [task in facts.index for task in history.tasks]
    return Material(facts if 2 * sum(known) > len(known) else None, history, cache)


def draw(material: Material, number: str) -> Drawn:
    """Make the table of a figure, or take it from the cache.

    Raises:
        UnknownNameError: if there is no such figure.
        NotApplicable: if the material lacks what it shows.
    """
    module = load(number)
    frame = material.cached(f"figure {number}", lambda: module.from_material(material))
    return Drawn(number, module, frame)


def draw_all(
    material: Material,
    numbers: Sequence[str] = NUMBERS,
    begin: Callable[[str], None] = lambda name: None,
) -> tuple[list[Drawn], dict[str, str]]:
    """Make every figure that applies.

    Args:
        material: what there is.
        numbers: the figures to make.
        begin: called before each is made, with its name.

    Returns:
        The figures, and the reason for each that does not apply.
    """
    drawn, reasons = [], {}
    for number in numbers:
        begin(f"figure {number}")
        try:
            drawn.append(draw(material, number))
        except HPListError as error:
            reasons[number] = str(error)
    return drawn, reasons


def page(material: Material, drawn: Sequence[Drawn], reasons: Mapping[str, str]) -> str:
    """One self-contained HTML page: pictures, captions, tables to download, where it came from.

    Args:
        material: from which the figures were made.
        drawn: the figures.
        reasons: number to the reason, for those that do not apply.

    Returns:
        HTML text that needs no network.
    """
    sections = [_section(figure) for figure in drawn]
    if reasons:
        missing = [
            f"Figure {number}, {load(number).TITLE}: {reasons[number]}" for number in reasons
        ]
        sections.append(Section("Not drawn", [html.items(missing)]))
    history = material.history
    title, lead = "The suite of tasks", f"Measured facts of {len(material.tasks):,} tasks."
    if history is not None:
        sections.append(Section("The history", [html.facts(_provenance(material, history))]))
        title = "What the history shows"
        lead = (
            f"{len(drawn)} figures from {len(history):,} training runs on "
            f"{len(history.tasks):,} tasks. A score is a loss on a task's own scale: 0 is the "
            "best that any run reached, 1 no better than before training. J(k) is the mean over "
            "tasks of the best score among the first k configurations tried."
        )
    return html.page(title, [lead], sections)


def write(
    material: Material, out: Path, begin: Callable[[str], None] = lambda name: None
) -> tuple[dict[str, dict[str, Path]], dict[str, str]]:
    """Write every figure that applies, and the page `report.html`.

    Args:
        material: what there is.
        out: a folder; made if it is missing.
        begin: called before each figure is made, and before they are written, with the name.

    Returns:
        The files of each figure, and the reason for each that does not apply.

    Raises:
        InvalidValueError: if none applies.
    """
    drawn, reasons = draw_all(material, begin=begin)
    if not drawn:
        told = " ".join(f"Figure {number}: {reason}" for number, reason in reasons.items())
        raise InvalidValueError(f"No figure applies. {told}")
    begin("pictures and page")
    files = {figure.number: figure.write(out) for figure in drawn}
    write_text(out / PAGE, page(material, drawn, reasons))
    return files, reasons


def _section(figure: Drawn) -> Section:
    name = f"figure_{figure.number.lower()}.csv"
    parts: list[str] = [
        html.figure(figure.module.draw, figure.frame, figure.caption, figure.size, figure.narrow),
    ]
    if len(figure.frame) <= _SHORT_TABLE:
        parts.append(html.details("The numbers", html.table(_plain(figure.frame))))
    parts.append(html.downloads({name: figure.frame.to_csv()}))
    return Section(f"Figure {figure.number}. {figure.module.TITLE}", parts)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The index as columns, which all have texts as names."""
    return frame.reset_index().rename(columns=str)


def _provenance(material: Material, history: History) -> dict[str, Any]:
    """Where a history came from and what it holds, in a line each."""
    table = history.table
    plain = table.select(
        ["space", "configuration", "seed", "training_steps", "status", "seconds", "source"]
    ).to_pandas()
    by_space = plain.groupby("space")["configuration"].agg(["size", "nunique"])
    families = material.families.dropna().value_counts()
    told = {
        "read from": ", ".join(history.report.source) or "memory",
        "runs": f"{len(history):,}; {len(history.report.dropped):,} dropped",
        "tasks": f"{len(history.tasks):,}",
        "families": ", ".join(f"{name} {count}" for name, count in families.items()),
        "search spaces": ", ".join(
            f"{space}: {by_space.loc[space, 'nunique']:,} configurations, "
            f"{by_space.loc[space, 'size']:,} runs"
            for space in material.spaces
        ),
        "training steps": _few(sorted(plain["training_steps"].unique())),
        "points of a curve": _few(
            sorted(set(table["steps"].combine_chunks().value_lengths().to_pylist()))
        ),
        "splits measured": ", ".join(s for s in SPLITS if table[s].null_count < len(table)),
        "seeds": _few(sorted(plain["seed"].unique())),
        "status": ", ".join(f"{k} {n:,}" for k, n in plain["status"].value_counts().items()),
        "time of all runs": _hours(plain["seconds"]),
        "recorded by": _few(plain["source"].dropna().unique()),
        "versions": _few(
            [_versions(text) for text in table["versions"].drop_null().unique().to_pylist()]
        ),
        "fingerprint": history.fingerprint,
    }
    return {name: text for name, text in told.items() if text}


def _hours(seconds: pd.Series) -> str:
    return f"{seconds.sum() / 3600:,.2f} hours" if seconds.notna().any() else ""


def _versions(text: str) -> str:
    """JSON as words; whatever else a history's author wrote, as it is."""
    try:
        known = json.loads(text)
    except ValueError:
        return text
    if not isinstance(known, dict):
        return text
    return ", ".join(f"{name} {version}" for name, version in known.items())


def _few(values: Sequence[Any]) -> str:
    """The first of many values."""
    shown = ", ".join(map(str, values[:_NAMED]))
    return shown + (f", … ({len(values)} in all)" if len(values) > _NAMED else "")
