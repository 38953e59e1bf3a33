"""`read_csv` on CSV and Parquet files in the layouts people keep."""

import gzip
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from damage import check_damaged
from hypothesis import given
from hypothesis import strategies as st

from keras_hplist.errors import (
    FileFormatError,
    InvalidValueError,
    UnknownNameError,
)
from keras_hplist.history import read_csv

LONG = """dataset,lr,momentum,rep,iter,loss,accuracy
mnist,0.1,0.9,0,0,2.0,0.1
mnist,0.1,0.9,0,100,1.0,0.5
mnist,0.1,0.9,1,0,2.5,0.1
mnist,0.1,0.9,1,100,NaN,0.1
cifar,0.1,,0,0,3.0,0.1
cifar,0.1,,0,100,2.0,0.2
"""
COLUMNS = {"task": "dataset", "seed": "rep", "steps": "iter", "valid": "loss"}
NAMES = ["lr", "momentum"]


@pytest.fixture
def long(tmp_path):
    """A table with a row for every point."""
    file = tmp_path / "curves.csv"
    file.write_text(LONG)
    return file


def test_a_row_for_every_point(long):
    """Rows with one task, seed and configuration are a run."""
    history = read_csv(long, COLUMNS, hyperparameters=NAMES)
    rows = history.to_frame().set_index(["task", "seed"])
    assert history.tasks == ["cifar", "mnist"]
    assert rows.loc[("mnist", 0), "valid"].tolist() == [2.0, 1.0]
    assert rows.loc[("mnist", 0), "steps"].tolist() == [0, 100]
    assert rows.loc[("mnist", 1), "status"] == "diverged"
    assert history.values()[rows.loc[("mnist", 1), "configuration"]] == {"lr": 0.1, "momentum": 0.9}
    assert history.values()[rows.loc[("cifar", 0), "configuration"]] == {"lr": 0.1}


def test_parquet_and_compressed_files_read_the_same(long, tmp_path):
    """The suffix tells the format; pandas' empty cells are NaN where the caller says so."""
    expected = read_csv(long, COLUMNS, hyperparameters=NAMES)
    pd.read_csv(long).to_parquet(tmp_path / "curves.parquet")
    with gzip.open(tmp_path / "curves.csv.gz", "wt") as file:
        file.write(LONG)
    for name in ("curves.parquet", "curves.csv.gz"):
        history = read_csv(tmp_path / name, COLUMNS, hyperparameters=NAMES, empty="nan")
        assert history.values() == expected.values()
        for column in ("steps", "valid", "status"):
            found, wanted = (h.to_frame()[column].map(str) for h in (history, expected))
            assert found.tolist() == wanted.tolist()


def test_a_row_for_every_run(tmp_path):
    """Without steps each row is a run; all columns that are not mapped are hyperparameters."""
    file = tmp_path / "results.csv"
    file.write_text("layers,act,norm,error,steps taken\n2,relu,True,0.5,50\n3,,False,0.25,50\n")
    history = read_csv(file, {"valid": "error", "training_steps": "steps taken"})
    rows = history.to_frame()
    assert history.tasks == ["results"]
    assert [history.values()[row] for row in rows["configuration"]] == [
        {"layers": 2, "act": "relu", "norm": True},
        {"layers": 3, "norm": False},
    ]
    assert rows["steps"].map(list).tolist() == [[50], [50]]
    assert rows["valid"].map(list).tolist() == [[0.5], [0.25]]


@pytest.mark.parametrize("index", ["", "Unnamed: 0", "__index_level_0__"])
def test_the_index_of_a_table_of_pandas_is_no_hyperparameter(tmp_path, index):
    """It has no name; the report says that it was left out."""
    (tmp_path / "runs.csv").write_text(f"{index},lr,loss\n0,0.1,1\n1,0.2,2\n")
    history = read_csv(tmp_path / "runs.csv", {"valid": "loss"})
    assert sorted(history.values().values(), key=str) == [{"lr": 0.1}, {"lr": 0.2}]
    assert "column without a name, as of an index of pandas, was left out" in str(history.report)


