"""Evaluation: resampled splits, exact baselines, comparison of ready-made lists."""

import itertools
import math

import numpy as np
import pandas as pd
import populations
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.history import History
from keras_hplist.learning import ListLearner, best_after, greedy
from keras_hplist.learning.baselines import by_mean, random_search, tuned_adam
from keras_hplist.learning.evaluation import compare, resample, resamplings
from keras_hplist.learning.selection import best_measured
from keras_hplist.lists import HyperparameterList
from keras_hplist.spaces import half_orders

RNG = np.random.default_rng(0)
SCORES = pd.DataFrame(
    RNG.random((12, 20)) ** 2,
    index=[f"t{i}" for i in range(12)],
    columns=[f"c{i}" for i in range(20)],
)
FAMILIES = ["f", "g", "h"] * 4


@given(
    scores=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 3), st.integers(1, 6)), elements=st.floats(0, 1)
    )
)
@settings(max_examples=60)
def test_random_search_is_the_exact_expectation(scores):
    """The mean over all subsets of k configurations of the lowest score in the subset."""
    count = scores.shape[1]
    expected = random_search(scores, count + 2)
    for k in range(1, count + 1):
        subsets = list(itertools.combinations(range(count), k))
        by_hand = np.mean([scores[:, list(subset)].min(axis=1) for subset in subsets], axis=0)
        np.testing.assert_allclose(expected[:, k - 1], by_hand, atol=1e-12)
    np.testing.assert_allclose(expected[:, count:].T, [scores.min(axis=1)] * 2, atol=1e-12)


def test_what_was_not_run_is_passed_over_by_random_search_and_lists():
    """Each task draws from, and follows, what was run on it; a task without runs stays at 1."""
    scores = np.array([[0.4, np.nan, 0.2], [0.1, 0.5, 0.3], [np.nan] * 3])
    expected = random_search(scores, 3)
    np.testing.assert_allclose(expected[0], [0.3, 0.2, 0.2], atol=1e-12)
    np.testing.assert_allclose(expected[1:], [random_search(scores[1:2], 3)[0], [1, 1, 1]])
    followed = best_measured(scores, np.array([1, 0, 2]))
    np.testing.assert_allclose(followed, [[0.4, 0.2, 0.2], [0.5, 0.1, 0.1], [1, 1, 1]])


def test_random_search_is_stable_for_many_configurations():
    """1000 configurations, 1000 draws: monotone, and the minimum at the end."""
    scores = np.random.default_rng(1).random((5, 1000))
    expected = random_search(scores, 1000)
    assert (np.diff(expected, axis=1) <= 1e-12).all()
    np.testing.assert_allclose(expected[:, -1], scores.min(axis=1), atol=1e-12)
    simulated = np.minimum.accumulate(
        np.stack([np.random.default_rng(i).permutation(scores[0])[:20] for i in range(4000)]),
        axis=1,
    ).mean(axis=0)
    np.testing.assert_allclose(expected[0, :20], simulated, rtol=0.1, atol=0.01)


def test_leave_one_task_out_is_learning_without_the_task():
    """Against a plain loop: the list, random search and the single best."""
    scores = SCORES.to_numpy()
    raw = resamplings(SCORES, ListLearner(length=5), split="leave_one_task_out", weights="equal")
    assert set(raw["left_out"]) == set(SCORES.index)
    for method, k, task in itertools.product(
        ("list", "random search", "single best"), (1, 5), range(12)
    ):
        others = np.delete(scores, task, axis=0)
        order = greedy(others, 5).order
        expected = {
            "list": best_after(scores[[task]], order)[0, k - 1],
            "random search": random_search(scores[[task]], 5)[0, k - 1],
            "single best": scores[task, by_mean(others, np.ones(11))[0]],
        }[method]
        row = raw[(raw["method"] == method) & (raw["k"] == k) & (raw["left_out"] == f"t{task}")]
        assert row["J"].item() == pytest.approx(expected)


def test_summary_has_median_quartiles_and_mean_by_method_and_k():
    """Of the raw resamplings, quantile by quantile."""
    arguments = (SCORES, ListLearner(length=3), 8, 0.25)
    raw, summary = resamplings(*arguments), resample(*arguments)
    assert list(summary.columns) == ["median", "lower_quartile", "upper_quartile", "mean"]
    draws = raw[(raw["method"] == "list") & (raw["k"] == 2)]["J"]
    assert len(draws) == 8
    assert summary.loc[("list", 2), "median"] == pytest.approx(draws.median())
    assert summary.loc[("list", 2), "upper_quartile"] == pytest.approx(draws.quantile(0.75))
    assert summary.loc[("list", 2), "mean"] == pytest.approx(draws.mean())


def test_the_same_seed_gives_the_same_result_in_any_number_of_processes():
    """Seeded and parallel."""
    one = resamplings(SCORES, ListLearner(length=3), 6, seed=3, n_train=(2, None))
    two = resamplings(SCORES, ListLearner(length=3), 6, seed=3, n_train=(2, None), n_jobs=2)
    pd.testing.assert_frame_equal(one, two)
    other = resamplings(SCORES, ListLearner(length=3), 6, seed=4, n_train=(2, None))
    assert not one["J"].equals(other["J"])


