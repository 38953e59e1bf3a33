"""Figures 2, 3, S2, S3, S5, S9: tables to the digit on small scores, and words."""

import numpy as np
import pandas as pd
import populations
import pytest
from matplotlib.figure import Figure

from keras_hplist.errors import InvalidValueError
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
from keras_hplist.figures.resampled import BY_MEAN, LIST, RANDOM, Resampling
from keras_hplist.learning import ScoreMatrix
from keras_hplist.learning.splits import task_splits

FIVE = Resampling(5, 0.25, 3)


def matrix(values, names=None, dropped=()) -> ScoreMatrix:
    """Scores of tasks a, b, … under configurations 0, 1, …."""
    values = np.asarray(values, float)
    names = tuple(names or "abcdefghijklmnopqrstuvwxyz"[: len(values)])
    families = (None,) * len(values)
    return ScoreMatrix(
        values, values, names, tuple(range(values.shape[1])), families, None, tuple(dropped)
    )


def scores(tasks=12, configurations=9, seed=0, **options) -> ScoreMatrix:
    """Random ones."""
    return matrix(np.random.default_rng(seed).random((tasks, configurations)), **options)


def masks(tasks=12, resampling=FIVE) -> list[np.ndarray]:
    """Which tasks are held out."""
    names = "abcdefghijklmnopqrstuvwxyz"[:tasks]
    splits = task_splits(names, [None] * tasks, "tasks", *resampling)
    return [split.test for split in splits]


def greedy(values: np.ndarray) -> list[int]:
    """The order of the list, by looking at every candidate every time, pass after pass."""
    order: list[int] = []
    best = np.ones(len(values))
    while len(order) < values.shape[1]:
        left = [column for column in range(values.shape[1]) if column not in order]
        gains = [np.maximum(best - values[:, column], 0).sum() for column in left]
        if max(gains) < 1e-12:
            if (best == 1).all():
                return order + left
            best = np.ones(len(values))
            continue
        order.append(left[int(np.argmax(gains))])
        best = np.minimum(best, values[:, order[-1]])
    return order


def after(values: np.ndarray, order) -> np.ndarray:
    """J(k) of an order."""
    return np.minimum.accumulate(np.minimum(values[:, order], 1), axis=1).mean(axis=0)


def quartiles(curves) -> np.ndarray:
    """Median, lower and upper quartile, and mean, by column."""
    return np.column_stack([*np.quantile(curves, (0.5, 0.25, 0.75), axis=0), np.mean(curves, 0)])


COLUMNS = ["median", "lower_quartile", "upper_quartile", "mean"]


def test_curves_are_those_of_a_search_by_hand():
    """List, random order and means: chosen from training tasks, followed on the others."""
    values = scores().upper
    found = resampled.curves(matrix(values), trials=6, resampling=FIVE)
    for row, test in enumerate(masks()):
        train = values[~test]
        random = np.random.default_rng([3, row, 2]).permutation(9)
        for way, order in (
            (LIST, greedy(train)),
            (RANDOM, random),
            (BY_MEAN, np.argsort(train.mean(axis=0), kind="stable")),
        ):
            np.testing.assert_allclose(found[way][row], after(values[test], order)[:6], rtol=1e-12)


def test_what_was_not_run_is_passed_over():
    """The next configuration takes its place, and at the end the best stays."""
    values = np.random.default_rng(1).random((12, 5))
    values[np.arange(12), np.arange(12) % 5] = np.nan
    found = resampled.curves(matrix(values), resampling=FIVE)[RANDOM]
    for row, test in enumerate(masks()):
        order = np.random.default_rng([3, row, 2]).permutation(5)
        best = []
        for task in values[test]:
            tried = [task[column] for column in order if not np.isnan(task[column])]
            best.append(np.minimum.accumulate([*tried, tried[-1]]))
        np.testing.assert_allclose(found[row], np.mean(best, axis=0), rtol=1e-12)


