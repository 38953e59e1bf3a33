"""Learned, ordered lists of optimizer hyperparameters for Keras and KerasTuner.

Every public name is imported on first use, so that `import keras_hplist` costs
next to nothing and does not load TensorFlow. Only where Keras is loaded already the optimizers
are imported at once.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = (
    "callbacks",
    "evaluation",
    "figures",
    "history",
    "learning",
    "lists",
    "optimizers",
    "spaces",
    "tasks",
    "training",
    "tuning",
)
_NAMES = {
    "HyperparameterList": "lists",
    "available_lists": "lists",
    "get_optimizer": "lists",
    "History": "history",
    "ListLearner": "learning",
    "HyperparameterListOracle": "tuning",
    "HyperparameterListTuner": "tuning",
}

__all__ = ["__version__", *_MODULES, *_NAMES]

if TYPE_CHECKING:
    from keras_hplist.history import History as History
    from keras_hplist.learning import ListLearner as ListLearner
    from keras_hplist.lists import HyperparameterList as HyperparameterList
    from keras_hplist.lists import available_lists as available_lists
    from keras_hplist.lists import get_optimizer as get_optimizer
    from keras_hplist.tuning import HyperparameterListOracle as HyperparameterListOracle
    from keras_hplist.tuning import HyperparameterListTuner as HyperparameterListTuner


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if "keras" in sys.modules:
    # Keras finds the classes of a saved model in its registry, where importing them puts them.
    importlib.import_module(f"{__name__}.optimizers")
