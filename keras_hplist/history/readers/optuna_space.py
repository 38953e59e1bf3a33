"""The parameters of Optuna's trials, and the search space they were drawn from."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from keras_hplist import spaces
from keras_hplist.history.union import union_of
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Boolean, Choice, Number

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution, CategoricalDistribution
    from optuna.trial import FrozenTrial


def parameters_of(trial: "FrozenTrial") -> dict[str, Any]:
    """The values of a trial, those of a choice as texts if its choices are of several types."""
    from optuna.distributions import CategoricalDistribution

    values = dict(trial.params)
    for name, distribution in trial.distributions.items():
        if isinstance(distribution, CategoricalDistribution):
            index = int(distribution.to_internal_repr(trial.params[name]))
            values[name] = _choices(distribution)[index]
    return values


def space_of(
    name: str, studies: "Sequence[Sequence[FrozenTrial]]", kept: Collection[str]
) -> SearchSpace | None:
    """The space of all that was suggested in some studies.

    Args:
        name: what it is to be called.
        studies: the trials of each study.
        kept: the parameters that became hyperparameters.

    Returns:
        The union of the distributions. None if it is a published space, which needs no definition;
        or if a trial lacks a parameter that others of its study have: Optuna does not
        record under which condition a parameter is suggested.
    """
    found: dict[str, SearchSpace] = {}
    for trials in studies:
        # A trial that failed before its first loss may not have come to all its parameters.
        begun = [trial for trial in trials if trial.values or trial.intermediate_values]
        if len({frozenset(trial.distributions) for trial in begun}) > 1:
            return None
        for trial in begun:
            drawn = {key: d for key, d in trial.distributions.items() if key in kept}
            if drawn and str(drawn) not in found:
                rows = tuple(_row(key, distribution) for key, distribution in drawn.items())
                found[str(drawn)] = SearchSpace(name, rows)
    return union_of(list(found.values())) if found and name not in spaces.names() else None


def _row(name: str, distribution: "BaseDistribution") -> Hyperparameter:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        choices = _choices(distribution)
        boolean = set(map(type, choices)) == {bool} and len(choices) == 2
        return Hyperparameter(name, Boolean() if boolean else Choice(choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    integer = isinstance(distribution, IntDistribution)
    step = None if integer and distribution.step == 1 else distribution.step
    sampling = "log" if distribution.log else "linear"
    return Hyperparameter(
        name, Number(distribution.low, distribution.high, sampling, step, integer=integer)
    )


def _choices(distribution: "CategoricalDistribution") -> tuple[Any, ...]:
    """The choices, all of one type."""
    kinds = set(map(type, distribution.choices))
    if kinds == {int, float}:
        return tuple(map(float, distribution.choices))  # type: ignore[arg-type]
    if len(kinds) == 1 and kinds <= {bool, int, float, str}:
        return tuple(distribution.choices)
    return tuple(map(str, distribution.choices))
