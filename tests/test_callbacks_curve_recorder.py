"""CurveRecorder: the learning curve of a fit as a row of a history."""

import copy
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from own_steps import OwnSteps

import keras_hplist as khl
from keras_hplist.errors import HPListError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True) + 1.0
TRAIN, VALID = (X[:40], Y[:40]), (X[40:], Y[40:])
BATCHES = 4  # of 10 samples


def compiled_model(optimizer=None, **arguments):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile(optimizer or khl.optimizers.Adam1p(0.01), "mse", run_eagerly=True, **arguments)
    return model


def fit(model, *callbacks, **kwargs):
    arguments = {"batch_size": 10, "epochs": 3, "verbose": 0, "shuffle": False} | kwargs
    return model.fit(*TRAIN, validation_data=VALID, callbacks=list(callbacks), **arguments)


def only_row(folder):
    rows = khl.History.read(folder).to_frame().to_dict("records")
    assert len(rows) == 1
    return rows[0]


class BatchLosses(keras.callbacks.Callback):
    """The loss of each batch, from Keras's running mean."""

    def on_train_begin(self, logs=None):
        self.losses, self.mean = [], 0.0

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"] * (batch + 1) - (self.mean * batch if batch else 0.0))
        self.mean = logs["loss"]


def test_epochs_are_points_after_the_one_before_training(tmp_path):
    """The curve is Keras's own history, with the state before training in front."""
    model = compiled_model()
    before = model.evaluate(*VALID, verbose=0)
    first_batch = model.evaluate(X[:10], Y[:10], verbose=0)
    recorder = khl.callbacks.CurveRecorder(tmp_path, task="toy", validation_data=VALID)
    history = fit(model, recorder).history
    row = only_row(tmp_path)
    assert row["steps"].tolist() == [0, 4, 8, 12]
    np.testing.assert_allclose(row["valid"], [before, *history["val_loss"]], rtol=1e-6)
    np.testing.assert_allclose(row["train"], [first_batch, *history["loss"]], rtol=1e-6)


def test_a_row_holds_the_context_of_its_run(tmp_path):
    """Configuration, seed, horizon, size and versions stand beside the curve."""
    values = khl.spaces.get("nadamw").sample(1, seed=4).to_dict("records")[0]
    model = compiled_model(khl.spaces.get("nadamw").optimizer(values))
    recorder = khl.callbacks.CurveRecorder(
        tmp_path, task="toy", family="linear", seed=7, batch_size=10
    )
    fit(model, khl.callbacks.TrainingSteps(), recorder)
    row = only_row(tmp_path)
    expected = {
        "task": "toy",
        "family": "linear",
        "space": "nadamw",
        "seed": 7,
        "training_steps": 12,
        "batch_size": 10,
        "status": "ok",
        "num_parameters": 21,
    }
    assert {name: row[name] for name in expected} == expected
    assert json.loads(row["values"]) == values
    assert row["configuration"] == khl.spaces.configuration_id("nadamw", values)
    assert row["seconds"] > 0
    assert json.loads(row["versions"])["keras"] == keras.__version__


def test_every_n_steps_gives_the_mean_loss_of_the_steps_between(tmp_path):
    """Points every 3 steps and at the end of each epoch; train loss is the mean since the last."""
    model = compiled_model()
    losses = BatchLosses()
    recorder = khl.callbacks.CurveRecorder(
        tmp_path, task="toy", every=3, initial=False, validation_data=VALID
    )
    history = fit(model, losses, recorder).history
    row = only_row(tmp_path)
    steps = [3, 4, 6, 8, 9, 12]
    assert row["steps"].tolist() == steps
    means = [np.mean(losses.losses[a:b]) for a, b in zip([0, *steps], steps)]
    np.testing.assert_allclose(row["train"], means, rtol=1e-5)
    np.testing.assert_allclose(row["valid"][[1, 3, 5]], history["val_loss"], rtol=1e-6)
    assert np.isfinite(row["valid"]).all()


def test_batches_of_different_sizes_count_by_their_samples(tmp_path):
    """In Keras's running mean they do: each still gets its own loss, and each epoch Keras's."""
    sizes = [1, 20, 2, 17]
    parts = [slice(sum(sizes[:n]), sum(sizes[: n + 1])) for n in range(4)]
    data = tf.data.Dataset.from_generator(
        lambda: ((X[part], Y[part] * 10 / size) for part, size in zip(parts, sizes)),
        output_signature=(tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))),
    )

    def curve(every, folder):
        model = compiled_model(khl.optimizers.Adam1p(1e-9))  # stands still
        losses = [
            model.evaluate(X[part], Y[part] * 10 / size, verbose=0)
            for part, size in zip(parts, sizes)
        ]
        recorder = khl.callbacks.CurveRecorder(folder, "toy", every=every, initial=False)
        history = model.fit(data, epochs=2, verbose=0, callbacks=[recorder])
        return only_row(folder), losses, history.history["loss"]

    row, losses, _ = curve(1, tmp_path / "each")
    np.testing.assert_allclose(row["train"], losses * 2, rtol=1e-4)
    row, losses, logged = curve(2, tmp_path / "second")
    two = [np.average(losses[n : n + 2], weights=sizes[n : n + 2]) for n in (0, 2)]
    np.testing.assert_allclose(row["train"], two * 2, rtol=1e-4)
    row, _, logged = curve("epoch", tmp_path / "epochs")
    np.testing.assert_allclose(row["train"], logged, rtol=1e-6)


