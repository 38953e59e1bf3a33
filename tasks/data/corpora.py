"""The shipped text corpora: documents of subword ids, from which the bytes follow exactly."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from . import shipped
from .catalog import AMAZON_CATEGORIES, LANGUAGES


@dataclass(frozen=True)
class Documents:
    """Documents end to end, with what is known of each.

    Attributes:
        tokens: int32 of shape `(T,)`; 0 never occurs, it is the padding.
        lengths: int32 of shape `(N,)`: tokens of each document.
        labels: int32 of shape `(N,)`, or None.
        held_out: bool of shape `(N,)`: whether a document belongs to the test split.
    """

    tokens: NDArray[np.int32] = field(repr=False)
    lengths: NDArray[np.int32] = field(repr=False)
    labels: NDArray[np.int32] | None = field(repr=False)
    held_out: NDArray[np.bool_] = field(repr=False)


def file_name(corpus: str) -> str:
    """Name of the shipped file of a corpus: `text_wikipedia_zh` for
    `tokenized_wikipedia/20190301.zh`."""
    return _FILES[corpus]


_FILES = {
    "lm1b": "text_lm1b",
    "imdb_reviews": "text_imdb",
    **{f"tokenized_wikipedia/20190301.{x}": f"text_wikipedia_{x}" for x in LANGUAGES},
    **{
        f"tokenized_amazon_reviews/{x}": f"text_amazon_{x.split('_')[0].lower()}"
        for x in AMAZON_CATEGORIES
    },
}


@lru_cache(maxsize=6)
def load(corpus: str, encoding: str) -> Documents:
    """The documents of a corpus in one encoding, kept for the next call.

    Args:
        corpus: name of the data set without its encoding.
        encoding: `"bytes"` (byte b is id b + 1) or `"subwords8k"` (ids from 1).
    """
    packed = shipped.read(file_name(corpus))
    ids = packed["ids"].astype(np.int32)
    lengths = packed["lengths"].astype(np.int32)
    if encoding == "bytes":
        tokens, lengths = _bytes(packed, ids, lengths)
    else:
        tokens = ids + 1
    labels = packed["labels"].astype(np.int32) if "labels" in packed else None
    return Documents(tokens, lengths, labels, packed["held_out"].astype(bool))


def _bytes(
    packed: dict[str, NDArray], ids: NDArray[np.int32], lengths: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Spells out subwords: tokens and lengths in the byte encoding."""
    spelling, spelling_lengths = packed["vocabulary"], packed["vocabulary_lengths"].astype(np.int32)
    spelling_starts = np.cumsum(spelling_lengths) - spelling_lengths
    sizes = spelling_lengths[ids]
    ends = np.cumsum(sizes)
    within = np.arange(ends[-1], dtype=np.int32) - np.repeat(ends - sizes, sizes).astype(np.int32)
    tokens = spelling[np.repeat(spelling_starts[ids], sizes) + within].astype(np.int32) + 1
    byte_ends = ends[np.cumsum(lengths) - 1]
    return tokens, np.diff(byte_ends, prepend=0).astype(np.int32)
