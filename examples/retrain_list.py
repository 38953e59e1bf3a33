"""Learn a list over your own hyperparameters from old tuner projects, and use it on a new problem.

Three searches with KerasTuner's RandomSearch stand for the logs a team already has. Their project
folders are read, a list is learned over *their* hyperparameters (learning rate, width, dropout),
and a fourth problem is searched in the list's order.

    python examples/retrain_list.py
"""

import argparse
import tempfile
from pathlib import Path

import keras
import keras_tuner
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import keras_hplist as khl

OLD_PROBLEMS = {
    "wine": datasets.load_wine,
    "iris": datasets.load_iris,
    "digits": datasets.load_digits,
}


def load(loader):
    """Return standardised x, y, x_valid, y_valid."""
    x, y = loader(return_X_y=True)
    x, x_valid, y, y_valid = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
    scaler = StandardScaler().fit(x)
    return scaler.transform(x), y, scaler.transform(x_valid), y_valid


def builder(features, classes):
    """Return a KerasTuner model builder with hyperparameters of its own."""

    def build_model(hp):
        model = keras.Sequential(
            [
                keras.Input((features,)),
                keras.layers.Dense(
                    hp.Int("units", 8, 128, sampling="log"),
                    hp.Choice("activation", ["relu", "tanh"]),
                ),
                keras.layers.Dropout(hp.Float("dropout", 0.0, 0.6)),
                keras.layers.Dense(classes),
            ]
        )
        model.compile(
            optimizer=keras.optimizers.Adam(hp.Float("learning_rate", 1e-5, 1e-1, sampling="log")),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        return model

    return build_model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--old-trials", type=int, default=12, help="trials of each old search")
    parser.add_argument(
        "--trials", type=int, default=4, help="list entries to try on the new problem"
    )
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each trial")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        for name, loader in OLD_PROBLEMS.items():
            x, y, x_valid, y_valid = load(loader)
            old = keras_tuner.RandomSearch(
                builder(x.shape[1], len(set(y))),
                objective="val_loss",
                max_trials=arguments.old_trials,
                seed=len(name),
                directory=f"{folder}/logs",
                project_name=name,
            )
            old.search(x, y, validation_data=(x_valid, y_valid), epochs=arguments.epochs, verbose=0)

        history = khl.history.read_keras_tuner(f"{folder}/logs")
        learned = khl.ListLearner(length=arguments.trials).fit(history).list_
        learned.save(Path(folder) / "my_list.json")
        print(learned.to_frame().to_string())

        x, y, x_valid, y_valid = load(datasets.load_breast_cancer)
        tuner = khl.HyperparameterListTuner(
            builder(x.shape[1], 2),
            objective="val_loss",
            max_trials=arguments.trials,
            hyperparameter_list=f"{folder}/my_list.json",
            directory=folder,
            project_name="breast_cancer",
        )
        tuner.search(x, y, validation_data=(x_valid, y_valid), epochs=arguments.epochs, verbose=0)
        tuner.results_summary()


if __name__ == "__main__":
    main()