def test_decimals_of_parquet_are_numbers(tmp_path):
    """As databases store them: hyperparameters and losses."""
    numbers = {"lr": [Decimal("0.01")], "units": [Decimal(64)], "loss": [Decimal("0.50")]}
    pq.write_table(pa.table(numbers), tmp_path / "runs.parquet")
    history = read_csv(tmp_path / "runs.parquet", {"valid": "loss"})
    assert history.table["values"].to_pylist() == ['{"lr": 0.01, "units": 64}']
    assert history.table["valid"].to_pylist() == [[0.5]]


def test_text_that_looks_like_a_number_stays_text(tmp_path):
    """A commit is no infinite number, also beside others; `inf` is one."""
    commits = ("12e4567", "1234567", "inf", "")
    rows = [f"{commit};{1 + n};1\n" for n, commit in enumerate(commits)]
    (tmp_path / "runs.csv").write_text("commit;lr;loss\n" + "".join(rows))
    history = read_csv(tmp_path / "runs.csv", {"valid": "loss"}, delimiter=";")
    assert sorted(history.values().values(), key=lambda values: values["lr"]) == [
        {"commit": "12e4567", "lr": 1}, {"commit": "1234567", "lr": 2}, {"lr": 4}
    ]  # fmt: skip
    assert history.report.dropped == [("row 4", "hyperparameter 'commit' is not finite")]


def test_the_decimal_sign_may_be_a_comma(tmp_path):
    """As spreadsheets write it; the text of names is left as it is."""
    file = tmp_path / "runs.csv"
    text = "id;lr;data;units;commit;loss;step\n"
    rows = ["a;1,5E-3;v1,2;8;1e999;2,5;0", "a;1,5E-3;v1,2;8;1e999;0,25;1", "b;0,1;v2;8;0,5;-1;1,0"]
    file.write_text(text + "".join(f"{row}\n" for row in rows))
    names = ["lr", "data", "units", "commit"]
    columns = {"run": "id", "valid": "loss", "steps": "step"}
    history = read_csv(file, columns, hyperparameters=names, delimiter=";", decimal=",")
    assert sorted(history.values().values(), key=lambda values: values["lr"]) == [
        {"lr": 0.0015, "data": "v1,2", "units": 8, "commit": "1e999"},
        {"lr": 0.1, "data": "v2", "units": 8, "commit": "0.5"},
    ]
    assert sorted(history.table["valid"].to_pylist()) == [[-1], [2.5, 0.25]]
    file.write_text(text + "a;0,1;v1;8;x;0,5;0\na;0,1;v1;8;x;1.000;1\n")
    with pytest.raises(FileFormatError, match=r"row 3, column 'loss': '1\.000' is not a number"):
        read_csv(file, columns, hyperparameters=names, delimiter=";", decimal=",")
    with pytest.raises(FileFormatError, match=r"row 2, .*'0,5' is not .* give decimal=','"):
        read_csv(file, columns, hyperparameters=names, delimiter=";")
    with pytest.raises(UnknownNameError, match="decimal sign ';'"):
        read_csv(file, columns, hyperparameters=names, decimal=";")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["0.1", "N/A", "0.2"], "column 'x' is text, though 2 of 3 cells are numbers; 'N/A' is"),
        (["0,1", "0,2", "", "0,3"], "3 of 3 .*, as '0,1'. If .* give decimal=','"),
        (["0,1", "N/A", "0,2"], "2 of 3 .*; 'N/A' is none. If the decimal sign of '0,1' is"),
        (["relu", "tanh", "1"], None),
        (["0.1", "0.2"], None),
    ],
)
def test_a_hyperparameter_that_is_text_though_most_cells_are_numbers_is_noted(
    tmp_path, cells, told
):
    """It is a category to whoever learns from it. The names of tasks are texts on purpose."""
    file = tmp_path / "runs.csv"
    file.write_text("x;data;loss\n" + "".join(f"{c};{n};1\n" for n, c in enumerate(cells)))
    report = read_csv(file, {"valid": "loss"}, task_key="data", delimiter=";").report
    found = [note for note in report.notes if "is text" in note]
    assert len(found) == (told is not None)
    assert not told or re.search(told, found[0])


