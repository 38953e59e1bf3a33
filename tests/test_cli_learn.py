"""`keras-hplist learn` and `import` on logs that real tools wrote."""

import json
import subprocess
import sys
from pathlib import Path

import keras_tuner
import numpy as np
import pytest

import keras_hplist as khl

COMMAND = str(Path(sys.executable).with_name("keras-hplist"))


def run(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the installed command and check its exit status."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


class Bowl(keras_tuner.RandomSearch):
    """A real search over a function in place of a training."""

    minimum = 0.0

    def run_trial(self, trial, *args, **kwargs):
        """The loss is lowest where the logarithm of the learning rate is that of the minimum."""
        rate = trial.hyperparameters.Float("learning_rate", 1e-5, 1.0, sampling="log")
        width = trial.hyperparameters.Int("width", 8, 64)
        return (np.log10(rate) - self.minimum) ** 2 + abs(width - 32) / 64


@pytest.fixture(scope="module")
def projects(tmp_path_factory) -> Path:
    """Three project folders of KerasTuner, on related problems."""
    folder = tmp_path_factory.mktemp("projects")
    for number, minimum in enumerate((-2.5, -2.0, -1.5)):
        tuner = Bowl(max_trials=20, seed=number, directory=folder, project_name=f"problem{number}")
        tuner.minimum = minimum
        tuner.search(verbose=0)
    return folder


def test_learn_reads_project_folders_and_writes_a_list(projects, tmp_path):
    """A list over the user's own hyperparameters begins near what was best in the projects."""
    output = tmp_path / "mine.json"
    summary = json.loads(run("learn", projects, "-o", output, "--length", "5", "--json").stdout)
    learned = khl.HyperparameterList.load(output)
    assert summary["runs"] == 60
    assert summary["entries"] == len(learned) == 5
    assert set(learned.space.names) == {"learning_rate", "width"}
    assert -3.5 < np.log10(learned[0]["learning_rate"]) < -0.5


def test_import_writes_a_history_that_learn_reads(projects, tmp_path):
    """Importing first and learning from the history gives the same list."""
    history = tmp_path / "history.parquet"
    run("import", projects, "-o", history)
    lists = [tmp_path / "direct.json", tmp_path / "imported.json"]
    for source, output in zip((projects, history), lists, strict=True):
        assert "Wrote" in run("learn", source, "-o", output, "--length", "4").stdout
    direct, imported = map(khl.HyperparameterList.load, lists)
    assert list(direct) == list(imported)


def test_nothing_to_learn_from_is_one_message(tmp_path):
    """A folder without logs, a missing one, a wrong source and a wrong option each say why."""
    output = tmp_path / "list.json"
    assert "Name its source" in run("learn", tmp_path, "-o", output, status=1).stderr
    assert "no file or folder" in run("learn", tmp_path / "x", "-o", output, status=1).stderr
    wrong = run("learn", tmp_path, "-o", output, "--from", "keras_tuner", status=1)
    assert "Did you mean 'keras-tuner'" in wrong.stderr
    run("learn", tmp_path, "-o", output, "--set", "task", status=2)
    assert not output.exists()
