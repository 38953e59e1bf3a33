"""Several tuners over one oracle: threads, and KerasTuner's chief and workers over gRPC."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from keras_tuner.engine.trial import Trial
from oracle_searches import (
    Search,
    assert_each_ran_once_in_order,
    in_project,
    search,
    tiny_list,
    tiny_space,
    trials_on_disk,
)

from keras_hplist import HyperparameterListOracle


def test_tuners_in_threads_share_the_list(tmp_path):
    """Four tuners over one oracle run each entry once, started in list order."""
    outcomes = {1: "nan", 4: "crash", **dict.fromkeys((0, 2, 3, 5, 6), 0.005)}
    search(tmp_path, 12, threads=4, outcomes=outcomes, log=tmp_path / "log")
    assert_each_ran_once_in_order(tmp_path, tmp_path / "log", 12, outcomes=outcomes, threads=4)
    trials = trials_on_disk(tmp_path)
    indices = [trial["hyperparameters"]["values"]["hplist/index"] for trial in trials.values()]
    assert indices == list(range(12))  # trial ids are given in the order of starts


def test_a_tuner_made_while_another_runs_disturbs_no_running_trial(tmp_path):
    """KerasTuner reloads the oracle in each new tuner, and would run the running trial again."""
    oracle = HyperparameterListOracle(hyperparameter_list=tiny_list(4))
    Search(oracle, directory=tmp_path, project_name="project").save()  # so that others reload
    running = oracle.create_trial("tuner0")
    second = Search(oracle, directory=tmp_path, project_name="project")
    assert oracle.ongoing_trials == {"tuner0": running}
    second.tuner_id = "tuner1"
    assert oracle.create_trial("tuner1").hyperparameters.values["hplist/index"] == 1


@contextmanager
def cluster(folder, **options):
    """Gives a function that starts the chief or a worker of one search as a process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []

    def start(tuner_id):
        environment = os.environ | {
            "KERASTUNER_TUNER_ID": tuner_id,
            "KERASTUNER_ORACLE_IP": "127.0.0.1",
            "KERASTUNER_ORACLE_PORT": str(port),
            "KERAS_BACKEND": "numpy",
            "OMP_NUM_THREADS": "1",
        }
        script = Path(__file__).with_name("oracle_searches.py")
        with open(f"{folder}.{tuner_id}.out", "a") as out:
            started.append(
                subprocess.Popen(
                    [sys.executable, script, str(folder), json.dumps(options)],
                    env=environment,
                    stdout=out,
                    stderr=out,
                )
            )
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_a_chief_and_two_workers_run_the_list_and_what_comes_after(tmp_path):
    """Over gRPC: each entry once, values exact, divergence recorded, sampling after the list."""
    folder, log = tmp_path / "search", tmp_path / "log"
    options = {
        "length": 6,
        "max_trials": 10,
        "after_list": "sample",
        "seed": 0,
        "outcomes": {"1": "nan", "3": "crash", "4": 0.1},
        "meet": True,
        "log": str(log),
    }
    with cluster(folder, **options) as start:
        processes = [start("chief"), start("worker0"), start("worker1")]
        assert [process.wait(90) for process in processes] == [0, 0, 0]
    trials = list(trials_on_disk(folder).values())
    values = [trial["hyperparameters"]["values"] for trial in trials]
    assert [v["hplist/index"] for v in values] == [0, 1, 2, 3, 4, 5, -1, -1, -1, -1]
    expected = [*tiny_list(6), *(tiny_space().draw(seed) for seed in range(4))]
    for configuration, got in zip(expected, values, strict=True):
        # Exactly these floats, and ints, bools and strings still of their types.
        assert {name: got[name] for name in configuration} == configuration
        assert all(type(got[name]) is type(value) for name, value in configuration.items())
    assert [trial["status"] == "FAILED" for trial in trials] == [n == 3 for n in range(10)]
    assert [trial["hplist"]["diverged"] for trial in trials] == [n == 1 for n in range(10)]
    ran = [line.split() for line in log.read_text().splitlines()]
    assert {tuner for *_, tuner in ran} == {"worker0", "worker1"}
    assert sorted(i for what, i, _ in ran if what == "run") == sorted([*"012345", *["-1"] * 4])


