"""`read_csv_logger` on folders that Keras' CSVLogger wrote."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from damage import check_damaged

from keras_hplist.errors import FileFormatError, InvalidValueError, MissingExtraError
from keras_hplist.history import read_csv_logger

RATES = (0.1, 0.01, 1e30)


@pytest.fixture(scope="module")
def fits():
    """What `model.fit` returned for each learning rate."""
    return {}


@pytest.fixture(scope="module")
def original(tmp_path_factory, fits):
    """Three fits of Keras: `digits/lr=…/log.csv` and `hparams.json`."""
    keras = pytest.importorskip("keras")
    folder = tmp_path_factory.mktemp("logs") / "digits"
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x.sum(axis=1)
    for rate in RATES:
        run = folder / f"lr={rate}"
        run.mkdir(parents=True)
        (run / "hparams.json").write_text(json.dumps({"lr": rate, "optimizer": {"name": "sgd"}}))
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(rate), "mse")
        logger = keras.callbacks.CSVLogger(run / "log.csv")
        fits[rate] = model.fit(
            x, y, 16, 3, verbose=0, validation_data=(x, y), callbacks=[logger]
        ).history
    return folder


@pytest.fixture
def logs(original, tmp_path):
    """A copy of the folder."""
    return Path(shutil.copytree(original, tmp_path / "digits"))


def rows_of(history):
    """The rows of a history by learning rate."""
    rows = history.to_frame()
    rows["lr"] = [history.values()[row]["lr"] for row in rows["configuration"]]
    return rows.set_index("lr")


def write_run(folder: Path, stem: str, document: object) -> None:
    """A run in the layout of one file a run: `<stem>.csv` and `<stem>.json`."""
    (folder / f"{stem}.csv").write_text("epoch,loss,val_loss\n0,1.0,2.0\n1,0.5,1.5\n")
    (folder / f"{stem}.json").write_text(json.dumps(document))


def test_each_run_becomes_a_row_with_its_curves(logs, fits):
    """Losses by finished epoch; the folder of the runs is the task."""
    history = read_csv_logger(logs)
    rows = rows_of(history)
    assert history.tasks == ["digits"]
    for rate, fit in fits.items():
        row = rows.loc[rate]
        assert history.values()[row["configuration"]] == {"lr": rate, "optimizer/name": "sgd"}
        np.testing.assert_allclose(row["valid"], np.float32(fit["val_loss"]), rtol=1e-6)
        np.testing.assert_allclose(row["train"], np.float32(fit["loss"]), rtol=1e-6)
        assert row["steps"].tolist() == [1, 2, 3]
        assert row["status"] == ("diverged" if rate == 1e30 else "ok")


def test_epochs_become_updates(logs):
    """`steps_per_epoch` says how many."""
    assert rows_of(read_csv_logger(logs, steps_per_epoch=4)).loc[0.1, "steps"].tolist() == [
        4,
        8,
        12,
    ]


def test_a_resumed_run_counts_with_what_was_written_last(logs):
    """CSVLogger appends epochs that are there already."""
    file = logs / "lr=0.1" / "log.csv"
    with file.open("a", newline="") as log:
        log.write("1,0.25,0.75\r\n2,0.125,0.5\r\n")
    row = rows_of(read_csv_logger(logs)).loc[0.1]
    assert row["steps"].tolist() == [1, 2, 3]
    assert row["valid"].tolist()[1:] == [0.75, 0.5]


def test_a_sidecar_may_tell_more_of_its_run(tmp_path):
    """Task, seed, status and the rest stand beside `values`."""
    document = {
        "values": {"lr": 0.1}, "task": "mnist", "family": "mlp", "seed": 3, "batch_size": 32,
        "training_steps": 100, "num_parameters": 77, "seconds": 1.5, "status": "pruned",
    }  # fmt: skip
    write_run(tmp_path, "a", document)
    row = read_csv_logger(tmp_path).to_frame().iloc[0].to_dict()
    for name in set(document) - {"values"}:
        assert row[name] == document[name]


def test_a_yaml_sidecar_is_read(tmp_path, monkeypatch):
    """With PyYAML; without it the extra is named."""
    pytest.importorskip("yaml", reason="PyYAML is an extra")
    write_run(tmp_path, "a", {})
    (tmp_path / "a.json").rename(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("lr: 1.0e-3\nlayers: [3, 4]\n")
    history = read_csv_logger(tmp_path)
    assert list(history.values().values()) == [{"lr": 1e-3, "layers": "[3, 4]"}]
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"keras_hplist\[yaml\]"):
        read_csv_logger(tmp_path)


def test_numbers_that_yaml_takes_for_texts_are_numbers(tmp_path):
    """`1e-3` has no point, which YAML 1.1 asks for; whole numbers in quotes are names."""
    pytest.importorskip("yaml", reason="PyYAML is an extra")
    write_run(tmp_path, "a", {})
    (tmp_path / "a.json").unlink()
    values = "{lr: 1e-3, opt: {eps: 1E8, betas: [9e-1, 1]}, data: '007', tag: 1e-3x}"
    for document in (values, f"values: {values}"):
        (tmp_path / "a.yaml").write_text(document)
        history = read_csv_logger(tmp_path)
        assert list(history.values().values()) == [
            {"lr": 1e-3, "opt/eps": 1e8, "opt/betas": "[0.9, 1]", "data": "007", "tag": "1e-3x"}
        ]


def test_a_run_without_sidecar_is_dropped(logs):
    """The report says why."""
    (logs / "lr=0.1" / "hparams.json").unlink()
    history = read_csv_logger(logs)
    assert len(history) == 2
    assert "1 x no JSON or YAML file of hyperparameters beside it" in str(history.report)


def test_the_sidecar_can_be_named(logs):
    """Several documents in a run's folder are no guess."""
    (logs / "lr=0.1" / "model.json").write_text("{}")
    with pytest.raises(InvalidValueError, match="sidecar='…'"):
        read_csv_logger(logs)
    assert len(read_csv_logger(logs, sidecar="hparams.json")) == 3


