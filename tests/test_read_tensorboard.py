"""`read_tensorboard` on event files that Keras, TensorBoard and tensorboardX wrote."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from damage import check_damaged
from event_sessions import write_session

from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.history import read_tensorboard

RATES = (0.1, 0.01, 1e30)


@pytest.fixture(scope="module")
def fits():
    """What `model.fit` returned for each learning rate."""
    return {}


@pytest.fixture(scope="module")
def original(tmp_path_factory, fits):
    """Logs of three fits of Keras with the TensorBoard and HParams callbacks."""
    keras = pytest.importorskip("keras")
    from tensorboard.plugins.hparams import api as hparams

    folder = tmp_path_factory.mktemp("logs") / "digits"
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x.sum(axis=1)
    for rate in RATES:
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(rate), "mse")
        run = str(folder / f"lr={rate}")
        values = {"lr": rate, "optimizer": "sgd", "nesterov": False}
        callbacks = [
            keras.callbacks.TensorBoard(run, update_freq="batch"),
            hparams.KerasCallback(run, values),
        ]
        fits[rate] = model.fit(
            x, y, 16, 3, verbose=0, validation_data=(x, y), callbacks=callbacks
        ).history
    return folder


@pytest.fixture
def logs(original, tmp_path):
    """A copy of the log folder."""
    return Path(shutil.copytree(original, tmp_path / "digits"))


def rows_of(history):
    """The rows of a history by learning rate."""
    rows = history.to_frame()
    rows["lr"] = [history.values()[row]["lr"] for row in rows["configuration"]]
    return rows.set_index("lr")


def test_each_keras_run_becomes_a_row_with_its_curves(logs, fits):
    """Hyperparameters, losses by finished epoch, divergence."""
    history = read_tensorboard(logs)
    rows = rows_of(history)
    assert history.tasks == ["digits"]
    for rate, fit in fits.items():
        row = rows.loc[rate]
        assert history.values()[row["configuration"]] == {
            "lr": rate, "optimizer": "sgd", "nesterov": False
        }  # fmt: skip
        np.testing.assert_array_equal(row["valid"], np.float32(fit["val_loss"]))
        np.testing.assert_array_equal(row["train"], np.float32(fit["loss"]))
        assert row["steps"].tolist() == [1, 2, 3]
        assert row["status"] == ("diverged" if rate == 1e30 else "ok")
        assert row["seconds"] > 0


def test_any_tag_can_be_read(logs):
    """Keras also logs the validation loss by optimizer iterations."""
    tag = "validation/evaluation_loss_vs_iterations"
    rows = rows_of(read_tensorboard(logs, tag, None))
    assert rows.loc[0.1, "steps"].tolist() == [4, 8, 12]
    assert rows.loc[0.1, "train"] is None


def test_epochs_become_updates(logs):
    """`steps_per_epoch` says how many."""
    rows = rows_of(read_tensorboard(logs, steps_per_epoch=4))
    assert rows.loc[0.1, "steps"].tolist() == [4, 8, 12]
    assert rows.loc[0.1, "training_steps"] == 12


def test_tags_that_count_different_units_are_refused(logs):
    """Training loss by batch and validation loss by epoch do not fit together."""
    with pytest.raises(FileFormatError, match=r"'train/batch_loss' was logged up to step 12"):
        read_tensorboard(logs, train="train/batch_loss")


def test_an_unknown_tag_is_refused(logs):
    """The message lists those there are."""
    with pytest.raises(InvalidValueError, match="logged: train/batch_loss, train/epoch_learning"):
        read_tensorboard(logs, "val_loss")


def test_tensorflow_is_not_imported(logs):
    """Reading event files takes no seconds to start."""
    code = (
        "import sys; from keras_hplist.history import read_tensorboard; "
        f"read_tensorboard({str(logs)!r}); sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_runs_of_pytorch_are_read(tmp_path):
    """`add_hparams` writes a folder below the run's, whose curves lie above it."""
    tensorboardx = pytest.importorskip("tensorboardX", reason="writes what PyTorch writes")
    for rate in (0.1, 0.2):
        with tensorboardx.SummaryWriter(str(tmp_path / "mnist" / f"run{rate}")) as writer:
            for epoch in range(4):
                writer.add_scalar("val_loss", rate + epoch, epoch)
            writer.add_hparams({"lr": rate, "norm": True}, {"hparam/accuracy": 0.5})
    history = read_tensorboard(tmp_path, "val_loss", None)
    rows = rows_of(history)
    assert history.tasks == ["mnist"]
    np.testing.assert_allclose(rows.loc[0.2, "valid"], [0.2, 1.2, 2.2, 3.2], rtol=1e-6)
    assert history.values()[rows.loc[0.2, "configuration"]] == {"lr": 0.2, "norm": True}
    accuracy = rows_of(read_tensorboard(tmp_path, "hparam/accuracy", None))
    assert accuracy["valid"].map(list).tolist() == [[-0.5], [-0.5]]


