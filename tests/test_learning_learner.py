"""The learner: from histories and matrices to lists that explain themselves."""

import json
import warnings

import numpy as np
import pandas as pd
import populations
import pytest
from populations import frame
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.history import History
from keras_hplist.learning import ListLearner, best_after, greedy, score_matrix
from keras_hplist.learning.baselines import random_search
from keras_hplist.learning.evidence import Evidence
from keras_hplist.lists import HyperparameterList
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Choice, Number

NAN = np.nan


def test_a_history_becomes_a_list_with_gains_and_provenance(tmp_path):
    """The list holds real configurations in greedy order and says where it comes from."""
    runs = populations.history()
    learner = ListLearner(length=5, name="mine").fit(runs)
    hplist = learner.list_
    assert (len(hplist), hplist.name, hplist.space.name) == (5, "mine", "adam1p")
    assert [runs.values()[label] for label in learner.order_] == list(hplist)
    assert hplist.gains == learner.gains_.tolist()
    matrix = score_matrix(runs.curves())
    weights = learner.weights_.to_numpy()
    expected = greedy(matrix.values, 5, weights).order
    assert [matrix.configurations[i] for i in expected] == learner.order_.tolist()
    provenance = hplist.provenance
    assert provenance["tasks"] == runs.tasks
    assert provenance["history"] == runs.fingerprint
    assert provenance["configurations"] == 12
    assert provenance["training_steps"] == [50]
    assert provenance["J"]["training"]["1"] == learner.curve_["training"][1]
    assert provenance["J"]["held_out"]["5"] == learner.curve_["held_out"][5]
    assert set(provenance["versions"]) == {"keras_hplist", "numpy", "scikit-learn"}
    hplist.save(tmp_path / "list.json")
    assert HyperparameterList.load(tmp_path / "list.json").provenance == provenance


