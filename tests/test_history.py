"""Histories: records, files, joining and selecting."""

import errno
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from history_records import history, run
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_hplist as khl
from keras_hplist.errors import FileFormatError, HPListError, InvalidValueError
from keras_hplist.history import SCHEMA, History, append_shards, read_logs
from keras_hplist.spaces import configuration_id

NAN, INF = math.nan, math.inf


runs = st.builds(
    run,
    task=st.sampled_from(["a", "b/c", "d%e", "ü"]),
    rate=st.sampled_from([0.1, 0.2, 0.3]),
    seed=st.integers(0, 3),
    losses=st.lists(st.floats(width=32), min_size=1, max_size=6),
    seconds=st.none() | st.floats(0, 1e6),
    family=st.none() | st.just("mlp"),
    training_steps=st.just(100),
)
some_runs = st.lists(
    runs, min_size=1, max_size=12, unique_by=lambda r: (r["task"], str(r["values"]), r["seed"])
)


def test_missing_columns_get_their_defaults():
    """A record of a task, values and a curve is enough; the rest is filled in as documented."""
    row = history(run()).table.to_pylist()[0]
    assert row["configuration"] == configuration_id("adam1p", {"learning_rate": 0.1})
    assert json.loads(row["values"]) == {"learning_rate": 0.1}
    assert (row["seed"], row["training_steps"], row["status"]) == (0, 20, "ok")
    assert row["train"] is row["test"] is row["family"] is row["seconds"] is None
    bare = history({"task": "a", "configuration": "x"}).table.to_pylist()[0]
    assert (bare["space"], bare["values"], bare["steps"]) == ("custom", "{}", [])


def test_the_table_has_exactly_the_schema():
    """Columns, types and their order are those of the format."""
    table = history(run(), run("b")).table
    assert table.schema.equals(SCHEMA)
    assert table.column_names == [
        *("task", "family", "configuration", "space", "values", "seed", "training_steps"),
        *("batch_size", "steps", "train", "valid", "test", "status", "seconds"),
        *("num_parameters", "source", "versions"),
    ]


@pytest.mark.parametrize(
    ("losses", "status"),
    [((2, 1), "ok"), ((2, NAN), "diverged"), ((2, INF), "diverged"), ((NAN, 1), "ok")],
)
def test_status_follows_the_end_of_the_curve(losses, status):
    """Without a status, a curve that ends in no finite number has diverged."""
    assert history(run(losses=losses)).table["status"].to_pylist() == [status]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": ""}, "column 'task' is ''"),
        ({"task": None}, "column 'task' is None"),
        ({"values": None}, "task 'a': give 'values' or 'configuration'"),
        ({"values": "{"}, "task 'a': 'values' is not JSON"),
        ({"values": {"learning_rate": NAN}}, "task 'a': hyperparameter 'learning_rate' is nan"),
        ({"steps": [0, 10]}, "task 'a': 'valid' has 3 losses for 2 steps"),
        ({"steps": [0, 20, 10]}, "increase"),
        ({"steps": [0, 1.5, 2]}, "whole numbers"),
        ({"steps": [-1, 0, 1]}, "from 0"),
        ({"steps": [0, 1, 2**31]}, "go up to 2147483648; a history holds steps up to 2147483647"),
        ({"status": "running"}, "status is 'running'; allowed: ok, diverged, pruned, failed"),
        ({"lr": 1}, "no column 'lr'"),
        ({"trian": [1, 2, 3]}, "Did you mean 'train'"),
        ({"seed": "x"}, "task 'a', column 'seed'"),
        ({"seed": 2**63}, r"task 'a': seed is \d+; a history holds seeds below 2\*\*63. Number"),
        ({"batch_size": 2**40}, "task 'a', column 'batch_size'"),
        ({"seconds": -1.0}, "'seconds': a run of task 'a' took -1.0; give seconds of at least 0"),
        ({"seconds": np.inf}, "'seconds': a run of task 'a' took inf"),
    ],
)
def test_a_bad_record_is_named_with_task_and_column(changes, message):
    """Every error says which task and which column."""
    with pytest.raises(InvalidValueError, match=message):
        history(run() | changes)


def test_a_full_disk_names_the_file_and_leaves_it_as_it_was(tmp_path, monkeypatch):
    """Also where the system's error names none."""
    file = tmp_path / "history.parquet"
    history(run()).write(file)
    before = file.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as raised:
        history(run(rate=0.2)).write(file)
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(file))
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.read_bytes() == before


