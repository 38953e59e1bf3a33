"""What lists are worth on tasks that they were not learned from; see `keras_hplist.learning`."""

from keras_hplist.learning.evaluation import Comparison, compare, resample, resamplings

__all__ = ["Comparison", "compare", "resample", "resamplings"]