def test_families_are_held_out_whole():
    """Leave one family out, and random families; nothing of a held-out family is trained on."""
    raw = resamplings(
        SCORES, ListLearner(length=2), split="leave_one_family_out", families=FAMILIES
    )
    assert set(raw["left_out"]) == {"f", "g", "h"}
    assert set(raw["n_train"]) == {8}
    grouped = resamplings(SCORES, ListLearner(length=2), 5, 1, split="families", families=FAMILIES)
    assert set(grouped["n_train"]) == {8}
    assert grouped["resampling"].nunique() == 5


def test_axes_are_numbers_of_tasks_of_configurations_and_horizons():
    """Each combination is a group; more training tasks help on the whole."""
    history = populations.history(tasks=12, rates=10)
    summary = resample(
        history,
        ListLearner(length=3),
        n_resamplings=6,
        n_train=(1, 9),
        n_configurations=(5, 10),
        horizon=(20, 50),
    )
    assert summary.index.names == ["method", "n_train", "n_configurations", "horizon", "k"]
    assert len(summary) == 3 * 2 * 2 * 2 * 3
    first = summary["mean"].xs("list", level="method").xs(1, level="k")
    assert first.xs(9, level="n_train").mean() <= first.xs(1, level="n_train").mean()


def test_several_learners_are_scored_alike():
    """What they learn on may differ; what is reported is the same score for all."""
    history = populations.history(tasks=8)
    learners = {
        "quantile": ListLearner(length=2, normalization="quantile"),
        "test": ListLearner(length=2, split="test"),
    }
    raw = resamplings(history, learners, 4, report_split="test")
    random = raw[raw["method"].str.endswith("random search")]
    by_learner = random.pivot_table(index=["resampling", "k"], columns="method", values="J")
    np.testing.assert_allclose(by_learner.iloc[:, 0], by_learner.iloc[:, 1])
    kinds = ("", ": random search", ": single best")
    assert set(raw["method"]) == {f"{name}{kind}" for name in learners for kind in kinds}


def mixed_history():
    """Runs of two search spaces on the same tasks, one with the published learning-rate grid."""
    nadamw = {
        "learning_rate": 1e-3,
        "beta1": 0.9,
        "beta2": 0.99,
        "epsilon": 1e-8,
        "use_nesterov": False,
        "adamw_weight_decay": 0.0,
        "l2_weight_decay": 0.0,
        "warmup_fraction": 0.0,
        "min_learning_rate_mult": 0.0,
        "constant_fraction": 0.5,
    }
    records = populations.runs(tasks=4, rates=8)
    for record in records:
        record["space"] = "nadamw"
        record["values"] = nadamw | record["values"]
    grid = []
    for rate in half_orders()["learning_rate"]:
        for record in populations.runs(tasks=4, rates=1):
            loss = 0.5 + 0.1 * abs(math.log10(rate) + 3)
            values = {"learning_rate": float(rate)}
            grid.append(record | {"values": values, "valid": [2.0] + [loss] * 5, "test": None})
    return History.from_records(records + grid)


def test_tuned_adam_is_a_baseline_where_its_runs_are_there():
    """The half orders of magnitude of adam1p in the history, in random order, without repeats."""
    history = mixed_history()
    assert len(tuned_adam(history)) == 17
    assert tuned_adam(populations.history(rates=12)) == []  # 1e-5 and 1 alone are no grid
    raw = resamplings(history, [ListLearner(length=4, space="nadamw")], 3, progress=True)
    assert "tuned Adam" in set(raw["method"])
    with pytest.raises(InvalidValueError, match="mixes the search spaces adam1p, nadamw"):
        resamplings(history, ListLearner(), 2)


def test_studies_without_common_configurations_are_judged_by_their_surrogates():
    """A left-out study's scores come from a model of that study alone."""
    random = np.random.default_rng(0)
    records = [
        {"task": f"s{s}", "values": {"x": x}, "steps": [1], "valid": [abs(x - 0.5)]}
        for s in range(5)
        for x in random.random(20).tolist()
    ]
    summary = resample(
        History.from_records(records), ListLearner(length=3), split="leave_one_task_out"
    )
    means = summary["mean"]
    assert means[("list", 1)] < 0.6 * means[("random search", 1)]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"split": "random"}, UnknownNameError, "split of tasks 'random'"),
        ({"split": "families"}, InvalidValueError, "family of every task; that of 't0'"),
        ({"test_size": 0}, InvalidValueError, "test_size is 0"),
        ({"test_size": 12}, InvalidValueError, "from 1 to 11"),
        ({"test_size": 1.0}, InvalidValueError, "test_size is 1.0"),
        ({"n_resamplings": 0}, InvalidValueError, "n_resamplings is 0"),
        ({"n_train": (10,)}, InvalidValueError, "n_train is 10; give a whole number from 1 to 9"),
        ({"n_configurations": (0,)}, InvalidValueError, "n_configurations is 0"),
    ],
)
def test_impossible_splits_are_refused(options, error, message):
    """With what is allowed."""
    with pytest.raises(error, match=message):
        resamplings(SCORES, ListLearner(length=2), **options)
    with pytest.raises(InvalidValueError, match="at least two tasks"):
        resamplings(SCORES[:1], ListLearner(length=2))