def test_a_failed_session_is_failed_and_a_running_one_dropped(tmp_path):
    """As the session's end says."""
    for status in ("FAILURE", "RUNNING"):
        write_session(tmp_path / status, {"lr": 0.1}, status)
    history = read_tensorboard(tmp_path, "val_loss", None)
    row = history.to_frame().iloc[0]
    assert (row["status"], row["seconds"]) == ("failed", 2.5)
    assert history.report.dropped == [("RUNNING", "not ended: running, waiting or killed")]


def test_a_search_of_keras_tuner_is_one_task_and_its_executions_are_seeds(tmp_path):
    """Its callbacks write to <trial>/execution<n>; the bookkeeping is no hyperparameter."""
    for trial, rate in enumerate((0.1, 0.2)):
        for execution in range(2):
            values = {"rate": rate, "hplist/index": trial, "tuner/epochs": 9, "list_rank": trial}
            folder = tmp_path / "logs" / f"000{trial}" / f"execution{execution}"
            write_session(folder, values, loss=rate + execution)
    for path in (tmp_path, tmp_path / "logs"):
        history = read_tensorboard(path, "val_loss", None)
        rows = history.to_frame()
        assert history.tasks == ["logs"]
        assert sorted(values["rate"] for values in history.values().values()) == [0.1, 0.2]
        assert all(list(values) == ["rate"] for values in history.values().values())
        assert rows["seed"].tolist() == [0, 1, 0, 1]
        np.testing.assert_allclose(np.concatenate(rows["valid"]), [0.1, 1.1, 0.2, 1.2], rtol=1e-6)
    assert rows["source"][1].endswith("0000/execution1")


def test_what_is_whole_in_all_runs_is_a_whole_number(tmp_path):
    """TensorBoard stores every number as a real one."""
    for run, (units, rate) in enumerate([(4, 1.0), (8, 0.5)]):
        values = {"units": units, "rate": rate, "norm": True, "huge": 1e300}
        write_session(tmp_path / f"run{run}", values)
    history = read_tensorboard(tmp_path, "val_loss", None)
    found = sorted(history.values().values(), key=lambda values: values["rate"])
    assert found == [
        {"units": 8, "rate": 0.5, "norm": True, "huge": 1e300},
        {"units": 4, "rate": 1.0, "norm": True, "huge": 1e300},
    ]
    assert [type(value) for value in found[1].values()] == [float, bool, float, int]
    assert history.report.notes[0] == "whole in all runs, so read as whole numbers: units"


def test_an_incomplete_last_record_is_left_out(logs):
    """A killed process costs no more than that record; the report says so."""
    file = next((logs / "lr=0.1" / "validation").iterdir())
    file.write_bytes(file.read_bytes()[:-5])
    history = read_tensorboard(logs)
    assert rows_of(history).loc[0.1, "steps"].tolist() == [1, 2]
    assert "last record is incomplete" in str(history.report)


def test_damage_is_named(logs):
    """A changed byte is found by the checksums, file and record are named."""
    file = next((logs / "lr=0.1" / "validation").iterdir())
    content = bytearray(file.read_bytes())
    content[-8] ^= 1
    file.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"record 7 is damaged: its checksum is wrong"):
        read_tensorboard(logs)
    content[-8] ^= 1
    file.write_bytes(content)
    for damaged in (file, next((logs / "lr=0.1").glob("events*"))):
        assert check_damaged(damaged, lambda: read_tensorboard(logs)) > 10


def test_what_has_no_hyperparameters_is_refused(logs, tmp_path):
    """Missing and empty folders, logs without the HParams callback."""
    with pytest.raises(FileNotFoundError):
        read_tensorboard(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileFormatError, match="holds no runs"):
        read_tensorboard(tmp_path / "empty")
    with pytest.raises(FileFormatError, match="recorded its hyperparameters; add the callback"):
        read_tensorboard(logs / "lr=0.1" / "train")
