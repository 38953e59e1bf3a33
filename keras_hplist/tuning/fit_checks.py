"""What the tuner refuses of a trial's fit, because it would fail in every trial."""

from typing import Any

import keras

from keras_hplist.tuning.errors import SetupError


def check_validated(validation_freq: Any) -> None:
    """Refuse epochs without the objective, which neither KerasTuner nor `BestEpoch` can judge."""
    if validation_freq != 1:
        raise SetupError(
            f"validation_freq is {validation_freq!r}, and the objective is measured on validation "
            "data; a trial needs it after every epoch. Leave validation_freq out of search(), or "
            "make longer epochs with steps_per_epoch."
        )


def check_used(optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse trainings that the list has no part in: all its trials would be the same."""
    if not int(keras.ops.convert_to_numpy(optimizer.iterations)):
        raise SetupError(
            "The trial took no step with the optimizer of its list entry, which is "
            "`model.optimizer`: train_step or HyperModel.fit trains with another one, or there is "
            "no batch. Train with model.optimizer, or search with a tuner of KerasTuner."
        )


def check_measured(results: Any, objectives: list[str]) -> None:
    """Refuse a training history without the objective, which would be missing in every trial."""
    if not isinstance(results, keras.callbacks.History):
        return
    missing = [name for name in objectives if name not in results.history]
    if missing:
        raise SetupError(
            f"The objective {missing[0]!r} was not measured; training measured "
            f"{', '.join(sorted(results.history))}. Choose one of these, or have the missing one "
            "measured: a name that begins with 'val_' needs validation_data in search()."
        )