@pytest.mark.parametrize(
    ("columns", "options"),
    [({"task": "dataset"}, {}), ({}, {"task_key": "dataset"})],
    ids=["column", "task_key"],
)
def test_names_are_read_as_they_are_written(tmp_path, columns, options):
    """`01` is another task than `1`, and `07` another run than `7`."""
    text = "dataset,name,lr,step,loss\n01,07,0.1,1,1\n1,7,0.1,1,2\n"
    (tmp_path / "runs.csv").write_text(text)
    columns = {"run": "name", "steps": "step", "valid": "loss"} | columns
    names = ["lr", *options.values()]
    history = read_csv(tmp_path / "runs.csv", columns, hyperparameters=names, **options)
    assert history.tasks == ["01", "1"]
    assert [source.split(": ")[-1] for source in history.table["source"].to_pylist()] == ["07", "7"]


@pytest.mark.parametrize("seed", [2**32 - 1, 2**62 + 1, -5])
def test_seeds_are_read_as_they_are(tmp_path, seed):
    """Those of NumPy have 32 bits, those of PyTorch 64."""
    (tmp_path / "runs.csv").write_text(f"lr,seed,loss\n0.1,{seed},1\n0.1,0,2\n")
    for options in ({"columns": {"valid": "loss", "seed": "seed"}},
                    {"columns": {"valid": "loss"}, "seed_key": "seed"}):  # fmt: skip
        history = read_csv(tmp_path / "runs.csv", **options)
        assert history.table["seed"].to_pylist() == [seed, 0]
        assert history.curves().seeds.tolist() == sorted([seed, 0])


def test_all_context_columns_come_over(tmp_path):
    """Status, sizes and times by their mapped names."""
    file = tmp_path / "runs.csv"
    file.write_text("name,lr,e,v,t,s,fam,bs,n,sec\na,1,1,2,3,killed,mlp,32,7,1.5\n"
                    "b,1,1,2,3,running,mlp,32,7,1.5\n")  # fmt: skip
    columns = {
        "run": "name", "steps": "e", "valid": "v", "train": "t", "status": "s",
        "family": "fam", "batch_size": "bs", "num_parameters": "n", "seconds": "sec",
    }  # fmt: skip
    history = read_csv(file, columns, hyperparameters=["lr"], direction="min")
    row = history.to_frame().iloc[0]
    expected = {
        "status": "pruned", "family": "mlp", "batch_size": 32, "num_parameters": 7, "seconds": 1.5
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert (row["valid"].tolist(), row["train"].tolist()) == ([2.0], [3.0])
    assert history.report.dropped == [("b", "not ended: running, waiting or killed")]


def test_a_maximised_column_is_negated(long):
    """Told from its name, or by `direction`."""
    history = read_csv(long, COLUMNS | {"valid": "accuracy"}, hyperparameters=NAMES)
    assert history.select(task="cifar").to_frame()["valid"][0].tolist() == [
        np.float32(-0.1), np.float32(-0.2)
    ]  # fmt: skip
    with pytest.raises(InvalidValueError, match="direction='min' or direction='max'"):
        read_csv(long, COLUMNS | {"valid": "momentum"}, hyperparameters=["lr"])


def test_an_empty_cell_is_no_measurement(long):
    """The point is left out; it has diverged only if the caller says so."""
    long.write_text(LONG.replace("1.0,0.5\n", ",0.5\n", 1))
    history = read_csv(long, COLUMNS, hyperparameters=NAMES)
    rows = history.to_frame().set_index(["task", "seed"])
    assert rows.loc[("mnist", 0), "steps"].tolist() == [0]
    assert rows.loc[("mnist", 0), "status"] == "ok"
    assert "empty='nan'" in str(history.report)
    history = read_csv(long, COLUMNS, hyperparameters=NAMES, empty="nan")
    rows = history.to_frame().set_index(["task", "seed"])
    assert rows.loc[("mnist", 0), "status"] == "diverged"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0,100,1.0", "0,100,low", r"row 3, column 'loss': 'low' is not a number"),
        ("0,100,1.0", "0,,1.0", r"row 3, column 'iter': the cell is empty"),
        ("0,100,1.0", "0,1e2x,1.0", r"row 3, column 'iter': '1e2x' is not a number"),
        ("0,100,1.0", "0,0,1.0", r"step 0 stands twice, in rows 2 and 3"),
        ("0,100,1.0", "0,99.5,1.0", r"must be whole numbers"),
        ("0,100,1.0", "0,-5,1.0", r"must be whole numbers from 0"),
        ("0.9,1,100", "0.9,1.5,100", r"row 5, column 'rep': 1.5 is not a whole number"),
        (",0.1\nmnist,0.1,0.9,0,100", ",0.1\nmnist,0.1,0.9,0", r"Row #3: Expected 7 columns"),
        ("dataset,", "data,", r"Unknown column 'dataset'"),
        ("accuracy", "loss", r"2 columns named 'loss'"),
    ],
)  # fmt: skip
def test_damage_is_named_by_file_row_and_column(long, old, new, message):
    """Row 1 is the header."""
    assert old in LONG
    long.write_text(LONG.replace(old, new, 1))
    with pytest.raises((FileFormatError, UnknownNameError), match=message) as error:
        read_csv(long, COLUMNS, hyperparameters=NAMES)
    assert long.name in str(error.value)


