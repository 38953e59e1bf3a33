"""Histories of learning curves: their format, and readers of what other tools wrote."""

from keras_hplist.history.curves import CurveArray
from keras_hplist.history.readers import (
    read_algoperf,
    read_csv,
    read_csv_logger,
    read_keras_tuner,
    read_mlflow,
    read_optuna,
    read_ray_tune,
    read_taskset,
    read_tensorboard,
    read_wandb,
)
from keras_hplist.history.report import ReadReport
from keras_hplist.history.schema import SCHEMA, SPLITS, STATUSES, complete_record
from keras_hplist.history.sources import read_logs
from keras_hplist.history.store import History, append_shards

__all__ = [
    "SCHEMA",
    "SPLITS",
    "STATUSES",
    "CurveArray",
    "History",
    "ReadReport",
    "append_shards",
    "complete_record",
    "read_algoperf",
    "read_csv",
    "read_csv_logger",
    "read_keras_tuner",
    "read_logs",
    "read_mlflow",
    "read_optuna",
    "read_ray_tune",
    "read_taskset",
    "read_tensorboard",
    "read_wandb",
]
