"""The order of a list that follows its trials."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_searches import tiny_list, told_list

from keras_hplist import HyperparameterList, ListLearner, available_lists
from keras_hplist.errors import InvalidValueError
from keras_hplist.learning import AdaptiveOrder
from keras_hplist.learning.evidence import Evidence
from keras_hplist.lists import drop, restrict

SLOW = [0.4, 0.1, 0.2, 0.0, 0.05, 1.0]
FAST = [0.1, 0.4, 0.02, 1.0, 0.3, 0.0]
"""Two kinds of tasks: what is good for one is bad for the other."""


def follow(order, loss_of, trials):
    """The ranks in the order of trial, and the losses."""
    losses = {}
    for _ in range(trials):
        losses[rank] = loss_of(rank := order.next_entry(losses))
    return losses


def straightforward(scores, weights, losses, running):
    """The next entry, by loops over tasks in Python's own floats."""
    taken = [*losses, *running]
    left = [rank for rank in range(len(scores[0])) if rank not in taken]

    def scaled(values):
        low, middle = min(values), float(np.median(values))
        return [
            min((v - low) / (middle - low), 1.0) if middle > low else float(v > low) for v in values
        ]

    finite = [rank for rank in losses if math.isfinite(losses[rank])]
    distances = []
    for row in scores:
        here = dict(zip(finite, scaled([losses[r] for r in finite]) if finite else []))
        there = dict(zip(finite, scaled([row[r] for r in finite]) if finite else []))
        gaps = [
            abs(math.sqrt(here.get(r, 1.0)) - math.sqrt(there.get(r, min(row[r], 1.0))))
            for r in losses
        ]
        distances.append(sum(gaps) / len(gaps) if gaps else 0.0)
    if max(distances) - min(distances) == 0:
        return left[0]
    gains = dict.fromkeys(left, 0.0)
    for row, weight, distance in zip(scores, weights, distances):
        best = min(1.0, *(row[r] for r in taken))
        for rank in left:
            gains[rank] += weight * math.exp(-(distance**2) / 0.02) * max(best - row[rank], 0.0)
    return gains


@settings(max_examples=60)
@given(st.data())
def test_the_next_entry_is_that_of_a_straightforward_computation(data):
    """Whatever the scores, families, losses, divergences and running trials are."""
    n_tasks, length = data.draw(st.integers(2, 6)), data.draw(st.integers(3, 7))
    grades = st.integers(0, 20).map(lambda n: n / 20)
    scores = data.draw(
        st.lists(
            st.lists(grades, min_size=length, max_size=length), min_size=n_tasks, max_size=n_tasks
        )
    )
    families = data.draw(st.lists(st.sampled_from("ab"), min_size=n_tasks, max_size=n_tasks))
    taken = data.draw(
        st.lists(st.integers(0, length - 1), min_size=1, max_size=length - 1, unique=True)
    )
    count = data.draw(st.integers(1, len(taken)))
    outcome = st.one_of(grades, st.sampled_from([math.inf, math.nan]))
    losses = {rank: data.draw(outcome) for rank in taken[:count]}
    weights = [1 / families.count(f) for f in families]
    chosen = AdaptiveOrder(told_list(scores, families)).next_entry(losses, taken[count:])
    expected = straightforward(scores, weights, losses, taken[count:])
    if isinstance(expected, dict):  # Rounding may decide between entries that are as good.
        assert expected[chosen] == pytest.approx(max(expected.values()), abs=1e-9)
    else:
        assert chosen == expected


def test_trials_lead_to_the_entries_that_are_good_on_tasks_of_their_kind():
    """The third trial is the best entry of the tasks on which the first two did as they do here."""
    order = AdaptiveOrder(told_list([SLOW, SLOW, FAST], ["a", "a", "b"]))
    assert list(follow(order, lambda rank: 5 + SLOW[rank], 3)) == [0, 1, 3]
    assert list(follow(order, lambda rank: 5 + FAST[rank], 3)) == [0, 1, 5]


