"""The published data sets by name: shapes, class counts, encodings and published split sizes.

Facts are those of TensorFlow Datasets as the published task suite read them. Nothing here loads
data.
"""

import difflib
from dataclasses import dataclass
from functools import cache
from typing import Literal

from ..errors import TaskDataError

LANGUAGES = ("zh", "ru", "ja", "hsb", "en")
AMAZON_CATEGORIES = ("Books_v1_02", "Camera_v1_00", "Home_v1_00", "Video_v1_00")
ENCODINGS = ("bytes", "subwords8k")
BYTE_VOCABULARY = 257
"""Ids of the byte encoding: 0 is padding, byte b is id b + 1."""

_VALID_SIZES = {
    "coil100_32x32": 800,
    "deep_weeds_32x32": 2000,
    "colorectal_histology_32x32": 700,
}


@dataclass(frozen=True)
class DataSet:
    """What is known of a published data set without reading it.

    Attributes:
        name: published name, for example `"cifar10"` or `"lm1b/bytes"`.
        kind: `"image"` or `"text"`.
        classes: number of classes; 0 where the data set has no labels.
        shape: `(height, width, channels)` of an image; `()` for text.
        encoding: `""` for images, else `"bytes"` or `"subwords8k"`.
        vocabulary_size: number of token ids, padding (0) included; 0 for images.
        valid_size: published number of examples of each validation split, in the sampled families.
        published: published number of examples of each split the data set offers; empty where the
            published suite made the split itself (seven tenths for training).
    """

    name: str
    kind: Literal["image", "text"]
    classes: int
    shape: tuple[int, ...] = ()
    encoding: str = ""
    vocabulary_size: int = 0
    valid_size: int = 5000
    published: tuple[tuple[str, int], ...] = ()

    @property
    def corpus(self) -> str:
        """The name without its encoding; several names can share one corpus."""
        return self.name[: -len(self.encoding)].rstrip("/_") if self.encoding else self.name


def _images() -> list[DataSet]:
    rows: list[tuple[str, int, int, int, dict[str, int]]] = [
        ("mnist", 28, 1, 10, {"train": 60_000, "test": 10_000}),
        ("fashion_mnist", 28, 1, 10, {"train": 60_000, "test": 10_000}),
        ("cifar10", 32, 3, 10, {"train": 50_000, "test": 10_000}),
        ("cifar100", 32, 3, 100, {"train": 50_000, "test": 10_000}),
        ("food101_32x32", 32, 3, 101, {"train": 101_000}),
        ("food101_64x64", 64, 3, 101, {"train": 101_000}),
        ("coil100_32x32", 32, 3, 72, {"train": 7_200}),
        ("deep_weeds_32x32", 32, 3, 9, {"train": 17_509}),
        ("sun397_32x32", 32, 3, 397, {"train": 76_128, "validation": 10_875, "test": 21_758}),
        ("imagenet_resized/32x32", 32, 3, 1000, {"train": 1_281_167, "validation": 50_000}),
        ("imagenet_resized/16x16", 16, 3, 1000, {"train": 1_281_167, "validation": 50_000}),
        ("colorectal_histology_32x32", 32, 3, 8, {"train": 5_000}),
    ]
    return [
        DataSet(
            name,
            "image",
            classes,
            (size, size, channels),
            valid_size=_VALID_SIZES.get(name, 5000),
            published=tuple(splits.items()),
        )
        for name, size, channels, classes, splits in rows
    ]


def _texts() -> list[DataSet]:
    corpora: list[tuple[str, int, dict[str, int]]] = [
        ("lm1b/", 0, {"train": 30_301_028, "test": 306_688}),
        ("imdb_reviews/", 2, {"train": 25_000, "test": 25_000}),
        *((f"tokenized_wikipedia/20190301.{language}_", 0, {}) for language in LANGUAGES),
        *((f"tokenized_amazon_reviews/{category}_", 5, {}) for category in AMAZON_CATEGORIES),
    ]
    return [
        DataSet(
            prefix + encoding,
            "text",
            classes,
            encoding=encoding,
            vocabulary_size=BYTE_VOCABULARY if encoding == "bytes" else subword_vocabulary(prefix),
            valid_size=3000,
            published=tuple(splits.items()),
        )
        for prefix, classes, splits in corpora
        for encoding in ENCODINGS
    ]


def subword_vocabulary(corpus: str) -> int:
    """Number of subword ids of a corpus, padding included: 8185 for IMDB, as published."""
    return 8185 if corpus.startswith("imdb_reviews") else 8192


@cache
def _all() -> dict[str, DataSet]:
    return {data_set.name: data_set for data_set in _images() + _texts()}


def names() -> list[str]:
    """The published names of all image and text data sets."""
    return list(_all())


def describe(name: str) -> DataSet:
    """The facts of one data set.

    Raises:
        TaskDataError: no data set has this name; the message offers the nearest ones.
    """
    try:
        return _all()[name]
    except KeyError:
        close = difflib.get_close_matches(str(name), names(), n=3)
        known = (
            f"Did you mean {', '.join(map(repr, close))}?"
            if close
            else f"Known: {', '.join(names())}."
        )
        raise TaskDataError(f"Unknown data set {name!r}. {known}") from None
