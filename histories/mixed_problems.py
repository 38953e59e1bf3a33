"""Training problems on tables of unlike columns, a monthly series, and digits put together.

Problems beside the suite, as those of `modern_problems.py`; they share none with
`benchmarks/heldout`. The data come with pydataset (tables of R's packages) and mlxtend.
"""

from functools import partial

import keras
import numpy as np
import problems
from blocks import normed
from keras import layers, ops
from package_data import r_table
from problems import Problem

# --- networks ------------------------------------------------------------------------------------


def residual_table(levels: int, categories: int, numbers: int) -> keras.Model:
    """Embedded categories and numbers, dense residual blocks with layer normalisation.

    Args:
        levels: number of values of all categories together, which are numbered on.
        categories: columns of categories, which come first.
        numbers: columns of numbers.
    """
    table = keras.Input((categories + numbers,))
    codes = ops.cast(table[:, :categories], "int32")
    embedded = layers.Flatten()(layers.Embedding(levels, 6)(codes))
    x = layers.Dense(48)(layers.Concatenate()([embedded, table[:, categories:]]))
    for _ in range(2):
        y = layers.Dense(96, activation="silu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(48)(y)
    return keras.Model(table, layers.Dense(1)(x))


def title_and_numbers(title: int, letters: int, numbers: int, outputs: int) -> keras.Model:
    """Convolutions along a title beside a network on numbers, joined."""
    table = keras.Input((title + numbers,))
    x = layers.Embedding(letters, 16)(ops.cast(table[:, :title], "int32"))
    x = layers.Conv1D(32, 4, activation="relu")(x)
    x = layers.Concatenate()([layers.GlobalMaxPooling1D()(x), layers.GlobalAveragePooling1D()(x)])
    y = layers.Dense(32, activation="relu")(table[:, title:])
    x = layers.Dropout(0.2)(layers.Concatenate()([x, y]))
    return keras.Model(table, layers.Dense(outputs)(layers.Dense(48, activation="relu")(x)))


def two_towers(counts: tuple[int, ...]) -> keras.Model:
    """Two sides' embeddings, each through a network; their product and a bias of each side.

    Args:
        counts: number of values of each column, the first half of them of the one side.
    """
    codes = keras.Input((len(counts),), dtype="int32")

    def tower(columns: range) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        found = [layers.Embedding(counts[i], 8)(codes[:, i]) for i in columns]
        x = layers.Dense(24, activation="relu")(layers.Concatenate()(found))
        return layers.Dense(12)(x), layers.Dense(1)(x)

    half = len(counts) // 2
    (left, left_bias), (right, right_bias) = tower(range(half)), tower(range(half, len(counts)))
    both = ops.sum(left * right, axis=-1, keepdims=True)
    return keras.Model(codes, both + left_bias + right_bias)


def recurrent_forecaster(length: int, ahead: int) -> keras.Model:
    """An LSTM on months, and the difference of the next ones from the last."""
    series = keras.Input((length, 1))
    x = layers.LSTM(24)(series)
    return keras.Model(series, layers.Dense(ahead)(x) + series[:, -1])


def locator(side: int) -> keras.Model:
    """Convolutions to a box of four numbers."""
    image = keras.Input((side, side, 1))
    x = image
    for width in (8, 16, 24):
        x = layers.Conv2D(width, 3, strides=2, padding="same", activation="leaky_relu")(x)
    x = layers.Dense(64, activation="leaky_relu")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(4)(x))


def convolutional_mixer(side: int, outputs: int) -> keras.Model:
    """A ConvMixer: patches, then depthwise and pointwise convolutions, batch-normalized."""
    image = keras.Input((side, side, 1))
    x = normed(image, layers.Conv2D(24, 4, strides=4), "gelu")
    for _ in range(2):
        x = x + normed(x, layers.DepthwiseConv2D(5, padding="same"), "gelu")
        x = normed(x, layers.Conv2D(24, 1), "gelu")
    return keras.Model(image, layers.Dense(outputs)(layers.GlobalAveragePooling2D()(x)))


# --- data ----------------------------------------------------------------------------------------


