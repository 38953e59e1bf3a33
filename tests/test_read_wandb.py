"""`read_wandb` on files in the layouts that Weights & Biases exports.

W&B exports only through its servers, so these files are written here, cell for cell as the page of
a project, a chart, and the documented scripts for its public API write them.
"""

import csv

import numpy as np
import pandas as pd
import pytest
from damage import check_damaged

from keras_hplist.errors import FileFormatError, InvalidValueError, UnknownNameError
from keras_hplist.history import read_wandb

STATES = {"brisk-sun-1": "finished", "calm-sea-2": "killed", "dry-hill-3": "crashed",
          "wild-owl-4": "finished", "late-fog-5": "running"}  # fmt: skip
RATES = dict(zip(STATES, (0.1, 0.01, 0.001, 10.0, 0.5), strict=True))


def loss(name: str, step: int) -> float:
    """Validation loss; that of one run ends in NaN."""
    return float("nan") if name == "wild-owl-4" and step == 2 else RATES[name] + 1 / (step + 1)


@pytest.fixture
def runs_table(tmp_path):
    """What the page of a project exports: every cell in quotes."""
    file = tmp_path / "digits.csv"
    with file.open("w", newline="") as handle:
        table = csv.writer(handle, quoting=csv.QUOTE_ALL)
        table.writerow(["Name", "State", "Notes", "User", "Tags", "Created", "Runtime", "Sweep",
                        "batch_size", "dataset", "lr", "_step", "loss", "val_loss"])  # fmt: skip
        for name, state in STATES.items():
            final = loss(name, 2)
            table.writerow([name, state, "a note,\nof two lines", "me", "", "2026-01-02T03:04:05Z",
                            12, "", 32, "mnist", RATES[name], 2, final / 2, final])  # fmt: skip
    return file


@pytest.fixture
def scripted_table(tmp_path):
    """What the documented script for the public API writes: dicts as Python prints them."""
    rows = [
        {
            "summary": {"val_loss": loss(name, 2), "_runtime": 12.5, "_wandb": {"runtime": 12}},
            "config": {"lr": RATES[name], "optimizer": {"name": "adam"}, "nesterov": True},
            "name": name,
        }
        for name in STATES
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "project.csv")
    return tmp_path / "project.csv"


@pytest.fixture
def chart(tmp_path):
    """What a chart exports: steps, and three columns for each run."""
    columns = {"Step": [0, 1, 2]}
    for name in STATES:
        steps = [loss(name, step) for step in (range(2) if name == "calm-sea-2" else range(3))]
        texts = [*(str(value).replace("nan", "NaN") for value in steps), ""][:3]
        for suffix in ("", "__MIN", "__MAX"):
            columns[f"{name} - val_loss{suffix}"] = texts
    file = tmp_path / "wandb_export_2026-01-02T03_04_05.678+01_00.csv"
    pd.DataFrame(columns).to_csv(file, index=False, quoting=csv.QUOTE_ALL)
    return file


def rows_of(history):
    """The rows of a history by learning rate."""
    rows = history.to_frame()
    rows["lr"] = [history.values()[row]["lr"] for row in rows["configuration"]]
    return rows.set_index("lr")


def test_the_runs_table_gives_final_losses(runs_table):
    """States, times and the chosen hyperparameters come over."""
    history = read_wandb(runs_table, hyperparameters=["lr", "batch_size"])
    rows = rows_of(history)
    assert history.tasks == ["digits"]
    assert rows["status"].to_dict() == {0.1: "ok", 0.01: "pruned", 0.001: "failed", 10: "diverged"}
    assert history.values()[rows.loc[0.1, "configuration"]] == {"lr": 0.1, "batch_size": 32}
    assert rows.loc[0.1, "valid"].tolist() == [np.float32(loss("brisk-sun-1", 2))]
    assert rows.loc[0.1, "seconds"] == 12
    assert history.report.dropped == [("late-fog-5", "not ended: running, waiting or killed")]


def test_a_column_can_name_the_task(runs_table):
    """As projects that hold several data sets log it."""
    names = ["lr", "dataset"]
    history = read_wandb(runs_table, hyperparameters=names, task_key="dataset")
    assert history.tasks == ["mnist"]
    assert next(iter(history.values().values())).keys() == {"lr"}


def test_a_chart_gives_curves(runs_table, chart):
    """Each run's column; empty cells are steps it did not reach."""
    history = read_wandb(runs_table, chart, hyperparameters=["lr"])
    rows = rows_of(history)
    assert rows["steps"].map(list).to_dict() == {
        0.1: [1, 2, 3], 0.01: [1, 2], 0.001: [1, 2, 3], 10: [1, 2, 3]
    }  # fmt: skip
    expected = np.float32([loss("brisk-sun-1", step) for step in range(3)])
    np.testing.assert_array_equal(rows.loc[0.1, "valid"], expected)
    assert rows.loc[10, "status"] == "diverged"
    assert set(rows["training_steps"]) == {3}


def test_histories_of_single_runs_give_curves(scripted_table, tmp_path):
    """`run.history().to_csv`: metrics are logged in different rows, by W&B's own step."""
    folder = tmp_path / "histories"
    folder.mkdir()
    for name in list(STATES)[:2]:
        frame = pd.DataFrame(
            {
                "_step": [0, 1, 2, 3],
                "loss": [2.0, np.nan, 1.0, np.nan],
                "val_loss": [np.nan, loss(name, 0), np.nan, loss(name, 1)],
                "_timestamp": [1.7e9] * 4,
            }
        )
        frame.to_csv(folder / f"{name}.csv")
    history = read_wandb(scripted_table, folder, train="loss")
    row = rows_of(history).loc[0.1]
    assert row["steps"].tolist() == [1, 3]
    assert row["train"].tolist() == [2.0, 1.0]
    assert row["valid"].tolist() == [np.float32(loss("brisk-sun-1", step)) for step in (0, 1)]
    assert ("dry-hill-3", "no values of 'val_loss'") in history.report.dropped


