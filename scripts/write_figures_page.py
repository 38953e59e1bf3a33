"""Write docs/figures.md and its pictures from a history.

Run: python scripts/write_figures_page.py HISTORY
"""

import argparse
import textwrap
from pathlib import Path

from keras_hplist.figures import load, report
from keras_hplist.figures.saving import save
from keras_hplist.files import write_text
from keras_hplist.history import History

DOCS = Path(__file__).resolve().parents[1] / "docs"

HEAD = Path(__file__).with_name("figures_page_head.md").read_text("utf-8")


def main() -> None:
    """Draw every figure that applies, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history", help="file or folder")
    parser.add_argument("--cache", type=Path, help="folder for tables that took long")
    path, cache = vars(parser.parse_args()).values()
    history = History.read(path)
    material = report.material_of(history, cache)
    drawn, reasons = report.draw_all(material, begin=print)
    spaces = (
        f"{space}: {len(history.select(space=space).values()):,} configurations"
        for space in material.spaces
    )
    parts = [
        HEAD.format(
            path=path,
            runs=len(history),
            tasks=len(history.tasks),
            families=material.families.nunique(),
            spaces=", ".join(spaces),
            steps=", ".join(map(str, sorted(set(history.table["training_steps"].to_pylist())))),
        )
    ]
    for figure in drawn:
        name = f"images/figure_{figure.number.lower()}.png"
        save(figure.module.draw, figure.frame, DOCS / name, figure.size)
        title = figure.module.TITLE
        caption = textwrap.fill(figure.caption, 120, break_on_hyphens=False)
        parts.append(f"## Figure {figure.number}: {title}\n\n![{title}]({name})\n\n{caption}\n")
    if reasons:
        missing = [f"- Figure {name}, {load(name).TITLE}: {why}" for name, why in reasons.items()]
        parts.append("## Not drawn from this history\n\n" + "\n".join(missing) + "\n")
    write_text(DOCS / "figures.md", "\n".join(parts))


if __name__ == "__main__":
    main()
