"""Trials that diverge, crash or run again; each defect of KerasTuner 1.4.8 that was found."""

import importlib.metadata
import math
import threading

import keras
import keras_tuner
import pytest
from keras_tuner.engine.base_tuner import BaseTuner
from oracle_searches import Search, in_project, search, tiny_list, trials_on_disk

from keras_hplist import HyperparameterListOracle
from keras_hplist.errors import InvalidValueError


class Scripted(BaseTuner):
    """Gives each run of each entry an outcome of its own: a loss, or an exception to raise."""

    def __init__(self, oracle, script, folder, **kwargs):
        self.script = {index: list(outcomes) for index, outcomes in script.items()}
        super().__init__(oracle, directory=folder, project_name="project", **kwargs)

    def run_trial(self, trial, **_):
        outcome = self.script[trial.hyperparameters.values["hplist/index"]].pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return {"quality": outcome} if isinstance(outcome, float) else outcome


def scripted(folder, script, direction="min", **arguments):
    objective = keras_tuner.Objective("quality", direction)
    oracle = HyperparameterListOracle(objective, hyperparameter_list=tiny_list(), **arguments)
    Scripted(oracle, script, folder).search(verbose=0)
    return oracle


# Divergence.


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_diverged_trial_is_a_result_and_ranks_last(tmp_path, direction, loss):
    """COMPLETED, the worst possible score, and strict JSON on disk that says so."""
    script = {0: [loss], 1: [0.5], 2: [loss], 3: [0.2], 4: [-1e9]}
    oracle = scripted(tmp_path, script, direction)
    order = ["0004", "0003", "0001"] if direction == "min" else ["0001", "0003", "0004"]
    best = oracle.get_best_trials(5)
    assert [trial.trial_id for trial in best] == [*order, "0000", "0002"]
    assert best[-1].score == (math.inf if direction == "min" else -math.inf)
    assert best[-1].status == "COMPLETED" and "not finite" in best[-1].message
    on_disk = trials_on_disk(tmp_path)["trial_0000"]
    assert on_disk["score"] is None and on_disk["hplist"]["diverged"] is True


def test_divergence_never_ends_a_search(tmp_path):
    """However many diverge in a row; in KerasTuner, three NaNs end it."""
    oracle = scripted(tmp_path, {index: [math.nan] for index in range(5)})
    assert [trial.status for trial in oracle.trials.values()] == ["COMPLETED"] * 5
    assert len(oracle.get_best_trials(9)) == 5


def test_divergence_between_crashes_starts_their_count_again(tmp_path):
    """A diverged trial shows that the set-up works."""
    crash = ArithmeticError("no")
    oracle = scripted(tmp_path, {0: [crash], 1: [crash], 2: [math.nan], 3: [crash], 4: [crash]})
    assert [trial.status for trial in oracle.trials.values()] == [
        *["FAILED"] * 2,
        "COMPLETED",
        *["FAILED"] * 2,
    ]


def test_a_trial_with_some_finite_values_has_the_best_of_these(tmp_path):
    """Values reported at several steps, some of them not finite."""
    oracle = in_project(
        tmp_path, keras_tuner.Objective("quality", "max"), hyperparameter_list=tiny_list()
    )
    trial = oracle.create_trial("tuner0")
    for step, quality in enumerate([math.inf, 0.3, 0.7, math.nan]):
        oracle.update_trial(trial.trial_id, {"quality": quality}, step=step)
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    assert (trial.score, trial.best_step) == (0.7, 2)


@pytest.mark.parametrize(
    ("direction", "values", "score", "step"),
    [("max", [math.nan, 0.7, math.inf, 0.9], 0.9, 3), ("min", [math.nan, 0.7, -math.inf], 0.7, 1)],
)
def test_a_training_history_that_begins_with_nan_has_its_best_finite_epoch(
    tmp_path, direction, values, score, step
):
    """For example a precision, as long as nothing is predicted to be positive."""
    history = keras.callbacks.History()
    history.history = {"quality": values, "loss": [0.5] * len(values)}
    oracle = scripted(tmp_path, {0: [history]}, direction, max_trials=1)
    trial = oracle.trials["0000"]
    assert (trial.score, trial.best_step) == (score, step)


