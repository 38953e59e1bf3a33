"""The command line as a user runs it: real processes, exit statuses, what is printed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import keras_hplist as khl
from keras_hplist import demo
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Choice

COMMAND = [str(Path(sys.executable).with_name("keras-hplist"))]


def run(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the installed command and check its exit status."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("command", ["demo", "lists"])
def test_every_command_has_help(command):
    """Each subcommand explains its options."""
    assert "--json" in run(command, "--help").stdout


def test_version():
    """The version is the package's."""
    assert run("--version").stdout.strip() == khl.__version__


def test_wrong_usage_has_status_2():
    """An unknown option and an unknown command are wrong usage."""
    assert "--colour" in run("lists", "--colour", status=2).stderr
    assert "liste" in run("liste", status=2).stderr


def test_lists_shows_what_is_shipped():
    """The table and the JSON name every shipped list."""
    names = [row["name"] for row in json.loads(run("lists", "--json").stdout)]
    assert names == khl.available_lists()
    shown = run("lists").stdout
    assert all(name in shown for name in names)


def test_lists_shows_the_entries_of_one():
    """A name or a path shows the entries in order, exactly."""
    shown = json.loads(run("lists", "nadamw", "--json").stdout)
    shipped = khl.HyperparameterList.load("nadamw")
    assert shown["entries"] == list(shipped)
    assert shown["gains"] == shipped.gains
    assert "learning_rate" in run("lists", "nadamw", "--entries", "3").stdout


def test_lists_shows_brackets_as_they_are(tmp_path, command):
    """In the name of a list, in names of hyperparameters, and in values: no markup."""
    rows = (Hyperparameter("[n]", Choice(("[/b]", "[red]"))),)
    space = SearchSpace("mine", rows)
    path = tmp_path / "list.json"
    khl.HyperparameterList([{"[n]": "[/b]"}, {"[n]": "[red]"}], space, name="a[/b]").save(path)
    status, out, err = command("lists", path)
    assert status == 0, err
    assert all(text in out for text in ("a[/b], 2 entries", "[n]", "[/b]", "[red]"))


def test_unknown_list_is_an_error_with_the_nearest_name():
    """A misspelt list has status 1 and one message, without a traceback."""
    done = run("lists", "nadam", status=1)
    assert "Did you mean 'nadamw'" in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_tells_the_trials_of_both_methods():
    """With the list and with random search; the seed, 0 too, decides what is tried."""
    results = json.loads(run("demo", "--trials", "2", "--epochs", "1", "--json").stdout)
    first = khl.HyperparameterList.load("nadamw")[0]
    assert results[0]["trials"][0]["learning_rate"] == first["learning_rate"]
    assert all(0 <= result["test_accuracy"] <= 1 for result in results)

    told = []
    again = demo.run(trials=2, epochs=1, report=lambda *trial: told.append(trial))
    assert told == [
        (result.method, number, pytest.approx(loss))
        for result in again
        for number, loss in enumerate(result.trials["val_loss"], 1)
    ]
    assert [list(result.trials["learning_rate"]) for result in again] == [
        [trial["learning_rate"] for trial in result["trials"]] for result in results
    ]
