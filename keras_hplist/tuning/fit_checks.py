"""What the tuner refuses of a trial's fit, because it would fail in every trial."""

import warnings
from collections.abc import Collection
from typing import Any

import keras

from keras_hplist.lists import HyperparameterList
from keras_hplist.spaces.bookkeeping import is_bookkeeping
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


class ReadCheck:
    """Looks for hyperparameters of a user's own list that the models of the trials never read.

    Args:
        hplist: the list.
    """

    def __init__(self, hplist: HyperparameterList) -> None:
        """Nothing was told yet."""
        self._list = hplist
        self._told: set[str] = set()

    def check(self, active: Collection[str], read: Collection[str]) -> None:
        """Refuse a list of which nothing is read; warn, once of each, of what is not.

        Args:
            active: the list's hyperparameters that have a value in the last trial.
            read: the hyperparameters that were read in it or before.

        Raises:
            SetupError: if none of the list's was read.
        """
        unread = [name for name in active if name not in read and name not in self._told]
        if not unread:
            return
        mend = (
            "Ask for the list's names in build_model or HyperModel.fit, such as "
            f"hp.get({unread[0]!r}), or learn a list over a space of the model's own names."
        )
        if not set(read) & set(self._list.space.names):
            others = ", ".join(sorted(name for name in read if not is_bookkeeping(name)))
            raise SetupError(
                f"The model read none of the hyperparameters of list {self._list.name!r}, which "
                f"are {', '.join(self._list.space.names)}: all trials would train the same. It "
                f"read {others or 'no other either'}. {mend}"
            )
        self._told.update(unread)
        warnings.warn(
            f"No trial so far read {', '.join(unread)} of list {self._list.name!r}: results and "
            f"curves tell of values that had no part in them. {mend} All is well if the model "
            "reads them in other trials.",
            stacklevel=2,
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