def test_tasks_count_as_where_the_list_was_learned():
    """Weights of families travel with the list."""
    told = told_list([SLOW, SLOW, FAST], ["a", "a", "b"])
    weighted = HyperparameterList(
        told, told.space, provenance={**told.provenance, "weights": {"a": 0.0, "b": 1.0}}
    )
    assert list(follow(AdaptiveOrder(weighted), lambda rank: 5 + SLOW[rank], 3)) == [0, 1, 5]


@given(
    scale=st.floats(1e-6, 1e6), addend=st.floats(-1e3, 1e3), worst=st.sampled_from([1.0, 50.0, 1e9])
)
def test_units_of_the_loss_and_explosions_do_not_matter(scale, addend, worst):
    """Losses may be in any unit, and how bad the worst are tells nothing."""
    order = AdaptiveOrder(told_list([SLOW, FAST], ["a", "b"]))
    plain = list(follow(order, FAST.__getitem__, 6))
    losses = [value if value < 1 else worst for value in FAST]
    spread = max(abs(addend), 1e-3) / 1e3  # what is added must not swallow what is told apart
    assert plain == list(follow(order, lambda r: addend + max(scale, spread) * losses[r], 6))


def test_a_divergence_tells_something_too():
    """Where the first entry diverged, tasks count on which it is as bad as the start."""
    order = AdaptiveOrder(told_list([[1.0, 0.5, 0.4, 0.0], [0.2, 0.1, 0.0, 0.5]], ["a", "b"]))
    assert order.next_entry({0: math.inf}) == order.next_entry({0: math.nan}) == 3
    assert order.next_entry({0: 0.3}) == 1  # A single loss has nothing to be compared with.


def test_each_entry_comes_once_and_then_none():
    """Also those beyond the scores that the list carries, in their order."""
    scores = np.random.default_rng(0).random((5, 4))
    order = AdaptiveOrder(told_list(scores, list("abcde"), length=7))
    losses = follow(order, lambda rank: rank % 3, 7)
    assert sorted(losses) == list(range(7))
    assert list(losses)[4:] == [4, 5, 6]
    assert order.next_entry(losses) is None
    assert order.next_entry({0: 0.5}, running=range(1, 7)) is None


def test_trials_that_run_are_not_tried_again_and_count_as_tried():
    """Beside the best entry of one kind, another worker takes the best of the other kind.

    The last entry is second best for both, which would be more, did nothing run.
    """
    scores = [[0.2, 0.3, 0.9, 0.0, 0.5, 0.05], [0.2, 0.3, 0.9, 0.5, 0.0, 0.1]]
    order = AdaptiveOrder(told_list([*scores, [0.3, 0.2, 0.0, 0.9, 0.9, 0.9]], list("abc")))
    seen = {0: 0.2, 1: 0.3}
    assert order.next_entry(seen) == 5
    assert order.next_entry(seen, running={3}) == 4


@pytest.mark.parametrize("name", available_lists())
def test_every_shipped_list_can_be_tried_in_adaptive_order(name):
    """It begins as the list does, and holds each entry once."""
    hplist = HyperparameterList.load(name)
    random = np.random.default_rng(0)
    ranks = list(follow(AdaptiveOrder(hplist), lambda rank: random.random(), len(hplist)))
    assert ranks[:2] == [0, 1]
    assert sorted(ranks) == list(range(len(hplist)))


WHOLE = told_list(np.random.default_rng(5).integers(0, 100, (6, 9)) / 100, None)


