"""Ordered hyperparameter lists: their format, the shipped ones, and import from elsewhere."""

from keras_hplist.lists.hyperparameter_list import (
    HyperparameterList,
    available_lists,
    get_optimizer,
)

__all__ = ["HyperparameterList", "available_lists", "get_optimizer"]
