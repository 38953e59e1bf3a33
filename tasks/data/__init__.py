"""The data of the task suite: published names, real embedded data, splits and batches.

splits = load("cifar10", {"num_train": 4000, "valid_size": 3000})
x, y = splits.train.batch(step=0, batch_size=128, seed=0)
"""

from .catalog import DataSet, describe, names
from .loading import checked_source, load
from .options import Options
from .splits import ImageSplit, Split, Splits, TextSplit

__all__ = [
    "DataSet",
    "ImageSplit",
    "Options",
    "Split",
    "Splits",
    "TextSplit",
    "checked_source",
    "describe",
    "load",
    "names",
]
