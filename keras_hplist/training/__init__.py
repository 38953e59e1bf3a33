"""Measure learning curves of many configurations on many tasks.

    curves = train_population(task, configurations, training_steps=200, evaluations=16, seed=0)
    summary = collect(tasks, "nadamw", n_configurations=32, training_steps=200, out="runs")

Importing this package does not load TensorFlow.
"""

from keras_hplist.training.collect import Summary, collect
from keras_hplist.training.curves import Curves
from keras_hplist.training.folder import Status, compact, status
from keras_hplist.training.population import train_population
from keras_hplist.training.user_task import KerasTask

__all__ = [
    "Curves",
    "KerasTask",
    "Status",
    "Summary",
    "collect",
    "compact",
    "status",
    "train_population",
]
