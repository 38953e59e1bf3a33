"""`keras-hplist tasks` and `report` as a user runs them."""

import json

import pytest
from test_cli import run

from keras_hplist import tasks

CHEAP = ["TwoD_Beale", "losg_tasks_family_seed12"]
# Beyond the suite, and of the same make as its members that start at no finite loss.
OVERFLOWS = "nvp_family_seed136"


def test_list_shows_the_suite_and_parts_of_it():
    """Every task has its line; filters are those of `tasks.names`."""
    lines = run("tasks", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == tasks.names()
    assert lines[-1] == "1162 tasks"
    options = ("--family", "fixed", "--max-parameters", "100000", "--max-cost", "0.1")
    found = json.loads(run("tasks", "list", *options, "--data", "mnist", "--json").stdout)
    expected = tasks.names("fixed", max_parameters=100_000, max_cost=0.1, data="mnist")
    assert [row["name"] for row in found] == expected
    assert all(row["data_set"] == "mnist" for row in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--family", "mlp_famly"], "Did you mean 'mlp_family'"),
        (["list", "--data", "cifar11"], "Did you mean 'cifar10"),
        (["show", "mlp_famly_seed3"], "Did you mean 'mlp_family_seed3'"),
        (["show", "conv_fc_family_seed25"], "layer 5 of 5"),
        (["check", "TwoD_Bowl2"], "Did you mean 'TwoD_Bowl1"),
        (["check", "TwoD_Bowl1", "--resume"], "--output"),
        (["check", "TwoD_Bowl1", "--output", "/no/such/folder/f.json"], "no folder"),
        (["check", "TwoD_Bowl1", "--jobs", "0"], "n_jobs"),
    ],
)
def test_mistakes_end_with_one_message(arguments, message):
    """Unknown names, impossible tasks and unusable files are told before any work."""
    done = run("tasks", *arguments, status=1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_show_tells_configuration_data_and_loss():
    """A task is described whole, for people and for machines."""
    shown = json.loads(run("tasks", "show", "mlp_family_seed12", "--json").stdout)
    task = tasks.get("mlp_family_seed12")
    assert shown["config"] == task.config
    assert shown["num_parameters"] == task.num_parameters
    assert shown["data"]["data_set"] == tasks.facts()["mlp_family_seed12"].data_set
    assert "softmax cross-entropy" in shown["problem"]
    text = run("tasks", "show", "mlp_family_seed12").stdout
    assert "seconds per step" in text and shown["data"]["licence"] in text


def test_check_resumes_and_reports_what_fails(tmp_path):
    """What passed is in the file and not checked again; a failure leaves the others alone."""
    file = tmp_path / "facts.json"
    done = run("tasks", "check", *CHEAP, "--jobs", "2", "--output", file)
    assert done.stdout.splitlines()[-1] == "2 passed, 0 failed"
    first = file.read_bytes()
    assert set(json.loads(first)["tasks"]) == set(CHEAP)

    assert "exists already" in run("tasks", "check", *CHEAP, "--output", file, status=1).stderr
    again = run("tasks", "check", *CHEAP, "--output", file, "--resume").stdout.splitlines()
    assert again == [f"2 were checked before ({file}).", "2 passed, 0 failed"]
    assert file.read_bytes() == first

    options = ("--output", file, "--resume", "--jobs", "1", "--json")
    done = run("tasks", "check", *CHEAP, OVERFLOWS, *options, status=1)
    found = json.loads(done.stdout)
    assert found["passed"] == 2
    assert "expected one that is finite" in found["failed"][OVERFLOWS]
    assert f"failed: {OVERFLOWS}" in done.stderr
    assert file.read_bytes() == first


def test_report_draws_figures(tmp_path):
    """Figures asked for by number are written, and an unknown number is wrong usage."""
    run("report", "--figure", "1a", "--figure", "1c", "-o", tmp_path)
    for number in ("1a", "1c"):
        assert (tmp_path / f"figure_{number}.png").read_bytes().startswith(b"\x89PNG")
    run("report", "--figure", "7", "-o", tmp_path, status=2)
