"""A search space: rows of hyperparameters, each with its distribution and conditions."""

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from keras_hplist.checks import LAST_SEED, checked_count
from keras_hplist.errors import InvalidValueError
from keras_hplist.spaces.bookkeeping import is_bookkeeping
from keras_hplist.spaces.distributions import Boolean, Choice, NotAllowedError, Value
from keras_hplist.spaces.hyperparameter import Hyperparameter, configured_rows

if TYPE_CHECKING:
    import keras_tuner

    from keras_hplist.optimizers import RuleOptimizer

# The published spaces, which are also the names of the optimizer families. Named here once more:
# the optimizers would load Keras.
FAMILIES = ("nadamw", "adam8p", "adam6p", "adam4p", "adam1p")

# Name to published space. `published` fills it; it stands here since its names are taken.
PUBLISHED: "dict[str, SearchSpace]" = {}


@dataclass(frozen=True)
class SearchSpace:
    """A named distribution over configurations.

    Attributes:
        name: what it is called in lists and histories.
        rows: the hyperparameters; a condition refers to earlier rows.
        index_name: configurations are called `<index_name>_seed<k>`; "" for the name.
        seed_offset: added to a seed before it reaches NumPy's legacy generator.
        family: name of the optimizer family that the configurations are for; "" for none.
    """

    name: str
    rows: tuple[Hyperparameter, ...]
    index_name: str = ""
    seed_offset: int = 0
    family: str = ""

    def __post_init__(self) -> None:
        """Refuse bad or taken names, no hyperparameters, and conditions that have no meaning."""
        _check_fields(self)
        if PUBLISHED.get(self.name, self) != self:  # lists and histories keep only its name
            raise InvalidValueError(
                f"{self.name!r} is the name of a published search space, which this one differs "
                f"from; choose another for yours. With family={self.name!r} it can have the same "
                "optimizer."
            )
        if not self.names:
            raise InvalidValueError(f"Search space {self.name!r} has no hyperparameters.")
        known: dict[str, Hyperparameter] = {}
        for row in self.rows:
            for parent, _ in row.when:
                if parent not in known:
                    raise InvalidValueError(
                        f"Search space {self.name!r}: {row.name!r} depends on {parent!r}, "
                        f"which no earlier row defines."
                    )
                if known[parent].hidden and row.otherwise is None:
                    raise InvalidValueError(
                        f"Search space {self.name!r}: {row.name!r} depends on the hidden "
                        f"{parent!r}, which is no part of a configuration; give it the value "
                        f"`otherwise`, which says that it is switched off."
                    )
            known[row.name] = row

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the hyperparameters, in order."""
        return tuple(dict.fromkeys(row.name for row in self.rows if not row.hidden))

    @property
    def beyond_family(self) -> tuple[str, ...]:
        """Names that are none of the family's hyperparameters; without a family all."""
        known = PUBLISHED[self.family].names if self.family else ()
        return tuple(name for name in self.names if name not in known)

    def free_name(self, name: str) -> str:
        """What to call a column beside the hyperparameters: `name`, or `name_` if one has it."""
        while name in self.names:
            name += "_"
        return name

    def draw(self, seed: int) -> dict[str, Value]:
        """The configuration of one seed: a plain value for each active hyperparameter.

        The published spaces give the published configurations, bit for bit: each hyperparameter
        takes one uniform variate of `numpy.random.RandomState(seed + seed_offset)`, in row order.
        """
        random = np.random.RandomState(seed + self.seed_offset)
        state: dict[str, Value] = {}
        values: dict[str, Value] = {}
        for row in self.rows:
            if row.name not in state and row.is_active(state):
                state[row.name] = row.distribution.draw(random.random_sample())
            if not row.hidden and (value := state.get(row.name, row.otherwise)) is not None:
                values[row.name] = value
        return values

    def sample(self, n: int, seed: int = 0) -> pd.DataFrame:
        """Configurations of consecutive seeds.

        Args:
            n: how many, at least 1.
            seed: the first seed, at least 0.

        Returns:
            One row for each seed from `seed` to `seed + n - 1`, indexed by the published name, for
            example `nadamw_grid_seed251`; one column for each hyperparameter; NaN where a
            hyperparameter is not active.

        Raises:
            InvalidValueError: if `n` or `seed` is not such an integer, or a seed is beyond NumPy's,
                which end at 2³² - 1.
        """
        largest = LAST_SEED - self.seed_offset
        checked_count("seed", seed, 0, largest)
        checked_count("n", n, 1, largest - seed + 1)
        seeds = range(seed, seed + n)
        return pd.DataFrame(
            [self.draw(s) for s in seeds],
            columns=list(self.names),
            index=[f"{self.index_name or self.name}_seed{s}" for s in seeds],
        )

    def validate(self, values: "Mapping[str, Any] | pd.Series") -> dict[str, Value]:
        """Check one configuration.

        Args:
            values: a value for each active hyperparameter, by name: a dict, or a row of `sample`.
                Values of hyperparameters that are not active say nothing and are dropped.

        Returns:
            Plain Python floats, ints, bools and strings, in the order of `names`.

        Raises:
            InvalidValueError: if a name is not in the space, an active hyperparameter has no value,
                or a value is not finite, not of its type, out of bounds, or off the grid of a
                `step`; it names the key.
        """
        values = self._by_name(values)
        for name in values:
            if name not in self.names:
                close = difflib.get_close_matches(str(name), self.names, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise InvalidValueError(
                    f"{name!r} is no hyperparameter of search space {self.name!r}.{hint} "
                    f"It has: {', '.join(self.names)}."
                )
        checked: dict[str, Value] = {}
        for row in configured_rows(self.rows, checked):
            if row.name not in values:
                raise InvalidValueError(
                    f"{row.name!r} is missing: a configuration of search space {self.name!r} has "
                    f"a value for each of {', '.join(self.names)}."
                )
            try:
                checked[row.name] = row.check(values[row.name])
            except NotAllowedError as error:
                raise InvalidValueError(
                    f"{row.name!r} {error} in search space {self.name!r}; got {values[row.name]!r}."
                ) from None
        return checked

    def _by_name(self, values: "Mapping[str, Any] | pd.Series") -> dict[str, Any]:
        try:
            return dict(values)  # a Series iterates over its values
        except (TypeError, ValueError):
            raise InvalidValueError(
                f"A configuration of search space {self.name!r} is a dict, or a row of sample(), "
                f"with a value for each of {', '.join(self.names)}; got {values!r}."
            ) from None

    def optimizer(
        self,
        values: "Mapping[str, Any] | pd.Series",
        training_steps: int | None = None,
        **kwargs: Any,
    ) -> "RuleOptimizer":
        """The Keras optimizer of a configuration.

        Args:
            values: a value for each hyperparameter, by name: a dict, or a row of `sample`. In the
                domain of the optimizer; the bounds of the search space do not matter here.
            training_steps: number of batches the schedule is planned for; None if it will be set
                before the first update.
            **kwargs: further arguments of the optimizer's class, such as `as_published`,
                `clipnorm`, or `gradient_accumulation_steps`.

        Raises:
            InvalidValueError: if a name is missing, not in the space or among the arguments too, if
                a value is not in its domain, or if the space has more than its family, or none.
        """
        if beyond := ", ".join(self.beyond_family):
            raise InvalidValueError(
                f"Search space {self.name!r} is for no optimizer of this package: none takes "
                f"{beyond}. Read its values in build_model(hp), from a space without a family."
            )
        values = self._by_name(values)
        if set(values) != set(self.names):
            raise InvalidValueError(
                f"An optimizer of search space {self.name!r} needs exactly the hyperparameters "
                f"{', '.join(self.names)}. Missing: {sorted(set(self.names) - set(values))}; "
                f"unknown: {sorted(set(values) - set(self.names))}."
            )
        for name in set(kwargs) & set(values):
            change = {name: kwargs[name]}
            raise InvalidValueError(
                f"{name} is {kwargs[name]!r}, and the configuration has its own, {values[name]!r}. "
                f"Set it afterwards with optimizer.set_hyperparameters({change!r}), or give a "
                f"changed configuration: spaces.get({self.name!r}).optimizer(entry | {change!r})."
            )
        from keras_hplist import optimizers

        return optimizers.get(self.family)(**values, training_steps=training_steps, **kwargs)

    def hyperparameters(self) -> "keras_tuner.HyperParameters":
        """The space as `keras_tuner.HyperParameters`.

        Any KerasTuner oracle over it samples this distribution: scales are kept, and what is zero
        in a share of the configurations hangs on a switch of its own under `hplist/`. KerasTuner
        expresses decay rates to within 1e-3 (see `Number.in_keras_tuner`). `from_keras_tuner` turns
        its values back into a configuration.
        """
        import keras_tuner

        hyperparameters = keras_tuner.HyperParameters()
        for row in self.rows:
            row.register(hyperparameters)
        return hyperparameters

    def from_keras_tuner(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """The configuration in the values of a KerasTuner trial.

        Args:
            values: `trial.hyperparameters.values` of a search over `hyperparameters()`, or values
                under the plain names; hyperparameters of other spaces are passed over.

        Raises:
            InvalidValueError: as `validate`.
        """
        configuration = {}
        for row in self.rows:
            if row.hidden:
                continue
            switched_off = any(
                parent in values and values[parent] not in allowed for parent, allowed in row.when
            )
            if row.name in values and not switched_off:
                configuration[row.name] = values[row.name]
            elif row.otherwise is not None:
                configuration[row.name] = row.otherwise
        return self.validate(configuration)

    def to_keras_tuner(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """The values that a KerasTuner trial over `hyperparameters()` has for a configuration.

        Raises:
            InvalidValueError: as `validate`; and for a configuration that the space never draws,
                such as one of `nadamw` without any weight decay.
        """
        checked = self.validate(values)
        state: dict[str, Value] = {}
        for row in self.rows:
            if row.hidden:
                state[row.name] = self._switch_position(row, checked)
            elif row.is_active(state) and row.name in checked:
                state[row.name] = checked[row.name]
        return state

    def _switch_position(self, switch: Hyperparameter, checked: Mapping[str, Value]) -> Value:
        assert isinstance(switch.distribution, Boolean | Choice)
        needed = {
            row.name: (allowed, checked[row.name] != row.otherwise)
            for row in self.rows
            for parent, allowed in row.when
            if parent == switch.name
        }
        for position in switch.distribution.values:
            if all((position in allowed) == active for allowed, active in needed.values()):
                return position
        zeros = ", ".join(f"{name}={checked[name]!r}" for name in needed)
        raise InvalidValueError(
            f"KerasTuner hyperparameters of search space {self.name!r} cannot express {zeros}: "
            f"the space never draws this combination."
        )

    def to_config(self) -> dict[str, Any]:
        """The whole definition as a JSON-able dict, which `from_config` reads."""
        config: dict[str, Any] = {"name": self.name}
        for key in ("index_name", "seed_offset", "family"):
            if getattr(self, key):
                config[key] = getattr(self, key)
        return config | {"hyperparameters": [row.to_config() for row in self.rows]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "SearchSpace":
        """The space that `to_config` wrote.

        Raises:
            InvalidValueError: if `config` is no such definition; it names the place.
        """
        if not isinstance(config, Mapping):
            raise InvalidValueError(f"The definition of a search space is a dict; got {config!r}.")
        rest = dict(config)
        try:
            given = rest.pop("hyperparameters")
            if not isinstance(given, list | tuple):
                raise NotAllowedError(f"'hyperparameters' must be a list; got {given!r}")
            rows = tuple(map(Hyperparameter.from_config, given))
            return cls(rows=rows, **rest)
        except (KeyError, TypeError, NotAllowedError) as error:
            raise InvalidValueError(
                f"A search space is defined by 'name' and 'hyperparameters'; "
                f"in the definition of {rest.get('name')!r}: {error}."
            ) from error

    @classmethod
    def from_hyperparameters(
        cls, name: str, hyperparameters: "keras_tuner.HyperParameters"
    ) -> "SearchSpace":
        """A user's own space, from the hyperparameters of a KerasTuner search.

        Args:
            name: what to call it; not the name of a published space.
            hyperparameters: with Choice, Int, Float, Boolean and Fixed, in whatever conditional
                scopes. Names under `hplist/` and `tuner/` are bookkeeping and left out, but for the
                switches of the published spaces, which are hidden as there.

        Raises:
            InvalidValueError: if the name is taken, if there are no hyperparameters, or if they are
                no `keras_tuner.HyperParameters`.
        """
        if not hasattr(hyperparameters, "space"):
            raise InvalidValueError(
                f"hyperparameters must be a keras_tuner.HyperParameters; got {hyperparameters!r}."
            )
        parents = {condition.name for hp in hyperparameters.space for condition in hp.conditions}
        rows = tuple(
            Hyperparameter.from_keras_tuner(hp)
            for hp in hyperparameters.space
            if hp.name in parents or not is_bookkeeping(hp.name)
        )
        return cls(name, rows)


def _check_fields(space: SearchSpace) -> None:
    """Refuse fields of a wrong type, which a definition in a file may have.

    Raises:
        InvalidValueError: naming the field.
    """
    if not isinstance(space.name, str) or not space.name:
        raise InvalidValueError(
            f"The name of a search space must be a text that is not empty; got {space.name!r}."
        )
    about = f"of search space {space.name!r}"
    if isinstance(space.rows, list):
        object.__setattr__(space, "rows", tuple(space.rows))  # hashable, and equal to its copy
    if not isinstance(space.rows, tuple) or not all(
        isinstance(row, Hyperparameter) for row in space.rows
    ):
        raise InvalidValueError(
            f"The rows {about} must be a tuple of Hyperparameter; got {space.rows!r}."
        )
    if not isinstance(space.index_name, str):
        raise InvalidValueError(f"The index_name {about} must be a text; got {space.index_name!r}.")
    if space.family not in ("", *FAMILIES):
        raise InvalidValueError(
            f"The family {about} must be one of {', '.join(FAMILIES)}, or '' for none; "
            f"got {space.family!r}."
        )
    checked_count(f"The seed_offset {about}", space.seed_offset, 0, LAST_SEED)


def configuration_id(space_name: str, values: Mapping[str, Value]) -> str:
    """The stable identity of a configuration, on every machine.

    Args:
        space_name: name of the search space.
        values: as `SearchSpace.validate` returns them, in any order.

    Returns:
        The first 12 hexadecimal digits of the SHA-256 of the canonical JSON of both.
    """
    text = json.dumps(
        [space_name, dict(values)], sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]
