"""Checks of what a user gives to the oracle and the tuner, before anything is read or written."""

import copy
import functools
import math
import sys
from collections.abc import Mapping
from typing import Any

import keras_tuner

from keras_hplist.checks import checked_count, checked_path, checked_text
from keras_hplist.errors import InvalidValueError
from keras_hplist.lists import HyperparameterList

ARCHITECTURES = ("default", "random")
ORDERS = ("list", "adaptive")


def checked_max_trials(given: Any, list_: HyperparameterList, after_list: str) -> int:
    """The number of trials; the length of the list for None.

    Raises:
        InvalidValueError: if it is not a positive whole number, more than the list holds where the
            search ends with the list, or None where it does not.
    """
    if given is None and after_list == "stop":
        return len(list_)
    if given is None:
        raise InvalidValueError(
            f"max_trials is None, and after_list={after_list!r} goes on after the {len(list_)} "
            f"entries of the list {list_.name!r} without an end. Give max_trials, above "
            f"{len(list_)}."
        )
    count = checked_count("max_trials", given, smallest=1)
    if after_list == "stop" and count > len(list_):
        raise InvalidValueError(
            f"max_trials is {count}, and the list {list_.name!r} has {len(list_)} entries. Give "
            f"max_trials <= {len(list_)}, None for the whole list, or after_list='sample' or "
            "'bayesian' to go on after it."
        )
    return count


def checked_objective(given: Any) -> keras_tuner.Objective:
    """The objective that was given, as an object for which only finite values are any good.

    Raises:
        InvalidValueError: if KerasTuner cannot tell what it is, or which direction is better.
    """
    try:
        objective = keras_tuner.Oracle(objective=given).objective
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"objective is {given!r}: {error}") from error
    singles = getattr(objective, "objectives", [objective])
    if not singles:
        raise InvalidValueError(f"objective is {given!r}; name at least one metric in the list.")
    for single in singles:
        if single.direction not in ("min", "max"):
            raise InvalidValueError(
                f"The direction of the objective {single.name!r} is {single.direction!r}; give "
                "'min' or 'max'."
            )
    objective = copy.copy(objective)  # it may be the user's own
    objective.better_than = functools.partial(_better, objective.direction)
    return objective


def _better(direction: str, a: float, b: float) -> bool:
    """Whether one value is better; to KerasTuner, nothing is better than a NaN that came first."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.isfinite(a)
    return a < b if direction == "min" else a > b


def directions(objective: keras_tuner.Objective) -> dict[str, str]:
    """The metrics of an objective, which may be several, and whether each is "min" or "max"."""
    several = getattr(objective, "name_to_direction", None)
    return several or {objective.name: objective.direction}


def check_tuner_settings(settings: Mapping[str, Any]) -> None:
    """Check what `keras_tuner.Tuner` takes unseen, and what then fails every trial.

    Args:
        settings: arguments of it that were given; others than those below are its own concern.

    Raises:
        InvalidValueError: if one is not allowed.
    """
    checked_count("executions_per_trial", settings.get("executions_per_trial", 1), smallest=1)
    given = {name: value for name, value in settings.items() if value is not None}
    if "max_model_size" in given:
        checked_count("max_model_size", given["max_model_size"], 1, sys.maxsize, or_else="None")
    if "directory" in given:
        checked_path("directory", given["directory"], or_else="None")
    for name in given.keys() & {"project_name", "tuner_id", "task"}:
        checked_text(name, given[name], or_else="None")
