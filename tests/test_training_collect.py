"""`collect`: units on real processes, resumed, with failures, budgets and full folders."""

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pyarrow.parquet
import pytest
from joblib.externals.loky import get_reusable_executor
from training_tasks import (
    Unreadable,
    batch_normalised,
    broken,
    built_in_this_process_only,
    model,
    regression,
)

from keras_hplist.errors import FileFormatError, InvalidValueError, UnknownNameError
from keras_hplist.history import History, store
from keras_hplist.spaces import half_orders
from keras_hplist.training import collect, compact, engines, plan, status
from keras_hplist.training.folder import Folder

SETTINGS = {"space": "adam1p", "n_configurations": 3, "training_steps": 4}


def test_collection_is_resumed_extended_compacted_and_refused(tmp_path):
    """Nothing on disk is done again; compaction keeps every curve."""
    out = tmp_path / "runs"
    first = collect([regression("a")], out=out, n_jobs=1, **SETTINGS)
    assert (first.done, first.curves, first.failed) == (1, 3, {})
    again = collect([regression("a"), regression("b")], out=out, n_jobs=1, **SETTINGS)
    assert (again.already_done, again.done) == (1, 1)
    with pytest.raises(InvalidValueError, match=r"training_steps 4.*training_steps 9"):
        collect([regression("a")], out=out, **{**SETTINGS, "training_steps": 9})
    before = History.read(out)
    assert before.tasks == ["a", "b"] and len(before) == 6
    merged = compact(out)
    assert History.read(out).fingerprint == before.fingerprint
    assert list(out.rglob("*.parquet")) == [merged]
    assert compact(out) is None and merged.exists()
    assert collect([regression("a"), regression("b")], out=out, n_jobs=1, **SETTINGS).done == 0
    assert status(out).to_dict()["families"] == {"user": {"done": 2, "missing": 0, "failed": 0}}

    content = merged.read_bytes()
    collect([regression("c")], out=out, n_jobs=1, **SETTINGS)
    second = compact(out)
    assert merged.read_bytes() == content
    assert sorted(out.rglob("*.parquet")) == [merged, second]
    assert History.read(out).tasks == ["a", "b", "c"]
    merged.unlink()
    assert status(out).missing == 2
    assert compact(out) is None and History.read(second).tasks == ["c"]


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """A collection of the tasks a and b; `out` is a copy of it."""
    out = tmp_path_factory.mktemp("collected") / "runs"
    with pytest.MonkeyPatch.context() as patch:  # a worker would have to import TensorFlow
        patch.setattr(engines, "run", lambda _, __, work, units: ((u, work(u)) for u in units))
        collect([regression("a"), regression("b")], out=out, **SETTINGS)
    return out


@pytest.fixture
def out(collected, tmp_path):
    return shutil.copytree(collected, tmp_path / "runs")


@pytest.mark.parametrize(
    ("change", "trait"),
    [
        ({"batch_size": 10}, "batch_size was 20, is 10"),
        ({"loss": "mean_absolute_error"}, "loss was 'mean_squared_error', is 'mean_absolute"),
        ({"build_model": batch_normalised}, "num_parameters was 41, is "),
        ({"valid": regression("a").test}, "valid was '"),
    ],
)
def test_another_task_of_the_name_of_a_measured_one_is_refused(out, change, trait):
    """Its curves and the old ones would stand side by side as those of one problem."""
    manifest = out / "collection.json"
    saved, other = manifest.read_text(), replace(regression("a"), **change)

    def go_on():
        return collect([other], out=out, budget=0.001, progress=False, **SETTINGS)

    with pytest.raises(InvalidValueError, match=rf"another task 'a': {trait}.*another name"):
        go_on()
    assert manifest.read_text() == saved
    # Manifests of earlier versions tell nothing of the tasks, and stay as they are.
    content = {k: v for k, v in json.loads(saved).items() if k != "own_tasks"}
    manifest.write_text(json.dumps(content, indent=1, sort_keys=True))
    old = manifest.read_text()
    assert go_on().already_done == 1 and manifest.read_text() == old
    # A task of which nothing is measured may still be mended.
    manifest.write_text(saved)
    shutil.rmtree(out / "task=a")
    assert go_on().left_out == {"a": 1}
    assert json.loads(manifest.read_text())["own_tasks"].keys() == {"a", "b"}
    assert manifest.read_text() != saved


