"""Distributions of a single hyperparameter: each maps one uniform variate to a value.

Drawing by the inverse of the distribution function makes a sample a pure function of the uniform
variates: the published configurations are bit for bit those of NumPy's legacy generator.
"""

import bisect
import dataclasses
import decimal
import functools
import math
import numbers
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keras_hplist.errors import InvalidValueError

Value = float | int | bool | str

# `math.exp` of some C libraries is off by one unit in the last place for about one argument in a
# thousand, and the published values are the correctly rounded ones. Forty digits decide them all.
_DIGITS = decimal.Context(prec=40)

# Values computed elsewhere (KerasTuner's powers, files in float32) may miss a bound by rounding.
_SLACK = 1e-6


class NotAllowedError(InvalidValueError):
    """A value that a distribution cannot give; the message says what is allowed."""


@dataclass(frozen=True)
class Number:
    """A real or whole number between two bounds, both of which can be drawn.

    With u uniform in [0, 1), and without `step`:

    - "linear": low + (high - low) u
    - "log": exp(ln low + (ln high - ln low) u), log-uniform
    - "reverse_log": low + high - exp(ln high + (ln low - ln high) u), as in KerasTuner: dense
      near `high`
    - "one_minus_log": 1 - exp(ln low + (ln high - ln low) u): one minus a log-uniform number, the
      usual choice for decay rates. Here `low` and `high` bound the difference to 1.

    Attributes:
        low: lower bound; positive unless "linear".
        high: upper bound.
        sampling: one of the four.
        step: distance of neighbours (their ratio, unless "linear"); all are equally likely.
        integer: whether the number is whole.
        descending: for "log", whether u = 0 is `high`; the same distribution, other draws.
    """

    low: float
    high: float
    sampling: str = "linear"
    step: float | None = None
    integer: bool = False
    descending: bool = False

    samplings: ClassVar[tuple[str, ...]] = ("linear", "log", "reverse_log", "one_minus_log")

    def __post_init__(self) -> None:
        """Refuse bounds that hold no number."""
        if self.sampling not in self.samplings:
            raise NotAllowedError(
                f"sampling must be one of {self.samplings}; got {self.sampling!r}"
            )
        for name in ("low", "high"):
            bound = getattr(self, name)
            if not _is_number(bound) or not math.isfinite(bound):
                raise NotAllowedError(f"{name} must be a finite number; got {bound!r}")
        linear = self.sampling == "linear"
        if self.low > self.high or not (linear or self.low > 0):
            raise NotAllowedError(
                f"bounds must be {'low <= high' if linear else '0 < low <= high'}; "
                f"got low={self.low!r}, high={self.high!r}"
            )
        for name in ("integer", "descending"):
            check_switch(name, getattr(self, name))
        if self.step is not None and not (
            _is_number(self.step) and math.inf > self.step > (0 if linear else 1)
        ):
            raise NotAllowedError(
                f"step must be a number above {0 if linear else 1} for sampling {self.sampling!r}; "
                f"got {self.step!r}"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        if self.sampling == "one_minus_log":
            return 1.0 - self.high, 1.0 - self.low
        return self.low, self.high

    def draw(self, u: float) -> Value:
        """The value at the quantile u in [0, 1)."""
        if self.step is None:
            return self._plain(self._continuous(u))
        size = self._grid_size()
        return self._grid_point(min(int(u * size), size - 1))

    def _plain(self, number: float) -> Value:
        low, high = self.bounds  # which rounding may have passed
        number = min(max(number, low), high)
        return int(number) if self.integer else float(number)

    def _continuous(self, u: float) -> float:
        # Whole numbers are cut off, so the upper bound needs a unit interval of its own.
        low, high = self.low, self.high + self.integer
        if self.sampling == "linear":
            return low + (high - low) * u
        ends = (high, low) if self.descending or self.sampling == "reverse_log" else (low, high)
        start, stop = _ln(ends[0]), _ln(ends[1])
        power = _exp(start + (stop - start) * u)
        return self._mirrored(power)

    def _mirrored(self, x: float) -> float:
        """The number that belongs to a log-uniform one, and the other way round."""
        if self.sampling == "log":
            return x
        return (self.low + self.high if self.sampling == "reverse_log" else 1.0) - x

    def _grid_size(self) -> int:
        assert self.step is not None
        if self.sampling == "linear":
            return int((self.high - self.low) / self.step + _SLACK) + 1
        return int(math.log(self.high / self.low) / math.log(self.step) + _SLACK) + 1

    def _grid_point(self, index: int) -> Value:
        assert self.step is not None
        if self.sampling == "linear":
            return self._plain(self.low + index * self.step)
        return self._plain(self._mirrored(self.low * self.step**index))

    def nearest(self, number: float, low: float = -math.inf, high: float = math.inf) -> float:
        """The whole number, or point of the grid, that is nearest to a number.

        Args:
            number: any.
            low: the result is at least this.
            high: the result is at most this.

        Returns:
            The number itself if it is one but for rounding, or none lies between `low` and `high`.
        """
        points = self._around(min(max(number, self.bounds[0]), self.bounds[1]))
        rel = 0.0 if self.integer else _SLACK
        slack = _SLACK * (self.step or 0.0) if self.sampling == "linear" else 0.0  # around 0
        if any(math.isclose(number, point, rel_tol=rel, abs_tol=slack) for point in points):
            return number
        inside = (point for point in points if low <= point <= high)
        return min(inside, key=lambda point: abs(point - number), default=number)

    def _around(self, number: float) -> list[Any]:
        """A number's neighbours."""
        if self.step is None:
            return [math.floor(number), math.ceil(number)] if self.integer else [number]
        if self.sampling == "linear":
            place = (number - self.low) / self.step
        else:
            place = math.log(max(self._mirrored(number) / self.low, 1.0)) / math.log(self.step)
        # The numbers of a whole grid were cut off, so the nearest may be one further.
        first = max(round(place) - 2, 0)
        return [self._grid_point(i) for i in range(first, min(first + 5, self._grid_size()))]

    def check(self, value: Any) -> Value:
        """The value as a plain float or int.

        Raises:
            NotAllowedError: if it is not a number, out of bounds, or off the grid of `step`.
        """
        kind = "an integer" if self.integer else "a number"
        low, high = self.bounds
        if (
            not _is_number(value)
            or not low - _SLACK * abs(low) <= value <= high + _SLACK * abs(high)
            or (self.integer and value != int(value))
        ):
            raise NotAllowedError(f"must be {kind} in [{low!r}, {high!r}]")
        if self.step is not None and (nearest := self.nearest(value)) != value:
            raise NotAllowedError(
                f"must be on the grid of step={self.step!r} in [{low!r}, {high!r}], such as "
                f"{nearest!r}"
            )
        return int(value) if self.integer else float(value)

    def register(self, hyperparameters: Any, name: str, default: Value | None) -> None:
        """Add it to a `keras_tuner.HyperParameters`, as `in_keras_tuner` has it."""
        add = hyperparameters.Int if self.integer else hyperparameters.Float
        own = self.in_keras_tuner()
        add(name, own.low, own.high, step=own.step, sampling=own.sampling, default=default)

    def in_keras_tuner(self) -> "Number":
        """The nearest distribution that KerasTuner has.

        It has no one-minus-log sampling. Its "reverse_log" between d and 1 - d is one minus a
        log-uniform number in [d, 1 - d], which for the small d of decay rates is within d of it.
        """
        if self.sampling != "one_minus_log":
            return dataclasses.replace(self, descending=False)
        return Number(self.low, self.high - self.low, "reverse_log", self.step, self.integer)


@dataclass(frozen=True)
class Choice:
    """One of several values of one type.

    Attributes:
        values: the values.
        ordered: whether their order means something; only for numbers.
        thresholds: where u passes from one value to the next; None for equal shares.
    """

    values: tuple[Value, ...]
    ordered: bool = False
    thresholds: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse an empty or mixed choice, and thresholds that do not part it."""
        sequence = isinstance(self.values, tuple | list)  # a text would be one of characters
        kinds = {type(value) for value in self.values} if sequence else set()
        if len(kinds) != 1 or not kinds <= {bool, int, float, str}:
            raise NotAllowedError(
                f"values must be several floats, ints, bools or strings, all of one type; "
                f"got {self.values!r}"
            )
        check_switch("ordered", self.ordered)
        if self.thresholds is None:
            return
        if (
            len(self.thresholds) != len(self.values) - 1
            or not all(map(_is_number, self.thresholds))
            or list(self.thresholds) != sorted(self.thresholds)
        ):
            raise NotAllowedError(
                f"thresholds must be {len(self.values) - 1} rising numbers, one less than there "
                f"are values; got {self.thresholds!r}"
            )

    def draw(self, u: float) -> Value:
        """The value at the quantile u in [0, 1)."""
        if self.thresholds is not None:
            return self.values[bisect.bisect_right(self.thresholds, u)]
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def nearest(self, number: float, low: float = -math.inf, high: float = math.inf) -> Value:
        """The one of the values, all numbers, that is nearest to a number.

        Args:
            number: any.
            low: the result is at least this.
            high: the result is at most this.

        Returns:
            The number itself if no value lies between `low` and `high`.
        """
        values: tuple[Any, ...] = self.values
        inside = (value for value in values if low <= value <= high)
        return min(inside, key=lambda value: abs(value - number), default=number)

    def check(self, value: Any) -> Value:
        """The one of the values that `value` equals.

        Raises:
            NotAllowedError: if it equals none.
        """
        return _equal_one(self.values, value)

    def register(self, hyperparameters: Any, name: str, default: Value | None) -> None:
        """Add it to a `keras_tuner.HyperParameters`, which draws all values equally often."""
        hyperparameters.Choice(name, list(self.values), ordered=self.ordered, default=default)

    def in_keras_tuner(self) -> "Choice":
        """The same values in equal shares."""
        return dataclasses.replace(self, thresholds=None)


@dataclass(frozen=True)
class Boolean:
    """True or False, equally likely."""

    values: ClassVar[tuple[bool, bool]] = (False, True)

    def draw(self, u: float) -> Value:
        """The value at the quantile u in [0, 1)."""
        return u > 0.5

    def check(self, value: Any) -> Value:
        """The value as a plain bool.

        Raises:
            NotAllowedError: if it is not a boolean.
        """
        if not _is_bool(value):
            raise NotAllowedError("must be True or False")
        return bool(value)

    def register(self, hyperparameters: Any, name: str, default: Value | None) -> None:
        """Add it to a `keras_tuner.HyperParameters`."""
        hyperparameters.Boolean(name, default=bool(default))

    def in_keras_tuner(self) -> "Boolean":
        """Itself."""
        return self


@dataclass(frozen=True)
class Fixed:
    """A single value."""

    value: Value

    def __post_init__(self) -> None:
        """Refuse what is no single value."""
        check_plain("value", self.value)

    def draw(self, u: float) -> Value:
        """The value."""
        return self.value

    def check(self, value: Any) -> Value:
        """The value.

        Raises:
            NotAllowedError: if another one is given.
        """
        return _equal_one((self.value,), value)

    def register(self, hyperparameters: Any, name: str, default: Value | None) -> None:
        """Add it to a `keras_tuner.HyperParameters`."""
        hyperparameters.Fixed(name, self.value)

    def in_keras_tuner(self) -> "Fixed":
        """Itself."""
        return self


Distribution = Number | Choice | Boolean | Fixed


def check_plain(key: str, value: Any) -> None:
    """Refuse what no hyperparameter can have as its value.

    Raises:
        NotAllowedError: if it is neither a number nor a boolean nor a text.
    """
    if not (_is_number(value) or _is_bool(value) or isinstance(value, str)):
        raise NotAllowedError(f"{key} must be a number, a boolean or a text; got {value!r}")


def check_switch(key: str, value: Any) -> None:
    """Refuse what is neither on nor off.

    Raises:
        NotAllowedError: if it is not a boolean.
    """
    if not _is_bool(value):
        raise NotAllowedError(f"{key} must be True or False; got {value!r}")


def _equal_one(allowed: tuple[Value, ...], value: Any) -> Value:
    for candidate in allowed:
        if candidate == value and isinstance(candidate, bool) == _is_bool(value):
            return candidate
    choices = ", ".join(map(repr, allowed))
    raise NotAllowedError(f"must be {'one of ' if len(allowed) > 1 else ''}{choices}")


def _exp(x: float) -> float:
    return float(_DIGITS.exp(decimal.Decimal(x)))


@functools.cache
def _ln(x: float) -> float:
    return float(_DIGITS.ln(decimal.Decimal(x)))


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not _is_bool(value)