@given(records=some_runs)
@settings(max_examples=40)
def test_a_history_survives_its_files(records, tmp_path_factory):
    """One file or a folder by task: what is read equals what was written."""
    folder = tmp_path_factory.mktemp("history")
    written = history(*records)
    written.write(folder / "all.parquet")
    written.write(folder / "shards")
    for path in (folder / "all.parquet", folder / "shards"):
        assert History.read(path).fingerprint == written.fingerprint
    assert History.read(folder / "all.parquet").table.equals(written.table) or any(
        math.isnan(loss) for record in records for loss in record["valid"]
    )


def test_the_folder_is_partitioned_by_task_and_compressed(tmp_path):
    """Each task has a folder; shards are zstd and complete in themselves."""
    history(run("a"), run("b/c")).write(tmp_path / "h")
    folders = sorted(path.name for path in (tmp_path / "h").iterdir())
    assert folders == ["task=a", "task=b%2Fc"]
    file = pq.ParquetFile(next((tmp_path / "h" / "task=b%2Fc").iterdir()))
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.schema_arrow.names == SCHEMA.names


def test_tasks_may_have_long_names(tmp_path):
    """Two of them that differ at the end only are kept apart."""
    tasks = ["ü" * 200 + end for end in "ab"]
    history(*map(run, tasks)).write(tmp_path / "h")
    assert len(list((tmp_path / "h").iterdir())) == 2
    assert History.read(tmp_path / "h").tasks == tasks


def test_appending_adds_files_and_repeating_it_changes_nothing(tmp_path):
    """Shards are named by their content, so that a repeated append is harmless."""
    append_shards(tmp_path, history(run(seed=0)))
    append_shards(tmp_path, history(run(seed=1), run("b")))
    files = append_shards(tmp_path, history(run(seed=1), run("b")))
    assert len(files) == 2
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    assert len(History.read(tmp_path)) == 3


def test_the_fingerprint_ignores_the_order_of_rows_and_files(tmp_path):
    """Same runs, same fingerprint; another loss, another fingerprint."""
    a, b = run("a"), run("b", train=[1, 2, NAN])
    assert history(a, b).fingerprint == history(b, a).fingerprint
    joined = History.concat([history(b), history(a)])
    assert joined.fingerprint == history(a, b).fingerprint
    assert history(a).fingerprint != history(a | {"valid": [3.0, 2.0, 1.5]}).fingerprint


def test_a_changed_byte_is_never_read_as_a_loss(tmp_path):
    """Files carry checksums: whatever byte is changed, the history is refused or as it was."""
    path = tmp_path / "one.parquet"
    records = [run(losses=(3.0, 0.5 + seed), seed=seed) for seed in range(3)]
    History.from_records(records).write(path)
    whole, before = path.read_bytes(), History.read(path)
    refused = 0
    for place in range(4, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        try:
            assert (
                History.read(path).table["valid"].to_pylist() == before.table["valid"].to_pylist()
            )
        except HPListError:
            refused += 1
    assert refused > len(whole) // 70


@pytest.mark.parametrize("damage", ["truncate", "garbage", "empty"])
def test_a_damaged_shard_is_named_and_can_be_skipped(tmp_path, damage):
    """The error names the file; with skip_damaged the rest is read, with a warning and a report."""
    history(run("a"), run("b")).write(tmp_path)
    shard = next((tmp_path / "task=b").iterdir())
    data = shard.read_bytes()
    shard.write_bytes(
        {"truncate": data[: len(data) // 2], "garbage": b"x" * 100, "empty": b""}[damage]
    )
    with pytest.raises(FileFormatError, match="skip_damaged") as error:
        History.read(tmp_path)
    assert str(shard) in str(error.value)
    with pytest.warns(UserWarning, match=shard.name):
        rest = History.read(tmp_path, skip_damaged=True)
    assert rest.tasks == ["a"]
    assert [what for what, _ in rest.report.dropped] == [str(shard)]


def with_steps(*steps):
    """Gives the run of a table other steps, with as many losses."""

    def change(table):
        for name, column in (("steps", steps), ("valid", [1.0] * len(steps))):
            index = table.schema.get_field_index(name)
            field = table.schema.field(name)
            table = table.set_column(index, field, pa.array([list(column)], field.type))
        return table

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns("status"), "column 'status' is missing"),
        (
            lambda t: t.set_column(0, "task", pa.array([None], pa.string())),
            "'task' has empty cells",
        ),
        (lambda t: t.set_column(5, "seed", pa.array(["x"])), "column 'seed'"),
        (lambda t: t.set_column(12, "status", pa.array(["lost"])), "'status' holds 'lost'"),
        (lambda t: t.set_column(8, "steps", pa.array([[1]])), "'valid': a run of task 'a'"),
        (with_steps(10, 0), r"'steps'.*of task 'a' are not.*\[10, 0\]"),
        (with_steps(0, None), r"'steps'.*of task 'a' are not"),
        (with_steps(-10, 10), r"'steps'.*of task 'a' are not"),
        (lambda t: t.set_column(4, "values", pa.array(["[1]"])), r"'values' holds '\[1\]'"),
        (lambda t: t.set_column(4, "values", pa.array(["{"])), "'values' holds '{'"),
    ],
)
def test_a_parquet_file_of_another_form_is_named(tmp_path, change, message):
    """A valid Parquet file that is no history: the file and the column are named."""
    pq.write_table(change(history(run()).table), tmp_path / "x.parquet")
    with pytest.raises(FileFormatError, match=message) as error:
        History.read(tmp_path)
    assert "x.parquet" in str(error.value)


