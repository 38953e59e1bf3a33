"""Optimizers with live hyperparameters: one Keras optimizer for each published search space."""

from keras_hplist.checks import checked_name
from keras_hplist.optimizers.adam1p import Adam1p
from keras_hplist.optimizers.adam4p import Adam4p
from keras_hplist.optimizers.adam6p import Adam6p
from keras_hplist.optimizers.adam8p import Adam8p
from keras_hplist.optimizers.base import RuleOptimizer
from keras_hplist.optimizers.nadamw import NAdamW

__all__ = ["Adam1p", "Adam4p", "Adam6p", "Adam8p", "NAdamW", "RuleOptimizer", "get"]

_FAMILIES = {cls.family: cls for cls in (NAdamW, Adam8p, Adam6p, Adam4p, Adam1p)}


def get(family: str) -> type[RuleOptimizer]:
    """The optimizer class of a family: "nadamw", "adam8p", "adam6p", "adam4p" or "adam1p".

    Raises:
        UnknownNameError: if there is no such family.
    """
    return _FAMILIES[checked_name("optimizer family", family, _FAMILIES)]
