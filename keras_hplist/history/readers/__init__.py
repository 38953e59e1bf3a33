"""Readers of the learning curves that other tools recorded, one module for each source."""

from keras_hplist.history.readers.algoperf import read_algoperf
from keras_hplist.history.readers.csv import read_csv
from keras_hplist.history.readers.csv_logger import read_csv_logger
from keras_hplist.history.readers.keras_tuner import read_keras_tuner
from keras_hplist.history.readers.mlflow import read_mlflow
from keras_hplist.history.readers.optuna import read_optuna
from keras_hplist.history.readers.ray_tune import read_ray_tune
from keras_hplist.history.readers.taskset import read_taskset
from keras_hplist.history.readers.tensorboard import read_tensorboard
from keras_hplist.history.readers.trials import Options
from keras_hplist.history.readers.wandb import read_wandb

__all__ = [
    "Options",
    "read_algoperf",
    "read_csv",
    "read_csv_logger",
    "read_keras_tuner",
    "read_mlflow",
    "read_optuna",
    "read_ray_tune",
    "read_taskset",
    "read_tensorboard",
    "read_wandb",
]
