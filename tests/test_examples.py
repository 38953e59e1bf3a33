"""The examples run as a user runs them, with their real data and small budgets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(*command: str | Path, folder: Path) -> str:
    """Run a command in an empty folder; return what it printed."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_tune_digits_resumes(tmp_path):
    """The second run adds one trial to the project of the first and trains no other again."""
    script = EXAMPLES / "tune_digits.py"
    first = run(sys.executable, script, "--trials", "2", "--epochs", "1", folder=tmp_path)
    assert "accuracy" in first
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("trial.json")}
    run(sys.executable, script, "--trials", "3", "--epochs", "1", folder=tmp_path)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("trial.json")}
    assert len(before) == 2
    assert len(after) == 3
    assert before.items() <= after.items()


def test_plain_fit_prints_a_loss_for_each_entry(tmp_path):
    """Two entries, two finite validation losses."""
    options = ["--entries", "2", "--epochs", "2"]
    printed = run(sys.executable, EXAMPLES / "plain_fit.py", *options, folder=tmp_path)
    losses = [float(line.rsplit(" ", 1)[1]) for line in printed.strip().splitlines()]
    assert len(losses) == 2
    assert all(0 < loss < 10 for loss in losses)


def test_retrain_list_learns_over_the_users_hyperparameters(tmp_path):
    """A list over units, activation, dropout and learning rate is learned and tried in order."""
    options = ["--old-trials", "4", "--trials", "2", "--epochs", "1"]
    printed = run(sys.executable, EXAMPLES / "retrain_list.py", *options, folder=tmp_path)
    for name in ("units", "activation", "dropout", "learning_rate", "Results summary"):
        assert name in printed


@pytest.mark.slow
def test_parallel_workers_share_one_search(tmp_path):
    """A chief and two workers try four entries, each once."""
    run(
        "bash",
        EXAMPLES / "parallel_workers.sh",
        "project",
        "--trials",
        "4",
        "--epochs",
        "1",
        folder=tmp_path,
    )
    trials = sorted((tmp_path / "project" / "digits").glob("trial_*/trial.json"))
    assert len(trials) == 4
