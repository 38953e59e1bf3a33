"""Pictures as bytes and files: in the package's style, the same data giving the same bytes."""

import io
import os
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_hplist.errors import MissingExtraError
from keras_hplist.files import write_atomically, write_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def require_matplotlib(purpose: str = "Drawing a figure") -> None:
    """See that matplotlib is there.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        import matplotlib.style  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("matplotlib", "figures", purpose) from error


def picture(
    draw: "Callable[[Axes, pd.DataFrame], None]",
    frame: "pd.DataFrame",
    kind: str,
    size: tuple[float, float] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> bytes:
    """Draw one figure.

    Args:
        draw: the `draw` function of a figure's module.
        frame: what its `compute` returned.
        kind: "png" or "svg".
        size: width and height in inches; default: the style's.
        settings: of matplotlib, in place of the style's.

    Returns:
        The content of a picture file.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib.style
    from matplotlib.figure import Figure

    style = resources.files(__package__) / "keras_hplist.mplstyle"
    with (
        resources.as_file(style) as file,
        matplotlib.style.context([file, dict(settings or {})]),
    ):
        figure = Figure(figsize=size)  # without pyplot, so that no window or global state is made
        draw(figure.add_subplot(), frame)
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        content = io.BytesIO()
        figure.savefig(content, format=kind, metadata=metadata)
    return content.getvalue()


def inches(ax: "Axes") -> tuple[float, float]:
    """Width and height of the whole picture that axes are in; narrow ones are drawn differently."""
    box, dpi = ax.figure.bbox, ax.figure.dpi
    return box.width / dpi, box.height / dpi


def divide(ax: "Axes", rows: int, columns: int) -> "list[Axes]":
    """Axes in rows and columns, row by row, in the place of one."""
    figure, place = ax.figure, ax.get_subplotspec()
    assert place is not None
    ax.remove()
    grid = place.subgridspec(rows, columns)
    return [figure.add_subplot(grid[number]) for number in range(rows * columns)]


def save(
    draw: "Callable[[Axes, pd.DataFrame], None]",
    frame: "pd.DataFrame",
    path: str | os.PathLike[str],
    size: tuple[float, float] | None = None,
) -> None:
    """Draw one figure and write it.

    Args:
        draw: the `draw` function of a figure's module.
        frame: what its `compute` returned.
        path: the file; its ending, `.png` or `.svg`, is the format.
        size: width and height in inches; default: the style's.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    content = picture(draw, frame, Path(path).suffix.removeprefix("."), size)
    write_atomically(path, lambda file: _write(file, content))


def save_with_table(
    draw: "Callable[[Axes, pd.DataFrame], None]",
    frame: "pd.DataFrame",
    stem: Path,
    size: tuple[float, float] | None = None,
) -> dict[str, Path]:
    """Draw one figure and write it, and the table that it shows.

    Args:
        draw: the `draw` function of a figure's module.
        frame: what its `compute` returned; its index is written too.
        stem: the path of the files without their endings; its folder is made if it is missing.
        size: width and height in inches; default: the style's.

    Returns:
        The files, by their kind and ending: "png", "svg" and "csv".

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    files = {kind: stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg", "csv")}
    for kind in ("png", "svg"):
        save(draw, frame, files[kind], size)
    write_text(files["csv"], frame.to_csv())
    return files


def _write(file: Any, content: bytes) -> None:
    file.write(content)