def test_other_arrow_types_of_the_same_values_are_read(tmp_path):
    """Files of pandas or other writers, with 64-bit numbers and dictionaries, are cast."""
    table = history(run()).table
    wide = table.set_column(6, "training_steps", pa.array([20], pa.int64()))
    wide = wide.set_column(0, "task", wide["task"].dictionary_encode())
    pq.write_table(wide.append_column("extra", pa.array([1])), tmp_path / "x.parquet")
    assert History.read(tmp_path / "x.parquet").table.schema.equals(SCHEMA)


def test_an_empty_cell_inside_a_curve_is_a_loss_that_was_not_measured(tmp_path):
    """Other programs write null, or NaN as this one."""
    table = history(run(), run(seed=1)).table
    curves = table["valid"].to_pylist()
    curves[0][1] = None
    column = pa.array(curves, table.schema.field("valid").type)
    pq.write_table(
        table.set_column(table.column_names.index("valid"), "valid", column), tmp_path / "x.parquet"
    )
    read = History.read(tmp_path)
    assert np.isnan(read.to_frame()["valid"][0]).tolist() == [False, True, False]
    assert read.curves("valid").values.shape == (1, 1, 2, 3)


def test_seeds_of_32_and_64_bits_are_read(tmp_path):
    """Files of before seeds had 64 bits are the same history; larger seeds make another one."""
    new = history(run(), run(seed=3))
    table = new.table.set_column(5, "seed", new.table["seed"].cast(pa.int32()))
    pq.write_table(table, tmp_path / "old.parquet")
    old = History.read(tmp_path / "old.parquet")
    assert old.table.equals(new.table)
    assert old.fingerprint == new.fingerprint
    assert new.fingerprint.startswith("9a538a4ab971cc38")  # that of the version with 32 bits
    large = history(run(seed=2**32), run(seed=2**32 + 3))
    large.write(tmp_path / "large.parquet")
    assert History.read(tmp_path / "large.parquet").fingerprint == large.fingerprint
    assert large.fingerprint != new.fingerprint


def test_reading_nothing_says_so(tmp_path):
    """A missing path and a folder without shards are two different errors."""
    with pytest.raises(FileNotFoundError):
        History.read(tmp_path / "missing")
    with pytest.raises(FileFormatError, match=r"no \.parquet file"):
        History.read(tmp_path)


def test_a_folder_may_be_called_as_a_file_is(tmp_path):
    """As other programs call the folder of a table in parts."""
    history(run()).write(tmp_path / "runs.parquet" / "part-0.parquet")
    assert History.read(tmp_path).fingerprint == history(run()).fingerprint


def test_hidden_files_are_no_part_of_a_history(tmp_path):
    """As the caches of a report inside the folder; the folder itself may be a hidden one."""
    folder = tmp_path / ".runs"
    history(run()).write(folder)
    for hidden in (folder / "report" / ".cache" / "x.parquet", folder / ".x.parquet"):
        hidden.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"J": [1.0]}), hidden)
    assert read_logs(folder).fingerprint == history(run()).fingerprint
    with pytest.raises(FileFormatError, match=r"not of a kind"):
        read_logs(folder / "report")


@pytest.mark.parametrize("page", [b"", b"\xff" * 4096])
def test_a_database_that_is_damaged_is_named(tmp_path, page):
    """SQLite's header, and then nothing or anything."""
    file = tmp_path / "runs.db"
    file.write_bytes(b"SQLite format 3\0" + page)
    with pytest.raises(FileFormatError, match=r"runs\.db is no SQLite database or is damaged"):
        read_logs(file)


