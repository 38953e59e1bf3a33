"""Tasks that are called after their file, folder, study or experiment, and are called alike."""

import functools
import json

import pytest
from event_sessions import write_session

from keras_hplist.history import (
    History,
    read_csv,
    read_csv_logger,
    read_ray_tune,
    read_tensorboard,
)
from keras_hplist.history.sources import read_logs

SCALES = {"mnist": 1.0, "cifar": 100.0}


def file_in(folder, name, text):
    """A file of text, its folder made; the path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def losses_by_task(history):
    """Task to the last losses of its runs, in order."""
    return {
        task: sorted(float(curve[-1]) for curve in history.select(task=task).to_frame()["valid"])
        for task in history.tasks
    }


def ray_tune(folder, scale):
    """An experiment called `exp` with two trials."""
    for rate in (0.1, 0.2):
        trial = folder / "exp" / f"trial_{rate}"
        file_in(trial, "params.json", json.dumps({"lr": rate}))
        line = json.dumps({"val_loss": scale * rate, "training_iteration": 1})
        file_in(trial, "result.json", line + "\n")


def csv_logger(folder, scale):
    """Two runs of CSVLogger in a folder called `exp`."""
    for rate in (0.1, 0.2):
        text = f"epoch,loss,val_loss\n0,1,{scale * rate}\n"
        file_in(folder / "exp", f"run{rate}.csv", text)
        file_in(folder / "exp", f"run{rate}.json", json.dumps({"lr": rate}))


def tensorboard(folder, scale):
    """Two runs in a folder called `exp`."""
    for rate in (0.1, 0.2):
        write_session(folder / "exp" / f"run{rate}", {"lr": rate}, loss=scale * rate)


READERS = {
    "ray-tune": (ray_tune, read_ray_tune),
    "csv-logger": (csv_logger, read_csv_logger),
    "tensorboard": (tensorboard, functools.partial(read_tensorboard, valid="val_loss")),
}


@pytest.mark.parametrize("source", READERS)
@pytest.mark.parametrize("together", [True, False], ids=["one folder", "two folders"])
def test_folders_of_the_same_name_are_tasks_of_their_own(source, together, tmp_path):
    """Below one folder, and in several that are read by one call."""
    record, read = READERS[source]
    for name, scale in SCALES.items():
        record(tmp_path / name, scale)
    folders = [tmp_path / name for name in SCALES]
    history = read(tmp_path) if together else read_logs(folders, source, valid="val_loss")
    assert losses_by_task(history) == {
        f"{name}/exp": pytest.approx([0.1 * scale, 0.2 * scale]) for name, scale in SCALES.items()
    }
    assert "several places: cifar/exp, mnist/exp; if they are one" in str(history.report)
    assert read(tmp_path / "mnist").tasks == ["exp"]
    assert read(tmp_path, task="one").tasks == ["one"]


def test_studies_of_the_same_name_are_tasks_of_their_own(tmp_path):
    """Each in a file of its own; another study keeps its name."""
    optuna = pytest.importorskip("optuna", reason="Optuna is an extra")
    for name, study in (("a", "study"), ("b", "study"), ("b", "other/one")):
        url = f"sqlite:///{tmp_path}/{name}.db"
        made = optuna.create_study(storage=url, study_name=study)
        made.optimize(lambda trial: trial.suggest_float("lr", 0, 1), n_trials=2)
    history = read_logs([tmp_path / "a.db", f"{tmp_path}/b.db"])
    assert history.tasks == ["a.db/study", "b.db/study", "other/one"]
    assert history.space_names == ["custom"]
    assert list(history.space_definitions) == ["custom"]


def test_experiments_of_the_same_name_are_tasks_of_their_own(tmp_path):
    """As MLflow's `Default` in every store."""
    pytest.importorskip("yaml", reason="PyYAML is an extra")
    for name, loss in (("a", 1), ("b", 2)):
        run = tmp_path / name / "mlruns" / "0" / "f00"
        file_in(run.parent, "meta.yaml", "name: Default\n")
        file_in(run, "meta.yaml", "status: 3\n")
        file_in(run / "params", "lr", "0.1")
        file_in(run / "metrics", "val_loss", f"1 {loss} 1\n")
    history = read_logs([tmp_path / name / "mlruns" for name in ("a", "b")])
    assert losses_by_task(history) == {"a/mlruns/Default": [1.0], "b/mlruns/Default": [2.0]}


@pytest.mark.parametrize("source", ["csv", "wandb"])
def test_files_of_the_same_name_are_tasks_of_their_own(source, tmp_path):
    """And a file that is given twice is one."""
    options = {"columns": {"valid": "val_loss"}} if source == "csv" else {}
    options["hyperparameters"] = ["lr"]
    text = "Name,State,lr,val_loss\na,finished,0.1,{}\n"
    files = [file_in(tmp_path / n, "runs.csv", text.format(s)) for n, s in SCALES.items()]
    history = read_logs([*files, files[0]], source, **options)
    assert losses_by_task(history) == {"cifar/runs": [100.0], "mnist/runs": [1.0]}
    assert read_logs(files[:1], source, **options).tasks == ["runs"]


def test_only_suffixes_of_tables_are_no_part_of_a_name(tmp_path):
    """`mobilenet_0.25.csv` and `mobilenet_0.5.csv` are two tasks."""
    names = ("mobilenet_0.25.csv", "mobilenet_0.5.csv", "v1.2")
    files = [file_in(tmp_path, name, "lr,loss\n0.1,1\n") for name in names]
    assert read_csv(files, {"valid": "loss"}).tasks == ["mobilenet_0.25", "mobilenet_0.5", "v1.2"]


def test_what_a_folder_holds_of_other_tools_is_noted(tmp_path):
    """It is read as one tool's; what lies among that tool's files is no other's."""
    ray_tune(tmp_path, 1.0)
    trial = next((tmp_path / "exp").iterdir())
    write_session(trial, {"lr": 0.1}, loss=1.0)
    assert read_logs(tmp_path).report.notes == []
    write_session(tmp_path / "logs" / "run", {"lr": 0.1}, loss=1.0)
    assert read_logs(tmp_path).report.notes == [
        f"{tmp_path} was read with source='ray-tune'; what is there for source='tensorboard' was "
        "not"
    ]


def test_tasks_that_files_name_are_joined(tmp_path):
    """Parts of one history, and tables with a column of tasks."""
    parts = [tmp_path / "a" / "part.parquet", tmp_path / "b" / "part.parquet"]
    for rate, part in zip((0.1, 0.2), parts, strict=True):
        row = {"task": "mnist", "values": {"lr": rate}, "steps": [1], "valid": [rate]}
        part.parent.mkdir()
        History.from_records([row]).write(part)
    assert read_logs(parts).tasks == ["mnist"]
    text = "dataset,lr,loss\nmnist,{},1\n"
    files = [file_in(tmp_path / n, "runs.csv", text.format(n)) for n in ("1", "2")]
    columns = {"task": "dataset", "valid": "loss"}
    assert read_logs(files, "csv", columns=columns).tasks == ["mnist"]


def test_renaming_tasks_keeps_all_else():
    """And leaves the tasks that are not named."""
    rows = [{"task": t, "values": {"lr": 0.1}, "steps": [1], "valid": [1.0]} for t in "ab"]
    history = History.from_records(rows)
    renamed = history.with_tasks({"a": "c"})
    assert renamed.table["task"].to_pylist() == ["c", "b"]
    assert renamed.table.drop("task").equals(history.table.drop("task"))
    assert history.tasks == ["a", "b"]