def test_compaction_that_was_killed_is_ended_by_the_next(out, tmp_path):
    """Killed before or after the merged file was written: every curve is there once."""
    before, saved = History.read(out), tmp_path / "saved"
    shutil.copytree(out, saved)
    compact(out)
    for kept in ({"compacted-1.parquet", "compacted.json"}, {"compacted.json"}):
        killed = tmp_path / f"killed-{len(kept)}"
        shutil.copytree(saved, killed)
        for name in kept:
            shutil.copy(out / name, killed)
        assert (status(killed).done, status(killed).missing) == (2, 0)
        compact(killed)
        assert [file.name for file in killed.rglob("*.parquet")] == ["compacted-1.parquet"]
        assert History.read(killed).fingerprint == before.fingerprint
    # Were the merged file damaged, its shards would be the only ones.
    killed = tmp_path / "damaged"
    shutil.copytree(saved, killed)
    shutil.copy(out / "compacted.json", killed)
    (killed / "compacted-1.parquet").write_bytes((out / "compacted-1.parquet").read_bytes()[:200])
    with pytest.raises(FileFormatError, match=r"compacted-1\.parquet"):
        compact(killed)
    assert len(list(killed.glob("task=*/*.parquet"))) == 2


def test_what_a_killed_process_left_half_written_is_deleted(out, tmp_path):
    """Once it is a minute old: a worker that outlived the process may be writing a younger one."""
    folder = shutil.copytree(out, tmp_path / "copy")
    old = [folder / ".one.tmp", next(folder.glob("task=*")) / ".two.tmp"]
    young = folder / ".three.tmp"
    for file in (*old, young):
        file.write_bytes(b"PAR1")
    for file in old:
        os.utime(file, (time.time() - 90,) * 2)
    compact(folder)
    assert young.exists() and not any(file.exists() for file in old)


def test_merged_files_that_the_index_does_not_name_are_never_written_over(out, tmp_path):
    """A lost or damaged index is told, with the ways out; a renamed merged file keeps its units."""
    given = [regression("a"), regression("b")]
    merged, index = compact(out), out / "compacted.json"
    content, named = merged.read_bytes(), index.read_text()
    for damage in (None, "", "[]", '{"compacted-1.parquet": 3}', '{"compacted-1.parquet": [3]}'):
        index.unlink() if damage is None else index.write_text(damage)
        for call in (
            lambda: collect(given, out=out, n_jobs=1, **SETTINGS),
            lambda: compact(out),
            lambda: status(out),
        ):
            with pytest.raises(FileFormatError, match=r"compacted\.json does not.*Restore it; or"):
                call()
        assert merged.read_bytes() == content and len(History.read(out)) == 6
    renamed = merged.rename(out / "all.parquet")
    index.write_text(named.replace("compacted-1", "all"))
    jobs = np.int64(1)
    assert collect(given, out=out, budget=0.001, n_jobs=jobs, **SETTINGS).already_done == 2
    assert compact(out) is None
    renamed.rename(merged)
    index.write_text(named)
    assert status(out).done == 2
    merged.rename(tmp_path / merged.name)  # as the message has it
    index.unlink()
    assert status(out).missing == 2


@pytest.mark.parametrize(
    ("place", "name", "call"),
    [(store, "visible", History.read), (Folder, "_shards", lambda out: status(out))],
)
def test_what_a_compaction_merges_after_it_was_listed_is_listed_again(
    out, monkeypatch, place, name, call
):
    """Nothing is told damaged, and nothing is missing."""
    expected, listing = call(out), getattr(place, name)

    def then_merged(*arguments):
        found = list(listing(*arguments))
        if list(out.glob("task=*")):
            compact(out)
        return iter(found)

    monkeypatch.setattr(place, name, then_merged)
    found = call(out)
    assert list(out.rglob("*.parquet")) == [out / "compacted-1.parquet"]
    assert getattr(found, "fingerprint", found) == getattr(expected, "fingerprint", expected)


def test_a_link_to_nothing_is_told(out):
    """It is neither waited for nor called damaged by `History.read`; `collect` sets it aside."""
    file = next(out.glob("task=a/*.parquet"))
    file.unlink()
    file.symlink_to(out / "gone")
    with pytest.raises(FileFormatError, match="is a link to a file that is not there"):
        History.read(out)
    assert status(out).damaged == [str(file.relative_to(out))]


