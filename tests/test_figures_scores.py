"""Figures 1b, S1, S6 and S7: tables to the digit on small scores, and what their captions say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from keras_hplist.errors import InvalidValueError
from keras_hplist.figures import figure_1b, figure_s1, figure_s6, figure_s7
from keras_hplist.figures.material import NotApplicable
from keras_hplist.figures.resampled import Resampling
from keras_hplist.learning import ScoreMatrix
from keras_hplist.learning.splits import task_splits


def matrix(values, families=None) -> ScoreMatrix:
    """Scores of tasks a, b, … under configurations 0, 1, …."""
    values = np.asarray(values, float)
    names = tuple("abcdefghijklmnopqrstuvwxyz"[: len(values)])
    known = tuple(families or [None] * len(values))
    return ScoreMatrix(values, values, names, tuple(range(values.shape[1])), known, None)


def best_of_greedy(scores: np.ndarray, tried: np.ndarray, k: int) -> np.ndarray:
    """The best score of k entries on other tasks, by looking at every candidate every time."""
    best, order = np.ones(len(scores)), []
    for _ in range(k):
        gains = [np.maximum(best - column, 0).sum() for column in scores.T]
        order.append(max((i for i in range(len(gains)) if i not in order), key=gains.__getitem__))
        best = np.minimum(best, scores[:, order[-1]])
    return tried[:, order].min(axis=1)


def test_1b_counts_the_configurations_that_reach_each_loss():
    """In percent of those that were run; the easiest task first."""
    scores = matrix([[0.5, 0.9, 1, 0], [0.05, 0.1, 0, 0.3], [np.nan, 0.02, 0, 0.6]])
    frame = figure_1b.compute(scores, losses=(0.02, 0.1, 0.6))
    assert frame.index.tolist() == ["c", "b", "a"]
    np.testing.assert_allclose(frame.loc["a"], [25, 25, 50])
    np.testing.assert_allclose(frame.loc["b"], [25, 75, 100])
    np.testing.assert_allclose(frame.loc["c"], [200 / 3, 200 / 3, 100])
    text = figure_1b.caption(frame)
    assert "On 2 tasks (67%) at least half of them reach 0.1, on 0 (0%) fewer" in text
    assert "about 100 of its 1,162 tasks" in text


def test_s1_finds_the_nearest_task_and_counts_families():
    """Nearest in the space of scores; chance is the share of the family among the others."""
    rng = np.random.default_rng(0)
    centres = np.repeat([[0.1, 0.9, 0.2], [0.8, 0.1, 0.5]], 5, axis=0)
    values = centres + rng.uniform(-0.01, 0.01, centres.shape)
    families = ["one"] * 5 + ["two"] * 4 + ["one"]
    frame = figure_s1.compute(matrix(values, families))
    for row, name in enumerate(frame.index):
        gaps = np.linalg.norm(values - values[row], axis=1)
        assert frame.loc[name, "nearest"] == "abcdefghij"[np.argsort(gaps)[1]]
    assert frame["agrees"].tolist() == [1] * 5 + [
        float(frame.loc[name, "nearest"] != "j") for name in "fghi"
    ] + [0]
    np.testing.assert_allclose(frame["chance"], [5 / 9] * 5 + [3 / 9] * 4 + [5 / 9])
    places = frame[["x", "y"]].to_numpy()
    assert np.linalg.norm(places[:5].mean(0) - places[5:].mean(0)) > 0
    pd.testing.assert_frame_equal(frame, figure_s1.compute(matrix(values, families)))
    assert f"for {frame['agrees'].mean():.0%} of them; by chance that" in figure_s1.caption(frame)


def test_s1_takes_tasks_without_a_family_and_refuses_few():
    """They are drawn, and take no part in the agreement."""
    values = np.random.default_rng(0).random((8, 4))
    frame = figure_s1.compute(matrix(values))
    assert frame["agrees"].isna().all()
    assert "families are not known" in figure_s1.caption(frame)
    figure_s1.draw(Figure().add_subplot(), frame)
    with pytest.raises(InvalidValueError, match="8 tasks; there are 7"):
        figure_s1.compute(matrix(values[:7]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((9, 4), 0.5), "9 tasks have 1 different row"),
        (np.repeat([[0, 1, 1.0], [1, 0, 1]], 5, axis=0), "10 tasks have 2 different rows"),
        (np.linspace(0, 1, 9)[:, None], "2 configurations; there is 1"),
        ([[0, 1, 1 + 1e-9 * i] for i in range(9)], "have 1 different row"),
    ],
)
def test_s1_refuses_tasks_that_do_not_differ(values, message):
    """As where all but one configuration diverged everywhere; t-SNE would end the process."""
    with pytest.raises(NotApplicable, match=message):
        figure_s1.compute(matrix(values))


def test_s1_maps_three_kinds_of_tasks():
    """As few as that have a place."""
    frame = figure_s1.compute(matrix(np.repeat(np.eye(3), 4, axis=0)))
    assert np.isfinite(frame[["x", "y"]]).all(axis=None)


@pytest.fixture(scope="module")
def variants() -> dict[str, ScoreMatrix]:
    """Scores of each kind; those of the default and of the minimum are alike."""
    rng = np.random.default_rng(1)
    scores = {name: matrix(rng.random((8, 6))) for name in figure_s6.VARIANTS}
    low = scores["default"].values
    scores["minimum"] = matrix(0.5 * low + 0.1 * rng.random(low.shape))
    return scores


def test_s6_follows_each_list_under_the_default(variants):
    """The median over splits of J(k) on held-out tasks, lists chosen from each variant's scores."""
    resampling = Resampling(5, 0.25, seed=3)
    frame = figure_s6.compute(variants, resampling)
    default = variants["default"].values
    splits = task_splits(tuple("abcdefgh"), (None,) * 8, "tasks", *resampling)
    for name in ("default", "quantile"):
        curve = frame.loc["J"].loc[name].set_index("x")["y"]
        for k in (1, 2):
            reached = [
                best_of_greedy(variants[name].values[~s.test], default[s.test], k).mean()
                for s in splits
            ]
            np.testing.assert_allclose(curve[k], np.median(reached))


