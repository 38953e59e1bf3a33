"""Searches whose trials change the order of the list; real KerasTuner tuners."""

import math

import keras_tuner
import numpy as np
import pytest
from oracle_searches import (
    Search,
    adaptive_order,
    loss_of,
    search,
    tiny_list,
    told_list,
    trials_on_disk,
)

from keras_hplist import HyperparameterListOracle
from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.learning import AdaptiveOrder

LENGTH = 8
SCORES = np.random.default_rng(3).random((6, LENGTH)).tolist()


def ranks_of(folder):
    return [
        trial["hyperparameters"]["values"]["hplist/index"]
        for trial in trials_on_disk(folder).values()
    ]


LOSSES = [loss_of(entry) for entry in tiny_list(LENGTH)]
ORDER = adaptive_order(SCORES, LOSSES)


def test_the_trials_so_far_choose_the_next_entry(tmp_path):
    """Each entry once, in the order that the results give."""
    search(tmp_path, LENGTH, scores=SCORES, order="adaptive")
    assert ranks_of(tmp_path) == ORDER
    assert ranks_of(tmp_path) != list(range(LENGTH))


def test_a_divergence_is_as_bad_as_a_start(tmp_path):
    """It is a result, by which the order goes."""
    search(tmp_path, LENGTH, scores=SCORES, order="adaptive", outcomes={1: "nan"})
    diverged = [math.inf if rank == 1 else loss for rank, loss in enumerate(LOSSES)]
    assert ranks_of(tmp_path) == adaptive_order(SCORES, diverged)


def test_a_crash_tells_nothing_and_is_not_repeated(tmp_path):
    """The order goes by the other trials."""
    search(tmp_path, LENGTH, scores=SCORES, order="adaptive", outcomes={0: "crash"})
    order, seen = AdaptiveOrder(told_list(SCORES, None)), {}
    for rank in ranks_of(tmp_path)[1:]:
        assert rank == order.next_entry(seen, running={0})
        seen[rank] = LOSSES[rank]
    assert len(seen) == LENGTH - 1


def test_objectives_to_maximize(tmp_path):
    """More is better: the order is that of the losses with the other sign."""

    class Skill(Search):
        def run_trial(self, trial, **_):
            return {"skill": -loss_of(trial.hyperparameters.values)}

    oracle = HyperparameterListOracle(
        keras_tuner.Objective("skill", "max"),
        hyperparameter_list=told_list(SCORES, None),
        order="adaptive",
    )
    Skill(oracle, directory=tmp_path, project_name="project").search(verbose=0)
    assert ranks_of(tmp_path) == ORDER


def test_after_the_list(tmp_path):
    """What comes after the list is no entry, and has no part in the order."""
    search(tmp_path, LENGTH, scores=SCORES, order="adaptive", max_trials=10, after_list="sample")
    assert ranks_of(tmp_path) == [*ORDER, -1, -1]


def test_a_search_may_go_on_in_the_other_order(tmp_path):
    """The first trials in the list's order, the others by all results; none twice."""
    search(tmp_path, LENGTH, scores=SCORES, max_trials=4)
    search(tmp_path, LENGTH, scores=SCORES, order="adaptive")
    ranks = ranks_of(tmp_path)
    assert ranks[:4] == [0, 1, 2, 3] and sorted(ranks) == list(range(LENGTH))
    seen = {rank: LOSSES[rank] for rank in range(4)}
    assert ranks[4] == AdaptiveOrder(told_list(SCORES, None)).next_entry(seen)


def test_side_by_side_no_entry_is_tried_twice(tmp_path):
    """Two tuners in threads share an oracle."""
    outcomes = dict.fromkeys(range(LENGTH), 0.02)
    search(tmp_path, LENGTH, threads=2, scores=SCORES, order="adaptive", outcomes=outcomes)
    assert sorted(ranks_of(tmp_path)) == list(range(LENGTH))


def test_a_retry_comes_before_further_entries(tmp_path):
    """A trial that is to run again is not put off."""

    class Once(Search):
        runs = 0

        def run_trial(self, trial, **_):
            self.runs += 1
            return math.nan if self.runs == 1 else super().run_trial(trial)

    oracle = HyperparameterListOracle(
        None, hyperparameter_list=told_list(SCORES, None), order="adaptive", max_retries_per_trial=1
    )
    Once(oracle, directory=tmp_path, project_name="project").search(verbose=0)
    assert ranks_of(tmp_path) == ORDER
    assert oracle.end_order[0] == "0000"


def test_bad_arguments(tmp_path):
    """Before anything is written."""
    with pytest.raises(UnknownNameError, match=r"'adaptiv'.*adaptive"):
        HyperparameterListOracle(hyperparameter_list=tiny_list(), order="adaptiv")
    with pytest.raises(InvalidValueError, match="carries no scores"):
        HyperparameterListOracle(hyperparameter_list=tiny_list(), order="adaptive")