def test_a_file_that_may_not_be_read_is_not_called_damaged(out, monkeypatch):
    """It is whole: nobody should delete it."""
    refused = PermissionError(errno.EACCES, "Permission denied")  # as for users who are not root
    monkeypatch.setattr(pyarrow.parquet, "ParquetFile", Mock(side_effect=refused))
    with pytest.raises(FileFormatError, match="may not be read by this user"):
        History.read(out)


def test_a_damaged_file_is_told_and_its_units_run_again(out, caplog):
    """Empty or cut off: `status` leaves it as it is, `collect` sets it aside."""
    given = [regression("a"), regression("b")]
    before = History.read(out)
    first, second = sorted(out.glob("task=*/*.parquet"))
    first.write_bytes(b"")
    second.write_bytes(second.read_bytes()[:-100])
    told = status(out)
    assert (told.done, told.missing, told.curves) == (0, 2, 0)
    assert told.damaged == [str(file.relative_to(out)) for file in (first, second)]
    assert first.exists() and second.exists()
    with pytest.warns(UserWarning, match=r"is damaged.*units run again"):
        assert collect(given, out=out, n_jobs=1, **SETTINGS).done == 2
    assert len(History.read(out)) == len(before)
    assert len(list(out.rglob("*.damaged"))) == 2

    merged = compact(out)
    merged.write_bytes(merged.read_bytes()[:1000])
    assert (status(out).missing, status(out).damaged) == (2, [merged.name])
    caplog.set_level("INFO")
    with pytest.warns(UserWarning, match=merged.name):
        # No time to begin with either: nobody knows how long they would take.
        assert collect(given, out=out, n_jobs=1, budget=0.001, **SETTINGS).done == 0
    assert caplog.messages == ["0 configuration-steps/s; user 0/2"]
    assert status(out).damaged == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("collection.json", {"format": "keras-hplist-collection", "version": 1}),
        (
            "collection.json",
            {
                "format": "keras-hplist-collection",
                "version": 1,
                "settings": {},
                "units": {"key": ["task", "family"]},
            },
        ),
        ("failures/key.json", {"task": "a", "seed": 0}),
        ("failures/key.json", ["a"]),
        ("collection.json", None),
        ("compacted.json", None),
        ("failures/key.json", None),
    ],
)
def test_json_that_is_cut_off_or_of_another_form_is_named(tmp_path, name, content):
    """With a way out."""
    Folder(tmp_path).open({}, [])
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content) if content else "{")
    with pytest.raises(FileFormatError, match=rf"{file.name} .*(another folder|Delete it)"):
        status(tmp_path)


@pytest.mark.parametrize("below", [".", "runs"])
def test_a_file_is_no_folder_to_collect_into(tmp_path, below):
    """This is told before anything else is looked at."""
    file = tmp_path / "runs.parquet"
    file.write_text("")
    with pytest.raises(InvalidValueError, match=r"runs\.parquet is a file"):
        collect([], out=file / below, engine="none", **SETTINGS)


@dataclass
class Growing:
    """A unit."""

    key: str


def grow(unit):
    """Keep 400 MB, as TensorFlow does with what it compiles; say where."""
    time.sleep(1.1)  # joblib looks once a second
    KEPT.append(np.ones(50_000_000))
    return os.getpid()


KEPT = []


def test_workers_that_grow_are_replaced(recwarn):
    """A collection of a thousand tasks would fill any memory else; nobody is warned of it."""
    units = [Growing(str(number)) for number in range(6)]
    places = {unit.key: place for unit, place in engines.run("loky", 1, grow, units)}
    assert len(places) == 6 and len(set(places.values())) >= 3
    assert not [w for w in recwarn if "worker" in str(w.message)]


def test_a_worker_ends_if_its_parent_was_gone_before_it_began():
    """Killed while the worker still imported TensorFlow."""
    parent = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    code = "import time\nfrom keras_hplist.training.engines import end_with_parent\n"
    code += f"end_with_parent({int(parent.stdout)})\ntime.sleep(60)"
    assert subprocess.run([sys.executable, "-c", code], timeout=50).returncode == 1