def test_seed_and_task_can_be_hyperparameters_of_the_sidecar(tmp_path):
    """As people log them; they are then no part of the configuration."""
    for seed in (0, 1):
        write_run(tmp_path, f"run{seed}", {"lr": 0.1, "seed": seed, "dataset": "mnist"})
    history = read_csv_logger(tmp_path, seed_key="seed", task_key="dataset")
    rows = history.to_frame()
    assert history.tasks == ["mnist"]
    assert rows["seed"].tolist() == [0, 1]
    assert rows["configuration"].nunique() == 1


def test_an_incomplete_last_line_is_left_out(logs):
    """A killed process costs no more than that line."""
    file = logs / "lr=0.1" / "log.csv"
    file.write_bytes(file.read_bytes()[:-8])
    history = read_csv_logger(logs)
    assert rows_of(history).loc[0.1, "steps"].tolist() == [1, 2]
    assert "last line is incomplete" in str(history.report)


@pytest.mark.parametrize("kept", [0, 9])
def test_a_run_that_ended_within_its_header_is_left_out(logs, kept):
    """The others are read."""
    file = logs / "lr=0.1" / "log.csv"
    file.write_bytes(file.read_bytes()[:kept])
    history = read_csv_logger(logs)
    assert 0.1 not in rows_of(history).index
    assert history.report.dropped == [("lr=0.1", "no values of 'val_loss'")]


def test_damage_is_named_by_file_row_and_column(logs):
    """Cells that are no numbers, rows of a wrong length, scrambled bytes."""
    file = logs / "lr=0.1" / "log.csv"
    whole = file.read_text()
    file.write_text(whole + "3,low,1\n")
    with pytest.raises(FileFormatError, match=r"log\.csv, row 5, column 'loss': 'low' is not a"):
        read_csv_logger(logs)
    file.write_text(whole + "3,1\n4,1,1\n")
    with pytest.raises(FileFormatError, match=r"log\.csv .*Row #5: Expected 3 columns, got 2"):
        read_csv_logger(logs)
    file.write_text(whole)
    assert check_damaged(file, lambda: read_csv_logger(logs)) > 5
    assert check_damaged(file.parent / "hparams.json", lambda: read_csv_logger(logs)) > 5


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([1, 2], "holds list, not a mapping"),
        ({"values": 3}, "'values' is 3"),
        ({"values": {"lr": 1}, "colour": "red"}, "the key 'colour' beside 'values' is unknown"),
        ({"values": {"lr": 1}, "status": "sleepy"}, "the status 'sleepy' is unknown"),
        ({"values": {"lr": 1}, "seed": "one"}, "seed is 'one', not a whole number"),
        ({"values": {"lr": 1}, "training_steps": 1}, "more than one unit of steps"),
    ],
)
def test_a_bad_sidecar_is_named(tmp_path, document, message):
    """The message says what is wrong in which file."""
    write_run(tmp_path, "a", document)
    with pytest.raises(FileFormatError, match=message) as error:
        read_csv_logger(tmp_path)
    assert str(tmp_path / "a") in str(error.value)


def test_what_has_no_runs_is_refused(tmp_path):
    """Missing and empty folders."""
    with pytest.raises(FileNotFoundError):
        read_csv_logger(tmp_path / "nothing")
    with pytest.raises(FileFormatError, match="holds no runs"):
        read_csv_logger(tmp_path)
