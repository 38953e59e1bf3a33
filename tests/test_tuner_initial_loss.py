"""The loss before training that a tuner records."""

import keras
import keras_tuner
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from tiny_search import (
    TRAIN,
    VALID,
    build_model,
    curves,
    search,
    tuner,
)


@pytest.mark.parametrize(
    ("data", "has_initial"),
    [
        ({"validation_data": None, "validation_split": 0.25}, True),
        ({"validation_data": tf.data.Dataset.from_tensor_slices(VALID).batch(7)}, True),
        ({"validation_data": (*VALID, np.ones(20))}, True),
        ({"validation_data": (batch for batch in [VALID] * 9), "validation_steps": 1}, False),
    ],
    ids=["split", "dataset", "weighted", "generator"],
)
def test_initial_loss_of_all_kinds_of_validation_data(tmp_path, data, has_initial):
    """The point before training is there, unless evaluating would use the data up."""
    valid = curves(search(tuner(directory=tmp_path, max_trials=1), **data))["valid"][0]
    assert np.isfinite(valid[0]) == has_initial
    assert np.isfinite(valid[1:]).all()


class Prepares(keras_tuner.HyperModel):
    """Loads, scales and batches in `fit` what `search` only names, as KerasTuner's guide shows."""

    build = staticmethod(build_model)

    def fit(self, hp, model, name, validation_data, **kwargs):
        x, y = {"train": TRAIN}[name]
        data = tf.data.Dataset.from_tensor_slices((VALID[0] * 2, VALID[1])).batch(10).repeat()
        assert validation_data == "valid"
        kwargs = kwargs | {"validation_data": data, "validation_steps": 2, "batch_size": 8}
        return model.fit(x * 2, y, **kwargs)


def test_curves_are_of_the_data_that_a_hypermodel_prepares(tmp_path):
    """The point before training, of endless data too, and the batch size are those of its fit."""
    starts, models = [], []

    class Evaluates(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            models.append(self.model)
            starts.append(self.model.evaluate(VALID[0] * 2, VALID[1], verbose=0)[0])

    built = tuner(Prepares(), directory=tmp_path, max_trials=2)
    callbacks = [Evaluates()]
    built.search("train", validation_data="valid", epochs=1, verbose=0, callbacks=callbacks)
    frame = curves(built)
    assert sorted(valid[0] for valid in frame["valid"]) == pytest.approx(sorted(starts))
    assert set(frame["batch_size"]) == {8}
    assert not any("fit" in vars(model) for model in models)


@pytest.mark.parametrize("own", ["HyperModel.fit", "Model.fit"])
def test_where_the_data_of_a_fit_stay_unknown_there_is_no_point_before_training(tmp_path, own):
    """What is not known is not evaluated, neither to a wrong point nor to a failure."""

    class Doubles(keras.Sequential):
        def fit(self, x, y, validation_data, **kwargs):
            x_valid, y_valid = validation_data
            return super().fit(x * 2, y, validation_data=(x_valid * 2, y_valid), **kwargs)

    class Model(keras_tuner.HyperModel):
        def build(self, hp):
            model = (Doubles if own == "Model.fit" else keras.Sequential)(build_model(hp).layers)
            model.compile("adam", "mse", run_eagerly=True)
            return model

        def fit(self, hp, model, x, y, **kwargs):
            fit = type(model).fit  # which goes past `model.fit`, if Keras's own stands there
            return fit(model, x, y, **kwargs)

    row = curves(search(tuner(Model(), directory=tmp_path, max_trials=1), epochs=1)).iloc[0]
    assert np.isnan(row["valid"][0]) and np.isfinite(row["valid"][1])
    assert row["batch_size"] is None or np.isnan(row["batch_size"])


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.coo_matrix])
def test_initial_loss_of_a_part_of_sparse_data(tmp_path, kind):
    """Keras splits all kinds of SciPy's matrices, some of which cannot be sliced as they are."""
    built = tuner(directory=tmp_path, max_trials=1)
    x, y = TRAIN
    built.search(kind(x), y, validation_split=0.25, batch_size=10, epochs=1, verbose=0)
    assert np.isfinite(curves(built)["valid"][0]).all()


def test_initial_loss_and_stopping_are_options(tmp_path):
    """No point before training; all epochs of a diverged trial."""
    built = tuner(directory=tmp_path, initial_loss=False, stop_on_divergence=False)
    search(built, epochs=2)
    frame = curves(built)
    assert all(steps[0] > 0 for steps in frame["steps"])
    assert {steps[-1] for steps in frame["steps"]} == {8}
