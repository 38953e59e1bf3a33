"""Scores: normalisation, reduction over seeds, aggregation over time, horizons."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.history import CurveArray
from keras_hplist.learning import NORMALIZATIONS, Normalizer, score_matrix

NAN, INF = np.nan, np.inf


def curves(values, times=None, initial=None):
    """A CurveArray of an array (task, configuration, seed, time)."""
    values = np.asarray(values, np.float32)
    tasks, configurations, seeds, points = values.shape
    return CurveArray(
        values=values,
        tasks=tuple(f"t{i}" for i in range(tasks)),
        configurations=tuple(f"c{i}" for i in range(configurations)),
        seeds=np.arange(seeds, dtype=np.int32),
        times=np.linspace(0, 1, points) if times is None else np.asarray(times),
        training_steps=np.full(tasks, 100, np.int32),
        initial=np.full(tasks, NAN) if initial is None else np.asarray(initial, float),
        seconds=np.full(values.shape[:3], NAN),
        families=(None,) * tasks,
    )


def one_task(*rows, **options):
    """Curves of one task, one seed: a row of losses for each configuration."""
    return curves(np.array(rows, np.float32)[None, :, None, :], **options)


def scores(given, *arguments, **options):
    return score_matrix(given, *arguments, **options).values[0].tolist()


losses = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5).map(lambda s: (2, *s)),
    elements=st.floats(-100, 100, width=32) | st.just(NAN) | st.just(INF),
)


def test_initial_is_linear_between_best_and_initial_loss():
    """n = (l - best) / (initial - best), clipped; then the mean over time."""
    given = one_task([4, 2, 0], [4, 4, 3], [4, 8, 8], initial=[4])
    assert scores(given) == pytest.approx([0.5, (1 + 1 + 0.75) / 3, 1.0])


def test_aggregations_over_time():
    """Mean, min and last of the same normalised curves."""
    given = one_task([4, 0, 2], [4, 3, 3], initial=[4])
    assert scores(given, aggregation="mean") == pytest.approx([0.5, 2.5 / 3])
    assert scores(given, aggregation="min") == pytest.approx([0.0, 0.75])
    assert scores(given, aggregation="last") == pytest.approx([0.5, 0.75])
    assert scores(given, "min") == scores(given, "initial", "min")
    assert scores(given, "last", "mean") == scores(given, "initial", "last")


def test_without_a_loss_at_step_0_the_median_first_loss_is_the_start():
    """One wild first loss does not set the scale."""
    given = one_task([2, 0], [3, 1], [1000, 2], times=[0.5, 1])
    assert scores(given, "last") == pytest.approx([0.0, 1 / 3, 2 / 3])


def test_where_all_losses_are_final_those_near_the_median_count():
    """A start was not measured; half of the configurations are not as bad as it."""
    assert scores(one_task([0.7], [0.5], [0.6], [INF], times=[1])) == pytest.approx([1, 0, 0.5, 1])
    beside_curves = one_task([0.9] * 3, [0.5] * 3, [0.6] * 3, [0.7, 0.7, NAN])
    assert scores(beside_curves)[:3] == pytest.approx([1, 0, 1 / 3])
    wild = one_task([0.7], [0.5], [0.6], [0.8], [1e9], times=[1])
    assert scores(wild) == pytest.approx([0.5, 0, 0.25, 0.75, 1])
    assert scores(one_task([0.9], [0.5], [0.5], times=[1])) == [1, 0, 0]
    with pytest.raises(InvalidValueError, match="all losses are equal"):
        score_matrix(one_task([0.5], [0.5], [0.5], times=[1]))


def test_a_median_first_loss_that_is_the_best_is_no_start():
    """As in accuracies that most runs reach within the first epoch."""
    given = one_task([1, 2], [1, 1], [3, 2], times=[0.5, 1])
    assert scores(given) == pytest.approx([0.25, 0, 0.75])


def test_divergence_counts_one_from_its_step_on():
    """A diverged run keeps what it had before; its last value is 1."""
    given = one_task([4, 0, INF, INF], [4, 4, 4, 0], initial=[4])
    assert scores(given) == pytest.approx([0.75, 0.75])
    assert scores(given, "min") == [0, 0]
    assert scores(given, "last") == [1, 0]


def test_a_pruned_run_has_bounds_and_a_missing_one_has_none():
    """Unknown later values lie in [0, 1]; what was never run is NaN."""
    matrix = score_matrix(
        one_task([4, 2, NAN, NAN], [4, 0, 0, 0], [NAN] * 4, initial=[4]), "initial"
    )
    np.testing.assert_allclose(matrix.lower[0], [1.5 / 4, 0.25, NAN])
    np.testing.assert_allclose(matrix.upper[0], [3.5 / 4, 0.25, NAN])
    np.testing.assert_allclose(matrix.values[0], [NAN, 0.25, NAN])


def test_a_pruned_run_with_a_known_outcome_is_measured():
    """Bounds that agree are a measurement: nothing can be lower than 0."""
    matrix = score_matrix(one_task([4, 0, NAN], [4, 1, 1], initial=[4]), "min")
    assert matrix.values[0].tolist() == [0.0, 0.25]


def test_seeds_are_reduced_after_normalising():
    """Mean, median and worst seed; a missing seed is left out, a diverged one counts 1."""
    values = np.array([[[4, 0], [4, 2], [4, INF]], [[4, 1], [NAN, NAN], [4, 3]]], np.float32)[None]
    given = curves(values, initial=[4])
    # best is the lowest mean over seeds of one configuration and time: (1 + 3) / 2 = 2
    assert scores(given, "last", seeds="mean") == pytest.approx([(0 + 0 + 1) / 3, 0.25])
    assert scores(given, "last", seeds="median") == pytest.approx([0.0, 0.25])
    assert scores(given, "last", seeds="worst") == pytest.approx([1.0, 0.5])


def test_quantile_is_the_rank_at_each_time():
    """Against SciPy's mean ranks; diverged runs get 1 and count among the runs."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, (3, 20, 1, 7)).astype(np.float32)  # many ties
    matrix = score_matrix(curves(values), "quantile")
    ranks = (stats.rankdata(values, axis=1) - 1) / 19
    np.testing.assert_allclose(matrix.values, ranks.mean(axis=-1)[:, :, 0], rtol=1e-5)
    given = one_task([0, 1], [0, 2], [0, INF], [NAN, NAN])
    np.testing.assert_allclose(score_matrix(given, "last_quantile").values[0], [0, 0.5, 1, NAN])


