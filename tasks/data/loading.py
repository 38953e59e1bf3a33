"""From the published name of a data set to its four splits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ..errors import TaskDataError
from . import corpora, photographs, shipped
from .catalog import DataSet, describe
from .sizes import SIZES, split_sizes
from .splits import ImageSplit, Split, Splits, TextSplit


@dataclass(frozen=True)
class Options:
    """What a task asks of its data.

    Attributes:
        num_train: keep only the first so many training examples; None keeps all.
        valid_size: published number of examples of each validation split (V); lowered where the
            data at hand are fewer.
        patch_length: tokens of a text window; needed for text, must be None for images.
        just_train: all four splits are the training split.
        seed: which examples fall in which split, and which windows are cut from photographs.
    """

    num_train: int | None = None
    valid_size: int = 5000
    patch_length: int | None = None
    just_train: bool = False
    seed: int = 0


def load(name: str, options: Mapping[str, Any] | None = None, source: str = "embedded") -> Splits:
    """rough"""
    data_set = describe(name)
    chosen = Options(**(options or {}))
    whole = _text(data_set, chosen) if data_set.kind == "text" else _images(data_set, chosen)
    if chosen.num_train is not None:
        whole["train"] = whole["train"].take(slice(chosen.num_train))
    if chosen.just_train:
        whole = dict.fromkeys(SIZES, whole["train"])
    provenance = {
        "data_set": name,
        "source": source,
        "options": asdict(chosen),
        "sizes": {key: len(split) for key, split in whole.items()},
    }
    return Splits(**whole, provenance=provenance)


def _images(data_set: DataSet, options: Options) -> dict[str, Split]:
    name = data_set.name
    if name in photographs.RECIPES:
        recipe = photographs.RECIPES[name]
        sizes = split_sizes(recipe.counts, options.valid_size)
        return {
            role: ImageSplit(
                f"{name}, {role}",
                *photographs.cut(name, role, size, data_set.classes, options.seed),
            )
            for role, size in sizes.items()
        }
    packed = shipped.read({"mnist": "mnist_5k", "fashion_mnist": "fashion_mnist_10k"}[name])
    images, labels = packed["images"], packed["labels"].astype(np.int32)
    test = len(images) // 5
    order = np.random.default_rng(options.seed).permutation(len(images) - test)
    whole = ImageSplit(name, images, labels)
    return _cut(
        {"train": whole.take(order), "test": whole.take(slice(len(images) - test, None))},
        options.valid_size,
    )


def _text(data_set: DataSet, options: Options) -> dict[str, Split]:
    if options.patch_length is None:
        raise TaskDataError(f"{data_set.name} is text: give the option patch_length.")
    documents = corpora.load(data_set.corpus, data_set.encoding)
    starts = (np.cumsum(documents.lengths) - documents.lengths).astype(np.int32)
    whole = TextSplit(
        data_set.name,
        documents.tokens,
        starts,
        documents.lengths,
        documents.labels,
        options.patch_length,
    )
    kept = np.flatnonzero(~documents.held_out)
    order = np.random.default_rng(options.seed).permutation(len(kept))
    return _cut(
        {"train": whole.take(kept[order]), "test": whole.take(np.flatnonzero(documents.held_out))},
        options.valid_size,
    )


def _cut(offered: dict[str, Split], valid_size: int) -> dict[str, Split]:
    sizes = split_sizes({key: len(split) for key, split in offered.items()}, valid_size)
    start = 0
    result: dict[str, Split] = {}
    name = offered["train"].name
    for role in ("inner_valid", "outer_valid", "test", "train"):
        if role == "test" and "test" in offered:
            result[role] = offered["test"].take(slice(None), f"{name}, test")
            continue
        result[role] = offered["train"].take(slice(start, start + sizes[role]), f"{name}, {role}")
        start += sizes[role]
    return {role: result[role] for role in SIZES}
