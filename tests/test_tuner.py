"""HyperparameterListTuner: searches on a real model, and what they leave behind."""

import io
import json
import math
from contextlib import redirect_stdout

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from tiny_search import (
    NADAMW_LIST,
    RATE_LIST,
    RATES,
    VALID,
    build_model,
    curves,
    scores,
    search,
    tuner,
)

import keras_hplist as khl
from keras_hplist.errors import InvalidValueError


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A finished search over the whole list; tests read it only."""
    return search(tuner(directory=tmp_path_factory.mktemp("search"), project_name="toy"))


def trials(built):
    return sorted(built.oracle.trials.values(), key=lambda trial: trial.trial_id)


def test_tries_the_entries_in_order(searched):
    """Trial i has the values of entry i, and the model's own hyperparameters at their defaults."""
    values = [trial.hyperparameters.values for trial in trials(searched)]
    assert [each["hplist/index"] for each in values] == [0, 1, 2, 3]
    assert [each["learning_rate"] for each in values] == RATES
    assert {each["units"] for each in values} == {4}


def test_best_models_and_hyperparameters_are_those_of_the_best_trial(searched):
    """The model evaluates to the score, and carries the optimizer it was trained with."""
    best = searched.oracle.get_best_trials()[0]
    model = searched.get_best_models()[0]
    assert model.evaluate(*VALID, verbose=0, return_dict=True)["loss"] == pytest.approx(best.score)
    hyperparameters = searched.get_best_hyperparameters()[0]
    rate = RATES[hyperparameters.values["hplist/index"]]
    assert model.optimizer.hyperparameters == {"learning_rate": rate}
    assert 0 < int(model.optimizer.iterations) <= 12


def test_diverged_trial_is_a_result_that_ends_early_and_ranks_last(searched):
    """A loss that is not finite stops its fit, fails nothing, and gives no model."""
    diverged = trials(searched)[2]
    assert diverged.status == "COMPLETED"
    assert math.isinf(diverged.score)
    assert searched.oracle.get_best_trials(4)[-1].trial_id == "0002"
    row = (
        curves(searched)
        .set_index("configuration")
        .loc[khl.spaces.configuration_id("adam1p", {"learning_rate": 10.0})]
    )
    assert row["status"] == "diverged"
    assert row["steps"][-1] < row["training_steps"] == 12
    assert len(searched.get_best_models(4)) == 3


def test_curves_are_a_history_of_the_search(searched):
    """One row per trial, with the loss before training, whose best epoch is the score."""
    frame = curves(searched)
    assert len(frame) == 4
    assert set(frame["task"]) == {"toy"}
    assert set(frame["batch_size"]) == {10}
    assert set(frame["training_steps"]) == {12}
    assert frame["seed"].nunique() == 4
    by_rate = {json.loads(row["values"])["learning_rate"]: row for _, row in frame.iterrows()}
    for rate, score in zip(RATES, scores(searched)):
        row = by_rate[rate]
        if math.isfinite(score):
            assert row["steps"].tolist() == [0, 4, 8, 12]
            assert np.isfinite(row["valid"]).all()
            assert min(row["valid"][1:]) == pytest.approx(score)
            assert row["status"] == "ok"


def test_summaries_speak_of_list_ranks(searched):
    """Ranks, scores and divergence of the trials; which ranks are tried and what is held."""

    def printed(summary, **kwargs):
        with redirect_stdout(io.StringIO()) as output:
            summary(**kwargs)
        return output.getvalue()

    results = printed(searched.results_summary)
    lines = [line.split() for line in results.splitlines()]
    table = [line for line in lines if len(line) > 2 and line[1].startswith("000")]
    assert [line[0] for line in table] == [
        str(trial.hyperparameters.values["hplist/index"])
        for trial in searched.oracle.get_best_trials(4)
    ]
    assert table[-1] == ["2", "0002", "-", "diverged"]
    assert f"{searched.oracle.get_best_trials()[0].score:.6g}" in results
    space = printed(searched.search_space_summary)
    assert "ranks 0 to 3 of 4" in space
    assert "units = 4" in space
    assert "learning_rate" in space
    assert len(printed(searched.search_space_summary, extended=True)) > len(space)


