"""Ordered hyperparameter lists: their format, the shipped ones, import, export, and surgery."""

from keras_hplist.lists.exporting import export, to_csv, to_keras_tuner, to_opt_list, to_optuna
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
    "export",
    "get_optimizer",
    "restrict",
    "to_csv",
    "to_keras_tuner",
    "to_opt_list",
    "to_optuna",
]