def test_spread_leaves_nan_out():
    """As of the numbers that are there."""
    found = resampled.spread(np.array([[1.0, 4], [2, np.nan], [6, 8]]), pd.Index(["x", "y"]))
    assert found.loc["x"].tolist() == [2, 1.5, 4, 3]
    assert found.loc["y"].tolist() == [6, 5, 7, 6]


def test_2_compares_spaces_on_the_same_held_out_tasks():
    """Those that all have; equal scores give equal lines; rates go from the best constant."""
    first, rates = scores(13), scores(12, 4, seed=1)
    frame = figure_2.compute({"nadamw": first, "mine": scores(12)}, rates, 6, FIVE)
    common = first.upper[:12]
    expected = [after(common[test], greedy(common[~test]))[:6] for test in masks()]
    np.testing.assert_allclose(frame.loc[("nadamw", LIST), COLUMNS], quartiles(expected))
    expected = [
        after(rates.upper[test], np.argsort(rates.upper[~test].mean(axis=0))) for test in masks()
    ]
    np.testing.assert_allclose(frame.loc[("adam1p", BY_MEAN), COLUMNS], quartiles(expected))
    again = figure_2.compute({"a": scores(12), "b": scores(12)}, None, 6, FIVE)
    pd.testing.assert_frame_equal(again.loc["a"], again.loc["b"])
    counts = ["tasks", "held_out", "resamplings", "configurations"]
    assert frame[counts].drop_duplicates().to_numpy().tolist() == [[12, 3, 5, 9], [12, 3, 5, 4]]
    with pytest.raises(InvalidValueError, match="a and b have no task in common"):
        figure_2.compute({"a": scores(4), "b": scores(4, names="wxyz")})


def test_2_tells_what_it_shows_beside_what_is_published():
    """Numbers of the frame; whether the order is that of the paper."""
    good = np.tile([0.1, 0.9, 0.9, 0.9], (8, 1))
    frame = figure_2.compute({"nadamw": matrix(good)}, matrix(good[:, 1:]), 3, FIVE)
    text = figure_2.caption(frame)
    assert "5 resamplings, in each of which 2 of 8 tasks were held out" in text
    assert "After 2 trials the list over NAdamW (4 configurations) reaches 0.100" in text
    assert "tuned over 3 half orders of magnitude" in text and "0.900 (0.900 to 0.900)" in text
    assert "14 learning rates of Adam 0.152" in text
    assert frame.loc[("nadamw", RANDOM, 2), "median"] > 0.1
    assert "Here lists are ahead of random search over NAdamW, after 2 trials" in text
    worse = figure_2.caption(figure_2.compute({"nadamw": matrix(good[:, 1:])}, None, 3, FIVE))
    assert "in none of these search spaces, after 1 trial;" in worse and "tuned over" not in worse


@pytest.mark.parametrize("size", [(7.0, 4.2), (4.4, 4.2)])
def test_any_name_of_a_space_is_in_the_legend_and_that_in_the_picture(size):
    """Hidden from matplotlib by "_", or longer than half a picture."""
    spaces = {"_mine": scores(), "a search space of our own that has quite a long name": scores()}
    picture = Figure(size, layout="constrained")
    figure_2.draw(picture.add_subplot(), figure_2.compute(spaces, None, 4, FIVE))
    picture.draw_without_rendering()
    (legend,) = picture.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert len(texts) == 4 and " _mine, list" in texts
    assert legend.get_window_extent().x1 <= picture.bbox.x1


def test_lists_are_compared_within_their_search_space_before_all_is_tried():
    """A space that is better throughout is no reproach to the list of another."""
    good = np.tile([0.1] + [0.9] * 7, (8, 1))
    frame = figure_2.compute({"nadamw": matrix(good), "mine": matrix(good / 100)}, None, 8, FIVE)
    text = figure_2.caption(frame)
    assert "ahead of random search over NAdamW and over mine, after 4 trials" in text
    assert "ahead of random search over NAdamW and over mine, after 4 trials" in figure_s3.caption(
        frame
    )


