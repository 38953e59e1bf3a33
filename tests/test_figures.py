"""Figures: the tables to the digit, the pictures as files."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from keras_hplist import figures
from keras_hplist.errors import UnknownNameError
from keras_hplist.figures import figure_1a, figure_1c, figure_s1, figure_s7, figure_s8
from keras_hplist.figures.ticks import logarithmic

BY_FAMILY = {"1a": figure_1a, "1c": figure_1c}


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
    assert "5 tasks" in figure_1a.caption(counted)
    assert "from 1 to 3,162: 2.5 to 3.5 orders of magnitude" in figure_1a.caption(counted)


def test_one_size_spans_no_less_than_nothing():
    """Of a single bin."""
    counted = figure_1a.compute(pd.DataFrame({"num_parameters": [40], "family": ["a"]}))
    assert ": 0.0 to 0.5 orders of magnitude" in figure_1a.caption(counted)


def test_times_are_those_of_ten_thousand_steps():
    """One millisecond per step is ten seconds."""
    frame = pd.DataFrame({"seconds_per_step": [1.0001e-3] * 3 + [1.0], "family": list("aaaa")})
    counted = figure_1c.compute(frame)
    assert counted["a"].to_dict()[10.0] == 3
    assert counted.index[-1] == 10_000
    assert "75% take less than 3,162 seconds" in figure_1c.caption(counted)


def test_seconds_per_step_stand_by_family_slowest_median_first():
    """Each task with the median of its family."""
    frame = pd.DataFrame(
        {"family": list("abbab"), "seconds_per_step": [0.1, 0.3, 0.5, 0.2, 9.0]}, list("vwxyz")
    )
    found = figure_s8.compute(frame)
    assert found.index.tolist() == ["w", "x", "z", "v", "y"]
    np.testing.assert_allclose(found["median"], [0.5, 0.5, 0.5, 0.15, 0.15])
    text = figure_s8.caption(found)
    assert "from 0.1 to 9: a factor of 90" in text
    assert "slowest family is b (0.5 s), the fastest a (0.15 s)" in text


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_figure_is_a_file_of_the_same_bytes_each_time(ending, tmp_path):
    """Drawing twice gives the same file, in both formats."""
    files = [tmp_path / f"{copy}.{ending}" for copy in "ab"]
    for file in files:
        figures.save(figure_1a.draw, figure_1a.compute(facts()), file)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert first.startswith(b"\x89PNG" if ending == "png" else b"<?xml")


@pytest.mark.parametrize("module", [figure_1a, figure_1c, figure_s8])
def test_dollars_in_names_are_no_formula(module, tmp_path):
    """A name is drawn as it was given, and numbers on axes need no mathtext either."""
    tasks = facts().replace({"family": {"family_0": "$bad^{$", "family_1": "a$b$"}})
    file = tmp_path / "figure.svg"
    figures.save(module.draw, module.compute(tasks), file)
    text = file.read_text()
    assert "$bad^{$ (7)" in text and "a$b$ (7)" in text
    assert "mathdefault" not in text


def long_name(number: int) -> str:
    """Of 60 letters, told apart by two in the middle."""
    return f"_a family of a remarkably long name, version {number:02d} (2nd edition)_family"


@pytest.mark.parametrize("module", [figure_1a, figure_1c, figure_s7, figure_s8])
@pytest.mark.parametrize("wide", [True, False])
def test_long_names_are_told_apart_and_stay_in_the_picture(module, wide):
    """Without what all begin with, and with the middle left out where that is not enough."""
    names = [long_name(number) for number in range(17)]
    if module is figure_s7:
        index = pd.MultiIndex.from_product([names, names], names=["learned_on", "tried_on"])
        frame = pd.DataFrame({"J": 0.5, "scaled": 0.5, "tasks": 2, "k": 5}, index)
    else:
        frame = module.compute(facts(51).assign(family=names * 3))
    size = module.SIZE if wide else getattr(module, "NARROW", (4.4, module.SIZE[1]))
    picture = Figure(size, layout="constrained")
    ax = picture.add_subplot()
    module.draw(ax, frame)
    picture.draw_without_rendering()
    labels = ax.get_yticklabels()
    assert len({label.get_text() for label in labels}) == len(labels) >= 17
    drawn = [*labels, *ax.get_xticklabels(), ax.xaxis.label, ax.yaxis.label]
    boxes = [each.get_window_extent() for each in drawn]
    assert min(box.x0 for box in boxes) >= 0 and max(box.x1 for box in boxes) <= picture.bbox.x1
    assert min(box.y0 for box in boxes) >= 0
    assert ax.get_window_extent().width > 0.4 * picture.bbox.width


@pytest.mark.parametrize("size", [figure_s1.SIZE, figure_s1.NARROW])
def test_legends_hold_every_name_inside_the_picture(size):
    """Also names that begin with "_", which matplotlib leaves out, and long ones."""
    names = [long_name(number) for number in range(16)] + ["_hidden_family"]
    places = np.random.default_rng(0).random((34, 2))
    frame = pd.DataFrame(places, columns=["x", "y"]).assign(family=names * 2)
    picture = Figure(size, layout="constrained")
    figure_s1.draw(picture.add_subplot(), frame)
    picture.draw_without_rendering()
    (legend,) = picture.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert len(set(texts)) == 17 and " _hidden" in texts
    assert legend.get_window_extent().x0 >= 0
    assert legend.get_window_extent().x1 <= picture.bbox.x1


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1e-9, 1e9, [f"10{power}" for power in ("⁻⁹", "⁻⁷", "⁻⁵", "⁻³", "⁻¹", *"¹³⁵⁷⁹")]),
        (0.01, 2, ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]),
        (0.5, 1.5, ["0.5", "0.6", "0.8", "1", "1.2", "1.5"]),
        (0.0101, 0.0104, ["0.0101", "0.0102", "0.0103", "0.0104"]),
        (2e-6, 4e-6, ["2·10⁻⁶", "2.5·10⁻⁶", "3·10⁻⁶", "4·10⁻⁶"]),
    ],
)
def test_logarithmic_axes_have_few_plain_ticks(low, high, ticks):
    """As many as there is room for, however many decades there are."""
    ax = Figure().add_subplot()
    ax.plot([0, 1], [low, high])
    logarithmic(ax, "y")
    assert [label.get_text() for label in ax.get_yticklabels()] == ticks


@pytest.mark.parametrize("number", BY_FAMILY)
def test_every_task_is_drawn_and_every_axis_has_a_unit(number):
    """Each family has its row, all have one together, and the highest bar tells its number."""
    module = BY_FAMILY[number]
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


@pytest.mark.parametrize("number", figures.NUMBERS)
def test_every_figure_has_a_module_of_the_same_make(number):
    """A title, and the functions that the report calls."""
    module = figures.load(number)
    assert module.TITLE and not module.TITLE.endswith(".")
    for name in ("compute", "from_material", "draw", "caption"):
        assert callable(getattr(module, name))


def test_an_unknown_figure_is_told():
    """With what there is."""
    with pytest.raises(UnknownNameError, match="Unknown figure 'S17'"):
        figures.load("S17")
