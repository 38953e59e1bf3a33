"""The KerasTuner side: the oracle, the tuner, and the modules of the callbacks of `model.fit`.

Names are imported on first use: the callbacks alone do not need KerasTuner.
"""

import importlib
from typing import TYPE_CHECKING, Any

_PLACES = {
    "HyperparameterListOracle": "oracle",
    "HyperparameterListTuner": "tuner",
    "OptimizerHyperModel": "hypermodel",
}

__all__ = [*_PLACES]

if TYPE_CHECKING:
    from keras_hplist.tuning.hypermodel import OptimizerHyperModel as OptimizerHyperModel
    from keras_hplist.tuning.oracle import HyperparameterListOracle as HyperparameterListOracle
    from keras_hplist.tuning.tuner import HyperparameterListTuner as HyperparameterListTuner


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
