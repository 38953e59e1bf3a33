"""`read_algoperf` on the published logs, gathered and as the runner wrote them."""

import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from damage import check_damaged

from keras_hplist.errors import FileFormatError, UnknownNameError
from keras_hplist.history import read_algoperf

MEASUREMENTS = """global_step,loss,train/loss,validation/loss,test/loss,score,total_duration
0,0.7789,,,,,
1,,0.7771,0.7727,0.7726,27.19,108.3
1,0.7800,,,,,
500,0.0537,,,,,
1947,,0.0469,0.0564,0.0597,478.3,590.9
26304,,0.0274,{last},0.0470,5891.8,6370.9
26304,,,,,5891.8,
"""


@pytest.fixture
def gathered(tmp_path):
    """Two runs of one configuration, one of another, in the gathered layout."""
    hparams = json.dumps({"learning_rate": 0.1, "beta1": 0.9})
    runs = pd.DataFrame(
        {
            "run": [0, 1, 2],
            "ruleset": ["external_tuning", "external_tuning", "self_tuning"],
            "submission": ["adam", "adam", "auto"],
            "workload": ["ogbg"] * 3,
            "hparams_json": [hparams, hparams, ""],
        }
    )
    curves = pd.DataFrame(
        [(0, 1, 3.0, 2.0, 2.0), (0, 10, 2.0, 1.0, 1.0), (1, 1, 3.0, 2.0, 2.0),
         (1, 20, np.nan, np.nan, np.nan), (2, 1, 3.0, 2.0, 2.0), (2, 15, 1.0, 0.5, 0.5)],
        columns=["run", "step", "train_loss", "valid_loss", "test_loss"],
    )  # fmt: skip
    runs.to_csv(tmp_path / "runs.csv.gz", index=False)
    curves.to_csv(tmp_path / "curves.csv.gz", index=False, na_rep="nan")
    return tmp_path


def write_log(folder, last="0.0439", hparams=None):
    """A trial's folder as the runner of AlgoPerf writes it."""
    folder.mkdir(parents=True)
    (folder / "measurements.csv").write_text(MEASUREMENTS.format(last=last))
    if hparams is not None:
        (folder / "hparams.json").write_text(json.dumps(hparams))
    return folder


def test_the_gathered_tables_are_joined(gathered):
    """Workloads are tasks; repeated studies of a configuration are its seeds."""
    history = read_algoperf(gathered)
    rows = history.to_frame()
    assert history.tasks == ["ogbg"]
    assert [history.values()[row] for row in rows["configuration"]] == [
        {"submission": "external_tuning/adam", "learning_rate": 0.1, "beta1": 0.9},
        {"submission": "external_tuning/adam", "learning_rate": 0.1, "beta1": 0.9},
        {"submission": "self_tuning/auto"},
    ]
    assert rows["seed"].tolist() == [0, 1, 0]
    assert rows["status"].tolist() == ["ok", "diverged", "ok"]
    assert rows["steps"].map(list).tolist() == [[1, 10], [1, 20], [1, 15]]
    assert rows["train"].map(list).tolist()[2] == [3.0, 1.0]
    assert set(rows["training_steps"]) == {20}


def test_the_runners_own_logs_are_read(tmp_path):
    """The folders name submission, study, workload and trial; rows without a loss are skipped."""
    root = tmp_path / "external_tuning" / "nadamw"
    write_log(root / "study_0" / "ogbg_pytorch" / "trial_1", hparams={"learning_rate": 0.1})
    write_log(root / "study_1" / "ogbg_jax" / "trial_1", "nan", {"learning_rate": 0.1})
    write_log(tmp_path / "self_tuning" / "auto" / "study_0" / "fastmri_jax" / "trial_1")
    history = read_algoperf(tmp_path)
    rows = history.to_frame().set_index(["task", "seed"])
    assert history.tasks == ["fastmri", "ogbg"]
    row = rows.loc[("ogbg", 0)]
    assert row["steps"].tolist() == [1, 1947, 26304]
    np.testing.assert_array_equal(row["valid"], np.float32([0.7727, 0.0564, 0.0439]))
    assert history.values()[row["configuration"]] == {
        "submission": "external_tuning/nadamw",
        "learning_rate": 0.1,
    }
    assert rows.loc[("ogbg", 1), "status"] == "diverged"
    assert history.values()[rows.loc[("fastmri", 0), "configuration"]] == {
        "submission": "self_tuning/auto"
    }


def test_damage_is_named(gathered):
    """Missing columns, cells that are no numbers or no JSON, scrambled bytes."""
    file = gathered / "curves.csv.gz"
    whole = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(whole.replace(b"0,10,2.0,1.0", b"0,10,2.0,low")))
    with pytest.raises(FileFormatError, match=r"curves.csv.gz, row 3, column 'valid_loss': 'low'"):
        read_algoperf(gathered)
    file.write_bytes(gzip.compress(whole.replace(b"valid_loss", b"validation")))
    with pytest.raises(UnknownNameError, match="Unknown column 'valid_loss'"):
        read_algoperf(gathered)
    file.write_bytes(gzip.compress(whole))
    for damaged in (file, gathered / "runs.csv.gz"):
        assert check_damaged(damaged, lambda: read_algoperf(gathered)) > 10
    runs = gzip.decompress((gathered / "runs.csv.gz").read_bytes())
    (gathered / "runs.csv.gz").write_bytes(gzip.compress(runs.replace(b"{", b"[", 1)))
    with pytest.raises(FileFormatError, match=r"runs.csv.gz, row 2 is not valid JSON"):
        read_algoperf(gathered)


def test_what_holds_no_logs_is_refused(tmp_path):
    """Missing and empty folders."""
    with pytest.raises(FileNotFoundError):
        read_algoperf(tmp_path / "nothing")
    with pytest.raises(FileFormatError, match="holds no runs"):
        read_algoperf(tmp_path)


def test_the_published_logs(reference_data):
    """All 4,192 runs, against an independent reading with pandas."""
    folder = reference_data / "trials" / "algoperf"
    history = read_algoperf(folder)
    assert (len(history), len(history.tasks)) == (4192, 17)
    rows = history.to_frame().set_index("source")
    curves = pd.read_csv(folder / "curves.csv.gz").groupby("run")
    place = str(folder / "runs.csv.gz")
    values = history.values()
    names = [values[key]["submission"] for key in history.to_frame()["configuration"]]
    assert names.count("external_tuning/nadamp #2") == 5
    for run in (0, 1306, 2000, 4191):
        row, expected = rows.loc[f"{place}: run {run}"], curves.get_group(run)
        expected = expected.sort_values("step")
        assert row["steps"].tolist() == expected["step"].tolist()
        np.testing.assert_array_equal(row["valid"], np.float32(expected["valid_loss"]))
        assert row["status"] == ("diverged" if run == 1306 else "ok")
    assert (history.to_frame()["status"] == "diverged").sum() == 16


def test_a_folder_is_read_in_place(reference_data, tmp_path):
    """Nothing is written beside the logs."""
    source = reference_data / "trials" / "algoperf"
    for name in ("runs.csv.gz", "curves.csv.gz"):
        shutil.copy(source / name, tmp_path)
    read_algoperf(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["curves.csv.gz", "runs.csv.gz"]
