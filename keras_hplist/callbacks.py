"""Callbacks for any `model.fit`: schedule, learning curves, early end, races, TensorBoard."""

from keras_hplist.tuning.curve_recorder import CurveRecorder
from keras_hplist.tuning.divergence import StopOnDivergence
from keras_hplist.tuning.race_list import RaceList
from keras_hplist.tuning.tensorboard_trial import TensorBoardTrial
from keras_hplist.tuning.training_steps import TrainingSteps

__all__ = ["CurveRecorder", "RaceList", "StopOnDivergence", "TensorBoardTrial", "TrainingSteps"]