def test_given_configurations_are_trained_in_place_of_random_ones(tmp_path):
    """The first of them; another sequence in the same folder is refused, and so are too few."""
    grid = half_orders()
    task, out = regression("a"), tmp_path / "runs"
    collect([task], "adam1p", 3, 4, out, n_jobs=1, configurations=grid)
    rates = [row["learning_rate"] for row in History.read(out).values().values()]
    assert sorted(rates) == sorted(grid["learning_rate"][:3])
    again = collect([task], "adam1p", 3, 4, out, n_jobs=1, configurations=grid.to_dict("records"))
    assert (again.already_done, again.done) == (1, 0)
    with pytest.raises(InvalidValueError, match="another collection"):
        collect([task], "adam1p", 3, 4, out, configurations=grid[::-1])
    with pytest.raises(InvalidValueError, match=r"is 18; give a whole number from 1 to 17"):
        collect([task], "adam1p", 18, 4, tmp_path / "more", configurations=grid)
    assert not (tmp_path / "more").exists()


def test_failing_and_killed_units_do_not_stop_the_rest(tmp_path, monkeypatch):
    """A unit that raises, kills or cannot be read by its worker is recorded; others are done."""
    get_reusable_executor().shutdown()  # its workers do not know this variable
    monkeypatch.setenv("KERAS_HPLIST_TEST_PARENT", str(os.getpid()))
    given = [
        regression("raises", broken),
        regression("killed", built_in_this_process_only),
        regression("unreadable", Unreadable()),
        regression("sound"),
    ]
    summary = collect(given, out=tmp_path, n_jobs=2, **SETTINGS)
    assert History.read(tmp_path).tasks == ["sound"]
    errors = {label.split(" ")[0]: error for label, error in summary.failed.items()}
    assert "cannot be built" in errors["raises"] and "died" in errors["killed"]
    assert "could not read what it was sent (RuntimeError: not here)" in errors["unreadable"]
    later = collect(given, out=tmp_path, n_jobs=2, **SETTINGS)
    assert later.done == 0 and later.failed.keys() == summary.failed.keys()


def test_a_task_that_cannot_be_sent_to_a_worker_is_named(tmp_path):
    """Before anything is written."""
    lock = threading.Lock()
    task = regression("locked", lambda: lock and model())
    with pytest.raises(InvalidValueError, match=r"Task 'locked' .* cannot be sent to a worker"):
        collect([regression("a"), task], out=tmp_path / "runs", n_jobs=1, **SETTINGS)
    assert not (tmp_path / "runs").exists()


