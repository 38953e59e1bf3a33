"""Measure learning curves of many configurations on one task at once.

    curves = train_population("mlp_family_seed12", configurations, training_steps=200)
    curves.history().write("runs.parquet")

Importing this package does not load TensorFlow.
"""

from keras_hplist.training.population import Curves, train_population
from keras_hplist.training.user_task import KerasTask

__all__ = ["Curves", "KerasTask", "train_population"]