def test_the_users_own_objective_is_left_as_it_is():
    """It may serve another tuner."""
    objective = keras_tuner.Objective("quality", "min")
    oracle = HyperparameterListOracle(objective, hyperparameter_list=tiny_list())
    assert oracle.objective == objective
    assert vars(objective) == {"name": "quality", "direction": "min"}


def test_several_objectives_are_summed_as_in_kerastuner(tmp_path):
    """What is to be minimized less what is to be maximized."""
    objectives = ["val_loss", keras_tuner.Objective("quality", "max")]
    oracle = in_project(tmp_path, objectives, hyperparameter_list=tiny_list())
    for loss, quality in ((0.5, 0.1), (0.5, 0.4), (math.nan, 0.9)):
        trial = oracle.create_trial("tuner0")
        oracle.update_trial(trial.trial_id, {"val_loss": loss, "quality": quality})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    best = oracle.get_best_trials(3)
    assert [trial.trial_id for trial in best] == ["0001", "0000", "0002"]
    assert best[0].score == pytest.approx(0.1)
    assert best[0].metrics.get_direction("quality") == "max"


# Crashes and retries.


def test_a_crash_keeps_its_traceback(tmp_path):
    """In memory and on disk, with the failing line."""
    search(tmp_path, outcomes={2: "crash"})
    trial = trials_on_disk(tmp_path)["trial_0002"]
    assert trial["status"] == "FAILED" and trial["score"] is None
    assert "in run_trial" in trial["message"] and "this entry crashes" in trial["message"]


@pytest.mark.parametrize("first", [math.nan, ArithmeticError("once")])
def test_the_result_of_a_rerun_counts(tmp_path, first):
    """KerasTuner keeps the metrics of the first run and drops those of the second."""
    oracle = scripted(
        tmp_path, {0: [first, 0.5], **{i: [0.9] for i in range(1, 5)}}, max_retries_per_trial=1
    )
    trial = oracle.trials["0000"]
    assert (trial.status, trial.score, trial.message) == ("COMPLETED", 0.5, None)
    assert [seen.value for seen in trial.metrics.get_history("quality")] == [[0.5]]
    assert oracle.get_best_trials()[0] is trial


def test_retries_come_before_the_next_entry_and_have_an_end(tmp_path):
    """A trial that goes on crashing is FAILED, one that goes on diverging COMPLETED."""
    crash = ArithmeticError("always")
    script = {0: [crash] * 3, 1: [math.nan] * 3, **{i: [0.9] for i in (2, 3, 4)}}
    oracle = scripted(tmp_path, script, max_retries_per_trial=2)
    assert [trial.status for trial in oracle.trials.values()] == ["FAILED", *["COMPLETED"] * 4]
    assert [trial["hplist"]["runs"] for trial in trials_on_disk(tmp_path).values()] == [
        3,
        3,
        1,
        1,
        1,
    ]
    assert oracle.start_order == sorted(oracle.start_order)


def test_a_failed_trial_error_is_not_retried(tmp_path):
    """KerasTuner's `FailedTrialError` means: do not run this again."""
    failed = keras_tuner.errors.FailedTrialError("too large")
    oracle = scripted(
        tmp_path, {0: [failed], **{i: [0.9] for i in range(1, 5)}}, max_retries_per_trial=5
    )
    assert oracle.trials["0000"].status == "FAILED"


def test_the_number_of_runs_outlives_the_process(tmp_path):
    """A kill gives no further retries, and takes none away."""
    oracle = in_project(tmp_path, hyperparameter_list=tiny_list(), max_retries_per_trial=1)
    trial = oracle.create_trial("tuner0")
    trial.status = "INVALID"
    oracle.end_trial(trial)
    assert "hplist/run" not in trial.hyperparameters.values
    oracle.create_trial("tuner0")  # and here the process dies
    again = in_project(tmp_path, hyperparameter_list=tiny_list(), max_retries_per_trial=1)
    trial = again.create_trial("tuner0")
    assert trial.trial_id == "0000" and trial.status == "RUNNING"
    on_worker = keras_tuner.engine.trial.Trial.from_proto(trial.to_proto())
    assert on_worker.hyperparameters.values["hplist/run"] == 1
    trial.status = "INVALID"
    again.end_trial(trial)
    assert trial.status == "FAILED"


