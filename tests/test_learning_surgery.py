"""Lists made from lists: restricted, cut, compared, merged with own runs, ordered for a budget."""

import itertools

import numpy as np
import populations
import pytest

from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.history import History
from keras_hplist.learning import ListLearner, merge, reorder
from keras_hplist.learning.evaluation import compare
from keras_hplist.lists import HyperparameterList, diff, drop, restrict
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Boolean, Choice, Number

SPACE = SearchSpace(
    "mine",
    (
        Hyperparameter("rate", Number(1e-5, 1.0, "log")),
        Hyperparameter("kind", Choice(("a", "b", "c"))),
        Hyperparameter("decay", Number(0.0, 1.0), (("kind", ("b",)),)),
        Hyperparameter("fast", Boolean()),
    ),
)
LIST = HyperparameterList(
    [
        {"rate": 1e-3, "kind": "a", "fast": True},
        {"rate": 1e-1, "kind": "b", "decay": 0.5, "fast": False},
        {"rate": 1e-2, "kind": "c", "fast": True},
        {"rate": 1e-4, "kind": "b", "decay": 0.1, "fast": True},
    ],
    SPACE,
    gains=[0.5, 0.25, None, 0.0],
    provenance={"tasks": ["t"]},
)


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        ({"rate": (None, 1e-2)}, [0, 2, 3]),
        ({"rate": (1e-3, 1e-2)}, [0, 2]),
        ({"kind": "b"}, [1, 3]),
        ({"kind": {"a", "c"}}, [0, 2]),
        ({"kind": ["c"]}, [2]),
        ({"fast": True}, [0, 2, 3]),
        ({"decay": (None, 0.2)}, [0, 2, 3]),
        ({"fast": True, "rate": (1e-3, None)}, [0, 2]),
        ({"fast": np.bool_(True), "rate": (np.float64(1e-3), np.int64(1))}, [0, 2]),
        ({"kind": np.array(["a", "c"]), "decay": (None, np.float32(0.5))}, [0, 2]),
        ({}, [0, 1, 2, 3]),
    ],
)
def test_restrict_keeps_what_meets_all_conditions(conditions, kept):
    """Values, bounds and sets; inactive hyperparameters meet every condition; gains stay.

    Numbers of NumPy are as good, and are plain in the provenance.
    """
    part = restrict(LIST, conditions)
    assert list(part) == [LIST[rank] for rank in kept]
    assert part.gains == [LIST.gains[rank] for rank in kept]
    assert part.provenance["surgery"][-1]["from"] == LIST.fingerprint


def test_restrict_can_move_values_instead():
    """To the nearer bound or the fixed value; entries that become equal stand once."""
    moved = restrict(LIST, {"rate": (1e-3, 1e-2), "kind": "a"}, clip=True)
    assert [entry["rate"] for entry in moved] == [1e-3, 1e-2, 1e-2]
    assert {entry["kind"] for entry in moved} == {"a"}
    assert restrict(LIST, {"fast": np.bool_(True)}, clip=True)[1]["fast"] is True
    assert moved.gains == [None] * 3
    assert moved.source_ranks == [0, None, None]
    with pytest.raises(InvalidValueError, match=r"'kind' is 'b'.*does not say"):
        restrict(LIST, {"kind": ["a", "c"]}, clip=True)


STEPPED = SearchSpace(
    "stepped",
    (
        Hyperparameter("units", Number(2, 8, step=2, integer=True)),
        Hyperparameter("dropout", Number(0.0, 0.9, step=0.1)),
        Hyperparameter("depth", Number(1, 9, integer=True)),
        Hyperparameter("two", Boolean()),
        Hyperparameter("more", Choice((2, 4, 8)), (("two", (True,)),), default=4),
        Hyperparameter("most", Number(1, 3, integer=True), (("two", (True,)),)),
    ),
)


def test_moved_values_stay_on_the_grid():
    """They go to the nearest one within the bounds; a bound that is on it but for rounding will do.

    The error where there is none says what is allowed.
    """
    entries = [
        {"units": units, "dropout": dropout, "depth": depth, "two": False}
        for units, dropout, depth in ((2, 0.1, 3), (4, 0.3, 9), (6, 0.5, 5))
    ]
    stepped = HyperparameterList(entries, STEPPED)
    bounds = {"units": (3, 5), "dropout": (0.15, 0.3), "depth": (3.5, 6.5)}
    frame = restrict(stepped, bounds, clip=True).to_frame()
    assert frame["units"].tolist() == [4, 4, 4]
    assert frame["dropout"].tolist() == pytest.approx([0.2, 0.3, 0.3])
    assert frame["depth"].tolist() == [4, 6, 5]
    assert restrict(stepped, {"dropout": (None, 0.3)}, clip=True)[2]["dropout"] == 0.3
    with pytest.raises(InvalidValueError, match=r"'units' must be on the grid.*\[2, 8\].* got 5"):
        restrict(stepped, {"units": (5, 5)}, clip=True)


