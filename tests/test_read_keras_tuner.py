"""Reading project folders that the real KerasTuner wrote."""

import contextlib
import json
import math
import os
import shutil
from pathlib import Path

import damage
import keras_tuner
import numpy as np
import pytest
import tiny_search

from keras_hplist.errors import FileFormatError, HPListError, InvalidValueError, UnknownNameError
from keras_hplist.history import History, read_keras_tuner, read_logs
from keras_hplist.learning import ListLearner
from keras_hplist.lists import HyperparameterList
from keras_hplist.spaces import SearchSpace, get
from keras_hplist.tuning.oracle import HyperparameterListOracle

NAN = math.nan


def search(
    tuner_class,
    folder,
    name,
    trials=6,
    seed=1,
    run=None,
    objective="val_loss",
    build=None,
    **options,
):
    """Run a real tuner whose trials are formulas instead of trainings."""

    class Formula(tuner_class):
        def run_trial(self, trial, *args, **kwargs):
            return (run or formula)(trial.hyperparameters)

    if tuner_class is not keras_tuner.Hyperband:
        options["max_trials"] = trials
    tuner = Formula(
        build or (lambda hp: None),
        objective=objective,
        directory=folder,
        project_name=name,
        seed=seed,
        overwrite=True,
        max_consecutive_failed_trials=1000,
        **options,
    )
    tuner.search(verbose=0)
    return tuner


def formula(hp):
    """A loss with a logarithmic, a categorical, a whole and a conditional hyperparameter."""
    rate = hp.Float("rate", 1e-5, 1.0, sampling="log")
    activation = hp.Choice("activation", ["relu", "tanh"])
    layers = hp.Int("layers", 1, 3)
    loss = abs(math.log10(rate) + 3) + 0.1 * layers + (activation == "relu")
    with hp.conditional_scope("layers", [2, 3]):
        if layers > 1:
            loss += hp.Int("units", 4, 64) / 100
    return {"val_loss": loss, "loss": loss / 2}


def scores_on_disk(project):
    """What each finished trial scored, straight from its file."""
    trials = [json.loads(file.read_text()) for file in sorted(project.glob("*/trial.json"))]
    return [trial["score"] for trial in trials if trial["status"] == "COMPLETED"]


@pytest.mark.parametrize(
    "tuner_class",
    [keras_tuner.RandomSearch, keras_tuner.BayesianOptimization, keras_tuner.GridSearch],
)
def test_every_trial_becomes_a_run(tuner_class, tmp_path):
    """Values, loss and task of each trial, in one project, as KerasTuner's tuners write them."""
    tuner = search(tuner_class, tmp_path, "digits")
    history = read_keras_tuner(tmp_path / "digits")
    assert history.tasks == ["digits"]
    assert history.report.read == len(history) == 6
    assert history.report.dropped == []
    losses = [curve[-1] for curve in history.table["valid"].to_pylist()]
    np.testing.assert_allclose(sorted(losses), sorted(scores_on_disk(tmp_path / "digits")), 1e-6)
    best = tuner.get_best_hyperparameters()[0].values
    row = history.to_frame().iloc[int(np.argmin(losses))]
    values = json.loads(row["values"])
    assert values == {name: best[name] for name in values}
    assert all(
        ("units" in json.loads(v)) == (json.loads(v)["layers"] > 1)
        for v in history.table["values"].to_pylist()
    )


def test_a_folder_of_projects_gives_one_task_each_and_a_joint_space(tmp_path):
    """Projects at any depth; their spaces are joined, conditions kept."""
    search(keras_tuner.RandomSearch, tmp_path, "one", seed=1)
    search(keras_tuner.RandomSearch, tmp_path / "deep", "two", seed=2)
    history = read_keras_tuner(tmp_path)
    assert history.tasks == ["deep/two", "one"]
    space = SearchSpace.from_config(history.space_definitions["custom"])
    assert space.names == ("rate", "activation", "layers", "units")
    assert space.rows[-1].when == (("layers", (2, 3)),)
    for values in history.values().values():
        assert space.validate(values) == values