def test_killed_collection_goes_on_to_the_history_of_an_undisturbed_one(tmp_path):
    """After kill -9 in the middle, a second call gives the same curves."""
    script = (
        "from training_tasks import regression\nfrom keras_hplist.training import collect\n"
        "if __name__ == '__main__':\n"
        f"    collect([regression(f't{{i}}') for i in range(4)], out={str(tmp_path / 'a')!r}, "
        f"n_jobs=2, **{SETTINGS!r})\n"
    )
    (tmp_path / "script.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    process = subprocess.Popen([sys.executable, tmp_path / "script.py"], env=environment)
    while not list(tmp_path.rglob("a/task=*/*.parquet")) and process.poll() is None:
        time.sleep(0.05)
    workers = _workers(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert workers and _end(workers, seconds=30), "workers outlive the collection"
    given = [regression(f"t{i}") for i in range(4)]
    collect(given, out=tmp_path / "a", n_jobs=1, **SETTINGS)
    collect(given, out=tmp_path / "b", n_jobs=1, **SETTINGS)
    curves = [History.read(tmp_path / name).curves("valid").values for name in "ab"]
    np.testing.assert_array_equal(*curves)


def _workers(pid):
    """Worker processes of a collection: of Linux, from /proc."""
    found = [path.parent for path in Path("/proc").glob("[0-9]*/stat")]
    children = [path for path in found if _parent(path) == pid]
    return [path for path in children if b"LokyProcess" in (path / "cmdline").read_bytes()]


def _parent(process):
    """The parent of a process; None of one that has ended, reaped or not."""
    try:
        state, parent, *_ = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def _end(processes, seconds):
    """Whether all processes end within some seconds."""
    end = time.monotonic() + seconds
    while any(map(_parent, processes)) and time.monotonic() < end:
        time.sleep(0.1)
    return not any(map(_parent, processes))


def test_families_share_a_budget_and_what_does_not_fit_is_left_out():
    """The order gives each family its share; units that no longer fit are reported."""
    cheap = [plan.Unit(f"c{i}", "cheap", 0, 0, (), f"c{i}", 1.0) for i in range(10)]
    dear = [plan.Unit(f"d{i}", "dear", 0, 0, (), f"d{i}", 4.0) for i in range(3)]
    order = plan.cheapest_first(cheap + dear, per_family=True)
    spent = {
        family: sum(u.seconds for u in order[:5] if u.family == family)
        for family in ("cheap", "dear")
    }
    assert abs(spent["cheap"] - spent["dear"]) <= 4
    left_out: list[plan.Unit] = []
    taken = list(plan.within(order, lambda: 2.0, plan.Estimate(), left_out))
    assert len(taken) == 10 and {u.family for u in left_out} == {"dear"}


def test_numbers_of_numpy_are_as_good_as_others(tmp_path):
    """As counts and seeds, and a budget that Python writes with an exponent."""
    settings = {**SETTINGS, "n_configurations": np.int64(SETTINGS["n_configurations"])}
    settings |= {"configuration_seed": np.int64(0), "seeds": [np.int64(0)], "budget": 1e16}
    assert collect([regression()], out=tmp_path, n_jobs=1, **settings).done == 1
    assert collect([regression()], out=tmp_path, n_jobs=1, **SETTINGS).already_done == 1


def test_nothing_begins_after_the_end_of_a_budget(tmp_path, monkeypatch):
    """On a clock that goes on by 15 s with each reading, at most two units begin within 40 s."""
    now = itertools.count(step=15.0)
    clock = SimpleNamespace(monotonic=lambda: next(now))
    monkeypatch.setattr(sys.modules["keras_hplist.training.collect"], "time", clock)
    given = [regression(f"t{i}") for i in range(5)]
    summary = collect(given, out=tmp_path, budget="40s", n_jobs=1, **SETTINGS)
    assert 1 <= summary.done <= 2 and not summary.failed
    assert summary.done + len(summary.left_out) == 5
    assert status(tmp_path).missing == len(summary.left_out)


def run_script(folder, engine, body):
    """Run Python code in a process of its own, if the engine is installed."""
    pytest.importorskip({"dask": "distributed"}.get(engine, engine))
    script = folder / "script.py"
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    script.write_text(f"import os, time\nif __name__ == '__main__':\n{lines}")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, script], env=environment, check=True, timeout=250)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "start"),
    [
        ("dask", ""),
        ("dask", "import distributed; distributed.Client(n_workers=2, threads_per_worker=1)"),
        ("ray", ""),
    ],
)
def test_other_engines_give_the_same_history(tmp_path, engine, start):
    """Dask and Ray give the curves of loky, and record the unit that kills its workers."""
    body = f"""
os.environ["KERAS_HPLIST_TEST_PARENT"] = str(os.getpid())
from training_tasks import Unreadable, built_in_this_process_only, regression
from keras_hplist.training import collect
{start}
tasks = [regression(f"t{{i}}") for i in range(3)]
tasks += [regression("killed", built_in_this_process_only), regression("unreadable", Unreadable())]
collect(tasks, out={str(tmp_path / "a")!r}, engine={engine!r}, n_jobs=2, **{SETTINGS!r})
"""
    run_script(tmp_path, engine, body)
    errors = {label.split(" ")[0]: error for label, error in status(tmp_path / "a").failed.items()}
    assert errors.keys() == {"killed", "unreadable"}
    assert "died" in errors["killed"] and "could not read" in errors["unreadable"]
    collect([regression(f"t{i}") for i in range(3)], out=tmp_path / "b", n_jobs=1, **SETTINGS)
    curves = [History.read(tmp_path / name).curves("valid").values for name in "ab"]
    np.testing.assert_allclose(*curves, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_units_are_drawn_one_by_one_on_a_cluster(tmp_path, engine):
    """With one job, in one process for the whole run: a budget is asked before each begins."""
    body = f"""
from types import SimpleNamespace
from keras_hplist.training import engines
drawn, results = [], []
def source():
    for number in range(6):
        drawn.append(number)
        yield SimpleNamespace(key=str(number))
def work(unit):
    return time.time(), time.sleep(0.3), time.time(), os.getpid()
for unit, result in engines.run({engine!r}, 1, work, source()):
    results.append(result)
    assert len(drawn) == len(results), drawn
assert len(results) == 6 and len({{pid for *_, pid in results}}) == 1, results
assert all(a[2] <= b[0] for a, b in zip(results, results[1:])), results
"""
    run_script(tmp_path, engine, body)


@pytest.mark.slow
def test_workers_in_the_process_of_the_user_leave_it_as_it_is(tmp_path):
    """It outlives the shell that started it, and has its own number of threads."""
    body = f"""
from training_tasks import regression
from keras_hplist.training import collect
import distributed
if os.fork():  # the parent ends once there are curves
    while not list(__import__("pathlib").Path({str(tmp_path)!r}).rglob("*.parquet")):
        time.sleep(0.1)
    os._exit(0)
with distributed.Client(processes=False, n_workers=1, threads_per_worker=1):
    collect([regression("a")], out={str(tmp_path / "a")!r}, engine="dask", **{SETTINGS!r})
assert "TF_NUM_INTRAOP_THREADS" not in os.environ
time.sleep(4)
open({str(tmp_path / "ended")!r}, "w").close()
"""
    run_script(tmp_path, "dask", body)
    end = time.monotonic() + 30
    while not (tmp_path / "ended").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"engine": "spark"}, UnknownNameError, "loky"),
        ({"space": "adam9p"}, UnknownNameError, "adam"),
        ({"training_steps": -1}, InvalidValueError, "training_steps"),
        ({"n_configurations": 0}, InvalidValueError, "n_configurations is 0"),
        ({"budget": "soon"}, InvalidValueError, "2h"),
        ({"budget": float("inf")}, InvalidValueError, "2h"),
        ({"tasks": []}, InvalidValueError, "no tasks"),
        ({"tasks": "TwoD_Bowl1"}, InvalidValueError, r"\['TwoD_Bowl1'\]"),
        ({"tasks": regression()}, InvalidValueError, "give several"),
        ({"tasks": [None]}, InvalidValueError, r"tasks\[0\] is None"),
        ({"tasks": [regression(5)]}, InvalidValueError, r"name of tasks\[0\] is 5"),
        ({"tasks": [regression("")]}, InvalidValueError, "not empty"),
        ({"tasks": [regression("a\udc80")]}, InvalidValueError, "UTF-8"),
        ({"tasks": [regression(family=None)]}, InvalidValueError, "family of task 'regression'"),
        ({"tasks": [SimpleNamespace(name="a")]}, InvalidValueError, "family of task 'a'"),
        ({"n_jobs": 0}, InvalidValueError, "n_jobs"),
        ({"n_jobs": 1.0}, InvalidValueError, "n_jobs"),
        ({"memory": 0}, InvalidValueError, "number of bytes"),
        ({"memory": "4GB"}, InvalidValueError, "number of bytes"),
        ({"seeds": 2}, InvalidValueError, r"such as \(0, 1\)"),
        ({"seeds": (0, 0)}, InvalidValueError, "each once"),
        ({"seeds": ()}, InvalidValueError, "at least one"),
        ({"seeds": (0.5,)}, InvalidValueError, "seeds is 0.5"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, arguments, error, message):
    """Unknown names and bad numbers are refused with what is allowed."""
    with pytest.raises(error, match=message):
        collect(**{"tasks": [regression()], "out": tmp_path / "x", **SETTINGS, **arguments})
    assert not (tmp_path / "x").exists()


def test_two_processes_do_not_write_into_one_folder(tmp_path):
    """The second collection, or compaction, is refused; the first goes on; a kill lets go."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom keras_hplist.training.folder import Folder\n"
        "with Folder(sys.argv[1]).alone():\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    out = tmp_path / "runs"
    collect([regression()], out=out, n_jobs=1, **SETTINGS)
    holder = subprocess.Popen(
        [sys.executable, "-c", script, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    for attempt in (
        lambda: collect([regression("more")], out=out, n_jobs=1, **SETTINGS),
        lambda: compact(out),
    ):
        with pytest.raises(InvalidValueError, match="Another process collects into"):
            attempt()
    assert status(out).done == 1 and status(out).missing == 0
    holder.kill()
    holder.communicate()
    assert collect([regression("more")], out=out, n_jobs=1, **SETTINGS).done == 1
    assert compact(out) is not None
