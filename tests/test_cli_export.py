"""`keras-hplist export`: each target read back by the tool it is for, value by value."""

import csv
import io
import json
import subprocess
import sys
import warnings
from pathlib import Path

import keras_tuner
import optuna
import pandas as pd
import pytest

import keras_hplist as khl
from keras_hplist import lists
from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Boolean, Choice, Fixed, Number

COMMAND = str(Path(sys.executable).with_name("keras-hplist"))
OWN_SPACE = SearchSpace(
    "mine",
    (
        Hyperparameter("units", Number(8, 65, step=4, integer=True)),
        Hyperparameter("rate", Number(1e-6, 1.0, "log")),
        Hyperparameter("momentum", Number(0.1, 0.9, "reverse_log")),
        Hyperparameter("optimizer", Choice(("sgd", "adam", "lion"))),
        Hyperparameter("beta", Number(0.5, 0.9), (("optimizer", ("adam",)),)),
        Hyperparameter("decay", Number(0.8, 0.99), (("optimizer", ("lion",)),)),
        Hyperparameter("bias", Boolean()),
        Hyperparameter("depth", Fixed(3)),
    ),
)
OWN_LIST = khl.HyperparameterList(
    [
        {"units": 12, "rate": 0.1 + 0.2, "momentum": 0.3, "optimizer": "adam", "beta": 0.7}
        | {"bias": True, "depth": 3},
        {"units": 64, "rate": 1e-6, "momentum": 0.9, "optimizer": "sgd", "bias": False, "depth": 3},
        {"units": 8, "rate": 1 / 3, "momentum": 0.1, "optimizer": "lion", "decay": 0.95}
        | {"bias": True, "depth": 3},
    ],
    OWN_SPACE,
    gains=[0.5, 1 / 3, None],
)


