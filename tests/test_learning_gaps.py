"""The learner on data with gaps: what was not run, pruned, or not timed."""

import warnings

import numpy as np
import populations
import pytest
from populations import frame

from keras_hplist.errors import InvalidValueError
from keras_hplist.history import History
from keras_hplist.learning import ListLearner

NAN = np.nan


def holes(share, seed=0, shape=(12, 60)):
    """Scores with structure, the same with holes, and the hyperparameters behind them."""
    random = np.random.default_rng(seed)
    x, kind = random.random(shape[1]), random.integers(0, 2, shape[1])
    best = random.normal(0.5, 0.1, (shape[0], 1))
    full = np.clip(3 * np.abs(x - best) + 0.2 * kind + random.normal(0, 0.02, shape), 0, 1)
    holed = np.where(random.random(shape) < share, NAN, full)
    values = {f"c{i}": {"x": x[i], "kind": "ab"[kind[i]]} for i in range(shape[1])}
    return frame(full), frame(holed), values


@pytest.mark.parametrize("rule", ["surrogate", "additive", "pessimistic", "optimistic", "auto"])
def test_holes_are_filled_by_every_rule_and_measured_cells_stay(rule):
    """30 % missing cells: a full list comes out, in [0, 1], with measured scores untouched."""
    _, holed, values = holes(0.3)
    learner = ListLearner(length=60, missing=rule).fit(holed, configurations=values)
    filled = learner.scores_
    assert not filled.isna().to_numpy().any()
    assert ((filled >= 0) & (filled <= 1)).to_numpy().all()
    known = holed.notna().to_numpy()
    np.testing.assert_array_equal(filled.to_numpy()[known], holed.to_numpy()[known])
    assert len(set(learner.order_)) == 60
    assert learner.list_.provenance["missing"]["share"] == pytest.approx(0.3, abs=0.05)
    assert learner.missing_ == rule or rule == "auto"


def test_the_surrogate_predicts_better_than_rules_that_know_no_hyperparameters():
    """Errors on the holes, where the truth is known here."""
    full, holed, values = holes(0.5)
    hole = holed.isna().to_numpy()
    errors = {}
    for rule in ("surrogate", "additive", "pessimistic", "optimistic"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            learner = ListLearner(missing=rule).fit(holed, configurations=values)
        errors[rule] = np.abs(learner.scores_.to_numpy() - full.to_numpy())[hole].mean()
    assert errors["surrogate"] < 0.7 * min(errors["additive"], errors["pessimistic"])
    assert errors["surrogate"] < 0.1


def test_thin_tasks_and_configurations_are_named_in_a_warning():
    """Of which little was measured; the list is there all the same."""
    scores = frame(np.random.default_rng(0).random((4, 10)))
    scores.iloc[1, :8] = NAN
    with pytest.warns(UserWarning, match=r"1 of 4 tasks .* t1 \(20%\)"):
        learner = ListLearner().fit(scores)
    assert len(learner.order_) == 10


def test_what_is_wholly_unknown_is_left_out_by_name():
    """Empty rows and columns, and tasks in which nothing improves."""
    scores = frame([[0.1, NAN, 0.2], [NAN, NAN, NAN], [0.2, NAN, 0.1]])
    with pytest.warns(UserWarning) as caught:
        learner = ListLearner().fit(scores)
    texts = " ".join(str(w.message) for w in caught)
    assert "1 tasks were left out, because they have no score: t1" in texts
    assert "1 configurations were left out, because they have no score: c1" in texts
    assert learner.dropped_ == ("t1",)
    assert learner.order_.tolist() == ["c0", "c2"]
    flat = populations.runs(tasks=1, task="flat", valid=[1.0] * 6, test=None)
    with pytest.warns(UserWarning, match="improves on the start, or all losses are equal: flat"):
        learner = ListLearner(length=2).fit(History.from_records(populations.runs() + flat))
    assert learner.dropped_ == ("flat",)


def test_pruned_runs_count_with_what_is_known_of_them():
    """A run pruned while it was bad is not taken for a good one, nor for a missing one."""
    records = populations.runs(tasks=3)
    for record in records:
        if record["values"]["learning_rate"] < 1e-4:
            record |= {"valid": record["valid"][:2], "steps": [0, 10], "status": "pruned"}
            record |= {"test": None, "training_steps": 50}
    fitted = {}
    for rule in ("pessimistic", "surrogate", "optimistic"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted[rule] = ListLearner(missing=rule).fit(History.from_records(records))
        assert fitted[rule].list_.provenance["missing"]["share"] == pytest.approx(3 / 12)
    low, middle, high = (
        fitted[rule].scores_.to_numpy() for rule in ("optimistic", "surrogate", "pessimistic")
    )
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert low[low < high].min() > 0.1  # what was seen before the prune counts
    assert fitted["pessimistic"].list_[0]["learning_rate"] > 1e-4


@pytest.mark.parametrize("status", ["diverged", "pruned"])
def test_a_final_loss_of_a_run_that_did_not_end_well_is_no_success(status):
    """However low: the list begins with the best of the sound runs."""
    runs = [
        {"task": f"t{task}", "values": {"rate": rate}, "steps": [1], "valid": [loss], "status": end}
        for task in range(3)
        for rate, loss, end in (
            (0.1, 0.01, status),
            (0.2, 0.5, "ok"),
            (0.3, 1, "ok"),
            (0.4, 2, "ok"),
        )
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learner = ListLearner(missing="pessimistic").fit(History.from_records(runs))
    assert learner.list_[0] == {"rate": 0.2}


@pytest.mark.parametrize("pruned", [(False,), (True,), (False, False), (True, False)])
def test_one_configuration_is_a_list_of_one(pruned):
    """Measured or pruned, on one task or two; of one there is none to hold out."""
    runs = [
        {
            "task": f"task{number}",
            "values": {"rate": 0.1},
            "steps": [0, 10],
            "valid": [2.0, 1.0],
            "training_steps": 100 if short else 10,
            "status": "pruned" if short else "ok",
        }
        for number, short in enumerate(pruned)
    ]
    learner = ListLearner(length=3).fit(History.from_records(runs))
    assert [dict(entry) for entry in learner.list_] == [{"rate": 0.1}]
    assert learner.curve_["held_out"].isna().all() == (len(pruned) == 1)


def test_costs_move_cheap_configurations_forward():
    """By gain per second; without times it is refused."""
    records = populations.runs(tasks=4)
    for record in records:
        record["seconds"] = 1000.0 if record["values"]["learning_rate"] > 1e-3 else 1.0
    plain = ListLearner(length=1).fit(History.from_records(records)).list_
    cheap = ListLearner(length=1, cost="seconds").fit(History.from_records(records)).list_
    assert cheap[0]["learning_rate"] < 1e-3 < plain[0]["learning_rate"]
    with pytest.raises(InvalidValueError, match="wall time"):
        ListLearner(cost="seconds").fit(frame([[0.1, 0.2]]))


@pytest.mark.parametrize("case", ["one task is timed", "some are rounded to 0 s"])
def test_costs_need_not_be_known_everywhere(case):
    """Lists of tasks without times are chosen, too, to judge the list."""
    records = populations.runs(tasks=4)
    for record in records:
        cheap = record["values"]["learning_rate"] < 1e-3
        if case == "some are rounded to 0 s":
            record["seconds"] = 0.0 if cheap else 2.0
        elif record["task"] == records[0]["task"]:
            record["seconds"] = 0.5 if cheap else 2.0
    learner = ListLearner(length=2, cost="seconds").fit(History.from_records(records))
    assert learner.gains_[0] > 0 and learner.curve_["held_out"].notna().all()
