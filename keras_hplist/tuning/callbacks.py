"""Callbacks for any `model.fit`: the length of the schedule, learning curves, an early end."""

from keras_hplist.tuning.curve_recorder import CurveRecorder
from keras_hplist.tuning.divergence import StopOnDivergence
from keras_hplist.tuning.training_steps import TrainingSteps

__all__ = ["CurveRecorder", "StopOnDivergence", "TrainingSteps"]
