"""What the oracle proposes, refuses and remembers; real KerasTuner tuners, no training."""

import json
import math

import keras_tuner
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_tuner.engine.base_tuner import BaseTuner
from oracle_searches import (
    Search,
    in_project,
    loss_of,
    search,
    tiny_list,
    tiny_space,
    trials_on_disk,
)

from keras_hplist import HyperparameterList, HyperparameterListOracle, spaces
from keras_hplist.errors import (
    FileFormatError,
    HPListError,
    InvalidValueError,
    UnknownNameError,
)


def values_of(oracle):
    return [trial.hyperparameters.values for trial in oracle.trials.values()]


def configurations_of(oracle):
    names = oracle.hyperparameter_list.space.names
    return [{name: values[name] for name in names} for values in values_of(oracle)]


# The list, and what comes after it.


def test_trials_follow_the_list_and_stop_with_it(tmp_path):
    """Each entry once, in list order, under its plain names, with its rank and the list's name."""
    oracle = search(tmp_path)
    assert configurations_of(oracle) == list(tiny_list())
    assert [values["hplist/index"] for values in values_of(oracle)] == [0, 1, 2, 3, 4]
    assert {values["hplist/name"] for values in values_of(oracle)} == {"tiny"}
    assert oracle.create_trial("tuner0").status == "STOPPED"
    assert oracle.remaining_trials() == 0


def test_a_published_list_is_followed_to_the_last_digit(tmp_path):
    """All ten NAdamW values of each entry arrive exactly, those that are zero among them."""
    space = spaces.get("nadamw")
    entries = [space.draw(seed) for seed in range(20)]
    oracle = HyperparameterListOracle(hyperparameter_list=HyperparameterList(entries, space))
    Search(oracle, directory=tmp_path, project_name="project").search(verbose=0)
    assert configurations_of(oracle) == entries


def test_max_trials_takes_the_first_entries_and_more_can_be_asked_for_later(tmp_path):
    """A search with a raised max_trials goes on where the former one stopped."""
    search(tmp_path, max_trials=2, log=tmp_path / "log")
    oracle = search(tmp_path, max_trials=4, log=tmp_path / "log")
    assert configurations_of(oracle) == list(tiny_list()[:4])
    assert (tmp_path / "log").read_text().count("run") == 4
    # KerasTuner pads ids by the number of trials, so that they would not sort any more.
    assert list(trials_on_disk(tmp_path)) == [f"trial_000{n}" for n in range(4)]


def test_overwrite_begins_again(tmp_path):
    """`overwrite=True` deletes the former search; nothing of it is remembered."""
    search(tmp_path, max_trials=3)
    oracle = HyperparameterListOracle(max_trials=1, hyperparameter_list=tiny_list())
    Search(oracle, directory=tmp_path, project_name="project", overwrite=True).search(verbose=0)
    assert list(trials_on_disk(tmp_path)) == ["trial_0000"]


@pytest.mark.parametrize("seed", [0, 17])
def test_sampling_after_the_list_is_that_of_the_space_by_seed(tmp_path, seed):
    """The n-th trial after the list is the space's configuration of `seed + n`; also for seed 0."""
    oracle = search(tmp_path, max_trials=9, after_list="sample", seed=seed)
    drawn = [tiny_space().draw(seed + n) for n in range(4)]
    assert configurations_of(oracle) == [*tiny_list(), *drawn]
    assert [values["hplist/index"] for values in values_of(oracle)][5:] == [-1] * 4


def test_sampling_passes_over_what_the_list_has_tried(tmp_path):
    """No configuration is tried twice."""
    space = tiny_space()
    entries = HyperparameterList([space.draw(seed) for seed in (1, 3)], space, name="tiny")
    oracle = HyperparameterListOracle(None, 5, entries, "sample", seed=0)
    Search(oracle, directory=tmp_path, project_name="project").search(verbose=0)
    assert configurations_of(oracle)[2:] == [space.draw(seed) for seed in (0, 2, 4)]


