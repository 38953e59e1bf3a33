"""A tiny list and searches that train nothing, for the tests of the oracle in many processes.

Run as a script it is one process of a search: `python oracle_searches.py FOLDER [JSON options]`.
"""

import itertools
import json
import math
import os
import sys
import threading
import time
from pathlib import Path

import keras_tuner
import numpy as np
import pandas as pd
from keras_tuner.engine.base_tuner import BaseTuner

from keras_hplist import HyperparameterList, HyperparameterListOracle
from keras_hplist.spaces import SearchSpace


def tiny_space():
    """A space of a float, an int, a boolean and a string."""
    hp = keras_tuner.HyperParameters()
    hp.Float("learning_rate", 1e-4, 1.0, sampling="log")
    hp.Int("units", 1, 64)
    hp.Boolean("nesterov")
    hp.Choice("schedule", ["linear", "cosine"])
    return SearchSpace.from_hyperparameters("tiny", hp)


def tiny_list(length=5, first_seed=1000):
    """Entries of the tiny space."""
    space = tiny_space()
    return HyperparameterList(
        [space.draw(first_seed + k) for k in range(length)], space, name="tiny"
    )


def told_list(scores, families, length=None):
    """A tiny list that carries scores of its first entries: (task, rank); for `AdaptiveOrder`."""
    from keras_hplist.learning.evidence import Evidence

    entries = pd.DataFrame(np.asarray(scores, float), [f"task {n}" for n in range(len(scores))])
    best = entries.cummin(axis=1).set_axis(range(1, entries.shape[1] + 1), axis=1)
    kinds = pd.Series(families or [None] * len(entries), entries.index, dtype=object)
    return Evidence(entries, best, best, kinds).attached_to(tiny_list(length or entries.shape[1]))


def loss_of(values):
    """A made-up loss that tells configurations apart."""
    return abs(math.log10(values["learning_rate"])) + 0.001 * values.get("units", 0)


class Search(BaseTuner):
    """A tuner that trains nothing and writes down what it runs.

    Args:
        log: file that gets a line `run INDEX`, and `end INDEX` once the outcome is on disk.
        outcomes: by entry, what happens in it: "nan", "inf", "-inf", "crash", or seconds to sleep.
        meet: whether the first entry waits until a second tuner runs a trial.
    """

    def __init__(self, oracle, *args, log=None, outcomes=None, meet=False, **kwargs):
        self.log, self.meet = log, meet
        self.outcomes = {int(k): v for k, v in (outcomes or {}).items()}
        super().__init__(oracle, *args, **kwargs)

    def _note(self, what, trial):
        if self.log is not None:
            line = f"{what} {trial.hyperparameters.values['hplist/index']} {self.tuner_id}\n"
            descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(descriptor, line.encode())
            os.close(descriptor)

    def run_trial(self, trial, **_):
        self._note("run", trial)
        outcome = self.outcomes.get(trial.hyperparameters.values["hplist/index"])
        if self.meet and trial.hyperparameters.values["hplist/index"] == 0:
            self._wait_for_another()
        if outcome == "crash":
            raise ArithmeticError("this entry crashes")
        if isinstance(outcome, str):
            return float(outcome)
        time.sleep(outcome or 0)
        return loss_of(trial.hyperparameters.values)

    def _wait_for_another(self):
        deadline = time.monotonic() + 60
        while len({line.split()[-1] for line in Path(self.log).read_text().splitlines()}) < 2:
            assert time.monotonic() < deadline, "no other tuner came"
            time.sleep(0.02)

    def on_trial_end(self, trial):
        self.oracle.end_trial(trial)
        if trial.status != "INVALID":  # that is one to run again
            self._note("end", trial)
        self.save()


def in_project(folder, *arguments, **options):
    """An oracle in the project folder that a tuner would give it."""
    oracle = HyperparameterListOracle(*arguments, **options)
    oracle._set_project_dir(folder, "project")  # KerasTuner has no public way
    return oracle