def adam1p(*rates, **options):
    return HyperparameterList([{"learning_rate": rate} for rate in rates], "adam1p", **options)


def test_compare_follows_lists_on_measured_runs():
    """Entries are found by their values; J(k) is that of the scores."""
    history = populations.history(tasks=4, rates=6)
    rates = [float(rate) for rate in np.logspace(-5, 0, 6)]
    lists = {"up": adam1p(*rates), "down": adam1p(*rates[::-1]), "odd": adam1p(rates[2], 0.123)}
    with pytest.warns(UserWarning, match="never ran .*: 1 of 2 of list 'odd'") as warned:
        comparison = compare(lists, history, weights="equal")
    assert len(warned) == 1 and "'up'" not in str(warned[0].message)
    with pytest.raises(InvalidValueError, match="'odd': it never ran 1 of its 2 entries"):
        comparison.after_seconds([1])
    learner = ListLearner(weights="equal").fit(history)
    by_rate = {history.values()[label]["learning_rate"]: label for label in learner.scores_}
    for name, hplist in lists.items():
        tried = [by_rate.get(entry["learning_rate"]) for entry in hplist]
        best = learner.scores_[[label for label in tried if label]].cummin(axis=1).mean()
        np.testing.assert_allclose(
            comparison.curve[name].dropna()[: len(best)], best.to_numpy(), rtol=1e-6
        )
    assert comparison.unknown == {"up": [], "down": [], "odd": [1]}
    assert comparison.curve["up"][6] == comparison.curve["down"][6]
    assert comparison.curve["random search"][6] == pytest.approx(comparison.curve["up"][6])


def test_significance_is_paired_by_task():
    """Wins, ties, losses and Wilcoxon's test, against SciPy."""
    history = populations.history(tasks=8, rates=6)
    rates = [float(rate) for rate in np.logspace(-5, 0, 6)]
    comparison = compare({"good": adam1p(rates[3]), "bad": adam1p(rates[0])}, history)
    row = comparison.significance(1).loc[("good", "bad")]
    difference = comparison.best["good"][1] - comparison.best["bad"][1]
    assert row["wins"] + row["ties"] + row["losses"] == 8
    assert row["win_rate"] == 1.0
    assert row["p_value"] == pytest.approx(stats.wilcoxon(difference).pvalue)
    same = compare({"a": adam1p(rates[3]), "b": adam1p(rates[3])}, history).significance(1)
    assert same.loc[("a", "b"), ["win_rate", "p_value"]].tolist() == [0.5, 1.0]
    with pytest.raises(InvalidValueError, match="there is no trial 2"):
        comparison.significance(2)


def test_j_by_seconds_waits_for_each_trial_to_end():
    """Nothing before the first entry ends; then its score; then the better of both."""
    history = populations.history(tasks=3, rates=6)
    rates = [float(rate) for rate in np.logspace(-5, 0, 6)]
    comparison = compare({"two": adam1p(rates[2], rates[3])}, history)
    curve = comparison.after_seconds([0.5, 1.5, 10.0])["two"]
    assert curve[0.5] == 1.0
    assert curve[1.5] == pytest.approx(comparison.curve["two"][1])
    assert curve[10.0] == pytest.approx(comparison.curve["two"][2])
    assert comparison.after_seconds(1.5)["two"].tolist() == [curve[1.5]]
    for budgets in ([-1], ["soon"], [np.nan], None):
        with pytest.raises(InvalidValueError, match="Budgets are numbers of seconds"):
            comparison.after_seconds(budgets)
    without = History.from_records(populations.runs(tasks=3, rates=6, seconds=None))
    with pytest.raises(InvalidValueError, match=r"seconds of every run of list 'two'\.$"):
        compare({"two": adam1p(rates[2])}, without).after_seconds([1])


def test_compare_refuses_lists_that_the_history_does_not_know():
    """No entry run; no list; two of one name."""
    history = populations.history(tasks=2, rates=3)
    with pytest.raises(InvalidValueError, match="no run of any entry of list 'adam1p'"):
        compare([adam1p(0.123)], history)
    with pytest.raises(InvalidValueError, match="no run of any entry of list 'nadamw'"):
        compare(["nadamw"], history)
    with pytest.raises(InvalidValueError, match="at least one list"):
        compare([], history)
    with pytest.raises(InvalidValueError, match="different names"):
        compare([adam1p(1.0), adam1p(0.1)], history)


def test_learners_may_come_in_a_sequence():
    """They are called by their names or numbered; two of one name are refused."""
    learners = [ListLearner(length=2, name="a"), ListLearner(length=2, normalization="quantile")]
    raw = resamplings(SCORES, learners, 2)
    assert {"a", "list 2"} < set(raw["method"])
    with pytest.raises(InvalidValueError, match="different names"):
        resamplings(SCORES, [learners[0], learners[0]], 2)
