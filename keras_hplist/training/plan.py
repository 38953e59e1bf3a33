"""What a collection consists of: units of work with keys that do not depend on the run."""

import hashlib
import json
import math
import numbers
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from keras_hplist.errors import InvalidValueError
from keras_hplist.training import layouts

UNIT_CONFIGURATIONS = 128
"""Most configurations in one unit: few compilations, little to repeat after a kill."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}


@dataclass(frozen=True)
class Unit:
    """Some configurations of one task and seed, trained by one worker in one go.

    Attributes:
        task: name of the task.
        family: its family.
        seed: of weights, batches and draws.
        first: number of the first configuration in the collection.
        values: the configurations.
        key: names the unit's files; a function of the collection's settings and the above.
        seconds: expected cost.
    """

    task: str
    family: str
    seed: int
    first: int
    values: tuple[dict[str, Any], ...]
    key: str
    seconds: float


def make_units(
    tasks: Sequence[Any],
    values: Sequence[dict[str, Any]],
    seeds: Sequence[int],
    settings: dict[str, Any],
    memory: float,
) -> list[Unit]:
    """All units of a collection, in the order of the tasks."""
    units = []
    for task in tasks:
        cost = _cost(task)
        for first in range(0, len(values), UNIT_CONFIGURATIONS):
            block = tuple(values[first : first + UNIT_CONFIGURATIONS])
            seconds = 1.0  # of a task that cannot be built
            if cost is not None:
                step = layouts.choose(cost, len(block), memory).seconds
                seconds = cost.compile_seconds + 1.3 * settings["training_steps"] * step
            for seed in seeds:
                key = digest([settings, task.name, seed, first, block])
                units.append(Unit(task.name, task.family, seed, first, block, key, seconds))
    return units


def _cost(task: Any) -> layouts.Cost | None:
    """What a step of a task takes; None if the task cannot be built.

    A task is a user's program, which may raise anything. The worker that comes to its unit keeps
    the error with the other failures; the rest of the collection goes on.
    """
    try:
        return layouts.Cost.of(task)
    except Exception:
        return None


def digest(content: Any) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of what can be written as JSON."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_budget(budget: float | str | None) -> float | None:
    """Seconds in "90", "90s", "30m", "2h" or "1d"; a number is seconds; None stays.

    Raises:
        InvalidValueError: if it is none of these or not positive.
    """
    if budget is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([smhd]?)\s*", str(budget))
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if isinstance(budget, numbers.Real) and not isinstance(budget, bool):
        seconds = float(budget)
    if not 0 < seconds < math.inf:
        raise InvalidValueError(
            f"budget must be a positive time such as 90s, 30m, 2h or 1d; got {budget!r}."
        )
    return seconds


def longest_first(units: Iterable[Unit]) -> list[Unit]:
    """The order that leaves no worker alone with a long unit at the end."""
    return sorted(units, key=lambda unit: (-unit.seconds, unit.key))


def cheapest_first(units: Iterable[Unit], per_family: bool) -> list[Unit]:
    """The order for a budget: most curves for the time.

    Args:
        units: what is to be done.
        per_family: give each family the same time: the next unit is the cheapest of the family
            that has been given least so far.
    """
    ordered = sorted(units, key=lambda unit: (unit.seconds, unit.key))
    if not per_family:
        return ordered
    waiting: dict[str, list[Unit]] = defaultdict(list)
    for unit in reversed(ordered):
        waiting[unit.family].append(unit)
    spent = dict.fromkeys(waiting, 0.0)
    result = []
    while waiting:
        family = min(waiting, key=lambda name: (spent[name] + waiting[name][-1].seconds, name))
        unit = waiting[family].pop()
        spent[family] += unit.seconds
        result.append(unit)
        if not waiting[family]:
            del waiting[family]
    return result


class Estimate:
    """Corrects expected costs by what finished units of the same family took."""

    def __init__(self) -> None:
        self._expected: dict[str, float] = defaultdict(float)
        self._taken: dict[str, float] = defaultdict(float)

    def learn(self, unit: Unit, seconds: float) -> None:
        """Take note of a finished unit."""
        for name in (unit.family, ""):
            self._expected[name] += unit.seconds
            self._taken[name] += seconds

    def seconds(self, unit: Unit) -> float:
        """Expected cost of a unit, by its family, or by all where that has not finished any."""
        name = unit.family if unit.family in self._expected else ""
        return unit.seconds * (self._taken[name] / self._expected[name] if self._taken[name] else 1)


def within(
    units: Iterable[Unit],
    seconds_left: Callable[[], float],
    estimate: Estimate,
    left_out: list[Unit],
) -> Iterator[Unit]:
    """The units that still fit when their turn comes; the others go to `left_out`."""
    for unit in units:
        if estimate.seconds(unit) <= seconds_left():
            yield unit
        else:
            left_out.append(unit)
