"""`keras-hplist learn` and `import` on logs that real tools wrote."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras_tuner
import numpy as np
import pandas as pd
import populations
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
    place = run("learn", tmp_path, "-o", output, "--set", "path=x", status=2)
    assert "no option of a reader" in place.stderr
    assert not output.exists()


@pytest.fixture
def history(tmp_path) -> Path:
    """A small history in a file."""
    file = tmp_path / "history.parquet"
    populations.history(tasks=3, rates=5).write(file)
    return file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["learn", "history.parquet", "-o", "history.parquet"], "history.parquet is to be read"),
        (["learn", "history.parquet", "-o", "link.json"], "link.json is to be read"),
        (["learn", "history.parquet", "-o", "x.json", "--report", "./x.json"], "--output names"),
        (["learn", "history.parquet", "-o", "x.json", "--report", "history.parquet"], "be read"),
        (["import", "history.parquet", "-o", "history.parquet"], "history.parquet is to be read"),
        (["export", "list.json", "--to", "csv", "-o", "list.json"], "list.json is to be read"),
    ],
)
def test_an_output_is_no_input_and_no_other_output(
    arguments, message, history, command, monkeypatch
):
    """Wrong usage, told before anything is read or written."""
    monkeypatch.chdir(history.parent)
    Path("link.json").symlink_to(history)
    Path("list.json").write_text("not read")
    before = history.read_bytes()
    status, _, err = command(*arguments)
    assert status == 2
    assert message in " ".join(err.replace("│", " ").split())
    assert history.read_bytes() == before and Path("list.json").read_text() == "not read"
    assert not Path("x.json").exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("x.json", "x.json is a file; name a folder, or a file that ends in .parquet"),
        ("folder.parquet", "folder.parquet is a folder; name a file in it"),
        ("x.json/history.parquet", "x.json is a file, not a folder"),
        ("x.json/history", "x.json is a file, not a folder"),
        ("/sys/history", "/sys cannot be written to"),
    ],
)
def test_import_refuses_an_output_before_it_reads(output, message, tmp_path, command, monkeypatch):
    """What is to be imported is not looked at: here there is nothing."""
    monkeypatch.chdir(tmp_path)
    Path("x.json").touch()
    Path("folder.parquet").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != Path("/sys"))  # also for root
    status, _, err = command("import", "nothing.csv", "-o", output)
    assert status == 1
    assert message in err


def test_import_makes_the_folders_of_its_output(history, command):
    """As before it was looked at."""
    output = history.parent / "new" / "folder" / "x.parquet"
    assert command("import", history, "-o", output)[0] == 0
    assert output.is_file()


def test_evaluate_follows_lists_learned_as_learn_would(command, tmp_path):
    """The same options as `learn` has; the numbers are those of `resample`."""
    history = populations.history(tasks=6, rates=9)
    history.write(tmp_path / "history")
    chosen = {"horizon": 30, "weights": "equal", "scale": "median", "budget": 2}
    options = [str(part) for name, value in chosen.items() for part in (f"--{name}", value)]
    places = ["evaluate", tmp_path / "history", "--length", "3", "--resamplings", "4", "--json"]
    status, out, _ = command(*places, *options)
    assert status == 0
    learner = khl.ListLearner(length=3, **chosen)
    expected = khl.evaluation.resample(history, learner, 4, weights="equal").reset_index()
    told = pd.DataFrame(json.loads(out))
    pd.testing.assert_frame_equal(told, expected[list(told)], check_dtype=False)
    status, out, _ = command(*places[:-1])
    assert status == 0 and "median (quartiles)" in out
    assert command(*places, "--budget", "4")[0] == 1


@pytest.mark.parametrize("seed", ["-1", str(2**32)])
@pytest.mark.parametrize("subcommand", [("learn", "x", "-o", "y"), ("evaluate", "x"), ("demo",)])
def test_a_seed_that_no_generator_takes_is_wrong_usage(subcommand, seed, command):
    """Told with the bound."""
    status, _, err = command(*subcommand, "--seed", seed)
    assert status == 2
    assert "equal to 0" in err if seed == "-1" else "equal to 4294967295" in err


def test_what_was_left_out_is_noted_once(tmp_path, command):
    """As a line, without the place in the code."""
    flat = [run | {"task": "flat", "valid": [1.0] * 6} for run in populations.runs(1, 4)]
    khl.History.from_records(populations.runs(4, 4) + flat).write(tmp_path / "history")
    status, _, err = command("learn", tmp_path / "history", "-o", tmp_path / "mine.json")
    assert status == 0
    told = [line for line in err.splitlines() if "flat" in line]
    assert len(told) == 1 and told[0].startswith("note: 1 tasks were left out")
    assert "UserWarning" not in err


def test_an_empty_name_is_refused_before_anything_is_read(tmp_path, command):
    """A file could not bear it."""
    status, _, err = command("learn", tmp_path / "x", "-o", tmp_path / "y", "--name", "")
    assert status == 1
    assert "give a text that is not empty" in err


def test_a_file_may_bear_the_name_of_a_shipped_list(tmp_path, command, monkeypatch):
    """The name is that of the list, not of the file that is made."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert command("export", "nadamw", "--to", "csv", "-o", "nadamw")[0] == 0


def test_runs_of_one_length_are_chosen_where_tasks_have_several(tmp_path, command):
    """The refusal names the option, and the option names the lengths that there are."""
    runs = [
        {**run, "training_steps": length}
        for length in (100, 200)
        for run in populations.runs(tasks=3, rates=8, seed=length)
    ]
    khl.History.from_records(runs).write(tmp_path / "runs")
    output = tmp_path / "list.json"
    status, _, error = command("learn", tmp_path / "runs", "-o", output)
    assert status == 1 and "--training-steps 200" in error
    status, _, error = command("learn", tmp_path / "runs", "-o", output, "--training-steps", 150)
    assert status == 1 and "these were for 100, 200" in error and not output.exists()
    status, _, error = command("learn", tmp_path / "runs", "-o", output, "--training-steps", 200)
    assert status == 0, error
    assert len(khl.HyperparameterList.load(output)) == 8
