"""Greedy selection: exactness, its guarantee, saturation, and what it refuses."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keras_hplist.errors import InvalidValueError
from keras_hplist.learning import best_after, greedy
from keras_hplist.learning.selection import best_for_budget, from_median, start_scores

NAN = np.nan
shapes = st.tuples(st.integers(1, 7), st.integers(1, 9))
dyadic = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0])
matrices = shapes.flatmap(lambda shape: hnp.arrays(np.float64, shape, elements=dyadic))
with_holes = shapes.flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=dyadic | st.just(NAN))
)


def plain_greedy(scores, weights, costs):
    """The definition, word for word, with all its passes."""
    tasks, configurations = scores.shape
    start = [max([1.0] + [s for s in row if not np.isnan(s)]) for row in scores]
    order, gains, best = [], [], list(start)

    def gain(best, c):
        return sum(
            weights[t] * max(best[t] - scores[t, c], 0)
            for t in range(tasks)
            if not np.isnan(scores[t, c])
        )

    while len(order) < configurations:
        best, chosen_in_pass = list(start), 0
        while True:
            left = [c for c in range(configurations) if c not in order]
            gained = {c: gain(best, c) / costs[c] for c in left}
            choice = max(left, key=lambda c: (gained[c], -c), default=None)
            if choice is None or gained[choice] <= 0:
                break
            gains.append(gain(best, choice) if len(gains) == len(order) == chosen_in_pass else 0.0)
            order.append(choice)
            chosen_in_pass += 1
            best = [np.fmin(best[t], scores[t, choice]) for t in range(tasks)]
        if not chosen_in_pass:
            order += [c for c in range(configurations) if c not in order]
    gains += [0.0] * (configurations - len(gains))
    return order, gains


@given(scores=with_holes, data=st.data())
@settings(max_examples=300)
def test_the_order_is_that_of_the_definition(scores, data):
    """On every small matrix, with weights, costs, ties and holes, over all passes."""
    tasks, configurations = scores.shape
    weights = data.draw(hnp.arrays(np.float64, tasks, elements=st.sampled_from([1.0, 2.0, 4.0])))
    costs = data.draw(
        hnp.arrays(np.float64, configurations, elements=st.sampled_from([0.5, 1.0, 2.0]))
    )
    order, gains = plain_greedy(scores, weights, costs)
    selection = greedy(scores, weights=weights, costs=costs)
    assert selection.order.tolist() == order
    np.testing.assert_allclose(selection.gains, gains / weights.sum(), atol=1e-12)


def test_the_order_is_that_of_a_dense_greedy_on_a_large_matrix():
    """Real-valued scores, no ties: the same as taking the argmin of J at every step."""
    scores = np.random.default_rng(0).random((200, 300)) ** 2
    best, order = np.ones(200), []
    for _ in range(40):
        means = np.minimum(best[:, None], scores).mean(axis=0)
        means[order] = np.inf
        order.append(int(means.argmin()))
        best = np.minimum(best, scores[:, order[-1]])
    assert greedy(scores, 40).order.tolist() == order
    assert greedy(scores.astype(np.float32), 40).order.tolist() == order


@given(scores=matrices, length=st.integers(1, 4))
@settings(max_examples=100)
def test_the_guarantee_holds_on_enumerable_cases(scores, length):
    """The reduction of J is at least 1 - 1/e of the best list's of the same length."""

    def reduction(columns):
        return 1 - np.minimum(scores[:, list(columns)].min(axis=1), 1).mean()

    length = min(length, scores.shape[1])
    best = max(map(reduction, itertools.combinations(range(scores.shape[1]), length)))
    assert reduction(greedy(scores, length).order) >= (1 - np.exp(-1)) * best - 1e-12


