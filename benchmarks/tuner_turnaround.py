"""Wall time of ten trials of a small model: the list tuner against KerasTuner's RandomSearch.

Both train the same network for the same epochs on the same data, with the same number of trials,
and keep KerasTuner's bookkeeping and checkpoints. RandomSearch draws a learning rate for Keras's
AdamW; the list tuner also records learning curves, and evaluates each model before training.

    python benchmarks/tuner_turnaround.py [--trials 10] [--epochs 3] [--repeats 3]
"""

import argparse
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import keras_tuner
import numpy as np
from sklearn.datasets import load_digits

import keras_hplist as khl

BATCH_SIZE = 32


def build_model(hp):
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def seconds(tuner, data, epochs):
    x, y, x_valid, y_valid = data
    start = time.perf_counter()
    tuner.search(
        x,
        y,
        validation_data=(x_valid, y_valid),
        epochs=epochs,
        batch_size=BATCH_SIZE,
        verbose=0,
    )
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()

    images, labels = load_digits(return_X_y=True)
    x = (images / 16.0).astype("float32")
    data = (x[:1400], labels[:1400], x[1400:], labels[1400:])
    # Sampled, not a shipped list, so that no trial is shorter because it diverged early.
    space = khl.spaces.get("nadamw")
    entries = [
        {**row, "learning_rate": min(row["learning_rate"], 1e-2)}
        for row in space.sample(arguments.trials, seed=0).to_dict("records")
    ]
    sampled = khl.HyperparameterList(entries, space, name="sampled")

    variants = {
        "RandomSearch": lambda **kw: keras_tuner.RandomSearch(build_model, **kw),
        "list": lambda **kw: khl.HyperparameterListTuner(
            build_model, hyperparameter_list=sampled, **kw
        ),
        "list, not reused": lambda **kw: khl.HyperparameterListTuner(
            build_model, hyperparameter_list=sampled, reuse_compiled=False, **kw
        ),
    }
    times = {name: [] for name in variants}
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(-1, arguments.repeats):
            for name, make in variants.items():
                tuner = make(
                    objective="val_loss",
                    max_trials=1 if repeat < 0 else arguments.trials,
                    seed=1 + max(repeat, 0),
                    directory=folder,
                    project_name=f"{name} {repeat}",
                )
                duration = seconds(tuner, data, arguments.epochs)
                if repeat >= 0:  # before that TensorFlow itself warms up
                    times[name].append(duration)
                    print(f"{name:>18}: {duration:6.2f} s", flush=True)

    base = np.asarray(times["RandomSearch"])
    print(f"{arguments.trials} trials of {arguments.epochs} epochs, median of {len(base)}:")
    for name, measured in times.items():
        ratio = np.median(np.asarray(measured) / base)
        print(f"{name:>18}: {np.median(measured):6.2f} s, {ratio:.2f} of RandomSearch")


if __name__ == "__main__":
    main()