def test_s6_counts_pairs_of_scores_and_their_correlation(variants):
    """Every cell of tasks × configurations is a pair; Pearson's formula."""
    frame = figure_s6.compute(variants, Resampling(2))
    x = variants["default"].values.ravel()
    for name in ("quantile", "minimum"):
        y = variants[name].values.ravel()
        expected = ((x - x.mean()) * (y - y.mean())).mean() / (x.std() * y.std())
        pairs = frame.loc[f"default against {name}"]
        np.testing.assert_allclose(pairs["pearson"], expected)
        assert pairs["count"].sum() == x.size
        np.testing.assert_allclose(
            (pairs["x"] * pairs["count"]).sum() / x.size, x.mean(), atol=0.02
        )
        assert f"{expected:.3f} (paper: 0." in figure_s6.caption(frame)


def test_s7_tries_each_family_on_each():
    """Other families' tasks under one list; the own ones each under the list of the rest."""
    values = np.random.default_rng(2).random((13, 9))
    families = ["x", "y"] * 6 + ["alone"]
    frame = figure_s7.compute(matrix(values, families), k=2)
    rows = {"x": [0, 2, 4, 6, 8, 10], "y": [1, 3, 5, 7, 9, 11]}
    for learned, inside in rows.items():
        for tried, tasks in rows.items():
            if learned == tried:
                reached = [
                    best_of_greedy(values[[i for i in inside if i != out]], values[[out]], 2)[0]
                    for out in tasks
                ]
            else:
                reached = best_of_greedy(values[inside], values[tasks], 2)
            np.testing.assert_allclose(frame.loc[(learned, tried), "J"], np.mean(reached))
    for tried in rows:
        column = frame.xs(tried, level="tried_on")
        assert sorted(column["scaled"]) == [0, 1]
        assert column["scaled"].idxmin() == column["J"].idxmin()
    assert (frame["tasks"] == 6).all() and len(frame) == 4
    with pytest.raises(InvalidValueError, match="two families"):
        figure_s7.compute(matrix(values[::2], families[::2]))


def test_s6_tells_lists_of_one_worth_as_one():
    """No best and no worst where there is none; half of the configurations are tried."""
    same = matrix(np.tile([0.2, 0.4, 0.6, 0.8], (8, 1)))
    text = figure_s6.caption(figure_s6.compute(dict.fromkeys(figure_s6.VARIANTS, same)))
    assert "After 2 trials they all reach 0.200; random search reaches" in text
    flat = matrix(np.full((8, 4), 0.5))
    text = figure_s6.caption(figure_s6.compute(dict.fromkeys(figure_s6.VARIANTS, flat)))
    assert "quantile undefined (paper" in text and "all the same, they have no correlation" in text


def test_s7_counts_families_on_which_one_list_is_best():
    """Ties are no victory, and where all lists are equal there is nothing to tell."""
    names = [name for name in "xyz" for _ in range(2)]
    values = np.full((6, 4), 0.5)
    frame = figure_s7.compute(matrix(values, names))
    assert (frame["k"] == 2).all()  # after four trials of four all lists would be equal
    assert "All lists are equally good on each family." in figure_s7.caption(frame)
    values[:2] = [0.1, 0.2, 0.3, 0.4]
    values[2:] = [0.4, 0.3, 0.2, 0.1]
    values[4:] += 0.1
    text = figure_s7.caption(figure_s7.compute(matrix(values, names)))
    assert "for 1 of the 1 on which one list is best (by chance: 0.33)" in text


@pytest.mark.parametrize("size", ["SIZE", "NARROW"])
def test_panels_are_drawn_in_both_widths(variants, size):
    """S6 beside each other or below each other; every axis says what it is."""
    shape = getattr(figure_s6, size)
    drawing = Figure(shape)
    figure_s6.draw(drawing.add_subplot(), figure_s6.compute(variants, Resampling(2)))
    panels = [axes for axes in drawing.axes if axes.get_xlabel()]
    assert len(panels) == 3 and all(axes.get_ylabel() for axes in panels)
    lefts = {round(axes.get_position().x0, 1) for axes in panels}
    assert (len(lefts) == 3) == (shape[0] > shape[1])
