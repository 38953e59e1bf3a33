"""Learning hyperparameter lists: scores, greedy selection, the learner, and its evaluation."""

from keras_hplist.learning.adaptive import AdaptiveOrder
from keras_hplist.learning.evidence import Evidence
from keras_hplist.learning.learner import ListLearner
from keras_hplist.learning.normalization import NORMALIZATIONS, Normalizer
from keras_hplist.learning.revision import merge, reorder
from keras_hplist.learning.scores import ScoreMatrix, score_matrix
from keras_hplist.learning.selection import Selection, best_after, greedy

__all__ = [
    "NORMALIZATIONS",
    "AdaptiveOrder",
    "Evidence",
    "ListLearner",
    "Normalizer",
    "ScoreMatrix",
    "Selection",
    "best_after",
    "greedy",
    "merge",
    "reorder",
    "score_matrix",
]
