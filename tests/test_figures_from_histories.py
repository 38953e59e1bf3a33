"""Figures 2, 3, S2, S3, S5, S9 of whole histories: what they take of them, pictures, refusals."""

import pandas as pd
import populations
import pytest
from matplotlib.figure import Figure

import keras_hplist as khl
from keras_hplist import figures
from keras_hplist.figures import (
    figure_2,
    figure_3,
    figure_s2,
    figure_s3,
    figure_s5,
    figure_s9,
    resampled,
)
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.figures.resampled import BY_MEAN, LIST
from keras_hplist.spaces import half_orders


@pytest.fixture(scope="module")
def material() -> Material:
    """Sixteen tasks with runs of nadamw and of adam1p, at its half orders of magnitude."""
    sizes = {"num_parameters": 100}
    own = populations.runs(tasks=16, rates=10, **sizes, training_steps=50, space="nadamw")
    rates = half_orders()["learning_rate"]
    grid = [
        record | {"values": {"learning_rate": float(rates.iloc[number % 17])}}
        for number, record in enumerate(
            populations.runs(tasks=16, rates=17, **sizes, training_steps=50, seed=1)
        )
    ]
    return Material(history=khl.History.from_records([*own, *grid]))


def run_by_some(rates: int, common: int) -> Material:
    """Eighty tasks with so many configurations in common; 42 of them ran all."""
    runs = populations.runs(tasks=80, rates=rates, points=3, space="nadamw")
    few = [run for row, run in enumerate(runs) if row // rates < 42 or row % rates < common]
    return Material(history=khl.History.from_records(few))


def test_what_only_some_tasks_ran_is_left_to_s9():
    """If nearly all ran as many configurations as are drawn; S9 has the tasks that ran all."""
    material = run_by_some(rates=130, common=100)
    assert resampled.main_scores(material).values.shape == (80, 100)
    frame = figure_s9.from_material(material)
    assert set(frame["tasks"]) == {42} and set(frame["configurations"]) == {130}
    assert resampled.main_scores(run_by_some(rates=12, common=8)).values.shape == (80, 12)


@pytest.mark.parametrize("size", [pytest.param((7.0, 4.2), marks=pytest.mark.slow), (4.4, 4.2)])
@pytest.mark.parametrize("number", ["2", "3", "S2", "S3", "S5", "S9"])
def test_each_is_drawn_from_a_history_without_collisions(number, size, material):
    """Axes are named, the legend lies beside them, and inside the picture."""
    module = figures.load(number)
    frame = module.from_material(material)
    assert (frame["tasks"] * (2 if number == "S2" else 1) == 16).all()
    picture = Figure(figsize=size, layout="constrained")
    ax = picture.add_subplot()
    module.draw(ax, frame)
    picture.draw_without_rendering()
    assert ax.get_xlabel() and ax.get_ylabel() and ax.get_xscale() == "log"
    (legend,) = picture.legends
    inside, outside = ax.get_window_extent(), legend.get_window_extent()
    assert not inside.overlaps(outside)
    assert outside.x1 <= picture.bbox.x1 and outside.y1 <= picture.bbox.y1
    assert len(legend.get_texts()) == len({text.get_text() for text in legend.get_texts()})
    assert "nan" not in module.caption(frame)


def test_the_best_rate_is_the_first_that_is_tuned(material):
    """The baseline takes the grid alone, from `adam1p`, and the lists their own space."""
    frame = figure_2.from_material(material)
    assert frame.loc[("adam1p", BY_MEAN, 1), "configurations"] == 17
    assert frame.index.unique("space").tolist() == ["nadamw", "adam1p"]
    assert frame.loc[("nadamw", LIST)].index[-1] == 10


def test_horizons_that_were_measured_are_preferred_to_cut_curves():
    """Eight tasks at two numbers of steps; else beginnings of curves."""
    short = populations.runs(tasks=8, rates=6, training_steps=50)
    long = populations.runs(tasks=8, rates=6, training_steps=500, seed=1)
    both = Material(history=khl.History.from_records([*short, *long]))
    frame = figure_s5.from_material(both)
    assert frame.index.unique("horizon").tolist() == ["50 steps", figure_s5.FULL]
    assert not frame["cut"].any()
    frame = figure_s5.from_material(Material(history=both.runs(training_steps=50)))
    assert frame.index.unique("horizon").tolist() == [
        "first 20%",
        "first 50%",
        figure_s5.FULL,
    ]
    assert frame["cut"].all()


def test_a_history_that_lacks_something_is_told_what():
    """No history, too few tasks, no other space, configurations of one task each."""
    with pytest.raises(NotApplicable, match="history"):
        figure_3.from_material(Material(pd.DataFrame()))
    few = Material(history=populations.history(tasks=3))
    with pytest.raises(NotApplicable, match="test on others; there are 3"):
        figure_3.from_material(few)
    rates = Material(history=populations.history(tasks=6))
    with pytest.raises(NotApplicable, match="compares other search spaces with 'adam1p'"):
        figure_2.from_material(rates)
    with pytest.raises(NotApplicable, match="no runs of the search space 'nadamw'"):
        figure_s3.from_material(rates)
    with pytest.raises(NotApplicable, match="two sizes; there are 0"):
        figure_s2.from_material(rates)
    alone = [
        record | {"values": {"learning_rate": 1e-3 * (number + 1)}}
        for number, record in enumerate(populations.runs(tasks=6, rates=4))
    ]
    with pytest.raises(NotApplicable, match="on one task only"):
        figure_s9.from_material(Material(history=khl.History.from_records(alone)))


def test_a_space_of_few_tasks_is_left_out_of_a_comparison():
    """So that it does not narrow that of the others."""
    records = populations.runs(tasks=10, rates=5, space="nadamw")
    few = populations.runs(tasks=4, rates=5, space="adam8p")
    material = Material(history=khl.History.from_records([*records, *few]))
    frame = figure_2.from_material(material)
    assert frame.index.unique("space").tolist() == ["nadamw"]
    assert set(frame["tasks"]) == {10}