def test_what_becomes_active_gets_its_default():
    """Where a parent is moved; conditions on it hold too. What becomes inactive goes."""
    stepped = HyperparameterList(
        [
            {"units": 2, "dropout": 0.1, "depth": 1, "two": False},
            {"units": 4, "dropout": 0.1, "depth": 1, "two": True, "more": 8, "most": 2},
        ],
        STEPPED,
    )
    active = restrict(stepped, {"two": True, "most": (2, None)}, clip=True)
    assert active[0] == stepped[0] | {"two": True, "more": 4, "most": 2}
    assert active[1] == stepped[1]
    assert set(restrict(stepped, {"two": False}, clip=True)[1]) == {*stepped[0]}


def test_a_choice_of_numbers_moves_to_the_nearest_one_within_bounds():
    """And is refused, with what is allowed, where there is none."""
    entry = {"units": 2, "dropout": 0.1, "depth": 1, "two": True, "more": 8, "most": 2}
    stepped = HyperparameterList([entry], STEPPED)
    assert restrict(stepped, {"more": (1, 6)}, clip=True)[0] == entry | {"more": 4}
    with pytest.raises(InvalidValueError, match=r"'more' must be one of 2, 4, 8.*got 6"):
        restrict(stepped, {"more": (5, 6)}, clip=True)


def test_restrict_refuses_what_cannot_be_met(tmp_path):
    """Unknown hyperparameters, malformed bounds, conditions that nothing meets."""
    with pytest.raises(UnknownNameError, match=r"'rat'.*'rate'"):
        restrict(LIST, {"rat": 1})
    with pytest.raises(InvalidValueError, match=r"No entry .* meets .*clip=True"):
        restrict(LIST, {"rate": (0.5, None)})
    with pytest.raises(InvalidValueError, match=r"tuple \(low, high\)"):
        restrict(LIST, {"rate": (1, 2, 3)})
    with pytest.raises(InvalidValueError, match=r"condition on 'rate' is \('a', None\)"):
        restrict(LIST, {"rate": ("a", None)})
    for clip in (False, True):
        with pytest.raises(InvalidValueError, match=r"\(0\.1, 0\.01\); .* the lower first"):
            restrict(LIST, {"rate": (0.1, 0.01)}, clip)
    restrict(LIST, {"kind": {"a", "c"}, "rate": (None, 1.0)}).save(tmp_path / "list.json")
    provenance = HyperparameterList.load(tmp_path / "list.json").provenance
    assert provenance["surgery"][0]["restrict"] == {"kind": ["a", "c"], "rate": [None, 1.0]}


def test_drop_leaves_out_ranks():
    """The others move up; steps of surgery add up in the provenance."""
    part = drop(drop(LIST, [0]), [0, 2])
    assert list(part) == [LIST[2]]
    assert [step["drop"] for step in part.provenance["surgery"]] == [[0], [0, 2]]
    assert part.source_ranks == [2]
    with pytest.raises(InvalidValueError, match="at least one entry"):
        drop(LIST, range(4))


def test_lists_may_be_given_by_name_or_path(tmp_path):
    """As for the tuner."""
    LIST.save(tmp_path / "mine.json")
    assert list(drop(tmp_path / "mine.json", [0])) == list(LIST[1:])
    assert len(restrict("adam1p", {"learning_rate": (1e-3, 1e-2)})) == 3
    assert len(diff("nadamw", "nadamw-five")) == 100


@pytest.mark.parametrize("ranks", [[4], [-1], [True], [1.0], "3", 3])
def test_drop_wants_ranks_of_the_list(ranks):
    """What Python takes for a number, or for several, is refused."""
    with pytest.raises(InvalidValueError, match=r"from 0 to 3|give several, such as \[0, 3\]"):
        drop(LIST, ranks)