def test_the_same_input_gives_the_same_bytes(tmp_path, monkeypatch):
    """Also with holes and a surrogate, and for rows and shards in any order."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    records = populations.runs()
    random = np.random.default_rng(0)
    kept = [record for record in records if random.random() > 0.2]
    for name, rows in (("one", kept), ("two", kept[::-1])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            learner = ListLearner(length=4, missing="surrogate").fit(History.from_records(rows))
        learner.list_.save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert json.loads((tmp_path / "one").read_text())["provenance"]["date"] == "2023-11-14"


def test_it_follows_the_conventions_of_scikit_learn():
    """get_params, set_params, clone; fitting returns self and sets attributes with underscores."""
    learner = ListLearner(length=3, normalization="quantile", weights={"t0": 1.0, "t1": 2.0})
    copy = clone(learner)
    assert copy.get_params() == learner.get_params()
    assert copy.set_params(length=2).length == 2
    with pytest.raises(NotFittedError):
        _ = learner.list_
    assert learner.fit(frame([[0.5, 0.1], [0.2, 0.3]])) is learner
    assert learner.order_.tolist() == ["c1", "c0"]
    assert learner.weights_.tolist() == pytest.approx([1 / 3, 2 / 3])


def test_a_matrix_may_be_a_frame_or_an_array():
    """Order by label or position; a list only if the values are given."""
    scores = [[0.5, 0.1, 0.9], [0.2, 0.3, 0.9]]
    by_frame, by_array = ListLearner().fit(frame(scores)), ListLearner().fit(np.array(scores))
    assert by_frame.order_.tolist() == ["c1", "c0", "c2"]
    assert by_array.order_.tolist() == [1, 0, 2]
    with pytest.raises(InvalidValueError, match="configurations="):
        _ = by_array.list_
    values = pd.DataFrame({"learning_rate": [0.1, 0.2, 0.3]}, index=["c0", "c1", "c2"])
    for configurations in (values, values.to_dict("index")):
        learner = ListLearner(space="adam1p").fit(frame(scores), configurations=configurations)
        assert [entry["learning_rate"] for entry in learner.list_] == [0.2, 0.1, 0.3]


@pytest.mark.parametrize(
    ("weights", "first"),
    [
        ("family", "c1"),
        ("equal", "c0"),
        ({"a": 0, "b": 0, "c": 1}, "c1"),
        ({"f": 1.0, "g": 1.0}, "c1"),
        ({"f": 2.0, "g": 1.0, "unheard of": 9.0}, "c0"),
    ],
)
def test_weights_keep_a_large_family_from_drowning_the_others(weights, first):
    """Two tasks of one family prefer c0, one task of another prefers c1 a little more."""
    scores = pd.DataFrame(
        [[0.1, 0.4], [0.1, 0.4], [0.9, 0.5]], index=list("abc"), columns=["c0", "c1"]
    )
    learner = ListLearner(length=1, weights=weights)
    with pytest.raises(InvalidValueError, match="for each of the tasks, or for each of their fam"):
        learner.set_params(weights={"a": 1.0, "f": 1.0}).fit(scores, families=["f", "f", "g"])
    learner.set_params(weights=weights)
    assert learner.fit(scores, families=["f", "f", "g"]).order_[0] == first
    assert learner.fit(scores, families={"a": "f", "b": "f", "c": "g"}).order_[0] == first
    by_label = pd.Series(["g", "f", "f"], index=["c", "b", "a"])
    assert learner.fit(scores, families=by_label).order_[0] == first


@pytest.mark.parametrize(
    "as_given",
    [
        list,
        pd.Series,
        pd.Categorical,
        lambda f: pd.Series(f, [f"t{i}" for i in range(4)]).to_dict(),
    ],
)
def test_tasks_of_unknown_family_stand_alone(as_given):
    """Also where pandas has made NaN of None."""
    scores = frame([[0.1, 0.4], [0.2, 0.4], [0.3, 0.4], [0.9, 0.5]])
    learner = ListLearner(length=1).fit(scores, families=as_given(["f", None, "f", None]))
    np.testing.assert_allclose(learner.weights_, [1 / 6, 1 / 3, 1 / 6, 1 / 3])


def test_held_out_quality_is_that_of_lists_learned_without_the_task():
    """The curve equals learning anew without each task and following the list on it."""
    scores = frame(np.random.default_rng(0).random((6, 15)))
    learner = ListLearner(length=5).fit(scores)
    by_hand = np.mean(
        [
            best_after(
                scores.to_numpy()[[task]],
                greedy(np.delete(scores.to_numpy(), task, axis=0), 5).order,
            )[0]
            for task in range(6)
        ],
        axis=0,
    )
    np.testing.assert_allclose(learner.curve_["held_out"], by_hand)
    training = best_after(scores.to_numpy(), greedy(scores.to_numpy(), 5).order).mean(axis=0)
    np.testing.assert_allclose(learner.curve_["training"], training)
    by_task = learner.held_out_
    np.testing.assert_allclose(by_task["list"].mean(), by_hand)
    np.testing.assert_allclose(by_task["random search"], random_search(scores.to_numpy(), 5))
    assert list(by_task["list"].index) == list(scores.index)
    assert ListLearner().fit(scores.iloc[:1]).held_out_ == {}


def test_explanations_add_up():
    """Gains, improved tasks and served tasks are those of the scores."""
    scores = frame([[0.5, 0.1, 0.9], [0.2, 0.9, 0.9], [0.2, 0.8, 0.15]])
    learner = ListLearner().fit(scores)
    assert learner.order_.tolist() == ["c0", "c1", "c2"]
    first, second, third = (learner.explain(rank) for rank in range(3))
    assert first.before == 1.0
    assert first.gain == pytest.approx(1 - 0.9 / 3)
    assert set(first.improves.index) == {"t0", "t1", "t2"}
    assert second.improves["before"].to_dict() == {"t0": 0.5}
    assert second.improves["after"].to_dict() == {"t0": 0.1}
    assert (first.serves, second.serves, third.serves) == (["t1"], ["t0"], ["t2"])
    assert "lowers the mean score from 0.3000 to 0.1667" in str(second)
    for rank in (3, -1, "1", 1.0, True):
        with pytest.raises(InvalidValueError, match=r"rank is .*; give a whole number from 0 to 2"):
            learner.explain(rank)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "more than any other configuration at this point"),
        ({"scale": "median"}, "more, on the scale from the median, than any other"),
        ({"cost": "seconds"}, "more for its seconds than any other"),
        ({"budget": 2}, "one of 2 that were chosen together"),
    ],
)
def test_an_explanation_says_what_the_choice_was_made_by(options, reason):
    """A choice by cost, on another scale, or for a budget is not that of the largest gain."""
    learner = ListLearner(length=4, **options).fit(populations.history())
    assert reason in str(learner.explain(0))
    assert "more than any" in str(learner.explain(2)) or options.keys() & {"scale", "cost"}


def test_entries_after_saturation_say_so():
    """From the second pass on an explanation tells of the pass, and gains are 0."""
    learner = ListLearner().fit(frame([[0.0, 0.1, 0.2]]))
    assert learner.passes_.tolist() == [0, 1, 2]
    assert learner.gains_.tolist() == [1.0, 0.0, 0.0]
    assert "pass 2" in str(learner.explain(1))


@pytest.mark.parametrize("budget", [None, 2])
def test_the_scale_bends_the_choice_and_no_report(budget):
    """Another order; gains, scores, J(k) and explanations stay on the linear scale."""
    scores = frame([[0.30, 0.50, 0.60, 0.70], [0.10, 0.10, 0.05, 0.00]])
    linear, median = (
        ListLearner(scale=scale, length=2, budget=budget).fit(scores)
        for scale in ("linear", "median")
    )
    order = linear.order_.tolist()
    assert median.order_.tolist() == order[::-1]
    pd.testing.assert_frame_equal(median.scores_, linear.scores_)
    j = [1.0, scores[order[1]].mean(), linear.curve_["training"].iloc[-1]]
    assert median.curve_["training"].tolist() == pytest.approx(j[1:])
    assert median.gains_.tolist() == pytest.approx([j[0] - j[1], j[1] - j[2]])
    assert median.explain(1).gain == pytest.approx(median.gains_[1])
    with pytest.raises(UnknownNameError, match=r"scale 'mediam'.*Did you mean 'median'"):
        ListLearner(scale="mediam").fit(scores)


def test_seeds_splits_and_horizons_reach_the_scores():
    """The parameters act as `score_matrix` says."""
    runs = populations.history(seeds=3)
    for options in ({"seeds": "worst"}, {"horizon": 30}, {"normalization": "last_quantile"}):
        learner = ListLearner(**options).fit(runs)
        expected = score_matrix(runs.curves(), **options).values
        np.testing.assert_allclose(learner.scores_, expected)
    test = ListLearner(split="test").fit(runs).scores_
    np.testing.assert_allclose(test, score_matrix(runs.curves("test")).values)


def test_scores_of_several_splits_are_averaged():
    """Over the tasks that all splits score; reports are on the first."""
    records = populations.runs(tasks=4)
    for record in records:
        record["test"] = record["test"] * (1 + 0.3 * np.log10(record["values"]["learning_rate"]))
        if record["task"].endswith("_3"):
            record["test"] = np.full_like(record["test"], 2.0)  # where nothing improves
    runs = History.from_records(records)
    valid, test, both = (
        ListLearner(split=split).fit(runs) for split in ("valid", "test", ("valid", "test"))
    )
    assert set(valid.scores_.index) - set(test.scores_.index) == {"mlp_3"} == set(both.dropped_)
    expected = (valid.scores_ + test.scores_) / 2
    pd.testing.assert_frame_equal(both.scores_, expected.loc[both.scores_.index])
    assert both.list_.provenance["split"] == ["valid", "test"]
    assert Evidence.of(both, runs).lowest.shape == (3, 12)


@pytest.mark.parametrize("third", [0.51, 0.5])
def test_final_losses_alone_order_a_study(third):
    """Those worse than the median, or equal to the best, too."""
    records = [
        {"task": "t", "values": {"lr": lr}, "steps": [1], "valid": [loss]}
        for lr, loss in [(0.1, 0.9), (0.2, 0.5), (0.3, third)]
    ]
    losses = {record["values"]["lr"]: record["valid"][0] for record in records}
    learned = ListLearner(length=3).fit(History.from_records(records)).list_
    assert [losses[entry["lr"]] for entry in learned] == [0.5, third, 0.9]


def test_studies_that_share_no_configuration_are_pooled():
    """Continuous values never repeat: candidates of all studies are scored on every task."""
    random = np.random.default_rng(0)
    records = []
    for study in range(5):
        for _ in range(15):
            x, kind = random.random(), "ab"[random.integers(0, 2)]
            loss = (x - 0.5) ** 2 + 0.2 * (kind == "b") + random.normal(0, 0.005)
            values = {"x": x, "kind": kind} | ({"y": random.random()} if kind == "a" else {})
            records.append({"task": f"s{study}", "values": values, "steps": [1], "valid": [loss]})
    with pytest.warns(UserWarning, match="5 of 5 tasks have scores for less than 50%"):
        learner = ListLearner(length=3).fit(History.from_records(records))
    assert learner.missing_ == "surrogate"
    assert learner.scores_.shape == (5, 75)
    best = learner.list_[0]
    assert abs(best["x"] - 0.5) < 0.2
    assert best["kind"] == "a"
    space = learner.list_.space
    assert {row.name: row.when for row in space.rows}["y"] == (("kind", ("a",)),)
    assert SearchSpace.from_config(space.to_config()) == space


def test_a_hyperparameter_that_some_studies_lack_gets_its_default():
    """Union of spaces: the default of the space, else the typical value, completes the others."""
    records = [
        {"task": "a", "values": {"x": 0.1 * i}, "steps": [1], "valid": [1.0 + i]} for i in range(5)
    ] + [
        {"task": "b", "values": {"x": 0.1 * i, "drop": d}, "steps": [1], "valid": [1.0 + i + d]}
        for i, d in [(0, 0.1), (1, 0.2), (2, 0.3)]
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learner = ListLearner().fit(History.from_records(records))
        own = SearchSpace(
            "mine",
            (
                Hyperparameter("x", Number(0.0, 1.0)),
                Hyperparameter("drop", Number(0.0, 0.5), default=0.5),
            ),
        )
        given = ListLearner(space=own).fit(History.from_records(records))
    assert {entry["drop"] for entry in learner.list_} == {0.1, 0.2, 0.3}
    assert len(learner.list_) == 7  # x=0.1 with 0.2 is the same configuration in both studies
    assert {entry["drop"] for entry in given.list_} == {0.1, 0.2, 0.3, 0.5}
    assert len(given.list_) == 8


def test_configurations_outside_a_given_space_are_left_out():
    """With a warning that shows one; if none is inside, it is an error."""
    scores = frame([[0.1, 0.2, 0.3]])
    values = {"c0": {"kind": "z"}, "c1": {"kind": "a"}, "c2": {"kind": "b"}}
    space = SearchSpace("mine", (Hyperparameter("kind", Choice(("a", "b"))),))
    with pytest.warns(UserWarning, match=r"lie outside the search space 'mine'.*c0"):
        learner = ListLearner(space=space).fit(scores, configurations=values)
    assert learner.order_.tolist() == ["c1", "c2"]
    with pytest.raises(InvalidValueError, match="No configuration lies in the search space"):
        ListLearner(space="adam1p").fit(scores, configurations=values)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (History.from_records([]), "history is empty"),
        (frame([[NAN, NAN]]), "Every score is NaN"),
        (frame([[np.inf, 0.1]]), "task 0, configuration 0 is infinite"),
        (pd.DataFrame([[0.1, 0.2]], columns=["a", "a"]), "configuration 'a' stands twice"),
        (pd.DataFrame([[0.1], [0.2]], index=["t", "t"]), "task 't' stands twice"),
        (pd.DataFrame([["x"]]), "not numbers"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\); give one row for each task"),
        (pd.DataFrame([[0.1]], index=pd.MultiIndex.from_tuples([("a", 0)])), "2 levels of task"),
        (
            History.from_records(
                populations.runs(tasks=1, rates=2)
                + populations.runs(tasks=1, rates=2, space="adam4p")
            ),
            r"mixes the search spaces adam1p, adam4p.*space='adam1p'",
        ),
        (
            History.from_records(populations.runs(tasks=1, rates=2, test=None)),
            None,
        ),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused(data, message):
    """Every message says what is wrong and where; the last case is fine, but not on `test`."""
    if message is None:
        ListLearner(length=1).fit(data)
        with pytest.raises(InvalidValueError, match="split 'test'"):
            ListLearner(split="test").fit(data)
        return
    with pytest.raises(InvalidValueError, match=message):
        ListLearner().fit(data)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"missing": "drop"}, UnknownNameError, "rule for missing cells 'drop'"),
        ({"cost": "money"}, UnknownNameError, "cost 'money'"),
        ({"weights": "size"}, UnknownNameError, "weights 'size'"),
        ({"weights": {"x": 1}}, InvalidValueError, "none for task 't0'"),
        ({"weights": None}, InvalidValueError, "weights is None; give one of family, equal"),
        ({"weights": {"t0": "a", "t1": 1}}, InvalidValueError, "weight of 't0' is 'a'"),
        ({"seed": -1}, InvalidValueError, "seed is -1"),
        ({"length": 0}, InvalidValueError, "length is 0"),
        ({"length": None}, InvalidValueError, "length is None"),
        ({"name": ""}, InvalidValueError, "name of a list is ''"),
        ({"split": ()}, InvalidValueError, "split is empty"),
        ({"split": None}, InvalidValueError, "split is None"),
        ({"split": ("valid", "train ")}, UnknownNameError, "Did you mean 'train'"),
        ({"missing": "surrogate"}, InvalidValueError, "needs the hyperparameter values"),
        ({"space": "adam9p"}, UnknownNameError, "adam9p"),
    ],
)
def test_bad_parameters_are_refused_by_fit(options, error, message):
    """As scikit-learn asks, not by the constructor."""
    with pytest.raises(error, match=message):
        ListLearner(**options).fit(frame([[0.1, NAN], [0.2, 0.3]]))


def test_numbers_of_numpy_are_parameters_like_those_of_python():
    """Also in the provenance, which is JSON."""
    history = History.from_records(populations.runs(tasks=2, rates=3))
    options = {"length": 3, "budget": 2, "horizon": 20, "seed": 1}
    learners = [ListLearner(**options), ListLearner(**{k: np.int64(v) for k, v in options.items()})]
    first, second = [learner.fit(history).list_.provenance for learner in learners]
    assert first == second


def test_the_published_tasks_are_learned_from(reference_data):
    """12 × 1000 real curves: the list beats random search on every left-out task."""
    data = np.load(reference_data / "trials/taskset-dpl/taskset_adam8p_12tasks.npz")
    names, losses = [str(name) for name in data["hp_names"]], data["loss"][..., 1]
    records = [
        {
            "task": str(task),
            "space": "adam8p",
            "values": dict(zip(names, values, strict=True)),
            "training_steps": 10_000,
            "steps": range(0, 10_001, 200),
            "valid": losses[t, c],
        }
        for t, task in enumerate(data["tasks"])
        for c, values in enumerate(data["hp"].tolist())
    ]
    learner = ListLearner(length=20).fit(History.from_records(records))
    held_out = learner.curve_["held_out"]
    assert held_out[1] == pytest.approx(0.3238, abs=1e-3)
    assert held_out[5] == pytest.approx(0.2369, abs=1e-3)
    assert held_out[10] < 0.2
    assert learner.list_.space.name == "adam8p"


def test_a_mixed_history_is_learned_from_for_a_given_space():
    """The candidates are those of the space; the scale is that of all runs of a task."""
    better = [
        record | {"space": "adam4p", "values": {"x": 1.0}, "valid": [2.0, 0.1, 0.1, 0.1, 0.1, 0.1]}
        for record in populations.runs(rates=1)
    ]
    mixed = History.from_records(populations.runs(rates=5) + better)
    learner = ListLearner(length=3, space="adam1p").fit(mixed)
    assert learner.list_.space.name == "adam1p"
    assert learner.scores_.shape[1] == 5
    alone = ListLearner(length=3).fit(mixed.select(space="adam1p"))
    assert (learner.scores_.to_numpy() > alone.scores_.to_numpy()).mean() > 0.5


def test_the_provenance_tells_of_the_runs_that_were_learned_from():
    """Not of other spaces' runs, which may be of other lengths."""
    long = [
        record | {"task": f"long_{record['task']}", "space": "adam4p", "training_steps": 900}
        for record in populations.runs(rates=2)
    ]
    mixed = History.from_records(populations.runs(rates=5, training_steps=60) + long)
    learned = ListLearner(length=3, space="adam1p").fit(mixed).list_
    assert learned.provenance["training_steps"] == [60]
    with pytest.raises(InvalidValueError, match="families and configurations are for a matrix"):
        ListLearner(length=3, space="adam1p").fit(mixed, families=["a"])