def test_summaries_tell_that_the_results_choose_the_order(tmp_path, capsys):
    """The ranks are then not the first ones."""
    built = tuner(hyperparameter_list="nadamw", order="adaptive", max_trials=4, directory=tmp_path)
    for summary in (built.search_space_summary, built.results_summary):
        summary()
        line = next(line for line in capsys.readouterr().out.splitlines() if "'nadamw'" in line)
        assert "4 of 100 entries, in an order that the results give." in line


def test_trial_that_diverges_later_keeps_its_best_epoch(tmp_path, capsys):
    """Its score and its model are those of the last good epoch; the summary says what came then."""

    class Explodes(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate = 1e30

    built = search(tuner(directory=tmp_path, max_trials=1), callbacks=[Explodes()])
    row = curves(built).iloc[0]
    assert row["status"] == "diverged"
    assert scores(built)[0] == pytest.approx(min(row["valid"][1:3]))
    model = built.get_best_models()[0]
    assert model.evaluate(*VALID, verbose=0)[0] == pytest.approx(scores(built)[0])
    built.results_summary()
    assert "diverged later" in capsys.readouterr().out


def test_trial_without_an_objective_at_first_has_its_best_later_epoch(tmp_path):
    """As with a metric that is 0/0 until the model predicts something; so has its model."""

    class Undefined(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch < 2:
                logs["val_mae"] = math.nan

    objective = keras_tuner.Objective("val_mae", "min")
    built = search(
        tuner(directory=tmp_path, objective=objective, max_trials=1), callbacks=[Undefined()]
    )
    assert built.oracle.trials["0000"].best_step == 2
    model = built.get_best_models()[0]
    assert model.evaluate(*VALID, verbose=0)[1] == pytest.approx(scores(built)[0])


def test_a_torn_curve_does_not_hide_the_results(tmp_path, capsys):
    """Trials are whole without their curves."""
    built = search(tuner(directory=tmp_path, max_trials=1))
    [curve] = built.curves.glob("*.parquet")
    curve.write_bytes(curve.read_bytes()[:100])
    built.results_summary()
    assert "best at epoch" in capsys.readouterr().out


def test_same_seed_gives_the_same_scores(searched, tmp_path):
    """All that is random in a trial comes from the tuner's seed and the trial id."""
    again = search(tuner(directory=tmp_path))
    other = search(tuner(directory=tmp_path, project_name="other", seed=4, max_trials=1))
    assert scores(again) == scores(searched)
    assert scores(other)[0] != scores(searched)[0]


def test_retries_start_anew_with_draws_of_their_own(tmp_path):
    """What had bad luck may do better; the first run is that of a search without retries."""
    starts = []

    class Unlucky(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            starts.append(float(self.model.get_weights()[0][0, 0]))

        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = math.nan

    for retries in (0, 2):
        folder = tmp_path / str(retries)
        built = tuner(directory=folder, max_trials=1, max_retries_per_trial=retries)
        search(built, epochs=1, callbacks=[Unlucky()])
    assert starts[0] == starts[1]
    assert len(set(starts[1:])) == 3


def test_executions_are_seeded_and_recorded_each(tmp_path):
    """Two executions of a trial differ, each has a curve, and the score is their mean."""
    built = search(tuner(directory=tmp_path, executions_per_trial=2, max_trials=2))
    frame = curves(built)
    assert len(frame) == 4
    assert frame["seed"].nunique() == 4
    for _, rows in frame.groupby("configuration"):
        best = [min(valid[1:]) for valid in rows["valid"]]
        assert best[0] != best[1]
        assert any(np.mean(best) == pytest.approx(score) for score in scores(built))


def test_search_goes_on_where_it_was_left(tmp_path):
    """A second tuner over the same folder runs the rest, even with a torn `tuner0.json`."""
    first = search(tuner(directory=tmp_path, project_name="toy", max_trials=2))
    written = first.oracle.trials["0000"].score
    state = tmp_path / "toy" / "tuner0.json"
    state.write_text("{"[:1])
    with pytest.warns(UserWarning, match="tuner0"):
        second = tuner(directory=tmp_path, project_name="toy")
    search(second)
    assert [trial.hyperparameters.values["hplist/index"] for trial in trials(second)] == [
        0,
        1,
        2,
        3,
    ]
    assert second.oracle.trials["0000"].score == written
    assert len(curves(second)) == 4
    assert json.loads(state.read_text()) == {}


def test_resumed_search_gives_the_scores_of_one_in_one_piece(searched, tmp_path):
    """The seed is the project's: a tuner that resumes takes it over."""
    search(tuner(directory=tmp_path, max_trials=2))
    resumed = search(tuner(directory=tmp_path, seed=None))
    assert scores(resumed) == scores(searched)


def test_unbuilt_subclassed_models_can_be_loaded(tmp_path):
    """A model that is built by its first batch comes back from `get_best_models`."""

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = keras.layers.Dense(4), keras.layers.Dense(1)

        def call(self, x):
            return self.out(self.hidden(x))

    def build(hp):
        model = Subclassed()
        model.compile(optimizer="adam", loss="mse", run_eagerly=True)
        return model

    built = search(tuner(build, NADAMW_LIST, directory=tmp_path, max_trials=1))
    model = built.get_best_models()[0]
    assert model.evaluate(*VALID, verbose=0) == pytest.approx(scores(built)[0])


def test_tensorboard_logs_each_execution(tmp_path):
    """KerasTuner's treatment of the TensorBoard callback works with the list's values."""
    logs = tmp_path / "logs"
    search(
        tuner(directory=tmp_path, hyperparameter_list=NADAMW_LIST, max_trials=2),
        callbacks=[keras.callbacks.TensorBoard(logs)],
    )
    for trial_id in ("0000", "0001"):
        assert list((logs / trial_id / "execution0").rglob("events*"))


def test_mixed_precision_policy_holds_for_all_trials(tmp_path):
    """KerasTuner resets Keras's session before each model; the user's policy survives that."""
    policies = []

    def build(hp):
        policies.append(keras.config.dtype_policy().name)
        return build_model(hp)

    keras.config.set_dtype_policy("mixed_float16")
    try:
        built = search(tuner(build, NADAMW_LIST, directory=tmp_path, max_trials=2))
        assert set(policies) == {"mixed_float16"}
        optimizer = built.get_best_models()[0].optimizer
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert optimizer.inner_optimizer.family == "nadamw"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.slow
def test_distribution_strategy_is_kept(tmp_path):
    """Models are built, trained and reset under the strategy.

    Slow for another reason: under any strategy, TensorFlow 2.21 and Keras 3.15 alone crash now and
    then in `fit` with validation data, where the multi-device iterator is given up.
    """

    def build(hp):
        model = build_model(hp)
        model.run_eagerly = False
        return model

    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    built = search(tuner(build, directory=tmp_path, distribution_strategy=strategy, max_trials=2))
    assert all(math.isfinite(score) for score in scores(built))
    assert built.get_best_models()[0].distribute_strategy is strategy


def test_accuracy_of_a_diverged_model_is_no_result(tmp_path):
    """With an objective that stays finite, divergence is recognised by the training loss."""

    def build(hp):
        model = build_model(hp)
        always = keras.metrics.MeanMetricWrapper(lambda y, p: keras.ops.ones_like(y), name="always")
        model.compile("adam", "mse", metrics=[always], run_eagerly=True)
        return model

    objective = keras_tuner.Objective("val_always", "max")
    built = search(tuner(build, directory=tmp_path, objective=objective))
    assert [math.isfinite(score) for score in scores(built)] == [True, True, False, True]


def test_several_objectives(tmp_path):
    """KerasTuner's sum of objectives is minimized; divergence voids it."""
    built = search(tuner(directory=tmp_path, objective=["val_loss", "val_mae"]))
    frame = [math.isfinite(score) for score in scores(built)]
    assert frame == [True, True, False, True]


def test_a_list_over_the_users_own_hyperparameters(tmp_path):
    """The values go to `build_model`, which chooses its own optimizer."""
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Float("rate", 1e-3, 1.0)
    hyperparameters.Int("units", 2, 8)
    space = khl.spaces.SearchSpace.from_hyperparameters("mine", hyperparameters)
    mine = khl.HyperparameterList(
        [{"rate": 0.1, "units": 3}, {"rate": 0.01, "units": 5}], space, name="mine"
    )

    def build(hp):
        model = build_model(hp)
        model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1.0)), "mse", run_eagerly=True)
        return model

    built = search(tuner(build, mine, directory=tmp_path))
    frame = curves(built)
    assert sorted(frame["num_parameters"]) == [3 * 4 + 4, 5 * 4 + 6]
    assert set(frame["space"]) == {"mine"}
    model = built.get_best_models()[0]
    assert isinstance(model.optimizer, keras.optimizers.SGD)


