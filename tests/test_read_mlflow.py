"""`read_mlflow` on stores that MLflow itself wrote."""

import math
import os
import shutil
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from damage import check_damaged

from keras_hplist.errors import (
    FileFormatError,
    InvalidValueError,
    MissingExtraError,
    UnknownNameError,
)
from keras_hplist.history import read_logs, read_mlflow

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # newer releases ask for consent
mlflow = pytest.importorskip("mlflow", reason="MLflow writes the files of these tests")

RATES = (1.0, 0.1, 0.01, 0.001)
ENDS = ("FINISHED", "FINISHED", "FAILED", "KILLED")


def loss(run: int, step: int) -> float:
    """Validation loss: run 1 diverges to NaN, run 2 to infinity."""
    if step == 30 and run in (1, 2):
        return math.nan if run == 1 else math.inf
    return 1 / (step + 10) + RATES[run]


def fill(uri: str) -> None:
    """Two experiments: four ended runs, a running and a deleted one; two runs without steps."""
    client = mlflow.tracking.MlflowClient(tracking_uri=uri)
    digits = client.create_experiment("digits")
    for index, (rate, end) in enumerate(zip(RATES, ENDS, strict=True)):
        run = client.create_run(digits, run_name=f"run {index}").info.run_id
        for name, value in {"lr": rate, "optimizer/name": "adam", "nesterov": True}.items():
            client.log_param(run, name, value)
        for step in range(0, 40, 10):
            client.log_metric(run, "val_loss", loss(index, step), step=step)
            client.log_metric(run, "train/loss", loss(0, step) / 2, step=step)
        client.log_metric(run, "test_loss", 0.25)
        client.set_terminated(run, end)
    client.create_run(digits, run_name="running")
    client.delete_run(client.create_run(digits, run_name="deleted").info.run_id)
    no_steps = client.create_experiment("no steps")
    for values in ((3.0, 2.0, 1.0), (4.0,)):
        run = client.create_run(no_steps).info.run_id
        client.log_param(run, "lr", 1e-3)
        for time, value in enumerate(values):
            client.log_metric(run, "val_loss", value, timestamp=1000 + time)
        client.set_terminated(run)


@pytest.fixture(scope="module", params=["folder", "sqlite"])
def original(request, tmp_path_factory):
    """A store that MLflow filled."""
    place = tmp_path_factory.mktemp("mlflow") / ("mlruns" if request.param == "folder" else "ml.db")
    fill(place.as_uri() if request.param == "folder" else f"sqlite:///{place}")
    return place


@pytest.fixture
def store(original, tmp_path):
    """A copy of the store, in a folder whose name means something in URLs."""
    folder = tmp_path / "100% of #1 {full}?"
    folder.mkdir()
    copy = shutil.copytree if original.is_dir() else shutil.copy
    return Path(copy(original, folder / original.name))


def test_each_run_becomes_a_row_with_its_curves(store):
    """Parameters, metrics by step, states; a metric logged once is that of the end."""
    history = read_mlflow(store, train="train/loss", test="test_loss", experiments=["digits"])
    rows = history.to_frame()
    rows["lr"] = [history.values()[row]["lr"] for row in rows["configuration"]]
    rows = rows.set_index("lr").loc[list(RATES)]
    assert history.tasks == ["digits"]
    assert rows["status"].tolist() == ["ok", "diverged", "diverged", "pruned"]
    for index, row in enumerate(rows.to_dict("records")):
        assert history.values()[row["configuration"]] == {
            "lr": RATES[index], "optimizer/name": "adam", "nesterov": True
        }  # fmt: skip
        assert row["steps"].tolist() == [0, 10, 20, 30]
        expected = np.float32([loss(index, step) for step in range(0, 40, 10)])
        np.testing.assert_array_equal(row["valid"], expected)
        np.testing.assert_array_equal(row["test"], np.float32([np.nan] * 3 + [0.25]))
        assert row["train"][0] == np.float32(loss(0, 0) / 2)
        assert row["seconds"] >= 0


def test_running_and_deleted_runs_are_dropped(store):
    """Each with its reason."""
    report = read_mlflow(store, experiments=["digits"]).report
    assert report.read == 4
    assert sorted(report.dropped) == [
        ("deleted", "deleted"),
        ("running", "not ended: running, waiting or killed"),
    ]


