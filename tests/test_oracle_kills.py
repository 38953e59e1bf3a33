"""The oracle when its process dies: real processes, real SIGKILL, torn files of every kind."""

import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle_searches import (
    assert_each_ran_once_in_order,
    search,
    tiny_list,
    trials_on_disk,
)

from keras_hplist.tuning.trial_store import load_state

SEARCH = {
    "length": 4,
    "max_trials": 6,
    "after_list": "sample",
    "outcomes": {"1": "nan", "2": "crash"},
    "seed": 0,
}


def killed_searches(folder, kind, kills, **options):
    """Run `oracle_kills.py` in an interpreter without TensorFlow, which forks cheaply."""
    request = {"folder": str(folder), "kind": kind, "kills": kills, "search": SEARCH | options}
    script = Path(__file__).with_name("oracle_kills.py")
    done = subprocess.run(
        [sys.executable, script, json.dumps(request)],
        env=os.environ | {"KERAS_BACKEND": "numpy"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_entry_runs_once_in_order_whatever_line_of_bookkeeping_the_kills_hit(tmp_path):
    """SIGKILL at lines all through create, end, save and reload loses and repeats nothing."""
    done = killed_searches(tmp_path, "lines", 70)
    assert done["kills"] >= 70


def test_each_entry_runs_once_in_order_when_writes_stop_half_way(tmp_path):
    """SIGKILL in the middle of our own write leaves half a temporary file and nothing else."""
    killed_searches(tmp_path, "torn", 30)


def test_each_entry_runs_once_in_order_when_killed_from_outside_at_any_time(tmp_path):
    """SIGKILL at random times, with two tuners in threads, loses and repeats nothing."""
    outcomes = {"0": 0.01, "1": 0.02, "2": "nan", "3": 0.01}
    killed_searches(
        tmp_path, "times", 25, threads=2, outcomes=outcomes, after_list="stop", max_trials=None
    )


def test_kills_do_not_change_an_order_that_follows_the_trials(tmp_path):
    """Each trial is the one that a search without kills makes; so are those after the list."""
    scores = [[0.4, 0.1, 0.2, 0.0], [0.1, 0.4, 0.0, 0.9], [0.3, 0.2, 0.1, 0.5]]
    outcomes = {"1": "nan"}
    options = {"order": "adaptive", "scores": scores, "outcomes": outcomes}
    assert killed_searches(tmp_path, "lines", 30, **options)["kills"] >= 30


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a search of five entries that is at its end; the second diverged."""
    folder = tmp_path_factory.mktemp("finished")
    search(folder, outcomes={1: "nan"}, log=folder / "log")
    return folder


def torn(data):
    """What may be left of a file: nothing, a part, a part and rubbish, other JSON."""
    cut = st.integers(0, len(data) - 1).map(lambda n: data[:n])
    rubbish = st.tuples(cut, st.binary(min_size=1, max_size=20)).map(b"".join)
    other = st.sampled_from([b"{}", b"[]", b"null", b"0", b'"', b"\0" * 512, b"[" * 100_000])
    return st.one_of(cut, rubbish, other)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_torn_files_of_every_kind_are_set_aside_and_their_entries_run_again(
    finished, tmp_path, data
):
    """Any set of torn files is reported, kept beside, and costs the trials of these files alone."""
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(finished, folder)
    files = ["oracle.json", "tuner0.json", *(f"trial_000{n}/trial.json" for n in range(5))]
    lost = data.draw(st.sets(st.sampled_from(files), min_size=1), label="files")
    for name in lost:
        path = folder / "project" / name
        path.write_bytes(data.draw(torn(path.read_bytes()), label=name))

    log = folder / "second log"
    log.touch()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        oracle = search(folder, outcomes={1: "nan"}, log=log)
    reported = " ".join(str(warning.message) for warning in caught)
    entries = {int(name[9]) for name in lost if name.startswith("trial")}
    for name in lost - {"tuner0.json"}:
        assert str(folder / "project" / name) in reported

    trials = trials_on_disk(folder).values()
    by_entry = {trial["hyperparameters"]["values"]["hplist/index"]: trial for trial in trials}
    assert sorted(by_entry) == [0, 1, 2, 3, 4] and len(trials) == 5
    assert all(trial["status"] == "COMPLETED" for trial in trials)
    assert len({trial["hplist"]["ended"] for trial in trials}) == 5
    ran = [int(line.split()[1]) for line in log.read_text().splitlines() if line[:3] == "run"]
    assert ran == sorted(entries)
    assert len(oracle.get_best_trials(9)) == 5


def test_a_torn_trial_file_is_kept_beside_and_its_number_not_given_again(finished, tmp_path):
    """The evidence stays where it was; the entry runs again as a new trial."""
    folder = shutil.copytree(finished, tmp_path / "copy")
    file = folder / "project/trial_0004/trial.json"
    file.write_text('{"trial_id"')
    with pytest.warns(UserWarning, match=r"trial_0004.*cannot be read.*trial\.json\.damaged"):
        search(folder)
    assert not file.exists()
    assert file.with_name("trial.json.damaged").read_text() == '{"trial_id"'
    assert trials_on_disk(folder)["trial_0005"]["hyperparameters"]["values"]["hplist/index"] == 4


def test_an_entry_whose_trial_was_lost_comes_before_later_ones_that_wait(tmp_path):
    """Order holds also for an entry that has to run again."""
    search(tmp_path, max_trials=4)
    lost, waiting = (tmp_path / f"project/trial_000{n}/trial.json" for n in (1, 3))
    lost.write_text("")
    trial = json.loads(waiting.read_text())
    waiting.write_text(json.dumps(trial | {"status": "RUNNING"}))
    with pytest.warns(UserWarning, match="cannot be read"):
        search(tmp_path, log=tmp_path / "log")
    assert [line.split()[1] for line in (tmp_path / "log").read_text().splitlines()][::2] == [
        *"134"
    ]


def test_the_oracles_file_has_one_size_and_is_rebuilt_from_the_trials(tmp_path):
    """`oracle.json` does not grow with the trials, and a search goes on without it."""
    sizes = set()
    for max_trials in (1, 5, 20):
        search(tmp_path, length=20, max_trials=max_trials, seed=7)
        sizes.add((tmp_path / "project/oracle.json").stat().st_size)
    assert len(sizes) == 1
    (tmp_path / "project/oracle.json").unlink()
    oracle = search(tmp_path, length=20, after_list="sample", max_trials=22)
    assert oracle.seed == 7
    drawn = [t.hyperparameters.values for t in oracle.trials.values()][20:]
    space = oracle.hyperparameter_list.space
    assert [{n: v[n] for n in space.names} for v in drawn] == [space.draw(7), space.draw(8)]


def test_a_torn_tuner_file_stops_no_tuner_of_kerastuner(tmp_path):
    """KerasTuner writes `tuner0.json` in place and fails on half of it; the oracle mends it."""
    search(tmp_path, max_trials=2)
    file = tmp_path / "project/tuner0.json"
    file.write_text("{")
    with pytest.warns(UserWarning, match=r"tuner0\.json"):
        search(tmp_path)
    assert len(trials_on_disk(tmp_path)) == 5


def test_load_state_of_a_missing_or_torn_file_is_empty(tmp_path):
    """A tuner's own state file never stops a resume."""
    file = tmp_path / "tuner7.json"
    assert load_state(str(file)) == {}
    file.write_text('{"a"')
    with pytest.warns(UserWarning, match=r"tuner7\.json\.damaged"):
        assert load_state(str(file)) == {}
    assert json.loads(file.read_text()) == {}


def test_a_kill_before_the_first_tuner_file_loses_no_result(tmp_path):
    """KerasTuner starts anew where its tuner file is missing; the trials there count anyway."""
    search(tmp_path, max_trials=2, log=tmp_path / "log")
    (tmp_path / "project/tuner0.json").unlink()
    search(tmp_path, log=tmp_path / "log")
    assert_each_ran_once_in_order(tmp_path, tmp_path / "log")


def test_a_search_deletes_what_killed_writers_left_and_not_what_is_being_written(tmp_path):
    """Workers that outlived their chief may be writing while the next one starts."""
    search(tmp_path, max_trials=2)
    folder = tmp_path / "project"
    left = [folder / ".oracle.json.abc.tmp", folder / "trial_0001/.trial.json.abc.tmp"]
    written = [folder / ".oracle.json.def.tmp", folder / "trial_0001/.trial.json.def.tmp"]
    for path in left + written:
        path.write_text("{")
    for path in left:
        os.utime(path, (time.time() - 120,) * 2)
    search(tmp_path)
    assert [path.exists() for path in left + written] == [False, False, True, True]


def test_looking_at_a_running_search_changes_nothing_in_its_folder(tmp_path):
    """A second process may open the folder: what is being written is left alone."""
    search(tmp_path, max_trials=2)
    being_written = tmp_path / "project/trial_0001/.trial.json.abc.tmp"
    being_written.write_text("{")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    oracle = search_opened(tmp_path)
    assert len(oracle.get_best_trials(5)) == 2
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def search_opened(folder):
    """The oracle of a project that was opened and not searched."""
    from oracle_searches import Search

    from keras_hplist import HyperparameterListOracle

    oracle = HyperparameterListOracle(hyperparameter_list=tiny_list())
    Search(oracle, directory=folder, project_name="project")
    return oracle


def test_a_folder_with_glob_characters_in_its_name_is_resumed(tmp_path):
    """KerasTuner's own search for trial files takes `run[1]` for a pattern and finds none."""
    folder = tmp_path / "run[1]*"
    search(folder, max_trials=2, log=tmp_path / "log")
    search(folder, log=tmp_path / "log")
    assert_each_ran_once_in_order(folder, tmp_path / "log")