def test_runs_beyond_the_space_that_others_define_widen_it():
    """As where both define it: what one study lacks has its default, and no task is lost."""
    space = SearchSpace("mine", (Hyperparameter("rate", Number(1e-4, 1.0, "log")),))
    study = [
        {"task": "a", "space": "mine", "values": {"rate": rate}, "steps": [9], "valid": [rate]}
        for rate in (1e-3, 1e-2, 1e-1)
    ]
    log = [
        record | {"task": "b", "values": {"rate": 30 * record["values"]["rate"], "batch": batch}}
        for record, batch in zip(study, (8, 32, 16), strict=True)
    ]
    defined = History.from_records(study, spaces=[space])
    history = History.concat([defined, History.from_records(log)])
    learner = ListLearner(length=6).fit(history)
    assert (len(learner.list_), learner.dropped_) == (6, ())
    assert [row.distribution for row in learner.list_.space.rows] == [
        Number(1e-4, 3.0, "log"),
        Number(8, 32, integer=True),
    ]


def test_a_task_on_which_only_one_run_did_not_diverge_says_so():
    """Though its losses alone are all equal."""
    runs = [
        {"task": "a", "space": "adam1p", "steps": [9], "valid": [loss], "values": values}
        for loss, values in zip(
            (0.5, NAN, 0.5), ({"learning_rate": rate} for rate in (0.01, 0.1, 0.001)), strict=True
        )
    ]
    learner = ListLearner(length=3).fit(History.from_records(runs))
    assert sorted(learner.scores_.to_numpy()[0]) == [0, 0, 1]
    assert learner.order_[-1] == learner.scores_.columns[learner.scores_.to_numpy()[0].argmax()]


def test_frames_of_nullable_numbers_are_read():
    """Pandas' missing value counts as not measured."""
    scores = pd.DataFrame({"a": pd.array([0.1, None], "Float64"), "b": [0.3, 0.2]})
    learner = ListLearner(missing="pessimistic").fit(scores)
    assert learner.scores_["a"].tolist() == [0.1, 1.0]
