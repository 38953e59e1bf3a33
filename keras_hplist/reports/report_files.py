"""The files that a report puts beside its page."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from keras_hplist.figures.page import Html, downloads, figure
from keras_hplist.figures.saving import save_with_table
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
        files = save_with_table(draw, frame, self._folder / name)
        self.paths += map(str, files.values())
        return Html(figure(draw, frame, caption) + downloads({f"{name}.csv": frame.to_csv()}))

    def text(self, name: str, text: str) -> Html:
        """Write a text; a link for the page that saves it."""
        write_text(self._folder / name, text)
        self.paths.append(str(self._folder / name))
        return downloads({name: text})