def test_what_differs_within_a_run_is_named(tmp_path):
    """A run has one value of each hyperparameter."""
    file = tmp_path / "runs.csv"
    file.write_text("id,lr,epoch,loss\na,0.1,1,2\na,0.2,2,1\n")
    columns = {"run": "id", "steps": "epoch", "valid": "loss"}
    with pytest.raises(FileFormatError, match=r"'lr': two values .* row 2 and 0\.2 in row 3"):
        read_csv(file, columns, hyperparameters=["lr"])


def test_columns_that_count_steps_must_be_mapped(tmp_path):
    """A curve is not taken for many runs; of two units of steps one is named."""
    file = tmp_path / "runs.csv"
    file.write_text("lr,epoch,step,loss\n0.1,1,100,2\n0.1,2,200,1\n")
    with pytest.raises(InvalidValueError, match="look like steps: epoch, step"):
        read_csv(file, {"valid": "loss"})
    with pytest.raises(InvalidValueError, match=r"hyperparameters=\[…\]. Columns: lr, step"):
        read_csv(file, {"valid": "loss", "steps": "epoch"})


@pytest.mark.parametrize(
    ("name", "first", "expected"),
    [
        ("epoch", 0, [1, 2, 3]), ("Epochs", 0, [1, 2, 3]), ("epoch", 1, [1, 2, 3]),
        ("step", 0, [0, 1, 2]),
    ],
)  # fmt: skip
def test_a_column_called_epoch_that_begins_with_0_counts_finished_epochs(
    tmp_path, name, first, expected
):
    """As of other tools; a step 0 of another name is before training."""
    rows = [f"0.1,{step},1\n" for step in range(first, first + 3)]
    (tmp_path / "runs.csv").write_text(f"lr,{name},loss\n{''.join(rows)}")
    columns = {"steps": name, "valid": "loss"}
    history = read_csv(tmp_path / "runs.csv", columns, hyperparameters=["lr"])
    assert history.table["steps"].to_pylist() == [expected]
    assert ("one was added" in str(history.report)) == (name != "step" and not first)
    given = read_csv(tmp_path / "runs.csv", columns, hyperparameters=["lr"], first_epoch=1)
    assert given.table["steps"].to_pylist() == [list(range(first, first + 3))]


def test_runs_in_different_units_are_refused(tmp_path):
    """Ten points by epoch and ten by update, in one task."""
    file = tmp_path / "runs.csv"
    lines = [f"{lr},{unit * point},1" for lr, unit in ((0.1, 1), (0.2, 100)) for point in range(10)]
    file.write_text("\n".join(["lr,t,loss", *lines, ""]))
    columns = {"steps": "t", "valid": "loss"}
    with pytest.raises(FileFormatError, match="more than one unit of steps"):
        read_csv(file, columns, hyperparameters=["lr"])
    # Planned steps that are given leave nothing to guess.
    assert len(read_csv(file, columns, hyperparameters=["lr"], training_steps=900)) == 2
    with pytest.raises(FileFormatError, match="is beyond its training steps, 100"):
        read_csv(file, columns, hyperparameters=["lr"], training_steps=100)


