"""TensorBoardTrial: what TensorBoard's own readers find in the event files."""

import keras
import keras_tuner
import numpy as np
import pytest
import tiny_search
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.util.tensor_util import make_ndarray

import keras_hplist as khl
from keras_hplist.callbacks import TensorBoardTrial
from keras_hplist.errors import InvalidValueError, UnknownNameError

RANK, RATE = "trial/list_rank", "trial/learning_rate"
OBJECTIVE, BEST = "trial/objective", "trial/best_objective_so_far"
PARTS = {
    metadata.EXPERIMENT_TAG: metadata.parse_experiment_plugin_data,
    metadata.SESSION_START_INFO_TAG: metadata.parse_session_start_info_plugin_data,
    metadata.SESSION_END_INFO_TAG: metadata.parse_session_end_info_plugin_data,
}


def read(folder):
    """The scalars of one run, tag to (steps, values), and the parts of its HParams session."""
    events = EventAccumulator(str(folder))
    events.Reload()
    scalars, session = {}, {}
    for tag in events.Tags()["tensors"]:
        plugin = events.SummaryMetadata(tag).plugin_data
        if plugin.plugin_name == metadata.PLUGIN_NAME:
            session[tag] = PARTS[tag](plugin.content)
        else:
            points = events.Tensors(tag)
            values = [float(make_ndarray(point.tensor_proto)) for point in points]
            scalars[tag] = [point.step for point in points], values
    return scalars, session


def hyperparameters(session):
    """Plain values by name."""
    start = session[metadata.SESSION_START_INFO_TAG]
    return {name: getattr(v, v.WhichOneof("kind")) for name, v in start.hparams.items()}


def compiled(optimizer):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse", run_eagerly=True)
    return model


def test_a_plain_fit_shows_its_schedule_and_its_best_epoch(tmp_path):
    """Rank looked up in the list; the rate of each next update; the best loss, not the last."""
    entries, epochs = tiny_search.NADAMW_LIST, 3
    shown = TensorBoardTrial(tmp_path, hyperparameter_list=entries, every=3)
    model = compiled(khl.get_optimizer(entries, 1))
    x, y = tiny_search.TRAIN
    data = {"validation_data": tiny_search.VALID, "batch_size": 5, "verbose": 0}
    callbacks = [shown, khl.callbacks.TrainingSteps()]
    history = model.fit(x, y, epochs=epochs, callbacks=callbacks, **data).history

    scalars, session = read(tmp_path)
    assert scalars[RANK] == ([0], [1.0])
    steps, rates = scalars[RATE]
    assert steps == [0, 3, 6, 8, 11, 14, 16, 19, 22, 24]
    reference = khl.get_optimizer(entries, 1, training_steps=24)
    for step, rate in zip(steps, rates, strict=True):
        reference._iterations.assign(step)
        np.testing.assert_allclose(rate, reference.scheduled_learning_rate, rtol=1e-6)
    best = np.minimum.accumulate(history["val_loss"])
    for tag in (OBJECTIVE, BEST):
        assert scalars[tag][0] == [8, 16, 24]
        np.testing.assert_allclose(scalars[tag][1], best, rtol=1e-6)
    assert hyperparameters(session) == {**entries[1], "list_rank": 1}
    assert session[metadata.SESSION_END_INFO_TAG].status == api_pb2.STATUS_SUCCESS
    experiment = session[metadata.EXPERIMENT_TAG]
    assert {info.name for info in experiment.hparam_infos} == {*entries[1], "list_rank"}
    kinds = {info.name: info.type for info in experiment.hparam_infos}
    assert kinds["use_nesterov"] == api_pb2.DATA_TYPE_BOOL
    assert kinds["learning_rate"] == api_pb2.DATA_TYPE_FLOAT64
    metric = experiment.metric_infos[0]
    assert (metric.name.tag, metric.display_name) == (OBJECTIVE, "val_loss")


