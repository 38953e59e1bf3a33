"""The names of the suite, and what a name stands for. Imports neither Keras nor TensorFlow.

The published suite has 1162 tasks: 109 hand-designed ones and 1053 sampled ones. Which seeds the
1053 are was not published with it; here they are the first feasible seeds of each family, 88 of
nine families and 87 of three.
"""

import copy
import importlib
import re
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from . import fixed
from .checks import check_bound
from .errors import InfeasibleTaskError, UnknownTaskError
from .measurements import facts

# Family -> number of its tasks in the suite.
SIZES = {
    "mlp_family": 88,
    "mlp_ae_family": 88,
    "mlp_vae_family": 88,
    "conv_fc_family": 87,
    "conv_pooling_family": 87,
    "quadratic_family": 88,
    "losg_tasks_family": 87,
    "maf_family": 88,
    "nvp_family": 88,
    "char_rnn_language_model_family": 88,
    "word_rnn_language_model_family": 88,
    "rnn_text_classification_family": 88,
}
FIXED = "fixed"
"""The family under which hand-designed tasks are listed."""

_SAMPLED_NAME = re.compile(r"(?P<family>[a-z_]+_family)_seed(?P<seed>0|[1-9][0-9]{0,8})")


def family_names() -> list[str]:
    """The twelve sampled families, and `"fixed"`."""
    return [*SIZES, FIXED]


def module(family: str) -> ModuleType:
    """The module of a sampled family: `sample`, where draws can fail `infeasible`, and `build`."""
    name = family.removesuffix("_family")
    return importlib.import_module(f".families.{name}", __package__)


def sample(family: str, seed: int) -> Any:
    """The published configuration of a sampled task, whether feasible or not."""
    return module(family).sample(seed)


def infeasible(family: str, seed: int) -> str | None:
    """Why a draw describes no possible model; None where it does describe one."""
    check = getattr(module(family), "infeasible", None)
    return check(sample(family, seed)) if check else None


@cache
def _seeds(family: str) -> tuple[int, ...]:
    if not hasattr(module(family), "infeasible"):
        return tuple(range(SIZES[family]))
    found: list[int] = []
    seed = 0
    while len(found) < SIZES[family]:
        if infeasible(family, seed) is None:
            found.append(seed)
        seed += 1
    return tuple(found)


def names(
    family: str | None = None,
    *,
    max_parameters: float | None = None,
    max_cost: float | None = None,
    data: str | None = None,
) -> list[str]:
    """Names of the suite, hand-designed tasks last.

    Args:
        family: one of `family_names()`; None (default) for the whole suite of 1162.
        max_parameters: only tasks with at most so many trainable numbers; None (default) for any.
        max_cost: only tasks whose training step takes at most so many seconds, see
            `Facts.seconds_per_step`; None (default) for any.
        data: only tasks on this published data set, for example `"cifar10"`, or, if there is none
            of this name, on those whose names begin so, for example `"tokenized_wikipedia"`;
            `"synthetic"` for made data.

    Raises:
        UnknownTaskError: no family, or no data set of the suite, has this name.
        TaskDataError: a bound is no number, NaN, or below 0.
    """
    if family is not None and family not in family_names():
        raise UnknownTaskError(family, family_names(), kind="family")
    found = [name for one in ([family] if family else family_names()) for name in _names(one)]
    if data is not None:
        wanted = _data_sets(data)
        found = [name for name in found if facts()[name].data_set in wanted]
    if max_parameters is not None:
        check_bound("max_parameters", max_parameters)
        found = [name for name in found if facts()[name].num_parameters <= max_parameters]
    if max_cost is not None:
        check_bound("max_cost", max_cost)
        found = [name for name in found if facts()[name].seconds_per_step <= max_cost]
    return found


def _data_sets(name: str) -> set[str]:
    """The data set of a name, or those whose names begin so."""
    known = {task.data_set for task in facts().values()}
    begun = {one for one in known if isinstance(name, str) and name and one.startswith(name)}
    if not begun:
        raise UnknownTaskError(name, sorted(known), kind="data set")
    return {name} if name in begun else begun


def _names(family: str) -> list[str]:
    if family == FIXED:
        return list(fixed.rows())
    return [f"{family}_seed{seed}" for seed in _seeds(family)]


def parse(name: str) -> tuple[str, int | None]:
    """Family and seed of a name; `("fixed", None)` for a hand-designed task.

    Raises:
        UnknownTaskError: nothing has this name; the message offers the nearest ones.
    """
    if isinstance(name, str) and name in fixed.rows():
        return FIXED, None
    match = _SAMPLED_NAME.fullmatch(str(name))
    if match is None or match["family"] not in SIZES:
        raise UnknownTaskError(name, names())
    return match["family"], int(match["seed"])


def configuration(name: str) -> Any:
    """The configuration of a task: JSON-able, as published for sampled tasks.

    Raises:
        UnknownTaskError: nothing has this name.
        InfeasibleTaskError: a draw that describes no possible model; says which layer fails.
    """
    family, seed = parse(name)
    if seed is not None and (reason := infeasible(family, seed)) is not None:
        raise InfeasibleTaskError(
            f"{name} describes no possible model: {reason}. Choose another seed; "
            f"names({family!r}) lists the feasible ones of the suite."
        )
    # A copy: a user who changes it must not change the suite.
    return copy.deepcopy(fixed.rows()[name][1]) if seed is None else sample(family, seed)


def builder(name: str) -> Callable[[Any], Any]:
    """The function that makes a `Definition` of a task's configuration; importing it is cheap."""
    family, seed = parse(name)
    return (fixed.rows()[name][0] if seed is None else module(family)).build