@pytest.mark.parametrize(
    "part",
    [
        WHOLE[:5],
        WHOLE[2:8],
        WHOLE[::-1],
        WHOLE[1:][::-2],
        drop(WHOLE, [0, 4]),
        restrict(WHOLE, {"nesterov": True}),
    ],
    ids=["first", "middle", "reversed", "part of a part", "drop", "restrict"],
)
def test_a_part_of_a_list_goes_by_the_scores_of_its_own_entries(part, tmp_path):
    """Wherever they stand in it, also after a file: each entry once, and none that it lacks."""
    part.save(tmp_path / "part.json")
    ranks = [WHOLE.index(entry) for entry in part]
    scores = Evidence.carried_by(WHOLE).entries[ranks].to_numpy()
    losses = np.random.default_rng(0).random(len(part))
    order = AdaptiveOrder(HyperparameterList.load(tmp_path / "part.json"))
    followed = list(follow(order, losses.__getitem__, len(part)))
    assert sorted(followed) == list(range(len(part)))
    assert followed == list(
        follow(AdaptiveOrder(told_list(scores, None)), losses.__getitem__, len(part))
    )


def test_entries_without_scores_keep_their_place_until_something_is_known():
    """Those that the list carries no scores of, and those that were changed."""
    scores = [[0.4, 0.3, 0.9, 0.0], [0.4, 0.3, 0.0, 0.9], [0.3, 0.4, 0.5, 0.5]]
    backwards = told_list(scores, None, length=6)[::-1]
    losses = {3: 0.3, 2: 0.9, 4: 0.5, 5: 0.6}
    order = AdaptiveOrder(backwards)
    assert [order.next_entry({}), order.next_entry({0: 0.5}), order.next_entry(losses)] == [0, 1, 0]
    assert order.next_entry({0: 0.5, 4: 0.3, 5: 0.4}) in (2, 3)
    clipped = restrict(WHOLE, {"units": (20, 30)}, clip=True)
    moved = [rank for rank, entry in enumerate(clipped) if entry not in WHOLE]
    assert 0 < len(moved) < len(clipped)
    assert not set(moved) & set(Evidence.carried_by(clipped).entries)
    with pytest.raises(InvalidValueError, match="carries no scores"):
        AdaptiveOrder(told_list(scores, None, length=6)[4:])


def test_lists_without_scores_and_unknown_ranks_are_refused():
    """The error says what to do about it."""
    scores = pd.DataFrame(np.random.default_rng(0).random((4, 3)))
    with pytest.raises(InvalidValueError, match=r"carries no scores.*keras-hplist learn"):
        AdaptiveOrder(tiny_list())
    with pytest.raises(InvalidValueError, match="is 9; give a whole number from 0 to 2"):
        AdaptiveOrder(told_list(scores, None)).next_entry({9: 0.1})


def test_the_order_pays_where_tasks_are_of_few_kinds():
    """On new tasks of three kinds, three trials end lower in adaptive order than in the list's.

    The list is learned by the learner; new tasks are noisy copies of the kinds, in other units.
    """
    random = np.random.default_rng(1)
    kinds = random.random((3, 12)) ** 2
    kinds[np.arange(3), [3, 7, 11]] = 0.0
    known = np.clip(np.repeat(kinds, 8, axis=0) + random.normal(0, 0.02, (24, 12)), 0, 1)
    columns = list(ListLearner(length=12).fit(pd.DataFrame(known)).order_)
    order = AdaptiveOrder(told_list(known[:, columns], None))
    fixed, adaptive = [], []
    for _ in range(60):
        new = (kinds[random.integers(3)] + random.normal(0, 0.02, 12))[columns]
        unit = 10 ** random.uniform(-3, 3)
        losses = follow(order, (unit * new).__getitem__, 3)
        fixed.append(new[:3].min())
        adaptive.append(min(losses.values()) / unit)
    assert np.mean(adaptive) < np.mean(fixed)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({99: 0.1}, "rank of an entry that was tried is 99; give a whole number from 0 to 8"),
        ({0.0: 0.1}, r"rank of an entry that was tried is 0\.0"),
        ({0: None}, "loss of entry 0 is None; give a number, NaN if it diverged"),
        ({0: "0.1"}, "loss of entry 0 is '0.1'"),
    ],
)
def test_ranks_and_losses_are_checked(losses, message):
    """Before anything is computed of them."""
    with pytest.raises(InvalidValueError, match=message):
        AdaptiveOrder(WHOLE).next_entry(losses)
