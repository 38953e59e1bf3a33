"""The files that a report puts beside its page."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.figures.page import Html, downloads, figure
from keras_hplist.figures.saving import save
from keras_hplist.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ReportFiles:
    """Writes files into a folder, and knows which.

    Args:
        folder: made when needed.

    Attributes:
        paths: of what was written, in this order.
    """

    def __init__(self, folder: Path) -> None:
        """Write nothing yet."""
        self._folder = folder
        self.paths: list[str] = []

    def picture(
        self,
        name: str,
        draw: "Callable[[Axes, pd.DataFrame], None]",
        frame: pd.DataFrame,
        caption: str,
    ) -> Html:
        """A picture for the page, also written as `<name>.png`, `.svg` and `.csv`."""
        for kind in ("png", "svg"):
            save(draw, frame, self._folder / f"{name}.{kind}")
            self.paths.append(str(self._folder / f"{name}.{kind}"))
        text = frame.to_csv(index=frame.index.name is not None)
        return Html(figure(draw, frame, caption) + self.text(f"{name}.csv", text))

    def text(self, name: str, text: str) -> Html:
        """Write a text; a link for the page that saves it."""
        write_text(self._folder / name, text)
        self.paths.append(str(self._folder / name))
        return downloads({name: text})