def test_too_many_crashes_in_a_row_end_the_search_with_everything_on_disk(tmp_path):
    """The error holds the last traceback; no lock is held, no trial is left running."""
    crashes = dict.fromkeys(range(5), "crash")
    with pytest.raises(RuntimeError, match=r"limit of 3(.|\n)*this entry crashes"):
        search(tmp_path, outcomes=crashes)
    trials = trials_on_disk(tmp_path)
    assert [trial["status"] for trial in trials.values()] == ["FAILED"] * 3

    oracle = HyperparameterListOracle(hyperparameter_list=tiny_list())
    tuner = Search(oracle, outcomes=crashes, directory=tmp_path / "b", project_name="project")
    with pytest.raises(RuntimeError):
        tuner.search(verbose=0)
    assert oracle.ongoing_trials == {}
    other = threading.Thread(target=oracle.create_trial, args=["tuner1"])
    other.start()
    other.join(10)
    assert not other.is_alive()


def test_a_search_that_gave_up_can_be_resumed(tmp_path):
    """It goes on with the next entry, and counts failures anew; KerasTuner gives up again."""
    with pytest.raises(RuntimeError):
        search(tmp_path, outcomes={0: "crash", 1: "crash", 2: "crash"})
    oracle = search(tmp_path, outcomes={3: "crash"})
    statuses = [trial.status for trial in oracle.trials.values()]
    assert statuses == [*["FAILED"] * 4, "COMPLETED"]


def test_failures_in_a_row_are_counted_across_a_break(tmp_path):
    """Two before and one after make three."""
    search(tmp_path, max_trials=2, outcomes={0: "crash", 1: "crash"})
    with pytest.raises(RuntimeError, match="limit of 3"):
        search(tmp_path, outcomes={2: "crash"})


def test_a_trial_ends_with_an_outcome(tmp_path):
    """A loop of the user's own that forgets to set the status is told so."""
    oracle = in_project(tmp_path, "val_loss", hyperparameter_list=tiny_list())
    trial = oracle.create_trial("tuner0")
    with pytest.raises(InvalidValueError, match=r"'RUNNING'; set trial.status to one of COMPLETED"):
        oracle.end_trial(trial)
    assert oracle.ongoing_trials == {"tuner0": trial}


def test_a_trial_ends_once(tmp_path):
    """A second report, by a worker that was given up for lost, changes nothing."""
    oracle = in_project(tmp_path, "val_loss", hyperparameter_list=tiny_list())
    trial = oracle.create_trial("tuner0")
    oracle.update_trial(trial.trial_id, {"val_loss": 0.5})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    oracle.update_trial(trial.trial_id, {"val_loss": 0.1})
    oracle.end_trial(trial)
    assert trial.score == 0.5 and oracle.end_order == ["0000"]
    assert trial.metrics.get_best_value("val_loss") == 0.5


def test_a_tuner_that_was_interrupted_starts_its_trial_afresh(tmp_path):
    """Ctrl-C between the metrics and the end: the same trial again, without the old metrics."""
    oracle = in_project(tmp_path, "val_loss", hyperparameter_list=tiny_list())
    trial = oracle.create_trial("tuner0")
    assert oracle.create_trial("tuner0") is trial
    oracle.update_trial(trial.trial_id, {"val_loss": 0.5})
    again = oracle.create_trial("tuner0")
    assert again.trial_id == trial.trial_id and not again.metrics.exists("val_loss")
    assert oracle.trials["0000"] is again and oracle.ongoing_trials == {"tuner0": again}


def test_a_missing_objective_ends_the_search_at_once(tmp_path):
    """It would be missing in every trial; the message says what was reported."""
    oracle = HyperparameterListOracle("val_loss", hyperparameter_list=tiny_list())

    class Forgetful(BaseTuner):
        def run_trial(self, trial, **_):
            self.oracle.update_trial(trial.trial_id, {"loss": 1.0})

    tuner = Forgetful(oracle, directory=tmp_path, project_name="project")
    with pytest.raises(InvalidValueError, match=r"\['val_loss'\].*\['loss'\].*validation_data"):
        tuner.search(verbose=0)
    assert len(oracle.trials) == 1


