"""Search with a list on real digits, then write the report on the search.

python examples/report_a_search.py --trials 5
"""

import argparse

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_hplist as khl
from keras_hplist.reports import project_report


def build_model(hp):
    """An ordinary KerasTuner model builder; the tuner swaps its optimizer."""
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(hp.Int("units", 16, 64, default=32), activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=5, help="list entries to try")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each trial")
    parser.add_argument("--out", default="report", help="folder of the report")
    arguments = parser.parse_args()

    images, labels = load_digits(return_X_y=True)
    x, x_valid, y, y_valid = train_test_split(images / 16.0, labels, random_state=0)
    tuner = khl.HyperparameterListTuner(
        build_model,
        objective="val_loss",
        max_trials=arguments.trials,
        seed=0,
        directory="tuning",
        project_name="digits_report",
    )
    logs = khl.callbacks.TensorBoardTrial("logs", tuner)  # tensorboard --logdir logs
    data = {"validation_data": (x_valid, y_valid), "epochs": arguments.epochs, "verbose": 0}
    tuner.search(x, y, callbacks=[logs], **data)

    told = project_report.write("tuning/digits_report", arguments.out)
    print(f"best trial: {told['best']['trial']}, {told['best']['objective']:.4f}")
    for further in told["gains"]:
        print(f"{further['further trials']} more trials: {further['score']:.4f} lower, in the mean")
    print(f"wrote {told['report']}")


if __name__ == "__main__":
    main()