def test_s3_has_list_and_random_search_of_each_space():
    """As figure 2 has them."""
    both = {"nadamw": scores(), "adam1p": scores(12, 5, seed=1)}
    frame = figure_s3.compute(both, 4, FIVE)
    pd.testing.assert_frame_equal(frame, figure_2.compute(both, None, 4, FIVE))
    text = figure_s3.caption(frame)
    assert "the list over Adam1p (5 configurations)" in text
    assert "Here lists are ahead of random search" in text or "in none" in text


def test_3_learns_from_some_of_the_training_tasks():
    """A smaller number is part of a larger one; the last is all of them."""
    values = scores().upper
    frame = figure_3.compute(matrix(values), 6, FIVE)
    assert frame.loc[LIST].index.unique("n_train").tolist() == [1, 3, 9]
    for size in (1, 3, 9):
        expected = []
        for row, test in enumerate(masks()):
            random = np.random.default_rng([3, row, 1])
            train = np.sort(random.permutation(np.flatnonzero(~test))[:size])
            expected.append(after(values[test], greedy(values[train]))[:6])
        np.testing.assert_allclose(frame.loc[(LIST, size), COLUMNS], quartiles(expected))
    assert frame.loc[RANDOM].index.unique("n_train").tolist() == [9]
    text = figure_3.caption(frame)
    assert "After 4 trials lists reach" in text and "from 9; random search" in text


@pytest.mark.parametrize(("tasks", "sizes"), [(16, [1, 3, 12]), (20, [1, 3, 10, 15])])
def test_3_leaves_out_a_number_next_to_that_of_all(tasks, sizes):
    """Their lines would lie on each other."""
    frame = figure_3.compute(scores(tasks), 4, FIVE)
    assert frame.loc[LIST].index.unique("n_train").tolist() == sizes


def test_s9_chooses_from_some_of_the_configurations():
    """Drawn at random; stars are the learning rates from the best constant on, as in figure 2."""
    values, rates = scores().upper, scores(12, 4, seed=1)
    frame = figure_s9.compute(matrix(values), rates, (1, 2, 5), FIVE)
    sizes = {k: part.index.unique(1).tolist() for k, part in frame.loc[LIST].groupby(level="k")}
    assert sizes == {1: [1, 2, 3, 5, 9], 2: [2, 3, 5, 9], 5: [5, 9]}
    for k, size in ((1, 3), (2, 3), (5, 9)):
        expected = []
        for row, test in enumerate(masks()):
            random = np.random.default_rng([3, row, 1])
            random.permutation(9)  # of the training tasks
            columns = np.sort(random.permutation(9)[:size])
            order = greedy(values[~test][:, columns])
            expected.append(after(values[test][:, columns], order)[[k - 1]])
        np.testing.assert_allclose(
            frame.loc[[(LIST, k, size)], COLUMNS], quartiles(expected), err_msg=str((k, size))
        )
    stars = figure_2.compute({}, rates, 4, FIVE).loc[("adam1p", BY_MEAN)]
    found = frame.loc[figure_s9.RATES]
    assert found.index.tolist() == [(1, 4), (2, 4)]
    np.testing.assert_allclose(found[COLUMNS], stars.loc[[1, 2], COLUMNS])
    assert "tuned over 4 half orders" in figure_s9.caption(frame)
    assert "For k = 2, " in figure_s9.caption(frame)
    alike = figure_s9.compute(matrix(np.full((8, 4), 0.5)), None, (1, 2), FIVE)
    assert "as many drawn at random, without a choice, come within 5%" in figure_s9.caption(alike)
    assert "Stars" not in figure_s9.caption(figure_s9.compute(matrix(values), None, (1,), FIVE))
    good = np.where(np.arange(9) == 7 + np.arange(8)[:, None] % 2, 0.1, 0.9)  # takes the last two
    pair = figure_s9.compute(matrix(good), None, (1, 2), FIVE)
    assert "For k = 2, no smaller number drawn at random comes within" in figure_s9.caption(pair)


