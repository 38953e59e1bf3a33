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

    search(tuner(directory={folder!r}, project_name="toy"), callbacks=[Third()])
"""


def start(folder, action, **environment):
    """Run the search in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT).format(action=action, folder=str(folder))],
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


@pytest.mark.slow
def test_chief_and_two_workers_share_a_search(tmp_path):
    """Each entry runs once; a crash on a worker keeps its traceback; all curves are there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = [
        start(
            tmp_path,
            "raise OSError('the worker stumbled')",
            KERASTUNER_TUNER_ID=tuner_id,
            KERASTUNER_ORACLE_IP="127.0.0.1",
            KERASTUNER_ORACLE_PORT=port,
        )
        for tuner_id in ("chief", "tuner0", "tuner1")
    ]
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
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
