"""The pictures of a report on a search: what stands far off does not flatten the rest."""

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_hplist.reports import project_pictures as pictures


def best_so_far(results) -> Axes:
    """The picture of the results of a search for the lowest, drawn."""
    results = pd.Series(results, range(1, len(results) + 1))
    frame = pd.DataFrame({"objective": results, "best": results.cummin()})
    frame.attrs["objective"] = "val_loss"
    ax = Figure(layout="constrained").add_subplot()
    pictures.draw_best(ax, frame)
    return ax


def test_a_trial_that_exploded_does_not_flatten_the_others():
    """The axis ends with the others; a mark and the legend tell of it."""
    ax = best_so_far([0.6, 0.7, 2e8, 0.5, 0.4])
    low, high = ax.get_ylim()
    assert 0.35 < low < 0.4 and 0.7 < high < 0.75
    texts = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert texts == ["best so far", "trial", "off the scale, as far as 2e+08"]
    assert ax.collections[-1].get_offsets().tolist() == [[3, 1]]


def test_results_that_fall_over_decades_are_all_drawn():
    """On a logarithmic axis; the first is no outlier there."""
    ax = best_so_far([50.0, 3.0, 0.2, 0.01, 0.5, 0.003])
    assert ax.get_yscale() == "log" and ax.get_ylim()[1] > 50
    assert len(ax.figure.legends[0].get_texts()) == 2


@pytest.mark.parametrize("start", [0.7, 70.0])
def test_a_curve_that_exploded_does_not_flatten_the_others(start):
    """Also below them, where an automatic axis leaves room in proportion to the highest."""
    losses = [start, 0.6, 0.5, start, 1e8, 2e8, start, 0.6, 0.4]
    frame = pd.DataFrame({"run": list("aaabbbccc"), "step": [0, 1, 2] * 3, "loss": losses})
    frame["rank"] = frame["run"].map({"a": 2, "b": 3, "c": 1}).astype("Int64")
    frame.attrs |= {"measured": "val_loss", "unit": "epochs", "falls": True}
    ax = Figure().add_subplot()
    pictures.draw_curves(ax, frame)
    low, high = ax.get_ylim()
    assert 0 < low < 0.4 and start < high < 2.1 * start