def test_s5_learns_at_a_short_horizon_and_tries_at_the_full_one():
    """Where nothing improves early, a task says nothing to the list and counts in its trial."""
    full = scores()
    early = np.random.default_rng(2).random((11, 9))
    short = matrix(early, names="abcdefghijk", dropped="l")
    frame = figure_s5.compute({"early": short}, full, True, 6, FIVE)
    learned = np.vstack([early, np.ones(9)])
    expected = [after(full.upper[test], greedy(learned[~test]))[:6] for test in masks()]
    np.testing.assert_allclose(frame.loc[(LIST, "early"), COLUMNS], quartiles(expected))
    whole = resampled.curves(full, 6, FIVE)
    for way in (LIST, RANDOM):
        found = frame.loc[(way, figure_s5.FULL), COLUMNS]
        np.testing.assert_allclose(found, quartiles(whole[way]))
    assert frame.loc[RANDOM].index.unique("horizon").tolist() == [figure_s5.FULL]
    text = figure_s5.caption(frame)
    assert "(early)" in text and "beginnings of runs" in text
    own = figure_s5.caption(figure_s5.compute({"early": short}, full, False, 6, FIVE))
    assert "runs of its own" in own


def test_s5_uses_the_tasks_of_all_horizons():
    """Whatever else each of them has."""
    short = scores(8, names="abcdefyz")
    frame = figure_s5.compute({"s": short}, scores(12), resampling=FIVE)
    assert set(frame["tasks"]) == {6}
    with pytest.raises(InvalidValueError, match="No task has runs of the full horizon and of s"):
        figure_s5.compute({"s": scores(4, names="wxyz")}, scores(4))


def test_s2_is_the_ratio_of_training_to_test_by_size():
    """Lists of small and of large tasks, tried on tasks held out of their own and of any size."""
    values = scores(18).upper
    sizes = dict(zip("abcdefghijklmnopqr", [*range(18, 1, -1), np.nan]))
    frame = figure_s2.compute(matrix(values), sizes, k=3, resampling=FIVE)
    rows = np.arange(17)[::-1]  # smallest first; r is of unknown size
    groups = [rows[:9], rows[9:]]
    assert frame.loc["same size", "middle"].tolist() == [6, 14.5]
    assert frame.loc["same size", "largest"].tolist() == [10, 18]
    expected = {"same size": [], "all sizes": []}
    splits = [resampled.Resampling.splits(FIVE, matrix(values).rows(group)) for group in groups]
    for row in range(5):
        test = [group[split[row].test] for group, split in zip(groups, splits)]
        ratios = []
        for group, held_out in zip(groups, test):
            train = np.setdiff1d(group, held_out)
            order = greedy(values[train])[:3]
            reached = [
                values[part][:, order].min(axis=1).mean()
                for part in (train, held_out, np.concatenate(test))
            ]
            ratios.append(reached[0] / np.array(reached[1:]))
        for name, ratio in zip(expected, np.transpose(ratios)):
            expected[name].append(ratio)
    for name, ratios in expected.items():
        np.testing.assert_allclose(frame.loc[name, COLUMNS], quartiles(ratios))
    assert "from 2 to 10 parameters" in figure_s2.caption(frame)
    with pytest.raises(InvalidValueError, match="15 tasks of known size do not make two bins of 8"):
        figure_s2.compute(scores(15), dict.fromkeys("abcdefghijklmno", 3))


def test_too_few_tasks_or_configurations_are_refused():
    """Where there is one of what is varied."""
    with pytest.raises(InvalidValueError, match="2 tasks leave one to learn from"):
        figure_3.compute(scores(2))
    with pytest.raises(InvalidValueError, match="1 configuration leaves nothing to choose from"):
        figure_s9.compute(scores(8, 1))
    one = Material(history=populations.history(tasks=6, rates=1))
    with pytest.raises(NotApplicable, match="there is one configuration"):
        figure_3.from_material(one)