@pytest.mark.parametrize("mean", [False, True], ids=["of the batch", "mean"])
@pytest.mark.parametrize("every", [3, "epoch"])
def test_train_losses_are_those_of_the_batches_whatever_a_train_step_reports(tmp_path, every, mean):
    """For a loss that its metrics do not know, Keras itself logs zero at the end of an epoch."""
    model = OwnSteps([keras.Input((3,)), keras.layers.Dense(1)], mean=mean)
    model.compile(khl.optimizers.Adam1p(0.01), "mse", run_eagerly=True)
    recorder = khl.callbacks.CurveRecorder(tmp_path, "toy", every=every, initial=False)
    model.fit(*TRAIN, batch_size=10, epochs=2, verbose=0, callbacks=[recorder])
    row = only_row(tmp_path)
    steps = [3, 4, 6, 8] if every == 3 else [4, 8]
    assert row["steps"].tolist() == steps
    means = [np.mean(model.true_losses[a:b]) for a, b in zip([0, *steps], steps)]
    np.testing.assert_allclose(row["train"], means, rtol=1e-4)


def test_a_loss_that_is_not_reported_is_not_measured(tmp_path):
    """And no divergence; the validation data are evaluated where that falls due."""
    model = OwnSteps([keras.Input((3,)), keras.layers.Dense(1)], name="total")
    model.compile(khl.optimizers.Adam1p(0.01), "mse", run_eagerly=True)
    recorder = khl.callbacks.CurveRecorder(tmp_path, "toy", every=2, validation_data=VALID)
    model.fit(*TRAIN, batch_size=10, verbose=0, callbacks=[recorder])
    row = only_row(tmp_path)
    assert (row["status"], row["train"], row["steps"].tolist()) == ("ok", None, [0, 2, 4])
    assert np.isfinite(row["valid"]).all()


def stateful(**arguments):
    """A model whose recurrent layer keeps its states from batch to batch, outside its variables."""
    keras.utils.set_random_seed(1)
    shape, layer = keras.layers.Reshape((3, 1)), keras.layers.SimpleRNN(2, stateful=True)
    model = keras.Sequential([keras.Input(batch_shape=(8, 3)), shape, layer, keras.layers.Dense(1)])
    model.compile(khl.optimizers.Adam1p(0.01), "mse", run_eagerly=True, **arguments)
    return model


@pytest.mark.parametrize("build", [compiled_model, stateful])
def test_recording_does_not_change_training(tmp_path, build):
    """Evaluating in the middle of an epoch leaves metrics, logs, weights and states alone."""
    batches = {"batch_size": 8}

    def trained(*callbacks):
        model = build(metrics=["mae"])
        return fit(model, *callbacks, **batches).history, model.get_weights()

    recorder = khl.callbacks.CurveRecorder(
        tmp_path, task="toy", every=1, validation_data=VALID, validation_arguments=batches
    )
    logs, weights = trained(recorder)
    expected_logs, expected_weights = trained()
    for name, values in expected_logs.items():
        np.testing.assert_allclose(logs[name], values, rtol=1e-6)
    for weight, expected in zip(weights, expected_weights):
        np.testing.assert_array_equal(weight, expected)


def test_steps_per_execution_takes_points_after_executions(tmp_path):
    """Keras calls back once for several steps; the last call of an epoch may cover fewer."""
    model = compiled_model(steps_per_execution=3)
    recorder = khl.callbacks.CurveRecorder(tmp_path, task="toy", every=2)
    fit(model, recorder, epochs=2)
    assert only_row(tmp_path)["steps"].tolist() == [3, 4, 7, 8]


def test_each_fit_adds_a_row_and_copies_record_alike(tmp_path):
    """KerasTuner copies callbacks for each execution; every fit writes a file of its own."""
    recorder = khl.callbacks.CurveRecorder(tmp_path, task="toy")
    fit(compiled_model(), copy.deepcopy(recorder))
    fit(compiled_model(), copy.deepcopy(recorder))
    history = khl.History.read(tmp_path)
    assert len(history) == 2
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


def test_a_file_path_is_replaced(tmp_path):
    """A path that ends in .parquet names one file, which holds the last fit."""
    path = tmp_path / "run.parquet"
    for epochs in (1, 2):
        fit(compiled_model(), khl.callbacks.CurveRecorder(path, task="toy"), epochs=epochs)
    assert only_row(path)["steps"].tolist() == [0, 4, 8]


