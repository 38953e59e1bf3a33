"""Ordered hyperparameter lists: their format, the shipped ones, import, and surgery."""

from keras_hplist.lists.hyperparameter_list import (
    HyperparameterList,
    available_lists,
    get_optimizer,
)
from keras_hplist.lists.surgery import diff, drop, restrict

__all__ = [
    "HyperparameterList",
    "available_lists",
    "diff",
    "drop",
    "get_optimizer",
    "restrict",
]