@pytest.mark.parametrize("after_list", ["sample", "bayesian"])
def test_an_exhausted_space_ends_the_search(tmp_path, after_list):
    """A space of three configurations gives three trials, however many were asked for."""
    hp = keras_tuner.HyperParameters()
    hp.Choice("units", [1, 2, 3])
    space = spaces.SearchSpace.from_hyperparameters("three", hp)
    entries = HyperparameterList([{"units": 2}], space)
    oracle = HyperparameterListOracle(None, 50, entries, after_list, seed=1)

    class Units(BaseTuner):
        def run_trial(self, trial, **_):
            return float(trial.hyperparameters.values["units"])

    Units(oracle, directory=tmp_path, project_name="project").search(verbose=0)
    assert sorted(values["units"] for values in values_of(oracle)) == [1, 2, 3]


def test_bayesian_optimization_takes_over_with_all_results_of_the_list(tmp_path):
    """From the first trial after the list on, proposals follow the list's results."""
    space = keras_tuner.HyperParameters()
    space.Float("x", 0.0, 1.0)
    space = spaces.SearchSpace.from_hyperparameters("line", space)
    entries = HyperparameterList([{"x": x} for x in (0.0, 0.3, 0.7, 1.0, 0.5, 0.05)], space)

    class Parabola(BaseTuner):
        def run_trial(self, trial, **_):
            x = trial.hyperparameters.values["x"]
            return math.nan if x == 0.05 else (x - 0.62) ** 2

    oracle = HyperparameterListOracle(None, 11, entries, "bayesian", seed=0)
    Parabola(oracle, directory=tmp_path, project_name="project").search(verbose=0)
    proposed = [values["x"] for values in values_of(oracle)][6:]
    assert len(proposed) == 5 and all(type(x) is float and 0 <= x <= 1 for x in proposed)
    assert min(abs(x - 0.62) for x in proposed) < 0.02
    # What it proposes depends on the results and the seed alone, so a resumed search does the same.
    again = in_project(tmp_path, None, 11, entries, "bayesian", seed=0)
    for trial_id in [f"{n:04d}" for n in range(6, 11)]:
        (tmp_path / f"project/trial_{trial_id}/trial.json").unlink()
    assert again.remaining_trials() == 5
    assert again.populate_space("")["values"]["x"] == pytest.approx(proposed[0], abs=1e-6)


def test_bayesian_optimization_works_on_the_switches_of_a_published_space(tmp_path):
    """Spaces in which a hyperparameter is off for some entries give valid proposals, by the seed.

    KerasTuner takes a seed of 0 for none.
    """
    space = spaces.get("nadamw")
    entries = HyperparameterList([space.draw(seed) for seed in range(6)], space)

    class Loss(BaseTuner):
        def run_trial(self, trial, **_):
            return abs(math.log10(trial.hyperparameters.values["learning_rate"]) + 3)

    searches = []
    for folder in ("first", "second"):
        oracle = HyperparameterListOracle(None, 7, entries, "bayesian", seed=0)
        Loss(oracle, directory=tmp_path / folder, project_name="project").search(verbose=0)
        searches.append(configurations_of(oracle))
    assert searches[0] == searches[1]
    for configuration in searches[0]:
        assert space.validate(configuration) == configuration
    assert len({tuple(c.values()) for c in searches[0]}) == 7


# The user's own hyperparameters.


class Architecture(BaseTuner):
    """Asks for an architecture beside the list, one part of it only for some choices."""

    def run_trial(self, trial, **_):
        build(trial.hyperparameters)
        return loss_of(trial.hyperparameters.values)


def build(hp):
    layers = hp.Int("layers", 1, 9, default=4)
    kind = hp.Choice("kind", ["dense", "conv"])
    with hp.conditional_scope("kind", ["conv"]):
        kernel = hp.Choice("kernel", [3, 5, 7])
    return layers, kind, kernel


def architectures(folder, **arguments):
    oracle = HyperparameterListOracle(hyperparameter_list=tiny_list(), **arguments)
    Architecture(
        oracle, hypermodel=lambda hp: build(hp), directory=folder, project_name="project"
    ).search(verbose=0)
    return [
        {k: v for k, v in values.items() if k in ("layers", "kind", "kernel")}
        for values in values_of(oracle)
    ]


def test_architecture_stays_at_its_defaults_unless_asked_otherwise(tmp_path):
    """KerasTuner would draw it anew for each entry, without a seed."""
    assert architectures(tmp_path) == [{"layers": 4, "kind": "dense"}] * 5