def test_equal_repeats_are_one_run_and_different_ones_an_error():
    """A run that stands twice is kept once; with different curves it is refused by name."""
    assert len(history(run(), run())) == 1
    assert len(History.concat([history(run()), history(run(), run("b"))])) == 2
    nan = run(losses=(1, NAN))
    assert len(history(nan, nan)) == 1
    with pytest.raises(InvalidValueError, match=r"task 'a'.*seed 0.*twice.*'valid'"):
        history(run(), run(losses=(3.0, 2.0, 0.0)))


def test_select_and_concat_are_inverse():
    """Selected parts joined again are the whole."""
    whole = history(*(run(task, rate) for task in "abc" for rate in (0.1, 0.2)))
    parts = [whole.select(task="a"), whole.select(task=["b", "c"])]
    assert [len(part) for part in parts] == [2, 4]
    assert History.concat(parts).fingerprint == whole.fingerprint
    assert len(whole.select(task="none")) == 0
    with pytest.raises(InvalidValueError, match="cannot be selected by 'valid'"):
        whole.select(valid=1)


def test_values_to_select_come_in_any_collection_of_their_type():
    """Arrays of NumPy, pandas and Arrow; what a column cannot hold is named."""
    whole = history(*(run(task) for task in "abc"))
    for several in (np.array(["b", "c"]), pd.Series(["b", "c"]), whole.table["task"][1:]):
        assert whole.select(task=several).tasks == ["b", "c"]
    assert len(whole.select(seed=np.int64(0))) == len(whole)
    for wrong, message in (({"seed": "a"}, "'seed' holds int64: .*'a'"), ({"seed": 2**70}, "large"),
                           ({"task": [1]}, "'task' holds string"), ({"task": b"a"}, "'task'"),
                           ({"task": np.ones((2, 2))}, "'task'")):  # fmt: skip
        with pytest.raises(InvalidValueError, match=message):
            whole.select(**wrong)


def test_a_frame_becomes_a_history_again():
    """pandas has NaN where something is not known, whatever the column holds."""
    rows = [run("a", batch_size=32, num_parameters=7), run("b", seconds=1.5, family="f")]
    whole = history(*rows)
    records = whole.to_frame().to_dict("records")
    assert any(isinstance(record["family"], float) for record in records)
    again = history(*records)
    assert again.fingerprint == whole.fingerprint
    assert again.table["family"].to_pylist() == [None, "f"]
    with pytest.raises(InvalidValueError, match="column 'task' is None"):
        history(records[0] | {"task": NAN})


def test_the_documented_snippet_learns_from_a_mixed_history(tmp_path, monkeypatch):
    """The first lines of docs/history.md, on runs of two search spaces."""
    entries = khl.HyperparameterList.load("nadamw")[:6]
    runs = [
        run(task, space="nadamw", values=values, losses=(3.0, 2.0, rank + place))
        for place, task in enumerate("ab")
        for rank, values in enumerate(entries)
    ]
    history(*runs, run()).write(tmp_path / "histories" / "small-problems")
    page = (Path(__file__).parents[1] / "docs" / "history.md").read_text()
    monkeypatch.chdir(tmp_path)
    exec(page.split("```python\n")[1].split("```")[0], {"khl": khl})
    assert khl.HyperparameterList.load("my_list.json").space.name == "nadamw"


def test_an_empty_history_is_one(tmp_path):
    """No rows: a length, no tasks, a file."""
    empty = history()
    assert (len(empty), empty.tasks, len(History.concat([]))) == (0, [], 0)
    empty.write(tmp_path / "e.parquet")
    assert len(History.read(tmp_path / "e.parquet")) == 0


def test_a_shard_is_whole_or_absent_when_its_writer_is_killed(tmp_path):
    """kill -9 while shards are written: every file that is there can be read."""
    code = (
        "import sys, itertools; from keras_hplist.history import History, append_shards\n"
        "for i in itertools.count():\n"
        "    row = dict(task='t', configuration=str(i), steps=list(range(500)))\n"
        "    append_shards(sys.argv[1], History.from_records([row | {'valid': [1.0] * 500}]))\n"
        "    print(i, flush=True)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    finished = [int(next(writer.stdout)) for _ in range(20)][-1]
    time.sleep(0.013)
    writer.kill()
    writer.wait()
    assert len(History.read(tmp_path)) > finished