def test_the_table_of_the_api_script_is_read(scripted_table):
    """Dicts are read as literals; nested names get slashes; NaN is a number."""
    history = read_wandb(scripted_table)
    rows = rows_of(history)
    assert history.tasks == ["project"]
    assert history.values()[rows.loc[0.1, "configuration"]] == {
        "lr": 0.1, "optimizer/name": "adam", "nesterov": True
    }  # fmt: skip
    assert rows.loc[10, "status"] == "diverged"
    assert rows.loc[0.1, "seconds"] == 12.5


def test_nothing_in_a_table_is_evaluated(scripted_table, tmp_path):
    """A cell with a call is refused."""
    mark = tmp_path / "evaluated"
    text = scripted_table.read_text()
    harm = f"{{'lr': open('{mark}', 'w')}}"
    scripted_table.write_text(text.replace("{'lr': 0.1, 'optimizer': {'name': 'adam'}, "
                                           "'nesterov': True}", harm, 1))  # fmt: skip
    with pytest.raises(FileFormatError, match="row 2, column 'config' is not the text of a dict"):
        read_wandb(scripted_table)
    assert not mark.exists()


def test_hyperparameters_must_be_named(runs_table):
    """The exported table does not tell them from metrics."""
    with pytest.raises(InvalidValueError, match=r"hyperparameters=\[…\]. Columns: batch_size, "):
        read_wandb(runs_table)
    with pytest.raises(UnknownNameError, match="Did you mean 'lr'"):
        read_wandb(runs_table, hyperparameters=["lrr"])


def test_runs_of_one_name_cannot_be_told_in_a_chart(runs_table, chart):
    """W&B's names need not be unique."""
    runs_table.write_text(runs_table.read_text().replace("calm-sea-2", "brisk-sun-1"))
    history = read_wandb(runs_table, chart, hyperparameters=["lr"])
    assert len(history) == 2
    assert "2 x its name stands twice" in str(history.report)


def test_curves_by_time_and_in_two_units_are_refused(runs_table, chart, tmp_path):
    """The message names files and columns."""
    other = tmp_path / "other.csv"
    other.write_text(chart.read_text().replace('"Step"', '"epoch"'))
    with pytest.raises(FileFormatError, match=r"'Step' in .*export.*, 'epoch' in .*other\.csv"):
        read_wandb(runs_table, [chart, other], hyperparameters=["lr"])
    other.write_text(chart.read_text().replace('"Step"', '"Relative Time (Process)"'))
    with pytest.raises(FileFormatError, match="counts time, not steps"):
        read_wandb(runs_table, other, hyperparameters=["lr"])
    with pytest.raises(FileFormatError, match=r"No file of .* has a curve of val_loss"):
        read_wandb(runs_table, runs_table, hyperparameters=["lr"])


def test_damage_is_named(runs_table, scripted_table, chart):
    """Unknown states, cells that are no numbers, scrambled bytes."""
    whole = runs_table.read_text()
    runs_table.write_text(whole.replace("killed", "asleep"))
    with pytest.raises(FileFormatError, match="row 3, column 'State': the status 'asleep' is un"):
        read_wandb(runs_table, hyperparameters=["lr"])
    runs_table.write_text(whole)
    chart.write_text(chart.read_text().replace("1.1", "much"))
    with pytest.raises(FileFormatError, match=r"row 2, column 'brisk-sun-1 - val_loss': 'much'"):
        read_wandb(runs_table, chart, hyperparameters=["lr"])
    assert check_damaged(runs_table, lambda: read_wandb(runs_table, hyperparameters=["lr"])) > 5
    assert check_damaged(scripted_table, lambda: read_wandb(scripted_table)) > 5


def test_the_api_script_may_tell_states_and_has_texts_for_nan(tmp_path):
    """As W&B writes what JSON cannot; what has not ended is dropped, what crashed says nothing."""
    states = ("finished", "finished", "finished", "crashed", "killed", "running", "preempted")
    losses = (0.5, "NaN", "Infinity", 0.1, 0.2, 7.0, 8.0)
    rows = [
        {"summary": {"val_loss": loss}, "config": {"lr": 1.0 + n}, "name": "abcdefg"[n], "state": s}
        for n, (loss, s) in enumerate(zip(losses, states, strict=True))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "project.csv")
    history = read_wandb(tmp_path / "project.csv")
    assert rows_of(history)["status"].to_dict() == {
        1: "ok", 2: "diverged", 3: "diverged", 4: "failed", 5: "pruned"
    }  # fmt: skip
    why = "not ended: running, waiting or killed"
    assert history.report.dropped == [("f", why), ("g", why)]
    rows[0]["state"] = "asleep"
    pd.DataFrame(rows).to_csv(tmp_path / "project.csv")
    with pytest.raises(FileFormatError, match="row 2, column 'state': the status 'asleep' is un"):
        read_wandb(tmp_path / "project.csv")


def test_a_run_may_be_called_by_digits(tmp_path):
    """The table and the chart call it alike."""
    table, chart = tmp_path / "runs.csv", tmp_path / "chart.csv"
    table.write_text('"Name","State","lr","val_loss"\n"001","finished","0.1","0.5"\n')
    chart.write_text('"Step","001 - val_loss"\n0,1\n1,.5\n')
    history = read_wandb(table, chart, hyperparameters=["lr"])
    assert history.table["valid"].to_pylist() == [[1.0, 0.5]]