def test_crashes_keep_their_traceback_and_leave_a_failed_curve(tmp_path):
    """An exception in training fails its trial, not the search."""

    class Crashes(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if float(self.model.optimizer.learning_rate) == np.float32(0.03) and epoch == 1:
                raise OSError("the disk went away")

    built = search(tuner(directory=tmp_path), callbacks=[Crashes()])
    failed = trials(built)[1]
    assert failed.status == "FAILED"
    assert "the disk went away" in failed.message
    assert "Traceback" in failed.message
    statuses = curves(built)["status"].value_counts().to_dict()
    assert statuses == {"ok": 2, "diverged": 1, "failed": 1}
    assert [trial.status for trial in trials(built)].count("COMPLETED") == 3


def test_the_same_crash_in_every_trial_ends_the_search(tmp_path):
    """After `max_consecutive_failed_trials` failures KerasTuner's error is raised."""
    built = tuner(directory=tmp_path, max_consecutive_failed_trials=2)
    with pytest.raises(RuntimeError, match="consecutive"):
        search(built, class_weight={0: "heavy"})
    assert len(built.oracle.trials) == 2


def test_nothing_but_diverged_trials_gives_no_model(tmp_path):
    """The error says why, instead of an empty list that fails later."""
    wild = khl.HyperparameterList([{"learning_rate": 10.0}], "adam1p")
    built = search(tuner(hyperparameter_list=wild, directory=tmp_path))
    with pytest.raises(InvalidValueError, match="diverged"):
        built.get_best_models()


@pytest.mark.parametrize("saves", [False, True])
def test_a_run_trial_of_the_users_own_has_to_save_its_model(tmp_path, saves):
    """If it does not, the error names the file and the way to a model without it."""

    class Own(khl.HyperparameterListTuner):
        def run_trial(self, trial, *args, **kwargs):
            model = self.hypermodel.build(trial.hyperparameters)
            if saves:
                model.save_weights(tmp_path / "toy" / "trial_0000" / "checkpoint.weights.h5")
            return {"val_loss": float(np.sum(model.get_weights()[0]))}

    built = Own(
        build_model,
        hyperparameter_list=RATE_LIST,
        directory=tmp_path,
        max_trials=1,
        project_name="toy",
    )
    built.search()
    if saves:
        [model] = built.get_best_models()
        assert np.sum(model.get_weights()[0]) == pytest.approx(scores(built)[0])
    else:
        missing = r"trial_0000/checkpoint\.weights\.h5.*save_weights.*get_best_hyperparameters"
        with pytest.raises(FileNotFoundError, match=missing):
            built.get_best_models()