def run(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the installed command and check its exit status."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.fixture(params=["nadamw", "adam1p", "mine"])
def hplist(request) -> khl.HyperparameterList:
    """A list over a space with switched values, one over numbers, one over mixed conditionals."""
    return OWN_LIST if request.param == "mine" else khl.HyperparameterList.load(request.param)[:12]


def test_opt_list_round_trips_the_published_list(reference_data, tmp_path):
    """Import, save, export: the very document that was published, and the same list again."""
    published = reference_data / "trials" / "opt-list" / "opt_list.json"
    imported = khl.HyperparameterList.from_opt_list(published)
    imported.save(tmp_path / "mine.json")
    exported = tmp_path / "opt_list.json"
    assert "1000 entries" in run(
        "export", tmp_path / "mine.json", "-o", exported, "--to", "opt-list"
    ).stdout.replace("\n", " ")
    assert json.loads(exported.read_text()) == json.loads(published.read_text())
    assert khl.HyperparameterList.from_opt_list(exported) == imported


def test_opt_list_is_for_nadamw_only():
    """Another space is refused, with what it can be exported to."""
    with pytest.raises(InvalidValueError, match=r"over 'mine'.*csv, keras-tuner or optuna"):
        lists.export(OWN_LIST, "opt-list")


class ListFirst(keras_tuner.oracles.RandomSearchOracle):
    """KerasTuner's own random search, which tries given values first."""

    def __init__(self, first, **options):
        super().__init__(hyperparameters=first[0].copy(), **options)
        self.first = first

    def populate_space(self, trial_id):
        """The next given values while there are any."""
        if len(self.start_order) < len(self.first):
            return {"status": "RUNNING", "values": self.first[len(self.start_order)].values}
        return super().populate_space(trial_id)


class Recording(keras_tuner.Tuner):
    """A real tuner over a function in place of a training."""

    def run_trial(self, trial, *args, **kwargs):
        """Any number, a different one for each trial."""
        return float(trial.trial_id)


def test_keras_tuner_tries_the_exported_entries_in_order_and_goes_on(hplist, tmp_path):
    """A stock oracle over the exported space starts with the entries, then samples the space."""
    configs = json.loads(lists.export(hplist, "keras-tuner"))
    first = [keras_tuner.HyperParameters.from_config(config) for config in configs]
    oracle = ListFirst(first, max_trials=len(hplist) + 3, seed=1)
    tuner = Recording(oracle, directory=tmp_path, project_name="project")
    tuner.search(verbose=0)
    trials = [tuner.oracle.trials[key].hyperparameters for key in tuner.oracle.start_order]
    assert len(trials) == len(hplist) + 3
    for hp, entry in zip(trials, hplist, strict=False):
        assert hplist.space.from_keras_tuner(hp.values) == entry
    for hp in trials[len(hplist) :]:
        hplist.space.from_keras_tuner(hp.values)  # raises if outside the space


def test_a_model_builder_reads_exported_values(hplist):
    """Asking for an active hyperparameter by its definition gives the entry's value."""
    configs = lists.to_keras_tuner(hplist)
    for config, entry in zip(configs, hplist, strict=True):
        hp = keras_tuner.HyperParameters.from_config(config)
        assert {name: hp.get(name) for name in entry} == entry
        asked = hplist.space.hyperparameters()
        asked.values = dict(hp.values)
        for row in asked.space:
            if asked.is_active(row) and row.name in entry:
                assert asked._retrieve(row) == entry[row.name]


def test_keras_tuner_cannot_express_what_the_space_never_draws():
    """NAdamW without any weight decay: the entry, the values and the way out are named."""
    first, second = khl.HyperparameterList.load("nadamw")[:2]
    without = second | {"l2_weight_decay": 0.0, "adamw_weight_decay": 0.0}
    with pytest.raises(InvalidValueError, match=r"entry 1: .*l2_weight_decay=0.0.*drop\(\)"):
        lists.to_keras_tuner(khl.HyperparameterList([first, without], "nadamw"))


ONE_NAME_TWICE = khl.HyperparameterList(
    [{"kind": "a", "x": 0.5}, {"kind": "b", "x": 3.0}],
    SearchSpace(
        "twice",
        (
            Hyperparameter("kind", Choice(("a", "b"))),
            Hyperparameter("x", Number(0.0, 1.0), (("kind", ("a",)),)),
            Hyperparameter("x", Number(2.0, 4.0), (("kind", ("b",)),)),
        ),
    ),
)


def test_one_name_under_two_conditions():
    """Optuna gets one distribution that covers both; KerasTuner cannot have it."""
    document = lists.to_optuna(ONE_NAME_TWICE)
    assert document["conditions"]["x"] == [{"kind": ["a"]}, {"kind": ["b"]}]
    assert document["distributions"]["x"]["attributes"] | {"step": None} == {
        "low": 0.0,
        "high": 4.0,
        "log": False,
        "step": None,
    }
    with pytest.raises(InvalidValueError, match="'x' has 2 distributions"):
        lists.to_keras_tuner(ONE_NAME_TWICE)


def test_optuna_tries_the_exported_entries_in_order(hplist):
    """Enqueued and suggested from the exported distributions: precisely the entries."""
    document = json.loads(lists.export(hplist, "optuna"))
    distributions = {
        name: optuna.distributions.json_to_distribution(json.dumps(each))
        for name, each in document["distributions"].items()
    }
    assert list(distributions) == list(hplist.space.names)

    def objective(trial):
        values = {}
        for name, distribution in distributions.items():
            conditions = document["conditions"].get(name, [{}])
            if any(all(values.get(p) in v for p, v in c.items()) for c in conditions):
                values[name] = trial._suggest(name, distribution)
        return len(values)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(n_startup_trials=2, seed=0))
    for params in document["trials"]:
        study.enqueue_trial(params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as one of a value outside its distribution
        study.optimize(objective, n_trials=len(hplist) + 5)
    assert [trial.params for trial in study.trials[: len(hplist)]] == list(hplist)
    for trial in study.trials[len(hplist) :]:
        assert trial.params.keys() <= set(hplist.space.names)


def test_optuna_ask_and_tell_takes_the_distributions():
    """Where there are no conditions, `study.ask(distributions)` gives the entries."""
    hplist = khl.HyperparameterList.load("nadamw")[:5]
    document = lists.to_optuna(hplist)
    assert document["conditions"] == {}
    assert any(note.startswith("l2_weight_decay") for note in document["notes"])
    distributions = {
        name: optuna.distributions.json_to_distribution(json.dumps(each))
        for name, each in document["distributions"].items()
    }
    study = optuna.create_study()
    for params in document["trials"]:
        study.enqueue_trial(params)
    assert [study.ask(distributions).params for _ in hplist] == list(hplist)


def test_optuna_cannot_have_one_name_with_two_kinds_of_distribution():
    """A number under one condition and a choice under another is an error that says so."""
    rows = (
        Hyperparameter("kind", Choice(("a", "b"))),
        Hyperparameter("x", Number(0.0, 1.0), (("kind", ("a",)),)),
        Hyperparameter("x", Choice((0.0, 1.0)), (("kind", ("b",)),)),
    )
    own = khl.HyperparameterList([{"kind": "a", "x": 0.5}], SearchSpace("odd", rows))
    with pytest.raises(InvalidValueError, match="'x' is a number under one condition and a choice"):
        lists.to_optuna(own)


def test_csv_holds_every_value_exactly(hplist):
    """One row for each entry, ranks, floats to the last bit, gains, empty where not active."""
    table = list(csv.DictReader(io.StringIO(lists.to_csv(hplist))))
    assert [row["rank"] for row in table] == [str(rank) for rank in range(len(hplist))]
    for row, entry, gain in zip(table, hplist, hplist.gains, strict=True):
        for name in hplist.space.names:
            value = entry.get(name)
            assert row[name] == ("" if value is None else str(value))
            assert not isinstance(value, float) or float(row[name]) == value
        assert row["gain"] == ("" if gain is None else repr(gain))
    frame = pd.read_csv(io.StringIO(lists.to_csv(hplist)))
    for name in ("learning_rate", "rate"):
        if name in frame:
            assert frame[name].tolist() == [entry[name] for entry in hplist]


def test_the_command_writes_the_first_entries_to_a_file_or_standard_output(tmp_path):
    """`-o FILE`, `-o -` and no `-o` give the same text; `--entries` cuts it."""
    whole = khl.HyperparameterList.load("nadamw")
    output = tmp_path / "list.csv"
    run("export", "nadamw", "-o", output, "--to", "csv", "--entries", "3")
    shown = run("export", "nadamw", "-o", "-", "--to", "csv", "--entries", "3").stdout
    assert output.read_text() == shown == lists.to_csv(whole[:3])
    assert lists.export(whole, "csv", 10**6) == lists.export("nadamw", "csv")


def test_what_cannot_be_exported_is_one_message(tmp_path):
    """Unknown list, target, missing folder: status 1 and why; nothing is written."""
    output = tmp_path / "x" / "out.json"
    for arguments, message in (
        (["nadamw", "--to", "optun"], "Did you mean 'optuna'"),
        ([tmp_path / "no.json", "--to", "csv"], "no list file"),
        (["nadamw", "--to", "csv", "-o", output], "no folder"),
        (["nadamw", "--to", "csv", "-o", tmp_path], "is a folder"),
    ):
        failed = run("export", *arguments, status=1).stderr
        assert message in failed and "Traceback" not in failed
    run("export", "nadamw", status=2)
    assert not output.parent.exists()


def test_bad_arguments_of_the_function_are_named():
    """Target and number of entries."""
    with pytest.raises(UnknownNameError, match="Unknown target 'json'"):
        lists.export(OWN_LIST, "json")
    for entries in (0, "3", 1.0, True):
        with pytest.raises(InvalidValueError, match=r"entries is .*; give a whole number from 1"):
            lists.export(OWN_LIST, "csv", entries)
