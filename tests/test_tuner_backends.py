"""The tuner and the callbacks on JAX and torch, in one process each."""

import pytest
from other_backends import needs_torch, run_on

SCRIPT = """
import json, sys
import keras, numpy as np
from tiny_search import NADAMW_LIST, RATE_LIST, TRAIN, VALID, curves, scores, search, tuner
import keras_hplist as khl

folder = sys.argv[1]

def build(hp):
    model = keras.Sequential([
        keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dropout(0.3),
        keras.layers.Dense(1, activation="exponential"),
    ])
    model.compile("adam", "mse", metrics=["mae"])
    return model

def searched(name, list_, **kwargs):
    return search(tuner(build, list_, directory=folder, project_name=name, **kwargs), epochs=2)

def rows(built):
    frame = curves(built).sort_values("seed")
    return [[list(map(float, row[split])) for split in ("train", "valid")]
            for _, row in frame.iterrows()]

out = {}
reused, fresh = (searched(f"{reuse}", NADAMW_LIST, reuse_compiled=reuse) for reuse in (True, False))
out["scores"] = [scores(reused), scores(fresh)]
out["curves"] = [rows(reused), rows(fresh)]
model = reused.get_best_models()[0]
out["best"] = [model.evaluate(*VALID, verbose=0)[0], min(scores(reused))]
diverging = searched("rates", RATE_LIST)
out["statuses"] = sorted(curves(diverging)["status"])

def trained(*callbacks):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.2), keras.layers.Dense(1)])
    model.compile(khl.get_optimizer(NADAMW_LIST, 0), "mse", metrics=["mae"])
    steps = khl.callbacks.TrainingSteps()
    history = model.fit(*TRAIN, batch_size=10, epochs=2, verbose=0, callbacks=[steps, *callbacks])
    out["training_steps"] = model.optimizer.training_steps
    weights = model.get_weights()[0].ravel().tolist()
    return [history.history["loss"], history.history["mae"], weights]

recorder = khl.callbacks.CurveRecorder(folder + "/plain", "toy", every=3, validation_data=VALID)
out["recorded"], out["plain"] = trained(recorder), trained()
recorded = khl.History.read(folder + "/plain").to_frame()
out["steps"], out["train"] = (recorded[name][0].tolist() for name in ("steps", "train"))

def whole_batches(callback, index, epochs, first=(keras.Input((3,)),)):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([*first, keras.layers.Dense(1, activation="exponential")])
    model.compile(khl.get_optimizer(RATE_LIST, index), "mse")
    model.fit(*TRAIN, batch_size=40, epochs=epochs, verbose=0, callbacks=[callback])
    return model

race = khl.callbacks.RaceList(RATE_LIST, entries=4, fraction=0.6, validation_data=VALID)
model = whole_batches(race, 0, 40)
alone = whole_batches(khl.callbacks.TrainingSteps(), race.winner, model.optimizer.training_steps)
unbuilt = whole_batches(race, 0, 40, first=())
out["race"] = [each.get_weights()[0].ravel().tolist() for each in (model, alone, unbuilt)]
out["winner"] = race.winner
print(json.dumps(out))
"""


@pytest.fixture(scope="module", params=["jax", pytest.param("torch", marks=needs_torch)])
def results(request, tmp_path_factory):
    """What the script measured."""
    return run_on(request.param, "-c", SCRIPT, tmp_path_factory.mktemp(request.param))


def test_reuse_gives_the_results_of_models_built_anew(results):
    """On JAX the jitted step of the first trial trains the others as their own would."""
    for reused, fresh in (results["scores"], results["curves"]):
        assert reused == fresh
    assert len(set(results["scores"][0])) == 3


def test_best_model_evaluates_to_the_score(results):
    """Checkpoints hold the best epoch."""
    model, score = results["best"]
    assert model == pytest.approx(score)


def test_diverged_trial_is_a_result(results):
    """One of the rates is far too high."""
    assert results["statuses"] == ["diverged", "ok", "ok", "ok"]


def test_recording_in_the_middle_of_an_epoch_changes_nothing(results):
    """JAX keeps the state of an epoch outside the variables, and on torch each evaluation draws
    from the generator that shuffles; the recorder puts all back.
    """
    for recorded, plain in zip(results["recorded"], results["plain"]):
        assert recorded == pytest.approx(plain, rel=1e-6)
    assert results["steps"] == [0, 3, 4, 6, 8]


def test_train_losses_are_those_of_the_batches(results):
    """Told from Keras's running means, though JAX keeps these outside the variables too."""
    _, three, last, half, rest = results["train"]
    losses = results["plain"][0]
    assert [(3 * three + last) / 4, (half + rest) / 2] == pytest.approx(losses, rel=1e-5)


def test_training_steps_are_told_to_the_optimizer(results):
    """Two epochs of four batches."""
    assert results["training_steps"] == 8


def test_race_gives_the_winner_that_training_it_alone_gives(results):
    """States are swapped in the middle of training, also of a model without an input."""
    raced, alone, unbuilt = results["race"]
    assert raced == pytest.approx(alone, rel=1e-5)
    assert unbuilt == raced
    assert results["winner"] == 3