@pytest.mark.parametrize("name", NORMALIZATIONS)
@given(values=losses)
@example(values=np.array([[[[-1e-45], [0.0]]]], np.float32))  # float32 cannot hold half of it
@settings(max_examples=40)
def test_every_normalisation_keeps_its_promises(name, values):
    """In [0, 1]; NaN where unknown, 1 where diverged; fit then transform equals both at once."""
    given = curves(values)
    normalizer = Normalizer(name).fit(given)
    result = normalizer.transform(given)
    assert result.dtype == np.float32
    assert result.shape == values.shape
    for task, scored in zip(values, result, strict=True):
        known = ~np.isnan(task)
        flat = np.isnan(scored).all()
        assert flat or ((scored[known] >= 0) & (scored[known] <= 1)).all()
        assert flat or (scored[np.isposinf(task)] == 1).all()
        assert np.isnan(scored[~known]).all()
    for index, task in enumerate(given.tasks):
        again = Normalizer(name).fit_transform_task(task, values[index], NAN)
        np.testing.assert_allclose(again, result[index], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_scales_order_new_configurations_as_the_losses_do(name):
    """A fitted normaliser scores configurations it has not seen, on the fitted scale."""
    rng = np.random.default_rng(1)
    old, new = rng.random((2, 30, 1, 5)) + 1, rng.random((2, 10, 1, 5)) + 1
    normalizer = Normalizer(name).fit(curves(old, initial=[2, 2]))
    scored = normalizer.transform(curves(new))
    order = np.take_along_axis(scored, np.argsort(new, axis=1), axis=1)
    assert (np.diff(order, axis=1) >= 0).all()
    everything = score_matrix(curves(new), normalizer)
    assert everything.values.shape == (2, 10)
    with pytest.raises(UnknownNameError, match=r"'t2'.*Fit it first"):
        normalizer.transform(curves(np.concatenate([new, new[:1]])))


def test_scores_do_not_depend_on_the_other_tasks():
    """Each task has its own scale: scored alone or among others, it is the same."""
    rng = np.random.default_rng(2)
    given = curves(rng.random((4, 10, 2, 6)))
    together = score_matrix(given).values
    for task in range(4):
        alone = score_matrix(curves(given.values[task : task + 1])).values
        np.testing.assert_array_equal(alone[0], together[task])


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e4])
def test_scores_do_not_depend_on_the_unit_of_the_loss(factor):
    """Losses times a factor, plus a constant, have the same scores."""
    rng = np.random.default_rng(3)
    values = rng.random((2, 8, 1, 6))
    for name in NORMALIZATIONS:
        np.testing.assert_allclose(
            score_matrix(curves(values * factor + factor), name).values,
            score_matrix(curves(values), name).values,
            atol=1e-4,
        )


@pytest.mark.parametrize("horizon", [50, 0.5])
def test_a_horizon_cuts_the_curves(horizon):
    """Losses after the horizon do not count, not even for the scale."""
    given = one_task([4, 3, 3, 0, 0], [4, 2, 2, 2, 2], initial=[4])
    cut = one_task([4, 3, 3], [4, 2, 2], initial=[4])
    assert scores(given, horizon=horizon) == scores(cut)
    fitted = Normalizer("initial").fit(given)
    np.testing.assert_allclose(
        score_matrix(given, fitted, "last", horizon=horizon).values[0], [0.75, 0.5]
    )


@pytest.mark.parametrize("horizon", [0, -1, 101, 1.5, 0.0, True, "all"])
def test_a_horizon_outside_the_curves_is_refused(horizon):
    """The message says what is allowed."""
    with pytest.raises(InvalidValueError, match=r"horizon is"):
        score_matrix(one_task([4, 3], [4, 2]), horizon=horizon)


def test_tasks_in_which_nothing_improves_are_dropped_by_name():
    """They would be all 1 and only dilute the mean; if there is no other, it is an error."""
    values = np.array([[[[2, 1]], [[2, 2]]], [[[1, 1]], [[1, 5]]]], np.float32)
    matrix = score_matrix(curves(values, initial=[2, 1]))
    assert (matrix.tasks, matrix.dropped) == (("t0",), ("t1",))
    with pytest.raises(InvalidValueError, match=r"any of the 1 tasks \(t0\)"):
        score_matrix(one_task([1, 1], [1, 2], initial=[1]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalization": "rank"}, "normalization 'rank'"),
        ({"aggregation": "max"}, "aggregation 'max'"),
        ({"seeds": "best"}, "reduction over seeds 'best'"),
    ],
)
def test_unknown_names_are_told(options, message):
    """With the known ones."""
    with pytest.raises(UnknownNameError, match=message):
        score_matrix(one_task([4, 3], [4, 2]), **options)
    with pytest.raises(InvalidValueError, match="no losses"):
        score_matrix(curves(np.empty((0, 0, 0, 0))))
