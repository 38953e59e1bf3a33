"""The hyperparameters of a search along a list: the list's, the trial's place in it, the user's."""

import zlib
from collections.abc import Mapping
from typing import Any

import keras_tuner

from keras_hplist.errors import InvalidValueError
from keras_hplist.lists import HyperparameterList
from keras_hplist.spaces.bookkeeping import INDEX, NAME


class ListSpace:
    """Says which hyperparameters the list sets, and gives the others their values.

    Args:
        list_: the hyperparameter list.
        architecture: "default" or "random": what the hyperparameters get that it does not set.
        own: definitions by the user, or None.

    Attributes:
        hyperparameters: all definitions, at the values of the first entry.

    Raises:
        InvalidValueError: if the user defines a hyperparameter of the list in another way.
    """

    def __init__(
        self,
        list_: HyperparameterList,
        architecture: str,
        own: keras_tuner.HyperParameters | None,
    ) -> None:
        """Define the list's hyperparameters and the user's."""
        self._list = list_
        self._architecture = architecture
        self.hyperparameters = list_.space.hyperparameters().copy()
        self.hyperparameters.Int(INDEX, -1, len(list_) - 1, default=0)
        self.hyperparameters.Fixed(NAME, list_.name)
        self._names = frozenset(hp.name for hp in self.hyperparameters.space)
        if own is not None:
            self._add(own)
        self.hyperparameters.values |= self._listed(list_[0], 0)

    def _add(self, own: keras_tuner.HyperParameters) -> None:
        if not isinstance(own, keras_tuner.HyperParameters):
            raise InvalidValueError(
                f"hyperparameters is {own!r}; give a keras_tuner.HyperParameters."
            )
        theirs = {hp.name: hp.get_config() for hp in self.hyperparameters.space}
        for hp in own.space:
            if hp.name in theirs and hp.get_config() != theirs[hp.name]:
                raise InvalidValueError(
                    f"hyperparameters defines {hp.name!r}, which the list {self._list.name!r} "
                    "sets: the definition would have no effect. Leave it out, or give it another "
                    "name."
                )
        self.hyperparameters.merge(own, overwrite=False)

    def sets(self, name: str) -> bool:
        """Whether the list decides on a hyperparameter; then its value is never the user's."""
        return name in self._names

    def searches(self, name: str) -> bool:
        """Whether a hyperparameter may vary after the list."""
        if self.sets(name):
            return name not in (INDEX, NAME)
        return self._architecture == "random"

    def values(
        self,
        configuration: Mapping[str, Any],
        index: int,
        draw: str,
        hyperparameters: keras_tuner.HyperParameters,
    ) -> dict[str, Any]:
        """The values of a trial.

        Args:
            configuration: of the list's space.
            index: its rank in the list, or -1.
            draw: names this trial's random draw; the same name gives the same values.
            hyperparameters: all definitions there are by now.

        Returns:
            Plain values by name, for all hyperparameters that are active.

        Raises:
            InvalidValueError: if a value is not a plain one, which KerasTuner cannot send to a
                worker.
        """
        values = self._listed(configuration, index)
        for hp in hyperparameters.space:
            if hp.name in values or self.sets(hp.name):
                continue
            if all(condition.is_active(values) for condition in hp.conditions):
                value = hp.default
                if self._architecture == "random":
                    value = hp.random_sample(zlib.crc32(f"{draw}/{hp.name}".encode()))
                values[hp.name] = _plain(hp.name, value)
        return values

    def _listed(self, configuration: Mapping[str, Any], index: int) -> dict[str, Any]:
        """The configuration, and what KerasTuner needs beside it."""
        plain = {name: _plain(name, value) for name, value in configuration.items()}
        space = self._list.space
        try:
            # Switches that say which hyperparameters are active, for KerasTuner's own oracles.
            switches = space.to_keras_tuner({n: plain[n] for n in space.names if n in plain})
        except InvalidValueError:  # the space never draws such a configuration; a list may hold it
            switches = {}
        return {**switches, **plain, INDEX: index, NAME: self._list.name}


def _plain(name: str, value: Any) -> float | int | bool | str:
    """A value as one of the four types that KerasTuner's messages to workers can hold."""
    value = getattr(value, "item", lambda: value)()  # NumPy's scalars are refused as well
    if isinstance(value, bool | int | float | str):
        return value
    raise InvalidValueError(
        f"hyperparameter {name!r} is {value!r}; a trial's values are float, int, bool or str."
    )
