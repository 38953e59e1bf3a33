"""What the reader, the report, the tuner and the command take a KerasTuner project to hold."""

import json
import math

import pytest

from keras_hplist.history import ReadReport
from keras_hplist.history.keras_tuner_project import (
    CURVES,
    curve_file,
    curve_files,
    is_project,
    projects_in,
    trials,
)


def write_trial(project, name="00", **changes):
    """A trial.json as KerasTuner writes it, with some of its keys changed."""
    observations = [{"value": [1.0, 3.0], "step": 0}, {"value": [None, 1.0], "step": 4}]
    document = {
        "trial_id": name,
        "hyperparameters": {"space": [], "values": {"x": 1}},
        "metrics": {"metrics": {"val_loss": {"direction": "min", "observations": observations}}},
        "score": 2.0,
        "status": "COMPLETED",
    }
    folder = project / f"trial_{name}"
    folder.mkdir(parents=True)
    (folder / "trial.json").write_text(json.dumps(document | changes))


@pytest.mark.parametrize("trial", ["0003", "a_b", "x_execution1"])
def test_a_curve_file_tells_its_trial_and_execution(trial, tmp_path):
    """Whatever the trial's id holds; other files in the folder are none."""
    (tmp_path / CURVES).mkdir()
    for name in (curve_file(trial, 12), "notes.parquet", f"{curve_file(trial, 1)}.tmp"):
        (tmp_path / CURVES / name).touch()
    (found,) = curve_files(tmp_path)
    assert (found.trial, found.execution) == (trial, 12)
    assert found.path == tmp_path / CURVES / curve_file(trial, 12)


def test_a_metric_is_the_mean_over_executions_and_null_is_nan(tmp_path):
    """By step, in the order of the file."""
    write_trial(tmp_path, score=None)
    (trial,) = trials(tmp_path, ReadReport())
    metric = trial.metrics["val_loss"]
    assert metric.direction == "min"
    assert metric.values[0] == 2.0 and math.isnan(metric.values[4])
    assert math.isnan(trial.score)
    assert trial.observed("loss") == {}


def test_what_a_trial_says_of_its_list_and_rung_is_no_hyperparameter(tmp_path):
    """Rank -1 is that of a trial after the list."""
    values = {"x": 1, "hplist/name": "mine", "tuner/epochs": 6, "tuner/trial_id": "01"}
    for number, rank in enumerate((3, -1)):
        known = {"space": [], "values": values | {"hplist/index": rank}}
        write_trial(tmp_path, f"0{number}", hyperparameters=known)
    first, after = trials(tmp_path, ReadReport())
    assert (first.entry, first.list_name, first.epochs, first.continues) == (3, "mine", 6, "01")
    assert first.own_values == {"x": 1}
    assert after.entry is None


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"metrics": {"val_loss": {"observations": [{"value": [1.0]}]}}}},
        {"metrics": {"metrics": [1]}},
        {"metrics": "none"},
        {"score": "good"},
        {"hyperparameters": {"values": 3, "space": []}},
    ],
)
def test_a_trial_of_another_layout_is_left_out_and_told(changes, tmp_path):
    """The others are read."""
    write_trial(tmp_path, "00", **changes)
    write_trial(tmp_path, "01")
    report = ReadReport()
    assert [trial.id for trial in trials(tmp_path, report, "mine")] == ["01"]
    assert report.dropped == [("mine/trial_00", "trial.json is damaged")]


def test_a_project_is_known_by_its_oracle_or_its_trials(tmp_path):
    """A folder of projects is none itself."""
    write_trial(tmp_path / "running")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "oracle.json").touch()
    found = {tmp_path / "running", tmp_path / "begun"}
    assert projects_in(tmp_path) == found
    assert all(map(is_project, found)) and not is_project(tmp_path)
