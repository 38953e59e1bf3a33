"""Wall time of ten trials of a small model: the list tuner against KerasTuner's RandomSearch.

Both train the same network for the same epochs on the same data, with the same number of trials,
and keep KerasTuner's bookkeeping and checkpoints. RandomSearch draws a learning rate for Keras's
AdamW; the list tuner also records learning curves, and evaluates each model before training.

    python benchmarks/tuner_turnaround.py [--network conv] [--trials 10] [--epochs 3] [--repeats 3]
"""

import argparse
import functools
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import keras_tuner
import numpy as np
from sklearn.datasets import load_digits

import keras_hplist as khl

BATCH_SIZE = 64


def multilayer_perceptron():
    return [
        keras.Input((8, 8, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10),
    ]


def convolutional_network():
    layers = [keras.Input((8, 8, 1))]
    for filters in (8, 16, 16):
        layers += [
            keras.layers.Conv2D(filters, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    return [
        *layers,
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(10),
    ]


NETWORKS = {"mlp": multilayer_perceptron, "conv": convolutional_network}


def build_model(hp, network):
    model = keras.Sequential(NETWORKS[network]())
    model.compile(
        optimizer=keras.optimizers.AdamW(hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def seconds(tuner, data, epochs):
    x, y, x_valid, y_valid = data
    start = time.perf_counter(), time.process_time()
    tuner.search(
        x,
        y,
        validation_data=(x_valid, y_valid),
        epochs=epochs,
        batch_size=BATCH_SIZE,
        verbose=0,
    )
    return time.perf_counter() - start[0], time.process_time() - start[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="conv")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()

    images, labels = load_digits(return_X_y=True)
    x = (images / 16.0).astype("float32").reshape(-1, 8, 8, 1)
    data = (x[:1400], labels[:1400], x[1400:], labels[1400:])
    # Sampled, not a shipped list, so that no trial is shorter because it diverged early.
    space = khl.spaces.get("nadamw")
    entries = [
        {**row, "learning_rate": min(row["learning_rate"], 1e-2)}
        for row in space.sample(arguments.trials, seed=0).to_dict("records")
    ]
    sampled = khl.HyperparameterList(entries, space, name="sampled")

    build = functools.partial(build_model, network=arguments.network)
    listed = functools.partial(khl.HyperparameterListTuner, build, hyperparameter_list=sampled)
    variants = {
        "RandomSearch": functools.partial(keras_tuner.RandomSearch, build),
        "list": listed,
        "list, not reused": functools.partial(listed, reuse_compiled=False),
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
                measured = seconds(tuner, data, arguments.epochs)
                if repeat >= 0:  # before that TensorFlow itself warms up
                    times[name].append(measured)
                    print(f"{name:>18}: {measured[0]:6.2f} s", flush=True)

    print(f"{arguments.network}: {arguments.trials} trials of {arguments.epochs} epochs,")
    print(f"least of {arguments.repeats} turns: wall and processor time, ratio to RandomSearch")
    least = {name: np.min(measured, axis=0) for name, measured in times.items()}
    for name, (wall, processor) in least.items():
        wall_ratio, processor_ratio = least[name] / least["RandomSearch"]
        print(
            f"{name:>18}: {wall:6.2f} s ({wall_ratio:.2f}), "
            f"{processor:6.2f} s ({processor_ratio:.2f})"
        )


if __name__ == "__main__":
    main()