def test_a_task_is_called_as_its_parameter_is_written(tmp_path):
    """Also if that is all digits."""
    uri = f"sqlite:///{tmp_path / 'ml.db'}"
    client = mlflow.tracking.MlflowClient(tracking_uri=uri)
    run = client.create_run(client.create_experiment("patients")).info.run_id
    for name, value in {"patient": "007", "lr": 0.1}.items():
        client.log_param(run, name, value)
    client.log_metric(run, "val_loss", 1.0)
    client.set_terminated(run)
    history = read_mlflow(uri, task_key="patient")
    assert history.tasks == ["007"]
    assert list(history.values().values()) == [{"lr": 0.1}]


@pytest.mark.parametrize("experiments", [["no steps"], None])
def test_values_without_steps_are_numbered_by_time(store, experiments):
    """From 1, whatever else is read, though MLflow logs step 0; the report says so."""
    history = read_mlflow(store, experiments=experiments)
    rows = history.select(task="no steps").to_frame()
    assert sorted(rows["steps"].map(list)) == [[1], [1, 2, 3]]
    assert sorted(rows["valid"].map(list)) == [[3.0, 2.0, 1.0], [4.0]]
    assert "without steps" in str(history.report)


def test_all_experiments_are_read_by_default(store):
    """Each experiment is a task."""
    assert read_mlflow(store).tasks == ["digits", "no steps"]
    with pytest.raises(UnknownNameError, match="Did you mean 'digits'"):
        read_mlflow(store, experiments=["digit"])


def test_a_store_is_told_whatever_its_runs_logged(store):
    """A Parquet file among the artifacts is no history of ours."""
    if store.is_dir():
        artifacts = next(store.rglob("val_loss")).parents[1] / "artifacts"
        pq.write_table(pa.table({"prediction": [1.0]}), artifacts / "predictions.parquet")
    assert read_logs(store).fingerprint == read_mlflow(store).fingerprint


def test_a_metric_that_no_run_has_is_refused(store):
    """The message lists what was logged."""
    with pytest.raises(InvalidValueError, match="logged: test_loss, train/loss, val_loss"):
        read_mlflow(store, "loss")


def test_damaged_stores_are_named(store):
    """Truncated and scrambled files read, or raise an error that names the file."""
    if store.is_file():
        assert check_damaged(store, lambda: read_mlflow(store)) > 5
        return
    run = next(path.parent for path in sorted(store.rglob("val_loss")))
    assert check_damaged(run / "val_loss", lambda: read_mlflow(store)) > 5
    assert check_damaged(run.parent / "meta.yaml", lambda: read_mlflow(store)) > 5
    assert check_damaged(run.parent / "params" / "lr", lambda: read_mlflow(store)) > 0


def test_a_damaged_line_is_named(original, tmp_path):
    """The message gives file and line."""
    if original.is_file():
        with sqlite3.connect(shutil.copy(original, tmp_path)) as database:
            database.execute("DROP TABLE metrics")
        with pytest.raises(FileFormatError, match="no such table: metrics"):
            read_mlflow(tmp_path / original.name)
        return
    store = Path(shutil.copytree(original, tmp_path / "mlruns"))
    metric = next(store.rglob("val_loss"))
    metric.write_text(metric.read_text() + "1 much 2\n")
    with pytest.raises(FileFormatError, match=r"val_loss, line \d+: '1 much 2'"):
        read_mlflow(store)


def test_what_is_no_store_is_refused(tmp_path):
    """Missing paths, empty folders, other files."""
    with pytest.raises(FileNotFoundError):
        read_mlflow(tmp_path / "mlruns")
    with pytest.raises(FileFormatError, match=r"no meta\.yaml"):
        read_mlflow(tmp_path)
    (tmp_path / "other.db").write_text("hello, this is not a database, whatever its name says")
    with pytest.raises(FileFormatError, match="no database of MLflow"):
        read_mlflow(tmp_path / "other.db")


def test_without_pyyaml_the_extra_is_named(original, monkeypatch):
    """Only folders need it."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    if original.is_file():
        assert len(read_mlflow(original))
    else:
        with pytest.raises(MissingExtraError, match=r"keras_hplist\[yaml\]"):
            read_mlflow(original)
