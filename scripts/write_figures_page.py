"""Write docs/figures.md and its pictures from histories.

Run: python scripts/write_figures_page.py HISTORY [HISTORY ...]

Each figure is drawn from the facts of the suite or, where these do not suffice, from the first
history that has what it takes.
"""

import argparse
import textwrap
from pathlib import Path
from string import Template

from keras_hplist.figures import NUMBERS, load, report
from keras_hplist.figures.material import Material
from keras_hplist.figures.report import Drawn
from keras_hplist.figures.saving import save
from keras_hplist.files import write_text
from keras_hplist.history import History

DOCS = Path(__file__).resolve().parents[1] / "docs"
HEAD = Path(__file__).with_name("figures_page_head.md")


def main() -> None:
    """Draw every figure that applies, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("histories", nargs="+", help="files or folders")
    parser.add_argument("--cache", type=Path, help="folder for tables that took long")
    paths, cache = vars(parser.parse_args()).values()
    figures: dict[str, Drawn] = {}
    sources: dict[str, str] = {}
    lines, reasons = [], dict.fromkeys(NUMBERS, "")
    for path in (None, *paths):
        material = report.material_of(path and History.read(path), cache)
        if path:
            lines.append(f"- `{path}`: {described(material)}")
        drawn, reasons = report.draw_all(material, list(reasons), print)
        figures |= {figure.number: figure for figure in drawn}
        sources |= {figure.number: f" {path}" if path else "" for figure in drawn}
    head = Template(HEAD.read_text("utf-8"))
    parts = [head.substitute(paths=" ".join(paths), histories="\n".join(lines))]
    for number in (number for number in NUMBERS if number in figures):
        figure = figures[number]
        name = f"images/figure_{number.lower()}.png"
        save(figure.module.draw, figure.frame, DOCS / name, figure.size)
        title = figure.module.TITLE
        caption = textwrap.fill(figure.caption, 120, break_on_hyphens=False)
        parts.append(
            f"## Figure {number}: {title}\n\n![{title}]({name})\n\n{caption}\n\n"
            f"`keras-hplist report{sources[number]} --figure {number} -o pictures`\n"
        )
    if reasons:
        missing = [f"- Figure {name}, {load(name).TITLE}: {why}" for name, why in reasons.items()]
        parts.append("## Not drawn from these histories\n\n" + "\n".join(missing) + "\n")
    write_text(DOCS / "figures.md", "\n".join(parts))


def described(material: Material) -> str:
    """What a history holds, in a line."""
    history = material.require_history()
    counts = {name: len(history.select(space=name).values()) for name in material.spaces}
    spaces = (f"{n:,} configuration{'s' * (n != 1)} of `{name}`" for name, n in counts.items())
    steps = sorted(set(history.table["training_steps"].to_pylist()))
    families = material.families.nunique()
    told = f" in {families} families" if families else ""
    return (
        f"{len(history):,} runs of {len(history.tasks):,} tasks{told}; {', '.join(spaces)}; "
        f"{', '.join(map(str, steps))} training steps"
    )


if __name__ == "__main__":
    main()