def search(
    folder,
    length=5,
    threads=1,
    outcomes=None,
    log=None,
    meet=False,
    verbose=0,
    scores=None,
    **arguments,
):
    """Run or resume a search over the tiny list, with scores if given; returns its oracle."""
    entries = tiny_list(length) if scores is None else told_list(scores, None, length)
    oracle = HyperparameterListOracle(None, hyperparameter_list=entries, **arguments)
    tuners = []
    for number in range(threads):
        tuner = Search(
            oracle,
            log=log,
            outcomes=outcomes,
            meet=meet,
            directory=folder,
            project_name="project",
        )
        if threads > 1:
            tuner.tuner_id = f"tuner{number}"
        tuners.append(tuner)
    if threads == 1:
        tuners[0].search(verbose=verbose)
        return oracle
    running = [threading.Thread(target=t.search, kwargs={"verbose": verbose}) for t in tuners]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return oracle


def trials_on_disk(folder):
    """The contents of all trial files by trial id; strict JSON only."""

    def refuse(token):
        raise AssertionError(f"{token} is not JSON")

    return {
        path.parent.name: json.loads(path.read_text(), parse_constant=refuse)
        for path in sorted(Path(folder, "project").glob("trial_*/trial.json"))
    }


def adaptive_order(scores, losses):
    """The ranks in the order in which entries with these losses are to be tried."""
    from keras_hplist.learning import AdaptiveOrder

    order, seen = AdaptiveOrder(told_list(scores, None, len(losses))), {}
    while (rank := order.next_entry(seen)) is not None:
        seen[rank] = losses[rank]
    return list(seen)


def assert_each_ran_once_in_order(
    folder, log, length=5, max_trials=None, outcomes=None, threads=1, seed=0, scores=None, **_
):
    """Check the folder and the log of a search that was killed and resumed until its end."""
    outcomes = {int(index): outcome for index, outcome in (outcomes or {}).items()}
    entries, trials = tiny_list(length), list(trials_on_disk(folder).values())
    ranks = list(range(length))
    if scores is not None:
        losses = [math.inf if outcomes.get(k) == "nan" else loss_of(entries[k]) for k in ranks]
        ranks = adaptive_order(scores, losses)
    expected = [*ranks, *[-1] * ((max_trials or length) - length)]
    indices = [trial["hyperparameters"]["values"]["hplist/index"] for trial in trials]
    assert sorted(indices, key=lambda i: (i < 0, i)) == expected
    if threads == 1:
        assert indices == expected
    configurations = list(entries)
    configurations += [tiny_space().draw(seed + n) for n in range(len(expected) - length)]
    after = length
    for index, trial in zip(indices, trials):
        values = trial["hyperparameters"]["values"]
        outcome = outcomes.get(index)
        if index < 0:
            index, after = after, after + 1
        assert {name: values[name] for name in configurations[index]} == configurations[index]
        assert trial["status"] == ("FAILED" if outcome == "crash" else "COMPLETED")
        assert trial["score"] == (None if isinstance(outcome, str) else loss_of(values))
        assert trial["hplist"]["diverged"] == (outcome in ("nan", "inf"))
        assert ("ArithmeticError" in (trial["message"] or "")) == (outcome == "crash")
    ends = sorted(trial["hplist"]["ended"] for trial in trials)
    assert ends == list(range(len(trials)))
    # A kill leaves no torn file of ours; KerasTuner itself writes the tuner's file in place.
    assert {path.name.split(".")[0] for path in Path(folder).rglob("*.damaged*")} <= {"tuner0"}

    started, recorded = [], set()
    for line in Path(log).read_text().splitlines():
        what, index, _ = line.split()
        if what == "end":
            recorded.add(int(index))
        elif int(index) >= 0:
            assert int(index) not in recorded, f"entry {index} ran again after its end was recorded"
            started.append(int(index))
    if threads == 1:
        assert [rank for rank, _ in itertools.groupby(started)] == ranks


def shorten_the_chiefs_wait():
    """KerasTuner's chief looks every 20 s whether the workers have left; look more often."""
    from keras_tuner.src.distribute import oracle_chief

    class Clock:
        @staticmethod
        def sleep(seconds):
            time.sleep(min(seconds, 0.2))

    oracle_chief.time = Clock


def random_search_values(hyperparameters, n):
    """Values that KerasTuner's RandomSearch proposes, without running trials."""
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("loss", "min"),
        max_trials=n,
        hyperparameters=hyperparameters,
        seed=0,
    )
    return [oracle.populate_space(str(i))["values"] for i in range(n)]


if __name__ == "__main__":
    if "KERASTUNER_ORACLE_IP" in os.environ:
        shorten_the_chiefs_wait()
    search(sys.argv[1], **json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}"))
