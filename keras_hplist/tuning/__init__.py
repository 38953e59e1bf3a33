"""The KerasTuner side: the oracle, the tuner, and the modules of the callbacks of `model.fit`."""

from keras_hplist.tuning.hypermodel import OptimizerHyperModel
from keras_hplist.tuning.oracle import HyperparameterListOracle
from keras_hplist.tuning.tuner import HyperparameterListTuner

__all__ = ["HyperparameterListOracle", "HyperparameterListTuner", "OptimizerHyperModel"]
