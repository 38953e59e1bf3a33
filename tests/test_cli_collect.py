"""`keras-hplist collect` as a user runs it."""

import json
import signal

import pytest
from typer.testing import CliRunner

from keras_hplist import HyperparameterList, spaces
from keras_hplist.cli import app
from keras_hplist.history import History
from keras_hplist.spaces import half_orders
from keras_hplist.training import compact, engines, status

TASKS = ["losg_tasks_family_seed12", "quadratic_family_seed0"]


def run(*arguments):
    return CliRunner().invoke(app, ["collect", *map(str, arguments)])


def test_collect_status_and_compact(tmp_path):
    """A collection is made, told of, gone on with, and merged."""
    out = tmp_path / "runs"
    options = ["-o", out, "-n", "3", "--steps", "4", "--jobs", "1", "--space", "adam1p", "--json"]
    first = run("--task", TASKS[0], *options)
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["curves"] == 3
    second = json.loads(run("--task", TASKS[0], "--task", TASKS[1], *options).stdout)
    assert (second["already_done"], second["done"], second["curves"]) == (1, 1, 3)

    told = json.loads(run("status", out, "--json").stdout)
    assert (told["done"], told["missing"], told["curves"]) == (2, 0, 6)
    assert "quadratic_family" in run("status", out).stdout
    before = History.read(out)
    assert run("compact", out).exit_code == 0
    assert History.read(out).fingerprint == before.fingerprint


def test_entries_of_a_list_take_the_place_of_random_configurations(tmp_path):
    """In order, in the list's own search space."""
    rates = HyperparameterList(half_orders().to_dict("records"), spaces.get("adam1p"))
    file, out = tmp_path / "rates.json", tmp_path / "runs"
    rates.save(file)
    options = ["-o", out, "-n", "2", "--steps", "2", "--jobs", "1", "--json"]
    assert run("--task", TASKS[0], "--list", file, *options).exit_code == 0
    history = History.read(out)
    assert history.space_names == ["adam1p"]
    assert sorted(row["learning_rate"] for row in history.values().values()) == sorted(
        entry["learning_rate"] for entry in rates[:2]
    )


def test_families_give_their_first_tasks(tmp_path):
    """`--tasks-per-family` takes the first tasks of each family named."""
    options = ["-o", tmp_path / "runs", "-n", "1", "--steps", "1", "--jobs", "1", "--json"]
    done = run("--family", "losg_tasks_family", "--tasks-per-family", "2", *options)
    assert json.loads(done.stdout)["families"] == {"losg_tasks_family": 2}


@pytest.fixture
def heeded_interrupts():
    """Ctrl-C reaches a test as it does a command; pytest-xdist has its workers ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_interrupts")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_how_to_go_on(tmp_path, monkeypatch, number):
    """With the status of shells; the folder is let go of, and SIGTERM is what it was."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(engines, "run", lambda *_: signal.raise_signal(number))
    out = tmp_path / "runs"
    stopped = run("-o", out, "--task", TASKS[0], "-n", "1", "--steps", "1", "--jobs", "1")
    assert stopped.exit_code == 128 + number
    assert "0 of 1 units are on disk; the same command goes on" in stopped.stderr
    assert compact(out) is None and status(out).missing == 1
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--task", TASKS[0]], 2, "--out"),
        (["-o", "x", "--steps", "0"], 2, "steps"),
        (["-o", "x", "--points", "1"], 2, "points"),
        (["-o", "x", "--task", TASKS[0], "--max-cost", "1"], 2, "max-cost"),
        (["-o", "x", "--task", TASKS[0], "--tasks-per-family", "1"], 2, "tasks-per-family"),
        (["-o", "x", "--max-cost", "0"], 2, "max-cost"),
        (["-o", "x", "--list", "nadamw", "--first-configuration", "7"], 2, "first-configuration"),
        (["-o", "/dev/null", "--task", "no such task"], 1, "is a file"),
        (["status", "nowhere"], 1, "not a collection"),
    ],
)
def test_wrong_usage_is_told(arguments, code, message, tmp_path, monkeypatch, capsys):
    """Status 2 and what is missing; status 1 and what failed."""
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == code
    assert message in result.output + str(result.exception)
    assert not (tmp_path / "x").exists()
