"""What only PyTorch has: its modules in a Keras model, its modes and its DataLoader."""

import pytest
from other_backends import needs_torch, run_on

pytestmark = needs_torch

SCRIPT = """
import json, sys
import keras, torch
from tiny_search import RATE_LIST, TRAIN, VALID, curves, scores, tuner
from torch.utils.data import DataLoader, TensorDataset
import keras_hplist as khl

folder = sys.argv[1]

class Normalized(keras.Model):
    def __init__(self):
        super().__init__()
        self.norm = keras.layers.TorchModuleWrapper(torch.nn.BatchNorm1d(3))
        self.last = keras.layers.TorchModuleWrapper(torch.nn.Linear(3, 1))

    def call(self, x, training=None):
        return torch.exp(self.last(self.norm(x)))

def compiled(optimizer="adam"):
    keras.utils.set_random_seed(0)
    model = Normalized()
    model(TRAIN[0][:2], training=False)
    model.compile(optimizer, "mse")
    return model

def loader(data, shuffle=False):
    return DataLoader(TensorDataset(*map(torch.as_tensor, data)), batch_size=10, shuffle=shuffle)

out = {}
fast = khl.HyperparameterList([{"learning_rate": r} for r in (0.3, 1.0)], "adam1p", name="fast")
built = tuner(lambda hp: compiled(), fast, directory=folder, project_name="loader")
built.search(loader(TRAIN, shuffle=True), validation_data=loader(VALID), epochs=4, verbose=0)
row = curves(built).iloc[0]
out["row"] = [int(row[name]) for name in ("batch_size", "training_steps")]
out["initial"] = bool(row["valid"][0] > 0)
models = [(trial, built.load_model(trial)) for trial in built.oracle.get_best_trials(2)]
out["scores"] = [[model.evaluate(loader(VALID), verbose=0), trial.score] for trial, model in models]
out["epochs"] = [trial.best_step for trial, _ in models]

def trained(callback, index):
    model = compiled(khl.get_optimizer(RATE_LIST, index))
    model.fit(*TRAIN, batch_size=40, epochs=40, verbose=0, callbacks=[callback])
    return model

def numbers(model):
    arrays = [*model.get_weights(), model.norm.module.running_mean.numpy()]
    return [array.ravel().tolist() for array in arrays]

race = khl.callbacks.RaceList(RATE_LIST, entries=4, fraction=0.6, validation_data=VALID)
raced = trained(race, 0)
steps = raced.optimizer.training_steps
alone = compiled(khl.get_optimizer(RATE_LIST, race.winner))
alone.fit(*TRAIN, batch_size=40, epochs=steps, verbose=0, callbacks=[khl.callbacks.TrainingSteps()])
out["race"] = [numbers(raced), numbers(alone)]

class Asks(keras.Model):
    def __init__(self):
        super().__init__()
        self.last, self.modes = keras.layers.Dense(1), []

    def call(self, x):
        self.modes.append(self.training)
        return self.last(x)

model = Asks()
model(TRAIN[0][:2])
model.compile(khl.get_optimizer(RATE_LIST, 0), "mse")
recorder = khl.callbacks.CurveRecorder(folder + "/modes", "toy", every=1, validation_data=VALID)
model.modes.clear()
model.fit(*TRAIN, batch_size=20, epochs=1, verbose=0, callbacks=[recorder])
out["modes"] = model.modes
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the script measured."""
    return run_on("torch", "-c", SCRIPT, tmp_path_factory.mktemp("torch"))


def test_data_loader_is_data(results):
    """The recorder reads its batch size, the schedule its length."""
    assert results["row"] == [10, 16]
    assert results["initial"]


def test_best_epoch_has_the_buffers_of_modules(results):
    """Running means of `torch.nn` are no variables of Keras's."""
    assert min(results["epochs"]) < 3  # one that was best before its last epoch
    for loss, score in results["scores"]:
        assert loss == pytest.approx(score)


def test_race_swaps_the_buffers_of_modules(results):
    """Each entry has its own running means."""
    raced, alone = results["race"]
    for one, other in zip(raced, alone, strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6)


def test_recording_leaves_the_mode_as_it_was(results):
    """`evaluate` leaves the model in evaluation mode, also in the middle of an epoch."""
    assert results["modes"][-4:] == [True, False, True, False]
