"""Where a learned list comes from, as the list itself carries it and as it is read again."""

import datetime
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from keras_hplist.learning.explanation import served_tasks
from keras_hplist.lists import HyperparameterList
from keras_hplist.versions import versions

if TYPE_CHECKING:
    from keras_hplist.learning.learner import ListLearner

REPORTED = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
"""The numbers of trials, k, of which lists, tables and pages tell J(k)."""


def provenance_of(
    learner: "ListLearner", source: Mapping[str, Any], share_missing: float, how_held_out: str
) -> dict[str, Any]:
    """What a list's provenance says of its learner: data, parameters, J(k), date, versions.

    Args:
        learner: fitted.
        source: what it was fitted on.
        share_missing: part of the scores that was not measured.
        how_held_out: a phrase that says which tasks were held out in turn.

    Returns:
        JSON-able.
    """
    reported = [k for k in REPORTED if k <= len(learner.curve_)]
    positions = learner.scores_.columns.get_indexer(pd.Index(learner.order_))
    return {
        "learner": "keras_hplist.ListLearner",
        **source,
        "tasks": [str(task) for task in learner.scores_.index],
        "tasks_dropped": [str(task) for task in learner.dropped_],
        "configurations": learner.scores_.shape[1],
        "split": learner.split if isinstance(learner.split, str) else list(learner.splits),
        "normalization": learner.normalization,
        "aggregation": learner.aggregation,
        "seeds": learner.seeds,
        "horizon": _plain(learner.horizon),
        "weights": learner.weights
        if isinstance(learner.weights, str)
        else {str(name): float(weight) for name, weight in learner.weights.items()},
        "scale": learner.scale,
        "missing": {"share": share_missing, "rule": learner.missing_},
        "cost": learner.cost,
        "budget": _plain(learner.budget),
        "seed": _plain(learner.seed),
        "J": {
            name: {str(k): float(learner.curve_[name].to_numpy()[k - 1]) for k in reported}
            for name in learner.curve_.columns
            if learner.curve_[name].notna().all()
        },
        "held_out": how_held_out,
        "serves": [
            [str(task) for task in tasks] for tasks in served_tasks(learner.scores_, positions)
        ],
        "date": _today(),
        "versions": versions("keras_hplist", "numpy", "scikit-learn"),
    }


def _plain(number: Any) -> Any:
    """A number of NumPy as Python's, which JSON knows."""
    return number.item() if isinstance(number, np.generic) else number


def begins_as_learned(hplist: HyperparameterList) -> int:
    """How many entries stand first as they did where the list was learned; J(k) holds so far."""
    moved = (rank for rank, source in enumerate(hplist.source_ranks) if rank != source)
    return next(moved, len(hplist))


def held_out_curve(hplist: HyperparameterList) -> dict[int, float]:
    """J(k) of the first k entries on tasks left out, for the k for which the list tells it."""
    curve = (hplist.provenance.get("J") or {}).get("held_out") or {}
    known = {int(k): float(j) for k, j in curve.items()}
    return {k: known[k] for k in sorted(known) if k <= begins_as_learned(hplist)}


def _today() -> str:
    """The date in UTC; that of SOURCE_DATE_EPOCH if it is set, for reproducible files."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = (
        datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        if epoch
        else datetime.datetime.now(datetime.UTC)
    )
    return moment.date().isoformat()