def test_random_architecture_depends_on_the_seed_alone(tmp_path):
    """The same seed gives the same architectures, conditional parts only where they are active."""
    first, second, other = (
        architectures(tmp_path / name, architecture="random", seed=seed)
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first == second != other
    assert all(("kernel" in values) == (values["kind"] == "conv") for values in first + other)
    assert len({values["layers"] for values in first + other}) > 2


def test_a_list_may_set_the_architecture(tmp_path):
    """Names in the list are the list's, whatever the policy for the others."""
    hp = keras_tuner.HyperParameters()
    hp.Int("layers", 1, 9)
    space = spaces.SearchSpace.from_hyperparameters("layers", hp)
    entries = HyperparameterList([{"layers": n} for n in (7, 2)], space)
    oracle = HyperparameterListOracle(hyperparameter_list=entries, architecture="random", seed=0)

    class Layers(BaseTuner):
        def run_trial(self, trial, **_):
            return float(build(trial.hyperparameters)[0])

    Layers(oracle, hypermodel=build, directory=tmp_path, project_name="project").search(verbose=0)
    assert [values["layers"] for values in values_of(oracle)] == [7, 2]
    assert [trial.score for trial in oracle.trials.values()] == [7.0, 2.0]


def test_a_name_of_the_list_in_build_model_gets_the_lists_value(tmp_path):
    """Also with another range, another type, or inside a conditional scope that is not active."""
    seen = []

    class Reads(BaseTuner):
        def run_trial(self, trial, **_):
            hp = trial.hyperparameters
            hp.Choice("kind", ["dense", "conv"])
            with hp.conditional_scope("kind", ["conv"]):
                hp.Choice("schedule", ["cosine"])
            seen.append((hp.Float("learning_rate", 1e-6, 1e-5), hp.Fixed("units", 1000)))
            return 0.0

    oracle = HyperparameterListOracle(hyperparameter_list=tiny_list())
    Reads(oracle, directory=tmp_path, project_name="project").search(verbose=0)
    assert seen == [(entry["learning_rate"], entry["units"]) for entry in tiny_list()]
    assert configurations_of(oracle) == list(tiny_list())


def test_definitions_of_the_lists_names_are_refused_where_they_would_be_ignored():
    """`hyperparameters` may not define what the list sets, unless it says the same."""
    with pytest.raises(InvalidValueError, match=r"'learning_rate'.*'tiny'.*another name"):
        own = keras_tuner.HyperParameters()
        own.Fixed("learning_rate", 0.1)
        HyperparameterListOracle(hyperparameter_list=tiny_list(), hyperparameters=own)
    HyperparameterListOracle(
        hyperparameter_list=tiny_list(), hyperparameters=tiny_space().hyperparameters()
    )


def test_definitions_by_the_user_take_the_place_of_those_in_build_model(tmp_path):
    """As in KerasTuner; and the object the user gave is left alone."""
    own = keras_tuner.HyperParameters()
    own.Fixed("layers", 2)
    assert architectures(tmp_path, hyperparameters=own)[0]["layers"] == 2
    assert [hp.name for hp in own.space] == ["layers"]


def test_new_entries_can_be_forbidden_or_left_at_their_defaults(tmp_path):
    """`allow_new_entries` and `tune_new_entries` mean what they mean in KerasTuner."""
    with pytest.raises(RuntimeError, match="layers"):
        architectures(tmp_path / "a", allow_new_entries=False)
    values = architectures(tmp_path / "b", tune_new_entries=False, architecture="random")
    assert {v["layers"] for v in values} == {4}


def test_values_are_plain_python(tmp_path):
    """NumPy scalars would break KerasTuner's messages to workers."""

    class Numpy(Search):
        def run_trial(self, trial, **_):
            return np.float32(super().run_trial(trial))

    own = keras_tuner.HyperParameters()
    own.Float("rate", np.float64(0.1), np.float64(0.9), default=np.float64(0.5))
    own.Choice("size", [1, 2])
    oracle = HyperparameterListOracle(hyperparameter_list=tiny_list(), hyperparameters=own)
    Numpy(oracle, directory=tmp_path, project_name="project").search(verbose=0)
    kinds = {type(value) for values in values_of(oracle) for value in values.values()}
    assert kinds <= {float, int, bool, str}
    assert all(trial.to_proto() for trial in oracle.trials.values())


# Resuming.


def test_a_folder_of_another_list_is_refused_and_left_as_it_is(tmp_path):
    """Both fingerprints are shown, and not one byte on disk changes, even among torn files."""
    search(tmp_path, max_trials=3)
    (tmp_path / "project/trial_0001/trial.json").write_text("{")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    mine, theirs = tiny_list(first_seed=5), tiny_list()
    oracle = HyperparameterListOracle(hyperparameter_list=mine)
    with pytest.raises(InvalidValueError) as refused:
        Search(oracle, directory=tmp_path, project_name="project")
    assert mine.fingerprint in str(refused.value) and theirs.fingerprint in str(refused.value)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    (tmp_path / "project/oracle.json").unlink()  # the trials say it as well
    with pytest.raises(InvalidValueError, match=theirs.fingerprint):
        Search(oracle, directory=tmp_path, project_name="project")


def test_a_folder_of_another_oracle_is_refused(tmp_path):
    """A RandomSearch project is not taken for a search along a list."""
    random_search = keras_tuner.oracles.RandomSearchOracle(
        max_trials=2, hyperparameters=tiny_space().hyperparameters()
    )

    class Zero(BaseTuner):
        def run_trial(self, trial, **_):
            return 0.0

    Zero(random_search, directory=tmp_path, project_name="project").search(verbose=0)
    oracle = HyperparameterListOracle(hyperparameter_list=tiny_list())
    with pytest.raises(InvalidValueError, match="another kind of oracle"):
        Zero(oracle, directory=tmp_path, project_name="project")


def test_a_resumed_search_keeps_its_seed_and_its_results(tmp_path):
    """Scores, ranks and the random draws go on as if there had been no break."""
    whole = search(tmp_path / "whole", max_trials=8, after_list="sample", seed=11)
    for max_trials in (2, 5, 7, 8):
        parts = (
            search(
                tmp_path / "parts", max_trials=max_trials, after_list="sample", seed=11 * max_trials
            )
            if max_trials > 2
            else search(tmp_path / "parts", max_trials=2, after_list="sample", seed=11)
        )
    assert values_of(parts) == values_of(whole)
    best = [[t.trial_id for t in oracle.get_best_trials(8)] for oracle in (parts, whole)]
    assert best[0] == best[1]


@settings(max_examples=25)
@given(
    losses=st.lists(
        st.one_of(st.floats(), st.floats(0, 1), st.just("crash")), min_size=1, max_size=8
    ),
    direction=st.sampled_from(["min", "max"]),
    breaks=st.sets(st.integers(1, 7)),
)
def test_any_outcomes_and_any_breaks_give_the_ranking_of_a_simple_sort(
    tmp_path_factory, losses, direction, breaks
):
    """Finite scores by value, then diverged, then failed; the same from memory and from disk."""
    folder = tmp_path_factory.mktemp("search")

    class Scripted(BaseTuner):
        def run_trial(self, trial, **_):
            loss = losses[trial.hyperparameters.values["hplist/index"]]
            if loss == "crash":
                raise ArithmeticError
            return {"quality": loss}

    for max_trials in sorted({b for b in breaks if b < len(losses)} | {len(losses)}):
        oracle = HyperparameterListOracle(
            keras_tuner.Objective("quality", direction),
            max_trials,
            tiny_list(8),
            max_consecutive_failed_trials=100,
        )
        Scripted(oracle, directory=folder, project_name="project").search(verbose=0)
    sign = 1 if direction == "min" else -1

    def key(index):
        loss = losses[index]
        if loss == "crash":
            return (2, 0, index)
        return (0, sign * loss, index) if math.isfinite(loss) else (1, 0, index)

    expected = sorted(range(len(losses)), key=key)
    reopened = in_project(
        folder, keras_tuner.Objective("quality", direction), hyperparameter_list=tiny_list(8)
    )
    for known in (oracle, reopened):
        assert [int(t.trial_id) for t in known.get_best_trials(len(losses))] == expected
        assert len(known.get_best_trials(2)) == min(2, len(losses))


# What is refused.


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"hyperparameter_list": "nadamv"}, UnknownNameError, "nadamv"),
        ({"hyperparameter_list": "no/such.json"}, FileNotFoundError, "no/such.json"),
        (
            {"hyperparameter_list": [{"learning_rate": 0.1}]},
            InvalidValueError,
            "HyperparameterList",
        ),
        ({"after_list": "baysian"}, UnknownNameError, "Did you mean 'bayesian'"),
        ({"after_list": None}, UnknownNameError, "after_list None"),
        ({"architecture": "fixed"}, UnknownNameError, "default, random"),
        ({"max_trials": 6}, InvalidValueError, "has 5 entries.*max_trials <= 5"),
        ({"max_trials": 0}, InvalidValueError, "max_trials is 0"),
        ({"max_trials": 2.5}, InvalidValueError, "max_trials is 2.5"),
        ({"max_trials": True}, InvalidValueError, "max_trials is True"),
        ({"after_list": "sample"}, InvalidValueError, "max_trials is None.*above 5"),
        ({"seed": -1}, InvalidValueError, "seed is -1"),
        ({"seed": "a"}, InvalidValueError, "seed is 'a'"),
        ({"seed": 2**31}, InvalidValueError, "seed is 2147483648"),
        ({"objective": "my_metric"}, InvalidValueError, "my_metric.*keras_tuner.Objective"),
        ({"objective": 3}, InvalidValueError, "objective is 3"),
        ({"objective": keras_tuner.Objective("a", "up")}, InvalidValueError, "'up'; give 'min'"),
        ({"hyperparameters": {"units": 3}}, InvalidValueError, "keras_tuner.HyperParameters"),
        ({"max_retries_per_trial": -1}, InvalidValueError, "max_retries_per_trial is -1"),
        ({"max_consecutive_failed_trials": 0}, InvalidValueError, "from 1"),
    ],
)
def test_bad_arguments_are_refused_at_construction(arguments, error, message):
    """Each with an error that says what was given and what to give."""
    with pytest.raises(error, match=message) as raised:
        HyperparameterListOracle(**{"hyperparameter_list": tiny_list()} | arguments)
    assert isinstance(raised.value, HPListError | FileNotFoundError)