def scaled(numbers: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and deviation 1."""
    return (numbers - numbers.mean(0)) / numbers.std(0)


CUT = ("Fair", "Good", "Very Good", "Premium", "Ideal")
COLOR = tuple("DEFGHIJ")
CLARITY = ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF")


def diamonds() -> problems.Arrays:
    """The price of 12,000 diamonds, logarithm, from weight, sizes and three grades."""
    table = r_table("ggplot2/diamonds").drop_duplicates().sample(12000, random_state=0)
    columns, start = [], 0
    for name, levels in (("cut", CUT), ("color", COLOR), ("clarity", CLARITY)):
        columns.append(table[name].map(levels.index).to_numpy() + start)
        start += len(levels)
    numbers = scaled(table[["carat", "depth", "table", "x", "y", "z"]].to_numpy(float))
    x = np.concatenate([np.stack(columns, axis=1), numbers], axis=1)
    price = scaled(np.log(table[["price"]].to_numpy(float)))
    return problems.split(x.astype("float32"), price.astype("float32"))


TITLE = 24
GENRES = ["Action", "Animation", "Comedy", "Drama", "Documentary", "Romance", "Short"]


def movies() -> problems.Arrays:
    """The genres of 8,000 films, none or several of seven, from title, year, length and votes."""
    table = r_table("ggplot2/movies").drop_duplicates("title").sample(8000, random_state=0)
    titles = problems.padded(map(problems.character_codes, table["title"].map(str)), TITLE)
    numbers = table[["year", "length", "rating", "votes"]].to_numpy(float)
    numbers[:, [1, 3]] = np.log(numbers[:, [1, 3]])
    x = np.concatenate([titles, scaled(numbers)], axis=1).astype("float32")
    return problems.split(x, table[GENRES].to_numpy("float32"))


def lectures() -> problems.Arrays:
    """Students of ETH Zürich rate lectures from 1 to 5 (lme4's InstEval, 73,421 of them).

    Columns: the student and his age, whether the lecture is for another department, the lecturer,
    the lecture's age, the department.
    """
    table = r_table("lme4/InstEval")
    columns = table[["s", "studage", "service", "d", "lectage", "dept"]]
    x = columns.to_numpy("int32")
    return problems.split(x, table[["y"]].to_numpy("float32") - 3)


LECTURES = (2973, 9, 2, 2161, 7, 16)
"""One more than the largest value of each column."""

MONTHS, AHEAD = 36, 6


def sunspots() -> problems.Arrays:
    """Monthly sunspots from 1749 to 1983: the next half year; the last years are held out."""
    series = np.sqrt(r_table("datasets/sunspots")["sunspots"].to_numpy(float)) / 4
    windows = np.lib.stride_tricks.sliding_window_view(series, MONTHS + AHEAD).astype("float32")
    first, second = int(0.7 * len(windows)), int(0.85 * len(windows))
    gap = MONTHS + AHEAD  # no month stands in two parts
    parts = windows[: first - gap], windows[first : second - gap], windows[second:]
    return tuple(half for part in parts for half in (part[:, :MONTHS, None], part[:, MONTHS:]))


SIDE = 40


def boxed_digits() -> problems.Arrays:
    """A digit, stretched, somewhere in a noisy picture: its box (top, left, height, width)."""
    x, _ = problems.mnist_arrays()
    rng = np.random.default_rng(0)
    pictures = rng.exponential(0.12, (4000, SIDE, SIDE)).astype("float32")
    boxes = np.empty((4000, 4), "float32")
    for picture, box, digit in zip(pictures, boxes, x.reshape(-1, 28, 28)):
        ink = digit[np.ix_(digit.any(axis=1), digit.any(axis=0))]
        height, width = rng.integers(8, 25, 2)
        rows = np.arange(height) * ink.shape[0] // height
        columns = np.arange(width) * ink.shape[1] // width
        top, left = rng.integers(0, SIDE - height + 1), rng.integers(0, SIDE - width + 1)
        picture[top : top + height, left : left + width] += ink[np.ix_(rows, columns)]
        box[:] = top, left, height, width
    return problems.split(pictures[..., None], boxes / 10 - 1.5)


def overlaid_mnist() -> problems.Arrays:
    """Two digits over one another: which of the ten are there?"""
    x, y = problems.mnist_arrays()
    images = x.reshape(-1, 28, 28, 1)
    rng = np.random.default_rng(0)
    parts = []
    # Digits of one part stand in no other.
    for digits, count in zip(np.split(rng.permutation(5000), [3000, 4000]), (6000, 400, 400)):
        pairs = rng.choice(digits, (count, 2))
        parts += [images[pairs].max(axis=1), np.eye(10, dtype="float32")[y[pairs]].max(axis=1)]
    return tuple(parts)


R = "R's packages, by pydataset"
YES_OR_NO = keras.losses.BinaryCrossentropy(from_logits=True)
LEVELS = len(CUT) + len(COLOR) + len(CLARITY)

PROBLEMS = (
    Problem(
        "priced_diamonds", "tabular", R, diamonds, partial(residual_table, LEVELS, 3, 6), "mae", 64
    ),
    Problem(
        "genres_of_movies",
        "tabular",
        R,
        movies,
        partial(title_and_numbers, TITLE, 97, 4, len(GENRES)),
        YES_OR_NO,
        64,
    ),
    Problem("rated_lectures", "tabular", R, lectures, partial(two_towers, LECTURES), "mse", 128),
    Problem(
        "forecast_sunspots",
        "sequence",
        R,
        sunspots,
        partial(recurrent_forecaster, MONTHS, AHEAD),
        "mse",
        32,
    ),
    Problem(
        "boxed_digits", "pixels", problems.MNIST, boxed_digits, partial(locator, SIDE), "huber", 32
    ),
    Problem(
        "mixed_overlaid_mnist",
        "batch_norm",
        problems.MNIST,
        overlaid_mnist,
        partial(convolutional_mixer, 28, 10),
        YES_OR_NO,
        32,
    ),
)
