"""Lists changed by data: learned anew with a user's own runs, and cut to a budget."""

from typing import Any

import numpy as np
from sklearn.base import clone

from keras_hplist.checks import checked_count, checked_share
from keras_hplist.errors import InvalidValueError
from keras_hplist.history import History
from keras_hplist.learning.comparison import entry_columns
from keras_hplist.learning.learner import ListLearner
from keras_hplist.learning.selection import best_for_budget
from keras_hplist.learning.splits import task_weights
from keras_hplist.lists import HyperparameterList
from keras_hplist.lists.surgery import noted


def merge(
    history: History, own: History, share: float = 0.5, learner: ListLearner | None = None
) -> ListLearner:
    """Learn a list from a shipped history and a user's own together.

    Args:
        history: the runs from which a list was learned, of one search space.
        own: the user's runs of the same space; the configurations may be others.
        share: the weight of the user's tasks together, above 0 and below 1. Within each part tasks
            are weighed as the learner says.
        learner: with the parameters to use; default: `ListLearner()`.

    Returns:
        A new learner, fitted; its `list_` is the merged list.

    Raises:
        InvalidValueError: if `share` is out of range, a history is empty, or a task name stands in
            both.
    """
    share = checked_share("share", share)
    common = sorted(set(history.tasks) & set(own.tasks))
    if common:
        raise InvalidValueError(
            f"Both histories have a task {common[0]!r}; give your own task another name."
        )
    merged = clone(learner) if learner is not None else ListLearner()
    rule = merged.weights if isinstance(merged.weights, str) else "equal"
    weights: dict[Any, float] = {}
    for part, weight in ((history, 1 - share), (own, share)):
        tasks = part.tasks
        if not tasks:
            raise InvalidValueError("A history without runs cannot be merged.")
        families = part.families
        each = task_weights(tasks, [families[task] for task in tasks], rule)
        weights |= dict(zip(tasks, (weight * each).tolist(), strict=True))
    return merged.set_params(weights=weights).fit(History.concat([history, own]))


def reorder(
    hplist: HyperparameterList,
    history: History,
    budget: int,
    learner: ListLearner | None = None,
) -> HyperparameterList:
    """The list's entries in the best order for a known number of trials.

    The greedy order is good for every number of trials and best for none. Here the first `budget`
    entries are chosen for J(budget) alone (see `keras_hplist.learning.selection.best_for_budget`);
    the rest follows in list order.

    Args:
        hplist: the list.
        history: runs of its entries; entries that were not run stay in the rest.
        budget: the number of trials, at least 1.
        learner: how to score the runs and weigh the tasks; default: `ListLearner()`.

    Returns:
        A new list of the same entries. The gains of the first `budget` are those on the history,
        the others' are not known.

    Raises:
        InvalidValueError: if the budget is out of range or the history ran none of the entries.
    """
    budget = checked_count("budget", budget, 1, len(hplist))
    learner = ListLearner() if learner is None else learner
    matrix = learner.score(history)
    columns = entry_columns(hplist, history, matrix)
    run = np.flatnonzero(columns >= 0)
    scores = matrix.upper[:, columns[run]]
    weights = task_weights(matrix.tasks, matrix.families, learner.weights)
    first = best_for_budget(scores, budget, budget, weights)
    best = run[first.order].tolist()
    rest = [rank for rank in range(len(hplist)) if rank not in set(best)]
    ranks = [*best, *rest]
    gains = [*first.gains.tolist(), *[None] * len(rest)]
    step = {"reorder": {"budget": budget, "history": history.fingerprint}}
    return HyperparameterList(
        [hplist[rank] for rank in ranks],
        hplist.space,
        name=hplist.name,
        gains=gains,
        provenance=noted(hplist, ranks, step),
    )
