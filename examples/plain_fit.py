"""Use the first entries of a learned list with plain Keras: no tuner, just `compile` and `fit`.

python examples/plain_fit.py
"""

import argparse

import keras
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import keras_hplist as khl


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=3, help="list entries to try")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of each fit")
    parser.add_argument("--list", default="nadamw", help="shipped name or path of a list")
    arguments = parser.parse_args()

    x, y = load_breast_cancer(return_X_y=True)
    x, x_valid, y, y_valid = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
    scaler = StandardScaler().fit(x)
    x, x_valid = scaler.transform(x), scaler.transform(x_valid)

    for index in range(arguments.entries):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((x.shape[1],)),
                keras.layers.Dense(32, activation="relu"),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        # The schedule needs the number of training steps; the callback finds it out.
        model.compile(
            optimizer=khl.get_optimizer(arguments.list, index=index), loss="binary_crossentropy"
        )
        fitted = model.fit(
            x,
            y,
            epochs=arguments.epochs,
            validation_data=(x_valid, y_valid),
            callbacks=[khl.callbacks.TrainingSteps()],
            verbose=0,
        )
        print(f"entry {index}: validation loss {fitted.history['val_loss'][-1]:.4f}")


if __name__ == "__main__":
    main()
