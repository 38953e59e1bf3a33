"""One HTML file that needs nothing else: text, tables, pictures and downloads, all inside.

The parts are made by functions that return `Html`; a plain string is text, and is escaped. The page
forbids itself scripts and the network, whatever its data hold.
"""

import base64
import functools
import html
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

from keras_hplist.figures.saving import picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDE, NARROW = (8.6, 4.4), (4.4, 4.4)
"""Inches of a picture on wide and on narrow screens."""


class Html(str):
    """Markup that goes into a page as it is."""

    __slots__ = ()


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading.

    Attributes:
        title: the heading.
        parts: its content; strings that are not `Html` become paragraphs.
    """

    title: str
    parts: Sequence[str]


def page(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """A whole page.

    Args:
        title: its heading.
        lead: what stands first, as the parts of a section.
        sections: the rest.

    Returns:
        HTML text.
    """
    names = [_anchor(section.title) for section in sections]
    return _template().substitute(
        title=escape(title),
        lead=_content(lead),
        links="".join(
            f'<li><a href="#{name}">{escape(section.title)}</a></li>'
            for name, section in zip(names, sections, strict=True)
        ),
        sections="\n".join(
            f'<section id="{name}"><h2>{escape(section.title)}</h2>\n{_content(section.parts)}'
            "\n</section>"
            for name, section in zip(names, sections, strict=True)
        ),
    )


def escape(value: Any) -> Html:
    """Text as markup that shows it; `Html` stays."""
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def shown(value: Any) -> Html:
    """A value as tables show it: nothing for None and NaN, four digits of a float.

    Just below 1, as decay rates are, three digits of the distance to 1.
    """
    if value is None or value != value:
        return Html("")
    if not isinstance(value, float):
        return escape(value)
    if 0.9 < value < 1:
        return Html(f"{value:.{2 - math.floor(math.log10(1 - value))}f}")
    return Html(f"{value:.4g}")


def paragraph(text: str) -> Html:
    """A paragraph."""
    return Html(f"<p>{escape(text)}</p>")


def items(texts: Iterable[str]) -> Html:
    """A list with bullets."""
    return Html("<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>")


def facts(pairs: Mapping[str, Any]) -> Html:
    """Names with their values."""
    rows = (f"<dt>{escape(name)}</dt><dd>{shown(value)}</dd>" for name, value in pairs.items())
    return Html("<dl>" + "".join(rows) + "</dl>")


def details(summary: str, content: str) -> Html:
    """A line that opens to more: a part of the page, or a preformatted text."""
    inside = content if isinstance(content, Html) else f"<pre>{escape(content)}</pre>"
    return Html(f"<details><summary>{escape(summary)}</summary>{inside}</details>")


def table(frame: "pd.DataFrame", caption: str = "") -> Html:
    """A table; it scrolls sideways where the screen is too narrow.

    Args:
        frame: its columns are shown, its index is not; at least one row. Columns of numbers, also
            written ones, stand to the right.
        caption: a sentence below it.
    """
    cells = [[shown(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    kinds = [
        ' class="number"' if all(map(_is_number, column)) else ""
        for column in zip(*cells, strict=True)
    ]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>'
        for name, kind in zip(frame.columns, kinds, strict=True)
    )
    rows = (
        "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, kinds, strict=True))
        for row in cells
    )
    label = escape(caption or ", ".join(map(str, frame.columns)))
    return Html(
        f'<figure><div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>"
        + "\n".join(f"<tr>{row}</tr>" for row in rows)
        + "</tbody></table></div>"
        + (f"<figcaption>{escape(caption)}</figcaption>" if caption else "")
        + "</figure>"
    )


def figure(
    draw: "Callable[[Axes, pd.DataFrame], None]",
    frame: "pd.DataFrame",
    caption: str,
    wide: tuple[float, float] = WIDE,
    narrow: tuple[float, float] = NARROW,
) -> Html:
    """A picture, drawn once for wide and once for narrow screens.

    Args:
        draw: puts `frame` on axes.
        frame: the data.
        caption: says what is seen, also to those who do not see it.
        wide, narrow: width and height in inches.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    outlines = {"svg.fonttype": "path"}  # the same letters on every computer
    large, small = (
        _data("image/svg+xml", picture(draw, frame, "svg", size, outlines))
        for size in (wide, narrow)
    )
    return Html(
        f'<figure><picture><source media="(max-width: 36rem)" srcset="{small}">'
        f'<img src="{large}" alt="{escape(caption)}"></picture>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def downloads(files: Mapping[str, str]) -> Html:
    """Links that save texts as files.

    Args:
        files: name of each file to its text; CSV by its ending, else JSON.
    """
    links = (
        f'<a download="{escape(name)}" href="'
        f"{_data('text/csv' if name.endswith('.csv') else 'application/json', text.encode())}"
        f'">{escape(name)}</a>'
        for name, text in files.items()
    )
    return Html(f'<p class="downloads">Download: {", ".join(links)}</p>')


def _content(parts: Sequence[str]) -> str:
    return "\n".join(part if isinstance(part, Html) else paragraph(part) for part in parts)


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _is_number(text: str) -> bool:
    try:
        float(text or 0)
    except ValueError:
        return False
    return True


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


@functools.cache
def _template() -> Template:
    return Template(resources.files(__package__).joinpath("page.html").read_text("utf-8"))