def test_diff_shows_where_entries_stand():
    """Moved, new and missing entries of two lists over one space."""
    other = HyperparameterList([LIST[2], LIST[0], {"rate": 0.5, "kind": "a", "fast": True}], SPACE)
    frame = diff(LIST, other)
    assert frame["rank_second"].tolist()[:3] == [0, 1, 2]
    assert frame["rank_first"].isna().tolist() == [False, False, True, False, False]
    assert frame["move"].tolist()[:2] == [2, -1]
    assert frame["rank_second"].isna().sum() == 2
    assert frame["rate"].tolist()[2] == 0.5
    assert diff(LIST, LIST)["move"].tolist() == [0, 0, 0, 0]
    with pytest.raises(InvalidValueError, match="different search spaces"):
        diff(LIST, HyperparameterList([{"learning_rate": 0.1}], "adam1p"))


def test_merge_weighs_own_tasks_by_their_share():
    """Own tasks have the share together, families are equal within each part."""
    shipped = populations.history(tasks=4, seed=0)
    own = History.from_records(
        record | {"task": f"own_{record['task']}"} for record in populations.runs(tasks=2, seed=5)
    )
    learner = merge(shipped, own, share=0.75, learner=ListLearner(length=3))
    weights = learner.weights_
    assert weights[[task for task in weights.index if task.startswith("own")]].sum() == (
        pytest.approx(0.75)
    )
    assert weights["conv_0"] == pytest.approx(0.25 / 4)
    assert len(learner.list_) == 3
    alone = ListLearner(length=1).fit(own).list_[0]
    assert merge(shipped, own, share=0.999).list_[0] == alone
    for share in (1, 0.0, "0.5", None):
        with pytest.raises(InvalidValueError, match=r"share is .*; give a number above 0"):
            merge(shipped, own, share=share)
    with pytest.raises(InvalidValueError, match="Both histories have a task 'conv_0'"):
        merge(shipped, shipped)
    with pytest.raises(InvalidValueError, match="without runs"):
        merge(shipped, History.from_records([]))


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_reorder_is_at_least_as_good_at_its_budget(budget):
    """On small lists it finds nearly the best set; the other entries follow in list order."""
    history = populations.history(tasks=6, rates=9, seed=2)
    rates = [float(rate) for rate in np.logspace(-5, 0, 9)]
    hplist = HyperparameterList([{"learning_rate": rate} for rate in rates], "adam1p")
    ordered = reorder(hplist, history, budget)
    assert sorted(map(str, ordered)) == sorted(map(str, hplist))
    assert [entry["learning_rate"] for entry in ordered[budget:]] == sorted(
        entry["learning_rate"] for entry in ordered[budget:]
    )
    assert ordered.source_ranks == [hplist.index(entry) for entry in ordered]
    curve = compare({"before": hplist, "after": ordered}, history).curve.loc[budget]
    assert curve["after"] <= curve["before"]
    learner = ListLearner().fit(history)
    scores, weights = learner.scores_.to_numpy(), learner.weights_.to_numpy()
    best = min(
        weights @ scores[:, list(chosen)].min(axis=1)
        for chosen in itertools.combinations(range(9), budget)
    )
    assert curve["after"] == pytest.approx(best, rel=0.02)
    led = ListLearner(budget=budget).fit(history)
    assert led.list_[:budget] == ordered[:budget]
    assert led.curve_["training"][budget] == pytest.approx(curve["after"])
    assert 1 - led.gains_.cumsum() == pytest.approx(led.curve_["training"].to_numpy())
    assert sorted(led.order_) == sorted(learner.order_)
    with pytest.raises(InvalidValueError, match="budget is 10; give a whole number from 1 to 9"):
        reorder(hplist, history, 10)
    for wrong in (None, 2.5, True, "3"):
        with pytest.raises(InvalidValueError, match=r"budget is .*; give a whole number"):
            reorder(hplist, history, wrong)


@pytest.mark.parametrize("budget", [6, 0, True, 2.5, "3"])
def test_a_budget_of_a_learner_fits_its_length(budget):
    """Refused before anything is read."""
    message = r"list of 5 entries is .*; give a whole number from 1 to 5, or None"
    with pytest.raises(InvalidValueError, match=message):
        ListLearner(length=5, budget=budget).fit(populations.history(tasks=3))


def test_a_budget_of_a_learner_goes_with_no_cost():
    """One of them decides what counts."""
    history = populations.history(tasks=3)
    with pytest.raises(InvalidValueError, match="counts trials and cost='seconds' seconds"):
        ListLearner(budget=5, cost="seconds").fit(history)
