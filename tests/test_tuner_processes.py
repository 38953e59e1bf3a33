"""The tuner in processes that are killed, and in several that share one search."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tiny_search import RATES, curves, scores, search, tuner

SCRIPT = """
    import sys
    import keras
    from tiny_search import search, tuner

    class Third(keras.callbacks.Callback):
        '''Does something in the trial of the third entry.'''

        def on_epoch_end(self, epoch, logs=None):
            if float(self.model.optimizer.learning_rate) == 10.0:
                {action}

    arguments = dict(directory={folder!r}, project_name="toy", **{arguments!r})
    built = search(tuner(**arguments), callbacks=[Third()])
    built.results_summary()
    built.get_best_models()
"""


def start(folder, action, arguments=None, **environment):
    """Run the search in a process of its own."""
    code = textwrap.dedent(SCRIPT).format(
        action=action, folder=str(folder), arguments=arguments or {}
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ
        | {"PYTHONPATH": str(Path(__file__).parent), "TF_CPP_MIN_LOG_LEVEL": "2"}
        | environment,
    )


def assert_each_entry_once(built):
    trials = sorted(built.oracle.trials.values(), key=lambda trial: trial.trial_id)
    values = [trial.hyperparameters.values for trial in trials]
    assert [each["hplist/index"] for each in values] == [0, 1, 2, 3]
    assert [each["learning_rate"] for each in values] == RATES


def test_killed_search_goes_on_as_if_it_had_not_been(tmp_path):
    """After `kill -9` in its third trial, a search ends with the results of a whole one."""
    with start(tmp_path, "print('third', flush=True); sys.stdin.read()") as process:
        assert any(line == "third\n" for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    resumed = tuner(directory=tmp_path, project_name="toy")
    assert len(curves(resumed)) == 2
    search(resumed)
    assert_each_entry_once(resumed)
    assert scores(resumed) == scores(search(tuner(directory=tmp_path, project_name="whole")))
    assert len(curves(resumed)) == 4


def be_worker(monkeypatch):
    """Make this process a worker of a chief that never answers."""
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "1")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "tuner1")


def test_a_worker_has_the_results_of_a_search_whose_chief_is_gone(tmp_path, monkeypatch, capsys):
    """It reads them from the folder, and looks for no chief where nothing is left to do."""
    whole = search(tuner(directory=tmp_path, project_name="toy"))
    best = whole.get_best_hyperparameters()[0].values
    be_worker(monkeypatch)
    late = search(tuner(directory=tmp_path, project_name="toy"))
    assert late.get_best_hyperparameters()[0].values == best
    assert late.get_best_models()[0].optimizer.hyperparameters["learning_rate"] in RATES
    late.search_space_summary(extended=True)
    late.results_summary()
    assert "have not ended" not in capsys.readouterr().out


def test_the_worker_that_ends_first_says_that_others_still_run(tmp_path, monkeypatch, capsys):
    """The trials of the others are on disk, without results."""
    begun = tuner(directory=tmp_path, project_name="toy")
    begun.oracle.create_trial("tuner0")
    be_worker(monkeypatch)
    tuner(directory=tmp_path, project_name="toy").results_summary()
    assert "1 of 1 trials have not ended yet" in capsys.readouterr().out


def test_a_worker_never_deletes_the_search(tmp_path, monkeypatch):
    """KerasTuner deletes in every process that is given overwrite=True, however late it comes."""
    search(tuner(directory=tmp_path, project_name="toy"))
    files = set(tmp_path.rglob("*"))
    be_worker(monkeypatch)
    late = tuner(directory=tmp_path, project_name="toy", overwrite=True)
    assert files <= set(tmp_path.rglob("*"))
    assert len(late.oracle.get_best_trials(9)) == len(RATES)
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    tuner(directory=tmp_path, project_name="toy", overwrite=True)
    assert not list(tmp_path.rglob("trial_*"))


def start_cluster(folder, action, **arguments):
    """Start a chief and two workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return [
        start(
            folder,
            action,
            arguments,
            KERASTUNER_TUNER_ID=tuner_id,
            KERASTUNER_ORACLE_IP="127.0.0.1",
            KERASTUNER_ORACLE_PORT=port,
        )
        for tuner_id in ("chief", "tuner0", "tuner1")
    ]


@pytest.mark.slow
def test_chief_and_two_workers_share_a_search(tmp_path):
    """Each entry runs once; a crash on a worker keeps its traceback; all curves are there.

    All three are given `overwrite=True` and ask for the results at the end.
    """
    processes = start_cluster(tmp_path, "raise OSError('the worker stumbled')", overwrite=True)
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert all("Results summary" in output for output in outputs)
    opened = tuner(directory=tmp_path, project_name="toy")
    opened.oracle.reload()
    assert_each_entry_once(opened)
    failed = opened.oracle.trials["0002"]
    assert failed.status == "FAILED"
    assert "the worker stumbled" in failed.message
    frame = curves(opened)
    assert sorted(frame["status"]) == ["failed", "ok", "ok", "ok"]
    assert frame["seed"].nunique() == 4
    best = opened.oracle.get_best_trials()[0]
    assert opened.get_best_models()[0].optimizer.hyperparameters == {
        "learning_rate": best.hyperparameters.values["learning_rate"]
    }


@pytest.mark.slow
def test_a_misspelt_objective_ends_chief_and_workers(tmp_path):
    """Every trial would meet it; the chief says what it is and does not wait for a dead worker."""
    processes = start_cluster(tmp_path, "pass", objective="val_mse")
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert "'val_mse' was not measured" in outputs[0]
    assert "No trial in" in outputs[0]  # from `get_best_models`, after the search
    assert any("SetupError" in output for output in outputs[1:])
