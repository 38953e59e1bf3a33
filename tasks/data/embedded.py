"""The embedded data sets: what ships with the package, split by the published rule."""

import numpy as np

from . import corpora, photographs, shipped
from .catalog import DataSet
from .options import Options
from .sizes import divide, split_sizes
from .splits import ImageSplit, Split, TextSplit

_PACKED = {"mnist": "mnist_5k", "fashion_mnist": "fashion_mnist_10k"}
_TEST_FIFTH = 5
"""One of so many packed images is held out for the test split; they are stored class by turn."""

_MNIST_LIKE, _TEXT = 1, 2  # keep the shuffles of the two kinds apart


def splits(data_set: DataSet, options: Options, valid_size: int) -> dict[str, Split]:
    """The four splits of an embedded data set."""
    if data_set.name in photographs.RECIPES:
        return _photographs(data_set, options.seed, valid_size)
    offered = _text(data_set, options) if data_set.kind == "text" else _packed(data_set, options)
    return divide(data_set.name, offered, valid_size)


def _photographs(data_set: DataSet, seed: int, valid_size: int) -> dict[str, Split]:
    name = data_set.name
    sizes = split_sizes(name, photographs.RECIPES[name].counts, valid_size)
    parts = photographs.cut(name, tuple(sizes.items()), data_set.classes, seed)
    return {role: ImageSplit(f"{name}, {role}", *part) for role, part in parts.items()}


def _packed(data_set: DataSet, options: Options) -> dict[str, Split]:
    packed = shipped.read(_PACKED[data_set.name])
    whole = ImageSplit(data_set.name, packed["images"], packed["labels"].astype(np.int32))
    kept = len(whole) - len(whole) // _TEST_FIFTH
    order = np.random.default_rng((_MNIST_LIKE, options.seed)).permutation(kept)
    return {"train": whole.take(order), "test": whole.take(slice(kept, None))}


def _text(data_set: DataSet, options: Options) -> dict[str, Split]:
    documents = corpora.load(data_set.corpus, data_set.encoding)
    assert options.patch_length is not None  # checked by Options
    whole = TextSplit.from_documents(
        data_set.name,
        documents.tokens,
        documents.lengths,
        documents.labels,
        options.patch_length,
    )
    order = np.random.default_rng((_TEXT, options.seed)).permutation(len(whole))
    held_out = documents.held_out[order]
    return {"train": whole.take(order[~held_out]), "test": whole.take(order[held_out])}
