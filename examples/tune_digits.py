"""Tune the optimizer of a small network on real digits with KerasTuner and a learned list.

Run it twice: the second run finds the finished trials in `--directory` and trains nothing again.

    python examples/tune_digits.py --trials 5
"""

import argparse

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_hplist as khl


def build_model(hp):
    """An ordinary KerasTuner model builder; the optimizer named here is swapped by the tuner."""
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(hp.Int("units", 32, 128, default=64), activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        optimizer="adam",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=5, help="list entries to try")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each trial")
    parser.add_argument("--list", default="nadamw", help="shipped name or path of a list")
    parser.add_argument("--directory", default="tuning", help="where the project is kept")
    arguments = parser.parse_args()

    images, labels = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(images / 16.0, labels, test_size=0.2, random_state=0)
    x, x_valid, y, y_valid = train_test_split(x, y, test_size=0.25, random_state=0)

    tuner = khl.HyperparameterListTuner(
        build_model,
        objective="val_loss",
        max_trials=arguments.trials,
        hyperparameter_list=arguments.list,
        seed=0,
        directory=arguments.directory,
        project_name="digits",
    )
    tuner.search(x, y, validation_data=(x_valid, y_valid), epochs=arguments.epochs, verbose=0)
    tuner.results_summary()

    loss, accuracy = tuner.get_best_models()[0].evaluate(x_test, y_test, verbose=0)
    print(f"best model on the test part: loss {loss:.3f}, accuracy {accuracy:.1%}")


if __name__ == "__main__":
    main()
