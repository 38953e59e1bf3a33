"""Figures: the tables to the digit, the pictures as files."""

import numpy as np
import pandas as pd
import pytest

from keras_hplist.figures import FIGURES, figure_1a, figure_1c, save


def facts(count: int = 60) -> pd.DataFrame:
    """Tasks of nine families with known sizes."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "family": [f"family_{i % 9}" for i in range(count)],
            "num_parameters": np.geomspace(2, 5e7, count).astype(int),
            "seconds_per_step": 10 ** rng.uniform(-4, 0, count),
        }
    )


def test_parameters_are_counted_in_half_decades():
    """Bins are half decades from their lower edge on; empty ones between are there."""
    frame = pd.DataFrame({"num_parameters": [2, 3, 3, 40, 1000], "family": list("aabab")})
    counted = figure_1a.compute(frame)
    np.testing.assert_allclose(counted.index, 10 ** np.array([0, 0.5, 1, 1.5, 2, 2.5, 3]))
    assert counted["a"].tolist() == [2, 0, 0, 1, 0, 0, 0]
    assert counted["b"].tolist() == [1, 0, 0, 0, 0, 0, 1]


def test_times_are_those_of_ten_thousand_steps():
    """One millisecond per step is ten seconds."""
    frame = pd.DataFrame({"seconds_per_step": [1.0001e-3], "family": ["a"]})
    assert figure_1c.compute(frame).index.tolist() == [10.0]


@pytest.mark.parametrize("number", FIGURES)
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_each_figure_is_a_file_of_the_same_bytes_each_time(number, ending, tmp_path):
    """Drawing twice gives the same file, in both formats."""
    module = FIGURES[number]
    files = [tmp_path / f"{copy}.{ending}" for copy in "ab"]
    for file in files:
        save(module.draw, module.compute(facts()), file)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert first.startswith(b"\x89PNG" if ending == "png" else b"<?xml")


def test_every_task_is_drawn_and_every_axis_has_a_unit():
    """Each family has its row, all have one together, and the highest bar tells its number."""
    from matplotlib.figure import Figure

    for module in FIGURES.values():
        ax, frame = Figure().add_subplot(), module.compute(facts())
        module.draw(ax, frame)
        labels = [label.get_text() for label in ax.get_yticklabels()]
        assert sorted(labels[:-1]) == [f"family_{i} ({7 - i // 6})" for i in range(9)]
        assert labels[-1] == "all (60)"
        bars = sum((frame > 0).sum()) + (frame.sum(axis=1) > 0).sum()
        assert len(ax.patches) == bars
        numbers = [int(text.get_text()) for text in ax.texts]
        assert sorted(numbers) == sorted([*frame.max(), frame.sum(axis=1).max()])
        assert ax.get_xlabel() and ax.get_ylabel()
