"""`read_ray_tune` on folders that Ray Tune itself wrote."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from damage import check_damaged

from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.history import read_logs, read_ray_tune

pytest.importorskip("ray.tune", reason="Ray Tune is an extra")

RATES = (0.1, 0.2, 0.3, 0.4)
SEARCH = """
import sys
import ray
from ray import tune

def train(config):
    rate = config["lr"]
    for epoch in range(6):
        if rate == 0.2 and epoch == 2:
            raise RuntimeError("out of memory")
        loss = 1 / (epoch + 1) + rate
        if rate == 0.3 and epoch >= 4:
            loss = float("nan")
        tune.report({"val_loss": loss, "loss": loss / 2})
        if rate == 0.4 and epoch == 1:
            return

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
tune.Tuner(
    train,
    param_space={
        "lr": tune.grid_search([0.1, 0.2, 0.3, 0.4]),
        "optimizer": {"name": "adam"},
        "layers": [8, 4],
    },
    tune_config=tune.TuneConfig(reuse_actors=True),
    run_config=tune.RunConfig(name="digits", storage_path=sys.argv[1], verbose=0),
).fit()
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The folder of an experiment with a trial that ended well, failed, diverged and was short.

    Ray runs in a process of its own, so that its threads end with it.
    """
    folder = tmp_path_factory.mktemp("ray")
    environment = os.environ | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_TUNE_MAX_PENDING_TRIALS_PG": "1",
    }
    ended = subprocess.run(
        [sys.executable, "-c", SEARCH, str(folder)], env=environment, capture_output=True, text=True
    )
    assert (folder / "digits").is_dir(), ended.stderr
    return folder / "digits"


@pytest.fixture
def experiment(original, tmp_path):
    """A copy of the experiment's folder."""
    return Path(shutil.copytree(original, tmp_path / "digits"))


def rows_of(history):
    """The rows of a history by learning rate."""
    rows = history.to_frame()
    rows["lr"] = [history.values()[row]["lr"] for row in rows["configuration"]]
    return rows.set_index("lr").loc[list(RATES)]


def loss(rate: float, epoch: int) -> float:
    """What the trials reported."""
    return math.nan if rate == 0.3 and epoch >= 4 else 1 / (epoch + 1) + rate


def test_each_trial_becomes_a_row_with_its_curves(experiment):
    """Nested hyperparameters, reports and states come over."""
    history = read_ray_tune(experiment, train="loss")
    rows = rows_of(history)
    assert history.tasks == ["digits"]
    assert rows["status"].tolist() == ["ok", "failed", "diverged", "pruned"]
    for (rate, row), epochs in zip(rows.iterrows(), (6, 2, 6, 2), strict=True):
        assert history.values()[row["configuration"]] == {
            "lr": rate, "optimizer/name": "adam", "layers": "[8, 4]"
        }  # fmt: skip
        expected = np.float32([loss(rate, epoch) for epoch in range(epochs)])
        np.testing.assert_array_equal(row["valid"], expected)
        np.testing.assert_allclose(row["train"], expected / 2, rtol=1e-6)
        assert row["steps"].tolist() == list(range(1, epochs + 1))
        assert row["training_steps"] == 6
        assert row["seconds"] > 0
    assert "scheduler" in str(history.report)


def test_an_experiment_is_told_whatever_its_trials_wrote(experiment):
    """A trial works in its own folder; a Parquet file there is no history of ours."""
    trial = next(experiment.rglob("params.json")).parent
    pq.write_table(pa.table({"prediction": [1.0]}), trial / "predictions.parquet")
    assert read_logs(experiment).fingerprint == read_ray_tune(experiment).fingerprint


def test_a_folder_of_experiments_is_read_too(experiment):
    """Each experiment is a task."""
    shutil.copytree(experiment, experiment.parent / "letters")
    assert read_ray_tune(experiment.parent).tasks == ["digits", "letters"]


def test_pickles_are_never_opened(experiment):
    """Harmful pickles in the folder do no harm."""
    for file in experiment.rglob("*.pkl"):
        file.write_bytes(b"cos\nsystem\n(S'echo harm'\ntR.")
    assert len(read_ray_tune(experiment)) == 4


def test_states_are_told_without_the_state_file(experiment):
    """Without it, an error file tells failures, and what is shorter than the longest is pruned."""
    for file in experiment.glob("experiment_state-*"):
        file.unlink()
    assert rows_of(read_ray_tune(experiment))["status"].tolist() == [
        "ok", "failed", "diverged", "pruned"
    ]  # fmt: skip


def test_a_running_trial_is_dropped(experiment):
    """As the state file calls it."""
    state = next(experiment.glob("experiment_state-*"))
    state.write_text(state.read_text().replace("TERMINATED", "RUNNING", 1))
    history = read_ray_tune(experiment)
    assert len(history) == 3
    assert [why for _, why in history.report.dropped] == ["not ended: running, waiting or killed"]


def test_a_trial_whose_hyperparameters_changed_is_dropped(experiment):
    """As population based training does it."""
    file = next(experiment.glob("*lr=0.1000*")) / "result.json"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[-1]["config"]["lr"] = 0.05
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    history = read_ray_tune(experiment)
    assert len(history) == 3
    assert "hyperparameters changed" in str(history.report)


def test_a_maximised_metric_is_negated(experiment):
    """`direction` says so; the name of the metric must tell otherwise."""
    history = read_ray_tune(experiment, direction="max")
    assert rows_of(history).loc[0.1, "valid"][0] == np.float32(-1.1)
    with pytest.raises(InvalidValueError, match="logged: checkpoint_dir_name, config, "):
        read_ray_tune(experiment, "accuracy")


def test_damaged_folders_are_named(experiment):
    """Truncated and scrambled files read, or raise an error that names the file."""
    trial = next(experiment.glob("*lr=0.1000*"))
    assert check_damaged(trial / "params.json", lambda: read_ray_tune(experiment)) > 5
    assert check_damaged(trial / "result.json", lambda: read_ray_tune(experiment)) > 5
    state = next(experiment.glob("experiment_state-*"))
    assert check_damaged(state, lambda: read_ray_tune(experiment)) > 5


def test_a_damaged_line_is_named_and_an_incomplete_last_one_left_out(experiment):
    """The former is damage, the latter the end of a killed process."""
    file = next(experiment.glob("*lr=0.1000*")) / "result.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    history = read_ray_tune(experiment)
    assert len(rows_of(history).loc[0.1, "valid"]) == 5
    assert "last line is incomplete" in str(history.report)
    lines = whole.split(b"\n")
    lines[2] = lines[2][:30]
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(FileFormatError, match=r"result\.json, line 3"):
        read_ray_tune(experiment)
    lines[2] = json.dumps({"training_iteration": 3, "val_loss": "low"}).encode()
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(FileFormatError, match="line 3: 'val_loss' is 'low', not a number"):
        read_ray_tune(experiment)


def test_what_is_no_result_folder_is_refused(tmp_path):
    """Missing and empty folders."""
    with pytest.raises(FileNotFoundError):
        read_ray_tune(tmp_path / "nothing")
    with pytest.raises(FileFormatError, match="holds no runs"):
        read_ray_tune(tmp_path)