def test_steps_beyond_what_a_history_holds_are_named_with_the_limit(tmp_path):
    """Tokens or examples, which larger units can count."""
    columns = {"steps": "step", "valid": "loss"}
    file = tmp_path / "runs.csv"
    file.write_text(f"lr,step,loss\n0.1,0,1\n0.1,{2**31 - 1},1\n")
    assert read_csv(file, columns, hyperparameters=["lr"]).table["steps"].to_pylist()[0][1] > 2**30
    file.write_text(f"lr,step,loss\n0.1,0,1\n0.1,{2**31},1\n")
    with pytest.raises(FileFormatError, match="a history holds steps up to 2147483647"):
        read_csv(file, columns, hyperparameters=["lr"])


def test_a_mapping_of_unknown_names_is_refused(long):
    """Both sides of the mapping offer near names."""
    with pytest.raises(UnknownNameError, match="Did you mean 'steps'"):
        read_csv(long, {"step": "iter", "valid": "loss"}, hyperparameters=NAMES)
    with pytest.raises(UnknownNameError, match="Did you mean 'loss'"):
        read_csv(long, COLUMNS | {"valid": "los"}, hyperparameters=NAMES)
    with pytest.raises(InvalidValueError, match="at least one split"):
        read_csv(long, {"steps": "iter"}, hyperparameters=NAMES)


def test_damaged_files_are_named(long, tmp_path):
    """Truncated and scrambled, as CSV, compressed, and Parquet."""
    pd.read_csv(long).to_parquet(tmp_path / "curves.parquet")
    with gzip.open(tmp_path / "curves.csv.gz", "wt") as file:
        file.write(LONG)
    for name in ("curves.csv", "curves.csv.gz", "curves.parquet"):
        file = tmp_path / name
        assert check_damaged(file, lambda: read_csv(file, COLUMNS, hyperparameters=NAMES)) > 5  # noqa: B023


@given(
    losses=st.lists(
        st.lists(st.floats(allow_nan=True, width=32), min_size=1, max_size=5),
        min_size=1,
        max_size=6,
    )
)
def test_every_curve_comes_back_as_it_was(losses, tmp_path_factory):
    """Whatever the floats, lengths and the order of rows."""
    frame = pd.DataFrame(
        [(f"run {run}", 0.1 * run, step, loss) for run, curve in enumerate(losses)
         for step, loss in enumerate(curve)],
        columns=["id", "lr", "step", "loss"],
    )  # fmt: skip
    file = tmp_path_factory.mktemp("table") / "runs.csv"
    frame.sample(frac=1, random_state=0).to_csv(file, index=False, na_rep="NaN")
    columns = {"run": "id", "steps": "step", "valid": "loss"}
    rows = read_csv(file, columns, hyperparameters=["lr"], training_steps=9).to_frame()
    found = {row["source"].split(": ")[-1]: row for row in rows.to_dict("records")}
    for run, curve in enumerate(losses):
        row = found[f"run {run}"]
        np.testing.assert_array_equal(row["valid"], np.float32(curve))
        assert row["steps"].tolist() == list(range(len(curve)))
        assert row["status"] == ("ok" if np.isfinite(curve[-1]) else "diverged")


def test_an_empty_task_is_named_and_an_empty_status_is_sound(tmp_path):
    """No task is called None."""
    file = tmp_path / "runs.csv"
    file.write_text("lr,loss,problem,state\n0.1,1.0,a,\n0.2,0.5,,ok\n")
    columns = {"valid": "loss", "task": "problem", "status": "state"}
    with pytest.raises(FileFormatError, match=r"row 3, column 'problem': the cell is empty"):
        read_csv(file, columns)
    file.write_text("lr,loss,problem,state\n0.1,1.0,a,\n0.2,0.5,b,ok\n")
    assert read_csv(file, columns).table["status"].to_pylist() == ["ok", "ok"]