def test_a_fixed_hyperparameter_is_read(tmp_path):
    """From the files comes the space that the tuner holds, fixed values included."""
    tuner = search(
        keras_tuner.RandomSearch,
        tmp_path,
        "p",
        trials=2,
        run=lambda hp: hp.Float("rate", 0, 1) + hp.Fixed("version", 3),
    )
    history = read_keras_tuner(tmp_path)
    assert {values["version"] for values in history.values().values()} == {3}
    held = SearchSpace.from_hyperparameters("custom", tuner.oracle.get_space())
    assert SearchSpace.from_config(history.space_definitions["custom"]) == held


def search_along(oracle, folder, build=lambda hp: None):
    """Run KerasTuner's plain tuner over an oracle; the loss is that of the learning rate."""

    class Formula(keras_tuner.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            return abs(math.log10(trial.hyperparameters["learning_rate"]) + 3)

    Formula(oracle, build, directory=folder.parent, project_name=folder.name).search()


def test_a_project_over_a_published_space_has_that_space(tmp_path):
    """What its switches turn off is 0, as in the published configurations."""
    hp = get("nadamw").hyperparameters()
    oracle = keras_tuner.oracles.RandomSearchOracle("val_loss", 12, hyperparameters=hp, seed=1)
    search_along(oracle, tmp_path / "p")
    history = read_keras_tuner(tmp_path)
    assert (history.space_names, history.space_definitions) == (["nadamw"], {})
    tried = [trial.hyperparameters.values for trial in oracle.trials.values()]
    expected = [get("nadamw").from_keras_tuner(values) for values in tried]
    assert sorted(history.values().values(), key=str) == sorted(
        (dict(sorted(values.items())) for values in expected), key=str
    )
    assert {values["warmup_fraction"] > 0 for values in expected} == {False, True}
    learned = ListLearner(length=3).fit(history).list_
    assert learned.space is get("nadamw")
    named = read_keras_tuner(tmp_path, space="mine").space_definitions["mine"]
    assert SearchSpace.from_config(named).family == "nadamw"


def test_other_bounds_make_another_space(tmp_path):
    """The names of a published space are not enough."""
    hp = keras_tuner.HyperParameters()
    hp.Float("learning_rate", 1e-4, 1e-1, sampling="log", default=1e-3)
    oracle = keras_tuner.oracles.RandomSearchOracle("val_loss", 2, hyperparameters=hp, seed=1)
    search_along(oracle, tmp_path / "p")
    assert read_keras_tuner(tmp_path).space_names == ["custom"]


def test_a_project_along_a_list_has_its_entries_and_the_models_hyperparameters(tmp_path):
    """Also those entries that the space never draws, and that so have no switches."""
    shipped = HyperparameterList.load("nadamw")
    undrawn = dict(shipped[1]) | {"adamw_weight_decay": 0.0, "l2_weight_decay": 0.0}
    entries = [dict(shipped[0]), undrawn | {"warmup_fraction": 0.01}, dict(shipped[2])]
    list_ = HyperparameterList(entries, shipped.space, name="mine")
    oracle = HyperparameterListOracle("val_loss", hyperparameter_list=list_)
    search_along(oracle, tmp_path / "p", build=lambda hp: hp.Int("units", 2, 8))
    history = read_keras_tuner(tmp_path)
    expected = [entry | {"units": 2} for entry in entries]
    assert sorted(history.values().values(), key=str) == sorted(
        (dict(sorted(values.items())) for values in expected), key=str
    )
    learned = ListLearner(length=3).fit(history).list_
    assert set(learned.space.names) == {*shipped.space.names, "units"}
    best = min(entries, key=lambda entry: abs(math.log10(entry["learning_rate"]) + 3))
    assert learned[0] == best | {"units": 2}
    again = HyperparameterListOracle("val_loss", hyperparameter_list=learned)
    search_along(again, tmp_path / "again", build=lambda hp: hp.Int("units", 2, 8))
    assert read_keras_tuner(tmp_path / "again").values() == history.values()


def test_projects_along_lists_of_several_spaces_are_learned_from_together(tmp_path):
    """What one optimizer does not have is switched off, or has its default."""
    for name in ("nadamw", "adam8p"):
        oracle = HyperparameterListOracle("val_loss", 3, hyperparameter_list=name)
        search_along(oracle, tmp_path / name, build=lambda hp: hp.Int("units", 2, 8))
    learned = ListLearner(length=10).fit(read_keras_tuner(tmp_path)).list_
    assert len(learned) == 6
    of_adam8p = {entry["learning_rate"] for entry in HyperparameterList.load("adam8p")[:3]}
    assert {e["warmup_fraction"] for e in learned if e["learning_rate"] in of_adam8p} == {0.0}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of KerasTuner
@pytest.mark.parametrize("first", [0, 1])
def test_what_a_trial_reported_step_by_step_is_its_curve(first, tmp_path):
    """A trial that was best in between counts as that, though it ended badly."""
    reported = {"0000": [1.0, 0.1, 0.9], "0001": [1.0, 0.6, 0.5], "0002": [0.8]}

    class Reports(keras_tuner.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            for step, loss in enumerate(reported[trial.trial_id], first):
                self.oracle.update_trial(trial.trial_id, {"val_loss": loss}, step=step)

    oracle = HyperparameterListOracle("val_loss", 3, hyperparameter_list="adam1p")
    Reports(oracle, lambda hp: None, directory=tmp_path, project_name="p").search()
    history = read_keras_tuner(tmp_path)
    runs = zip(*_columns(history, "steps", "valid", "training_steps"), strict=True)
    assert sorted(runs) == [
        ([1, 2, 3], pytest.approx([1.0, 0.1, 0.9]), 3),
        ([1, 2, 3], pytest.approx([1.0, 0.6, 0.5]), 3),
        ([3], pytest.approx([0.8]), 3),
    ]
    assert not any("one value" in note for note in history.report.notes)
    tried = HyperparameterList.load("adam1p")
    for aggregation, best in (("min", 0), ("last", 1)):
        learned = ListLearner(length=1, aggregation=aggregation).fit(history).list_
        assert learned[0] == tried[best]


def test_diverged_crashed_and_unfinished_trials_are_three_things(tmp_path):
    """NaN is a result, an exception is a failure, a killed trial is left out; each is told."""

    def run(hp):
        which = hp.Int("which", 0, 5)
        if which == 1:
            return NAN
        if which == 2:
            raise ValueError("boom")
        if which == 3:
            os._exit(0)  # the process dies inside the trial
        return 1.0 + which

    child = os.fork()
    if not child:
        search(keras_tuner.GridSearch, tmp_path, "p", run=run)
        os._exit(1)
    os.waitpid(child, 0)
    history = read_keras_tuner(tmp_path / "p")
    by_value = {
        json.loads(values)["which"]: status
        for values, status in zip(
            history.table["values"].to_pylist(), history.table["status"].to_pylist(), strict=True
        )
    }
    assert by_value == {0: "ok", 1: "diverged", 2: "failed"}
    assert [why for _, why in history.report.dropped] == ["not ended: running, waiting or killed"]
    assert "3 runs read" in str(history.report)
    assert "1 dropped" in str(history.report)


def test_hyperband_trials_that_ended_early_are_pruned(tmp_path):
    """A rung below the last is censored; a trial that was continued counts once."""
    search(
        keras_tuner.Hyperband,
        tmp_path,
        "band",
        max_epochs=9,
        factor=3,
        build=formula,
        run=lambda hp: formula(hp)["val_loss"] + 1 / hp.values.get("tuner/epochs", 1),
    )
    history = read_keras_tuner(tmp_path / "band")
    statuses = dict(zip(*_columns(history, "source", "status"), strict=True))
    assert {"ok", "pruned"} == set(statuses.values())
    assert any(why == "continued as another trial" for _, why in history.report.dropped)
    assert set(history.table["training_steps"].to_pylist()) == {9}
    for values in history.values().values():
        assert not any(name.startswith("tuner/") for name in values)
    order = ListLearner(length=3).fit(history).order_
    assert len(order) == 3


def test_of_several_values_of_a_hyperband_trial_the_best_counts(tmp_path):
    """At the epoch at which it ended."""
    search(keras_tuner.Hyperband, tmp_path, "band", max_epochs=4, factor=2, build=formula)
    before = read_keras_tuner(tmp_path)
    for file in (tmp_path / "band").glob("*/trial.json"):
        trial = json.loads(file.read_text())
        seen = trial["metrics"]["metrics"]["val_loss"]["observations"]
        seen.append({"value": [seen[0]["value"][0] + 1], "step": 1})
        file.write_text(json.dumps(trial))
    assert read_keras_tuner(tmp_path).fingerprint == before.fingerprint


@pytest.mark.parametrize("interrupt", [False, True])
def test_a_hyperband_trial_stays_whose_continuation_has_no_result(tmp_path, interrupt):
    """The best configurations are those that are continued; a crash there must not lose them."""

    def run(hp):
        if hp.values["tuner/initial_epoch"]:
            raise KeyboardInterrupt if interrupt else RuntimeError("out of memory")
        return formula(hp)["val_loss"]

    with contextlib.suppress(KeyboardInterrupt):
        search(
            keras_tuner.Hyperband, tmp_path, "band", max_epochs=4, factor=2, build=formula, run=run
        )
    history = read_keras_tuner(tmp_path / "band")
    losses = [curve[-1] for curve in history.table["valid"].to_pylist()]
    np.testing.assert_allclose(sorted(losses), sorted(scores_on_disk(tmp_path / "band")), 1e-6)
    epochs = set(np.concatenate(history.table["steps"].to_pylist()))
    statuses = set(history.table["status"].to_pylist())
    assert set(history.table["training_steps"].to_pylist()) == {max(epochs)}
    assert statuses == ({"ok"} if interrupt else {"ok", "pruned"})
    assert {why for _, why in history.report.dropped} == {
        "continued another trial and has no result"
    }


def _columns(history, *names):
    return [history.table[name].to_pylist() for name in names]


def test_a_maximised_objective_is_negated(tmp_path):
    """Losses are minimised in a history, whatever the tuner did."""
    search(
        keras_tuner.RandomSearch,
        tmp_path,
        "acc",
        run=lambda hp: {"val_accuracy": hp.Float("x", 0, 1)},
        objective=keras_tuner.Objective("val_accuracy", "max"),
    )
    history = read_keras_tuner(tmp_path / "acc")
    for values, losses in zip(*_columns(history, "values", "valid"), strict=True):
        assert losses[0] == pytest.approx(-json.loads(values)["x"])


def test_another_metric_can_be_chosen_and_an_unknown_one_is_named(tmp_path):
    """`metric` reads what was logged beside the objective."""
    search(keras_tuner.RandomSearch, tmp_path, "p")
    train, valid = (read_keras_tuner(tmp_path / "p", metric=m) for m in ("loss", "val_loss"))
    losses = [np.concatenate(h.table["valid"].to_pylist()) for h in (train, valid)]
    np.testing.assert_allclose(2 * losses[0], losses[1], rtol=1e-6)
    with pytest.raises(UnknownNameError, match=r"'val_los'.*'val_loss'"):
        read_keras_tuner(tmp_path / "p", metric="val_los")


@pytest.mark.parametrize("metric", [None, "loss"])
def test_a_project_whose_trials_all_failed_does_not_stop_the_reading_of_others(tmp_path, metric):
    """They are kept as failed runs, of which no metric is known."""

    def run(hp):
        formula(hp)
        raise RuntimeError("out of memory")

    search(keras_tuner.RandomSearch, tmp_path, "bad", trials=2, run=run)
    search(keras_tuner.RandomSearch, tmp_path, "good", trials=2)
    history = read_keras_tuner(tmp_path, metric)
    assert history.select(task="bad").to_frame()["status"].tolist() == ["failed"] * 2
    assert history.select(task="good").to_frame()["status"].tolist() == ["ok"] * 2


def test_a_metric_that_no_score_tells_is_asked_for_by_the_readers_argument(tmp_path):
    """Trials whose scores are none of their metrics."""
    search(keras_tuner.RandomSearch, tmp_path, "p", trials=2, run=lambda hp: {"val_loss": 1.0})
    for file in tmp_path.glob("p/*/trial.json"):
        file.write_text(
            file.read_text().replace("val_loss", "mae").replace('"score": 1', '"score": 2')
        )
    with pytest.raises(InvalidValueError, match=r"logged: mae\. Choose with metric='…'"):
        read_keras_tuner(tmp_path)


def test_of_several_metrics_that_equal_the_scores_that_of_a_validation_split_is_read(tmp_path):
    """The report names the objective, of projects that differ with their names."""
    for name, metrics in (("p", ("mae", "val_mae")), ("q", ("mae", "val_loss"))):
        search(
            keras_tuner.RandomSearch,
            tmp_path,
            name,
            trials=2,
            run=lambda hp, metrics=metrics: dict.fromkeys(metrics, hp.Float("x", 0, 1)),
            objective=keras_tuner.Objective(metrics[1], "min"),
        )
    notes = read_keras_tuner(tmp_path / "p").report.notes
    assert "the objective is taken to be 'val_mae'; read another with metric='…'" in notes
    assert not any("objective" in n for n in read_keras_tuner(tmp_path / "p", "mae").report.notes)
    told = str(read_keras_tuner(tmp_path).report)
    assert "the objective of p is taken to be 'val_mae'" in told
    assert "the objective of q is taken to be 'val_loss'" in told


def test_recorded_curves_are_read_instead_of_single_values(tmp_path):
    """Where our recorder left learning curves, they are the history; trials without are told."""
    search(keras_tuner.RandomSearch, tmp_path, "p", trials=3)
    for trial in ("0", "1"):
        row = {"task": "p", "values": {"rate": 0.1}, "seed": int(trial), "steps": [0, 5]}
        History.from_records([row | {"valid": [2.0, 1.0], "source": "keras_hplist"}]).write(
            tmp_path / "p" / "curves" / f"trial_{trial}_execution0.parquet"
        )
    history = read_keras_tuner(tmp_path)
    assert history.table["valid"].to_pylist() == [[2.0, 1.0]] * 2
    assert history.report.dropped == [("p/trial_2", "no learning curve was recorded")]


def test_the_report_tells_what_recorded_curves_do_not_hold(tmp_path):
    """Hyperparameters of the model, and an objective other than the loss."""
    objective = keras_tuner.Objective("val_mae", "min")
    tuner = tiny_search.tuner(
        directory=tmp_path, project_name="p", max_trials=2, objective=objective
    )
    tiny_search.search(tuner, epochs=1)
    about_units = "hyperparameters that the list does not set are left out: units"
    about_objective, *others = read_keras_tuner(tmp_path).report.notes
    assert "metric='val_mae'" in about_objective
    assert others == [about_units]
    assert read_keras_tuner(tmp_path, metric="val_loss").report.notes == [about_units]
    of_objective = read_keras_tuner(tmp_path, metric="val_mae")
    assert {values["units"] for values in of_objective.values().values()} == {4}
    losses = [curve[-1] for curve in of_objective.table["valid"].to_pylist()]
    np.testing.assert_allclose(sorted(losses), sorted(tiny_search.scores(tuner)), 1e-6)


def recorded(folder, task, loss):
    """A project as our tuner leaves it: a trial and its curve, with a task of that name."""
    search(keras_tuner.RandomSearch, folder.parent, folder.name, trials=1)
    row = {"task": task, "space": "adam1p", "values": {"learning_rate": 0.1}, "seed": 1}
    row |= {"training_steps": 10, "steps": [10], "valid": [loss]}
    History.from_records([row]).write(folder / "curves" / "trial_0000_execution0.parquet")


def test_projects_of_the_same_name_are_tasks_of_their_own(tmp_path):
    """Recorded under the project's name, by the tuner's default, they are told apart by folder."""
    recorded(tmp_path / "a" / "untitled_project", "untitled_project", 1.0)
    recorded(tmp_path / "b" / "untitled_project", "untitled_project", 2.0)
    recorded(tmp_path / "c", "named by the user", 3.0)
    history = read_keras_tuner(tmp_path)
    assert history.tasks == ["a/untitled_project", "b/untitled_project", "named by the user"]
    for folder in (tmp_path / "a", tmp_path / "a" / "untitled_project"):
        assert read_keras_tuner(folder).tasks == ["a/untitled_project"]
    assert len(read_keras_tuner(tmp_path / "a", task="mine").select(task="mine")) == 1
    assert read_keras_tuner(tmp_path / "c").tasks == ["named by the user"]


def test_projects_read_together_bear_as_much_of_their_paths_as_tells_them_apart(
    tmp_path, monkeypatch
):
    """Whether folders or projects are given, and each once however its path is written."""
    for name in ("mnist/logs/untitled_project", "text/logs/untitled_project", "text/lstm"):
        search(keras_tuner.RandomSearch, (tmp_path / name).parent, Path(name).name, trials=2)
    monkeypatch.chdir(tmp_path)
    history = read_logs([Path("mnist/logs"), "text/logs", tmp_path / "text" / "logs", "text/lstm"])
    assert history.tasks == ["lstm", "mnist/logs/untitled_project", "text/logs/untitled_project"]
    assert len(history) == 6
    monkeypatch.chdir(tmp_path / "text" / "lstm")
    assert read_keras_tuner(".").tasks == ["lstm"]


def test_a_metric_of_a_project_with_curves_is_read_from_its_trials(tmp_path):
    """Curves hold losses; an unknown metric is named."""
    recorded(tmp_path / "a", "a", 1.0)
    with pytest.raises(UnknownNameError, match="nonsense"):
        read_keras_tuner(tmp_path, metric="nonsense")
    assert read_keras_tuner(tmp_path, metric="val_loss").table["valid"][0].as_py() == [1.0]


def test_damaged_trial_files_are_left_out_and_told(tmp_path):
    """A torn trial.json costs that trial only; the whole folder still reads."""
    search(keras_tuner.RandomSearch, tmp_path, "p")
    file = tmp_path / "p" / "trial_3" / "trial.json"
    for number, _ in enumerate(damage.truncations(file)):
        history = read_keras_tuner(tmp_path / "p")
        assert len(history) == 5, number
        assert history.report.dropped == [("p/trial_3", "trial.json is damaged")]
    for _ in damage.flips(file):
        try:
            assert len(read_keras_tuner(tmp_path / "p")) >= 5
        except HPListError as error:
            assert str(tmp_path / "p") in str(error)


def test_what_is_no_project_is_named(tmp_path):
    """A folder without projects, and one that is not there."""
    with pytest.raises(FileFormatError, match="no project of KerasTuner"):
        read_keras_tuner(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_keras_tuner(tmp_path / "missing")
    search(keras_tuner.RandomSearch, tmp_path, "p")
    for folder in (tmp_path / "p").glob("trial_*"):
        shutil.rmtree(folder)
    assert len(read_keras_tuner(tmp_path)) == 0


def test_a_list_is_learned_from_projects_and_serves_the_space(tmp_path):
    """From logs to a list over the user's own hyperparameters that loads again."""
    for seed in range(4):
        search(keras_tuner.RandomSearch, tmp_path, f"p{seed}", trials=10, seed=seed)
    learned = ListLearner(length=3).fit(read_keras_tuner(tmp_path)).list_
    learned.save(tmp_path / "list.json")
    loaded = type(learned).load(tmp_path / "list.json")
    assert loaded == learned
    hp = loaded.space.hyperparameters()
    assert {row.name for row in hp.space} == {"rate", "activation", "layers", "units"}
    # The best of 40 random trials lies near 1e-3 with tanh.
    assert abs(math.log10(loaded[0]["rate"]) + 3) < 1.5
    assert loaded[0]["activation"] == "tanh"


def test_a_loss_stored_as_null_is_a_diverged_trial(tmp_path):
    """JSON has no NaN: projects of this package hold null in its place."""
    search(keras_tuner.RandomSearch, tmp_path, "p", trials=3)
    file = sorted((tmp_path / "p").glob("*/trial.json"))[1]
    trial = json.loads(file.read_text())
    trial["metrics"]["metrics"]["val_loss"]["observations"] = [{"value": [None], "step": 0}]
    trial["score"] = None
    file.write_text(json.dumps(trial))
    statuses = read_keras_tuner(tmp_path / "p").table["status"].to_pylist()
    assert sorted(statuses) == ["diverged", "ok", "ok"]