def test_trials_of_a_list_have_rank_result_and_the_best_so_far(tmp_path):
    """Each trial and execution is a session; the one that diverges is a failure without result."""
    tuner = tiny_search.tuner(directory=tmp_path, executions_per_trial=2)
    tiny_search.search(tuner, epochs=2, callbacks=[TensorBoardTrial(tmp_path / "logs", tuner)])
    best = np.inf
    for rank, trial in enumerate(sorted(tuner.oracle.trials.values(), key=lambda t: t.trial_id)):
        results = []
        for execution in range(2):
            folder = tmp_path / "logs" / trial.trial_id / f"execution{execution}"
            scalars, session = read(folder)
            assert scalars[RANK] == ([0], [float(rank)])
            values = hyperparameters(session)
            assert values["learning_rate"] == tiny_search.RATES[rank]
            assert (values["list_rank"], values["units"]) == (rank, 4)
            start = session[metadata.SESSION_START_INFO_TAG]
            assert start.group_name == trial.trial_id
            status = session[metadata.SESSION_END_INFO_TAG].status
            if rank == 2:
                assert status == api_pb2.STATUS_FAILURE
                assert OBJECTIVE not in scalars
            else:
                assert status == api_pb2.STATUS_SUCCESS
                results.append(scalars[OBJECTIVE][1][-1])
                expected = min(best, results[-1])
                np.testing.assert_allclose(scalars[BEST][1][-1], expected, rtol=1e-6)
        if rank != 2:
            np.testing.assert_allclose(np.mean(results), trial.score, rtol=1e-6)
            best = min(best, trial.score)
    _, session = read(tmp_path / "logs")
    names = {info.name for info in session[metadata.EXPERIMENT_TAG].hparam_infos}
    assert names == {"learning_rate", "units", "list_rank"}
    history = khl.history.read_tensorboard(tmp_path / "logs", OBJECTIVE, None, direction="min")
    assert history.tasks == ["logs"]
    assert history.to_frame()["seed"].tolist() == [0, 1] * len(tiny_search.RATES)
    rates = [values["learning_rate"] for values in history.values().values()]
    assert sorted(rates) == sorted(tiny_search.RATES)
    assert all(set(values) == {"learning_rate", "units"} for values in history.values().values())


def test_a_tuner_of_kerastuner_shows_its_own_hyperparameters(tmp_path):
    """No rank; an objective that is maximised; the rate of an optimizer of Keras."""

    def build(hp):
        model = compiled(keras.optimizers.Adam(hp.Float("rate", 0.001, 0.1)))
        model.compile(model.optimizer, "mse", metrics=["accuracy"], run_eagerly=True)
        return model

    objective = keras_tuner.Objective("val_accuracy", "max")
    tuner = keras_tuner.RandomSearch(build, objective, max_trials=2, seed=0, directory=tmp_path)
    data = {"validation_data": tiny_search.VALID, "batch_size": 20, "verbose": 0}
    logs = TensorBoardTrial(tmp_path / "logs", tuner)
    tuner.search(*tiny_search.TRAIN, epochs=1, callbacks=[logs], **data)
    scores = []
    for trial in sorted(tuner.oracle.trials.values(), key=lambda trial: trial.trial_id):
        scalars, session = read(tmp_path / "logs" / trial.trial_id / "execution0")
        assert hyperparameters(session) == {"rate": trial.hyperparameters.values["rate"]}
        assert RANK not in scalars
        np.testing.assert_allclose(scalars[RATE][1], trial.hyperparameters["rate"], rtol=1e-6)
        scores.append(trial.score)
        assert scalars[BEST][1] == [pytest.approx(max(scores))]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"every": 0}, InvalidValueError, "every is 0"),
        ({"every": "batch"}, InvalidValueError, "every is 'batch'"),
        ({"objective": "my_metric"}, InvalidValueError, "my_metric"),
        ({"hyperparameter_list": "nadam"}, UnknownNameError, "Did you mean 'nadamw'"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, error, message, tmp_path):
    """And nothing is written."""
    with pytest.raises(error, match=message):
        TensorBoardTrial(tmp_path / "logs", **arguments)
    assert not (tmp_path / "logs").exists()