def test_a_message_from_a_worker_arrives_as_a_value(tmp_path):
    """KerasTuner's messages drop the traceback; the oracle takes it from `hplist/message`."""
    oracle = in_project(tmp_path, "val_loss", hyperparameter_list=tiny_list())
    for message in ("Traceback: here", None):
        on_worker = keras_tuner.engine.trial.Trial.from_proto(
            oracle.create_trial("worker0").to_proto()
        )
        on_worker.status = "INVALID"
        if message:
            on_worker.hyperparameters.values["hplist/message"] = message
        oracle.end_trial(keras_tuner.engine.trial.Trial.from_proto(on_worker.to_proto()))
    first, second = trials_on_disk(tmp_path).values()
    assert first["message"] == "Traceback: here" and "worker's own output" in second["message"]
    assert "hplist/message" not in first["hyperparameters"]["values"]


def test_what_a_worker_sends_back_changes_no_value_of_the_list(tmp_path):
    """The list's values and the order of the space stay; what `build_model` registered is added."""
    oracle = in_project(tmp_path, "val_loss", hyperparameter_list=tiny_list())
    trial = oracle.create_trial("worker0")
    order = [hp.name for hp in trial.hyperparameters.space]
    on_worker = keras_tuner.engine.trial.Trial.from_proto(trial.to_proto())
    on_worker.hyperparameters.Int("layers", 1, 5, default=3)
    on_worker.hyperparameters.values["learning_rate"] = 1.0
    on_worker.status = "COMPLETED"
    oracle.update_trial(trial.trial_id, {"val_loss": 1.0})
    oracle.end_trial(keras_tuner.engine.trial.Trial.from_proto(on_worker.to_proto()))
    values = oracle.trials[trial.trial_id].hyperparameters.values
    assert values["layers"] == 3
    assert {name: values[name] for name in tiny_list()[0]} == tiny_list()[0]
    assert [hp.name for hp in trial.hyperparameters.space] == [*order, "layers"]
    assert oracle.get_space().get("layers") == 3


def test_a_path_with_a_scheme_is_left_to_kerastuner(tmp_path):
    """Where files cannot be renamed, KerasTuner's own file functions are used."""
    if keras_tuner.src.backend.config.backend() != "tensorflow":
        pytest.skip("KerasTuner reaches such paths through TensorFlow only")
    folder = f"file://{tmp_path}"
    search(folder, max_trials=2, outcomes={1: "nan"}, seed=0)
    torn = tmp_path / "project/trial_0000/trial.json"
    torn.write_text("{")
    with pytest.warns(UserWarning, match="cannot be renamed"):
        oracle = search(folder, max_trials=3, outcomes={1: "nan"})
    assert oracle.seed == 0
    indices = [t.hyperparameters.values["hplist/index"] for t in oracle.trials.values()]
    assert indices == [1, 0, 2]
    assert torn.read_text() == "{"
    torn.unlink()
    assert trials_on_disk(tmp_path)["trial_0001"]["hplist"]["diverged"] is True


def test_what_kerastuner_imports_undeclared_is_declared_here():
    """Without `tensorboard` each trial fails on TensorFlow; without `six` the import does."""
    required = " ".join(importlib.metadata.requires("keras_hplist"))
    assert "tensorboard" in required and "six" in required


def test_verbose_output_speaks_of_each_trial(tmp_path, capsys):
    """KerasTuner's display works, also for trials of a resumed search."""
    search(tmp_path, max_trials=1, verbose=1)
    search(tmp_path, max_trials=2, verbose=1)
    shown = capsys.readouterr().out
    assert "Running Trial #2" in shown and "Trial 2 Complete" in shown


def test_results_summary_shows_diverged_and_failed_trials(tmp_path, capsys):
    """The reasons stand in KerasTuner's own summary."""
    oracle = HyperparameterListOracle(hyperparameter_list=tiny_list())
    outcomes = {0: "nan", 1: "crash"}
    tuner = Search(oracle, outcomes=outcomes, directory=tmp_path, project_name="project")
    tuner.search(verbose=0)
    tuner.results_summary()
    shown = capsys.readouterr().out
    assert "Diverged" in shown and "this entry crashes" in shown