@given(scores=matrices, seed=st.integers(0, 100))
@settings(max_examples=100)
def test_the_order_of_tasks_does_not_matter_and_that_of_columns_only_for_ties(scores, seed):
    """Shuffled tasks: the same order. Shuffled configurations: the same J(k)."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(scores.shape[0]), rng.permutation(scores.shape[1])
    whole = greedy(scores)
    assert greedy(scores[rows]).order.tolist() == whole.order.tolist()
    jittered = scores + rng.random(scores.shape) * 1e-3  # no ties
    there = greedy(jittered).order
    back = columns[greedy(jittered[:, columns]).order]
    first_pass = greedy(jittered).passes == 0
    assert there[first_pass].tolist() == back[first_pass].tolist()


@given(scores=with_holes)
@settings(max_examples=100)
def test_gains_are_the_differences_of_j(scores):
    """What the selection says an entry gains is what J(k) falls by; it never rises."""
    selection = greedy(scores)
    curve = best_after(scores, selection.order).mean(axis=0)
    start = np.fmax.reduce(scores, axis=1, initial=1.0).mean()
    np.testing.assert_allclose(selection.gains, -np.diff(curve, prepend=start), atol=1e-12)
    first = selection.gains[selection.passes == 0]
    assert (np.diff(first) <= 1e-12).all()


@given(scores=with_holes, length=st.integers(1, 30))
@settings(max_examples=60)
def test_a_shorter_list_is_the_beginning_of_a_longer_one(scores, length):
    """Every configuration at most once; more than there are gives all."""
    order = greedy(scores).order
    assert sorted(order) == list(range(scores.shape[1]))
    assert greedy(scores, length).order.tolist() == order[:length].tolist()


@given(scores=with_holes, data=st.data())
@settings(max_examples=100)
def test_a_budget_is_never_served_worse_than_by_the_greedy_order(scores, data):
    """Each configuration stands once, gains are those of the order, and J(budget) is no higher."""
    length = data.draw(st.integers(1, scores.shape[1]))
    budget = data.draw(st.integers(1, length))
    weights = np.full(len(scores), 1 / len(scores))
    plain, chosen = greedy(scores, length), best_for_budget(scores, budget, length)
    assert len(set(chosen.order)) == len(chosen.order) == length
    reached = weights @ best_after(scores, chosen.order)
    assert reached[budget - 1] <= (weights @ best_after(scores, plain.order))[budget - 1] + 1e-9
    start = weights @ start_scores(scores)
    assert start - chosen.gains.cumsum() == pytest.approx(reached, abs=1e-9)
    tried = np.fmin(scores, start_scores(scores)[:, None])
    for k in np.flatnonzero(chosen.passes[budget:] == 0) + budget:  # the rest is greedy
        best = tried[:, chosen.order[:k]].min(axis=1)
        gains = weights @ np.maximum(best[:, None] - tried, 0)
        gains[chosen.order[:k]] = 0
        assert gains[chosen.order[k]] == pytest.approx(gains.max(), abs=1e-9)


def test_after_saturation_the_tasks_are_covered_anew():
    """The second pass chooses as if nothing had been chosen; useless entries come last."""
    scores = np.array(
        [
            [1.0, 0.0, 0.1, 0.9, 1.0],
            [1.0, 0.0, 0.9, 0.1, 1.0],
        ]
    )
    selection = greedy(scores)
    assert selection.order.tolist() == [1, 2, 3, 0, 4]
    assert selection.passes.tolist() == [0, 1, 1, 2, 2]
    assert selection.gains.tolist() == [1, 0, 0, 0, 0]


def test_extreme_shapes():
    """One task, one configuration, constant tasks, empty rows and columns."""
    assert greedy([[0.5, 0.2, 0.2]]).order.tolist() == [1, 2, 0]
    assert greedy([[0.5], [0.1]]).order.tolist() == [0]
    assert greedy(np.full((3, 4), 0.5)).order.tolist() == [0, 1, 2, 3]
    holes = np.array([[NAN, NAN, NAN], [NAN, 0.2, 0.1]])
    assert greedy(holes).order.tolist() == [2, 1, 0]
    assert greedy(np.full((2, 3), NAN)).order.tolist() == [0, 1, 2]


def test_scores_above_one_start_from_the_worst():
    """Plain losses work as scores: the first entry is the best on average."""
    scores = np.array([[5.0, 3.0, 4.0], [7.0, 9.0, 6.0]])
    assert greedy(scores, 1).order[0] == np.argmin(scores.mean(axis=0))


def test_weights_decide_and_a_weight_of_zero_ignores_a_task():
    """A task with all the weight chooses alone."""
    scores = np.array([[0.0, 0.9], [0.9, 0.0]])
    assert greedy(scores, 1, weights=[3, 1]).order.tolist() == [0]
    assert greedy(scores, 1, weights=[0, 1]).order.tolist() == [1]


def test_costs_are_paid_by_gain():
    """A cheap configuration that gains half as much comes first when it costs a tenth."""
    scores = np.array([[0.0, 0.5]])
    assert greedy(scores, costs=[10.0, 1.0]).order.tolist() == [1, 0]
    assert greedy(scores, costs=[1.5, 1.0]).order.tolist() == [0, 1]


def test_the_scores_are_neither_changed_nor_copied():
    """A matrix that may not be written is read in place."""
    import tracemalloc

    scores = np.random.default_rng(0).random((300, 2000))
    scores.flags.writeable = False
    greedy(scores, 5)
    tracemalloc.start()
    greedy(scores, 30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * scores.nbytes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scores": [0.1, 0.2]}, r"shape \(2,\)"),
        ({"scores": np.empty((0, 3))}, r"shape \(0, 3\)"),
        ({"scores": [["a"]]}, "not numbers"),
        ({"scores": [[np.inf, 1]]}, "task 0, configuration 0 is infinite"),
        ({"scores": [[0, 1], [1, -np.inf]]}, "task 1, configuration 1 is infinite"),
        ({"weights": [1]}, "one finite number for each task"),
        ({"weights": [-1, 2]}, "none negative"),
        ({"weights": [0, 0]}, "not all 0"),
        ({"weights": [np.nan, 1]}, "finite"),
        ({"costs": [1]}, "one positive"),
        ({"costs": [0, 1, 1]}, "positive"),
        ({"length": 0}, "length is 0"),
        ({"length": 2.5}, "length is 2.5"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    """Shapes, infinities, weights, costs and lengths; the message says what is allowed."""
    scores = [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]
    with pytest.raises(InvalidValueError, match=message):
        greedy(**({"scores": scores} | arguments))


@given(scores=with_holes)
@settings(max_examples=300)
def test_the_scale_from_the_median_keeps_both_ends_and_the_order(scores):
    """Between the best of a task and its start; equal scores stay equal, unknown ones unknown."""
    scaled = from_median(scores)
    assert (np.isnan(scaled) == np.isnan(scores)).all()
    for row, new in zip(scores, scaled, strict=True):
        known = ~np.isnan(row)
        if not known.any():
            continue
        best = row[known].min()
        assert new[known].min() == best
        assert (new[known] >= row[known] - 1e-12).all()
        assert (new[known] <= 1).all()
        assert (new[row == 1] == 1).all() or best == 1
        order = np.argsort(row[known], kind="stable")
        assert (np.diff(new[known][order]) >= -1e-12).all()
        middle = np.median(row[known]) - best
        if middle > 0:
            lifted = best + (row[known] - best) * (1 - best + middle) / (row[known] - best + middle)
            np.testing.assert_allclose(new[known], lifted, atol=1e-12)


def test_a_task_on_which_all_are_near_the_best_counts_on_the_scale_from_the_median():
    """As seen from the start the second task hardly matters; among its configurations it does."""
    scores = np.array([[0.30, 0.50, 0.60, 0.70], [0.10, 0.10, 0.05, 0.00]])
    assert greedy(scores, 2).order.tolist() == [0, 3]
    assert greedy(from_median(scores), 2).order.tolist() == [3, 0]