def test_a_malformed_list_file_is_refused(tmp_path):
    """The error names the file."""
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"format": "keras-hplist", "version": 1}))
    with pytest.raises(FileFormatError, match=r"list\.json"):
        HyperparameterListOracle(hyperparameter_list=path)


def test_a_list_can_be_given_by_its_path(tmp_path):
    """As a string or as a path."""
    tiny_list().save(tmp_path / "list.json")
    for path in (tmp_path / "list.json", str(tmp_path / "list.json")):
        oracle = HyperparameterListOracle(hyperparameter_list=path)
        assert oracle.hyperparameter_list == tiny_list() and oracle.max_trials == 5


def test_an_oracle_without_a_project_says_what_to_do():
    """Trials need a folder."""
    with pytest.raises(InvalidValueError, match="give it to a tuner"):
        HyperparameterListOracle(hyperparameter_list=tiny_list()).create_trial("tuner0")


def test_the_space_of_the_first_build_is_that_of_the_first_entry():
    """KerasTuner builds the model once before the search; it gets usable values."""
    space = HyperparameterListOracle(hyperparameter_list=tiny_list()).get_space()
    assert {name: space.get(name) for name in tiny_space().names} == tiny_list()[0]


def test_a_folder_of_another_objective_is_refused_and_left_as_it_is(tmp_path):
    """Scores of different objectives do not compare, however the metrics are called."""
    arguments = {"hyperparameter_list": tiny_list()}
    search(tmp_path, max_trials=2)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    for other in ("val_loss", keras_tuner.Objective("default_objective", "max")):
        oracle = HyperparameterListOracle(other, **arguments)
        with pytest.raises(InvalidValueError, match=r"search by default_objective \(min\); this"):
            Search(oracle, directory=tmp_path, project_name="project").search(verbose=0)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before
    search(tmp_path, max_trials=3)
    assert len(trials_on_disk(tmp_path)) == 3