def test_a_diverged_fit_says_so_and_shows_the_step(tmp_path):
    """The curve ends with a loss that is not finite, at the step where that came first."""
    model = compiled_model(khl.optimizers.Adam1p(1e30))
    stop = khl.callbacks.StopOnDivergence()
    fit(model, khl.callbacks.CurveRecorder(tmp_path, task="toy"), stop, epochs=30)
    row = only_row(tmp_path)
    assert row["status"] == "diverged"
    assert row["steps"].tolist() == [0, 2]
    assert not np.isfinite(row["train"][-1])


def test_stock_optimizers_are_recorded_by_their_settings(tmp_path):
    """A fit with a Keras optimizer is a run of a space named after it."""
    fit(compiled_model(keras.optimizers.SGD(0.125)), khl.callbacks.CurveRecorder(tmp_path, "toy"))
    row = only_row(tmp_path)
    assert row["space"] == "sgd"
    assert json.loads(row["values"])["learning_rate"] == 0.125
    assert row["training_steps"] == 12


def test_killed_fit_leaves_the_curves_of_earlier_fits(tmp_path):
    """After `kill -9` in its second fit, a process leaves the first curve whole, nothing else."""
    script = f"""
        import os, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import keras
        from test_callbacks_curve_recorder import compiled_model, fit, khl

        def recorder(seed):
            return khl.callbacks.CurveRecorder({str(tmp_path)!r}, "toy", seed=seed)

        class Waits(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                print("epoch", flush=True)
                sys.stdin.read()

        fit(compiled_model(), recorder(1))
        fit(compiled_model(), recorder(2), Waits())
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"},
    ) as process:
        assert process.stdout.readline() == b"epoch\n"
        process.send_signal(signal.SIGKILL)
    assert only_row(tmp_path)["seed"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"every": 0},
        {"every": -2},
        {"every": "step"},
        {"every": True},
        {"task": ""},
        {"task": None},
        {"path": None},
        {"path": __file__},
        {"validation_arguments": 5},
        {"validation_arguments": {"verbose": 0}},
        pytest.param({"validation_arguments": {"sample_weight": Y}}, id="sample_weight"),
        pytest.param({"validation_data": iter([(X, Y)])}, id="iterator"),
        {"values": 5},
        {"values": {"rate": np.ones(2)}},
        {"values": {"rate": math.nan}},
        {"space": "nadmw"},
        {"space": 5},
        {"space": 5, "values": {"rate": 1.0}},
        {"seed": "a"},
        {"seed": 1.5},
        {"seed": -1},
        {"seed": 2**40},
        {"family": 5},
        {"batch_size": "x"},
        {"batch_size": 2.5},
        {"batch_size": 0},
        {"source": 5},
    ],
    ids=str,
)
def test_bad_arguments_are_refused_at_once(tmp_path, arguments):
    """Before a training whose curve could then not be written."""
    with pytest.raises(HPListError, match=next(iter(arguments))):
        khl.callbacks.CurveRecorder(**{"path": tmp_path, "task": "toy"} | arguments)
    assert not list(tmp_path.iterdir())


def test_values_of_another_kind_stand_under_a_name_of_their_own(tmp_path):
    """A space that is not published needs no definition to be recorded."""
    settings = {"space": "mine", "values": {"rate": np.float32(0.5)}, "seed": np.int64(3)}
    fit(compiled_model(), khl.callbacks.CurveRecorder(tmp_path, "toy", **settings), epochs=1)
    row = only_row(tmp_path)
    assert (row["space"], row["values"], row["seed"]) == ("mine", '{"rate": 0.5}', 3)


def test_divergence_voids_the_objective_of_its_epochs():
    """An accuracy measured with broken weights is no result."""
    model = compiled_model(khl.optimizers.Adam1p(1e30), metrics=["mae"])
    logs = fit(model, khl.callbacks.StopOnDivergence(["val_mae"], stop=False)).history
    assert len(logs["loss"]) == 3
    assert np.isnan(logs["val_mae"]).all()


@pytest.mark.parametrize("race_first", [True, False])
def test_train_losses_beside_a_race_are_those_of_the_batches(race_first, tmp_path):
    """Though the race resets Keras's running means wherever entries change."""
    measured = []

    def loss(y_true, y_pred):
        batch = keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)
        measured.append(float(keras.ops.mean(batch)))
        return batch

    model = compiled_model(khl.get_optimizer("nadamw", 0))
    model.compile(model.optimizer, loss, run_eagerly=True)
    race = khl.callbacks.RaceList("nadamw", entries=4)
    recorder = khl.callbacks.CurveRecorder(tmp_path, "toy", every=1, initial=False)
    callbacks = [race, recorder] if race_first else [recorder, race]
    model.fit(*TRAIN, batch_size=10, epochs=12, callbacks=callbacks, verbose=0)
    row = only_row(tmp_path)
    assert len(race.results) == 6 and race.winner is not None
    assert row["steps"].tolist() == list(range(1, 49))
    np.testing.assert_allclose(row["train"], measured, rtol=1e-3)
