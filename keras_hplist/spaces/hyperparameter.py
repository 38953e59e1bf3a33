"""One row of a search space, and its forms in JSON and in KerasTuner."""

import dataclasses
import numbers
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_hplist.spaces.bookkeeping import is_bookkeeping
from keras_hplist.spaces.distributions import (
    Boolean,
    Choice,
    Distribution,
    Fixed,
    NotAllowedError,
    Number,
    Value,
    check_plain,
    check_switch,
)

if TYPE_CHECKING:
    import keras_tuner

_TYPES: dict[str, type[Any]] = {
    "number": Number,
    "choice": Choice,
    "boolean": Boolean,
    "fixed": Fixed,
}


@dataclass(frozen=True)
class Hyperparameter:
    """One row of a search space.

    Attributes:
        name: its name; several rows may share one if their conditions exclude each other.
        distribution: where its values come from.
        when: it is active where each of these hyperparameters, named in earlier rows, is active and
            has one of the given values; always if empty.
        otherwise: its value where it is not active; None if it then has none.
        default: what `keras_tuner.HyperParameters` starts from; None for KerasTuner's own choice.
        hidden: whether it is only drawn to decide on the activity of others, and is no part of a
            configuration.
    """

    name: str
    distribution: Distribution
    when: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    otherwise: Value | None = None
    default: Value | None = None
    hidden: bool = False

    def __post_init__(self) -> None:
        """Refuse a name, conditions and values that cannot be those of a hyperparameter."""
        for name in (self.name, *(parent for parent, _ in self.when)):
            if not isinstance(name, str) or not name:
                raise NotAllowedError(
                    f"the name of a hyperparameter must be a text that is not empty; got {name!r}"
                )
        for parent, values in self.when:
            for value in values:
                check_plain(f"each value of {parent!r} in 'when'", value)
        for key in ("otherwise", "default"):
            if (value := getattr(self, key)) is not None:
                check_plain(key, value)
        check_switch("hidden", self.hidden)

    def is_active(self, state: Mapping[str, Value]) -> bool:
        """Whether the conditions hold among the values of the active hyperparameters."""
        return all(parent in state and state[parent] in values for parent, values in self.when)

    @property
    def start(self) -> Value:
        """What KerasTuner starts from: the default, or the lowest bound or first value."""
        if self.default is not None:
            return self.default
        if isinstance(self.distribution, Number):
            low = self.distribution.bounds[0]
            return int(low) if self.distribution.integer else low
        if isinstance(self.distribution, Fixed):
            return self.distribution.value
        return self.distribution.values[0]

    def check(self, value: Any) -> Value:
        """The value as a plain one.

        Raises:
            NotAllowedError: if it is neither in the distribution nor the value of the inactive.
        """
        distribution = self.distribution
        plain = isinstance(value, numbers.Real)
        if isinstance(distribution, Number) and plain and value == self.default:
            # KerasTuner takes a default that is off the grid of `step`.
            distribution = dataclasses.replace(distribution, step=None)
        try:
            return distribution.check(value)
        except NotAllowedError as error:
            if self.otherwise is None:
                raise
            try:
                return Fixed(self.otherwise).check(value)
            except NotAllowedError:
                raise NotAllowedError(f"{error}, or {self.otherwise!r}") from None

    def register(self, hyperparameters: "keras_tuner.HyperParameters") -> None:
        """Add it to KerasTuner's hyperparameters, under its conditions."""
        with ExitStack() as conditions:
            for parent, values in self.when:
                conditions.enter_context(hyperparameters.conditional_scope(parent, list(values)))
            self.distribution.register(hyperparameters, self.name, self.default)

    @classmethod
    def from_keras_tuner(cls, given: Any) -> "Hyperparameter":
        """The row of a KerasTuner `Choice`, `Int`, `Float`, `Boolean` or `Fixed`.

        A switch of the published spaces, which is bookkeeping, is hidden, and 0 the value of what
        it turns off.

        Raises:
            NotAllowedError: if it is none of these.
        """
        kind = type(given).__name__
        distribution: Distribution
        if kind in ("Float", "Int"):
            step = None if kind == "Int" and given.step == 1 else given.step
            distribution = Number(
                given.min_value, given.max_value, given.sampling, step, integer=kind == "Int"
            )
        elif kind == "Choice":
            distribution = Choice(tuple(given.values), bool(given.ordered))
        elif kind == "Boolean":
            distribution = Boolean()
        elif kind == "Fixed":
            distribution = Fixed(given.value)
        else:
            raise NotAllowedError(f"{given.name!r} must be a KerasTuner hyperparameter; got {kind}")
        conditions = tuple((parent.name, tuple(parent.values)) for parent in given.conditions)
        # A file of KerasTuner gives every kind but Fixed a default.
        default = None if kind == "Fixed" else given.default
        # In the published spaces, what a switch turns off is 0.
        switched = any(is_bookkeeping(parent) for parent, _ in conditions)
        return cls(
            given.name,
            distribution,
            conditions,
            otherwise=0.0 if switched else None,
            default=default,
            hidden=is_bookkeeping(given.name),
        )

    def to_config(self) -> dict[str, Any]:
        """The row as a JSON-able dict; what has its default value is left out."""
        kind = next(key for key, cls in _TYPES.items() if isinstance(self.distribution, cls))
        config = {"name": self.name, "type": kind} | _changed_fields(self.distribution)
        if self.when:
            config["when"] = [[parent, list(values)] for parent, values in self.when]
        extras = _changed_fields(self)
        return config | {
            key: extras[key] for key in ("otherwise", "default", "hidden") if key in extras
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Hyperparameter":
        """The row that `to_config` wrote.

        Raises:
            NotAllowedError: if it is no such row.
        """
        if not isinstance(config, Mapping):
            raise NotAllowedError(f"a hyperparameter must be an object; got {config!r}")
        rest = dict(config)
        try:
            name, kind = rest.pop("name"), rest.pop("type")
            when = tuple((parent, _listed(values)) for parent, values in rest.pop("when", ()))
            own = {key: rest.pop(key) for key in ("otherwise", "default", "hidden") if key in rest}
            fields = {key: tuple(v) if isinstance(v, list) else v for key, v in rest.items()}
            return cls(name, _TYPES[kind](**fields), when, **own)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f"no entry {error}" if isinstance(error, KeyError) else error
            raise NotAllowedError(
                f"a hyperparameter needs a name, a type ({', '.join(_TYPES)}) and the type's own "
                f"entries; got {dict(config)!r}: {reason}"
            ) from error


def configured_rows(
    rows: Iterable[Hyperparameter], values: Mapping[str, Value]
) -> Iterator[Hyperparameter]:
    """The rows that a configuration has values of, each name once.

    Args:
        rows: of a search space.
        values: of the rows so far; the caller adds that of each row before it takes the next.
    """
    for row in rows:
        if row.hidden or row.name in values:
            continue
        if row.otherwise is not None or row.is_active(values):
            yield row


def _listed(values: Any) -> tuple[Value, ...]:
    """What JSON has as a list; a text would be one of characters."""
    if not isinstance(values, list | tuple):
        raise NotAllowedError(f"the values of a condition must be a list; got {values!r}")
    return tuple(values)


def _changed_fields(row: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults, tuples as lists."""
    fields = {}
    for field in dataclasses.fields(row):
        value = getattr(row, field.name)
        if value != field.default or type(value) is not type(field.default):
            fields[field.name] = list(value) if isinstance(value, tuple) else value
    return fields