def test_killed_workers_and_a_killed_chief_come_back_and_lose_nothing(tmp_path):
    """`kill -9` on a worker, then on the chief, in the middle of trials; both start again.

    The worker that outlives the chief reports to the new one, and its trial does not run again.
    """
    folder, log = tmp_path / "search", tmp_path / "log"
    outcomes = {str(n): 0.3 for n in range(6)}
    with cluster(folder, length=6, outcomes=outcomes, log=str(log)) as start:
        chief, worker = start("chief"), start("worker0")
        wait_for(lambda: log.exists() and "run 1" in log.read_text())
        os.kill(worker.pid, signal.SIGKILL)
        worker = start("worker0")
        wait_for(lambda: "run 3" in log.read_text())
        os.kill(chief.pid, signal.SIGKILL)
        chief.wait()
        chief = start("chief")
        assert (chief.wait(60), worker.wait(60)) == (0, 0)
    assert_each_ran_once_in_order(folder, log, 6)
    starts = [line.split()[1] for line in log.read_text().splitlines() if line[:3] == "run"]
    assert starts == [*"0112345"]


def test_a_search_that_fails_under_a_chief_comes_to_an_end(tmp_path):
    """After too many failures in a row chief and workers leave; KerasTuner's chief would wait."""
    folder, log = tmp_path / "search", tmp_path / "log"
    outcomes = {str(n): "crash" for n in range(9)}
    with cluster(folder, length=9, outcomes=outcomes, log=str(log), meet=True) as start:
        processes = [start("chief"), start("worker0"), start("worker1")]
        assert [process.wait(90) for process in processes] == [0, 0, 0]
    statuses = [trial["status"] for trial in trials_on_disk(folder).values()]
    assert set(statuses) == {"FAILED"} and 3 <= len(statuses) <= 4
    assert "consecutive failures" in Path(f"{folder}.chief.out").read_text()


def test_a_mistake_that_a_worker_meets_ends_the_search(tmp_path, monkeypatch):
    """The chief warns and tells all to stop; the trial has not ended, and a resumed search has it.

    A tuner of KerasTuner's own only dies with the worker, and the chief waits.
    """
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    oracle = in_project(tmp_path, hyperparameter_list=tiny_list())
    other, trial = oracle.create_trial("worker0"), oracle.create_trial("worker1")
    reported = Trial(trial.hyperparameters.copy(), trial.trial_id, "STOPPED")
    reported.hyperparameters.values["hplist/message"] = "the objective is misspelt"
    with pytest.warns(UserWarning, match=r"(?s)0001.*the objective is misspelt"):
        oracle.end_trial(reported)
    assert oracle.create_trial("worker1").status == "STOPPED"
    oracle.update_trial(other.trial_id, {"default_objective": 1.0})
    other.status = "COMPLETED"
    oracle.end_trial(other)
    assert oracle.create_trial("worker0").status == "STOPPED"
    assert not oracle.ongoing_trials and not oracle.tuner_ids  # so the chief leaves
    resumed = in_project(tmp_path, hyperparameter_list=tiny_list())
    again = resumed.create_trial("worker0")
    assert (again.trial_id, again.hyperparameters.values["hplist/index"]) == ("0001", 1)


def test_a_worker_leaves_the_files_to_the_chief(tmp_path, monkeypatch):
    """The oracle in a worker's process mends nothing but the worker's own file."""
    search(tmp_path, max_trials=2)
    torn = tmp_path / "project/trial_0001/trial.json"
    torn.write_text("{")
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "1")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker0")
    oracle = HyperparameterListOracle(hyperparameter_list=tiny_list())
    Search(oracle, directory=tmp_path, project_name="project")
    assert oracle.get_space().values["hplist/index"] == 0
    assert [trial.trial_id for trial in oracle.get_best_trials(3)] == ["0000"]
    assert torn.read_text() == "{"


def test_threads_wait_for_each_other_also_after_an_error(tmp_path):
    """An error inside the oracle releases KerasTuner's lock; KerasTuner itself keeps it."""
    oracle = in_project(tmp_path, "val_loss", hyperparameter_list=tiny_list())
    trial = oracle.create_trial("tuner0")
    for call in (
        lambda: oracle.update_trial(trial.trial_id, {"loss": 1.0}),
        lambda: oracle.update_trial("no such trial", {"val_loss": 1.0}),
        lambda: oracle.end_trial(completed_without_metrics(trial)),
    ):
        try:
            call()
        except (KeyError, ValueError):
            pass
        else:
            raise AssertionError("no error")
        other = threading.Thread(target=oracle.create_trial, args=["tuner1"])
        other.start()
        other.join(10)
        assert not other.is_alive()


def completed_without_metrics(trial):
    trial.status = "COMPLETED"
    return trial
