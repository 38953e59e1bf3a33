"""An ordered list of configurations of one search space, and where shipped ones are found."""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

from keras_hplist import spaces
from keras_hplist.checks import checked_count, checked_text
from keras_hplist.errors import (
    FileFormatError,
    HPListError,
    InvalidValueError,
    UnknownNameError,
)
from keras_hplist.files import write_text
from keras_hplist.lists import json_format, opt_list
from keras_hplist.lists.content import (
    SOURCE_RANKS,
    checked_entries,
    checked_gains,
    checked_source_ranks,
    provenance_text,
)
from keras_hplist.spaces.distributions import Value

if TYPE_CHECKING:
    import keras
    import pandas as pd


class HyperparameterList(Sequence[dict[str, Value]]):
    """Configurations of one search space in the order in which to try them.

    A sequence: `len(list)`, iteration, `list[i]` is the i-th configuration as a new dict of plain
    Python values, and `list[:10]` is a list of the first ten. It does not change after it is made;
    two lists are equal if their spaces and their ordered values are.

    Args:
        entries: the configurations, first to try first: mappings of hyperparameter name to value,
            or a table with a row for each, such as `SearchSpace.sample` gives.
        space: the search space, or the name of one of this package's.
        name: what the list is called; default: the name of the space.
        gains: for each entry by how much it lowers the mean score over the training tasks, in the
            unit of the score; None where not known. Default: None for all.
        provenance: where the list comes from, anything that JSON can hold.

    Attributes:
        name: as above.
        space: the `SearchSpace`.
        fingerprint: hexadecimal SHA-256 of the space and the ordered values.

    Raises:
        InvalidValueError: if there is no entry, the name is no text or empty, a value is missing,
            unknown, out of bounds, not finite or of the wrong type, an entry stands twice, the
            provenance is nothing that JSON can hold, or the gains or the `source_ranks` in it do
            not fit the entries.
        UnknownNameError: if there is no such search space.
    """

    def __init__(
        self,
        entries: "Iterable[Mapping[str, Value]] | pd.DataFrame",
        space: "str | spaces.SearchSpace",
        *,
        name: str | None = None,
        gains: Sequence[float | None] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        """Check the entries and keep them."""
        self.space = spaces.get(space)
        self.name = self.space.name if name is None else checked_list_name(name)
        self._entries = checked_entries(entries, self.space)
        self._gains = checked_gains(gains, len(self._entries))
        self._provenance = provenance_text(provenance)
        self._source_ranks = checked_source_ranks(self.provenance, len(self._entries))
        content = json.dumps([_space_json(self.space), self._entries], sort_keys=True)
        self.fingerprint = hashlib.sha256(content.encode()).hexdigest()

    @property
    def gains(self) -> list[float | None]:
        """The gain of each entry, as a new list."""
        return list(self._gains)

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the list comes from, as a new dict."""
        return json.loads(self._provenance)

    @property
    def source_ranks(self) -> list[int | None]:
        """For each entry its rank in the list of which the provenance tells, as a new list.

        None for one that was not in it. Where the provenance speaks of an entry, it means its rank
        there.
        """
        return list(self._source_ranks)

    def __len__(self) -> int:
        """The number of entries."""
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> dict[str, Value]: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> dict[str, Value] | Self:
        """The entry of a rank, or the list of a slice of ranks."""
        if isinstance(index, slice):
            ranks = range(len(self))[index]
            return type(self)(
                [self._entries[rank] for rank in ranks],
                self.space,
                name=self.name,
                gains=[self._gains[rank] for rank in ranks],
                provenance=self.provenance_of(ranks),
            )
        try:
            return dict(self._entries[index])
        except IndexError:
            raise IndexError(
                f"List {self.name!r} has {len(self)} entries; there is no entry {index}."
            ) from None

    def __eq__(self, other: object) -> bool:
        """Whether both have the same space and the same values in the same order."""
        if not isinstance(other, HyperparameterList):
            return NotImplemented
        return self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        """A hash of the content."""
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        """A line for people: name, number of entries, space, the first configuration."""
        return (
            f"<HyperparameterList {self.name!r}: {len(self)} entries of space "
            f"{self.space.name!r}, first {self._entries[0]}>"
        )

    def provenance_of(self, ranks: Sequence[int | None]) -> dict[str, Any]:
        """The provenance of a list that is made of this one's entries.

        Args:
            ranks: for each entry of that list its rank in this one; None if it is not in it.

        Returns:
            The provenance, with `source_ranks` where they are not 0, 1, 2, ….
        """
        sources = [None if rank is None else self._source_ranks[rank] for rank in ranks]
        provenance = self.provenance
        provenance.pop(SOURCE_RANKS, None)
        if sources != list(range(len(sources))):
            provenance[SOURCE_RANKS] = sources
        return provenance

    def to_frame(self) -> "pd.DataFrame":
        """The list as a table.

        Returns:
            A DataFrame whose index `rank` counts from 0, with one column per hyperparameter in the
            order of the space, and `gain` (float64, NaN where not known). If a hyperparameter is
            itself called `rank` or `gain`, they are `rank_` and `gain_`.
        """
        import pandas as pd

        frame = pd.DataFrame(self._entries, columns=list(self.space.names))
        gains = pd.array(self._gains, dtype="Float64").to_numpy(float, na_value=math.nan)
        frame[self.space.free_name("gain")] = gains
        return frame.rename_axis(self.space.free_name("rank"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the list to a JSON file, whole or not at all; the same list gives the same bytes.

        Args:
            path: the file to make or replace; by convention it ends in `.json`.

        Raises:
            InvalidValueError: if it is no path, or that of a folder.
            OSError: if the file cannot be written.
        """
        write_text(
            path,
            json_format.dump(
                {
                    "format": json_format.FORMAT,
                    "version": json_format.VERSION,
                    "name": self.name,
                    "space": _space_json(self.space),
                    "entries": [
                        {"values": values, "gain": gain}
                        for values, gain in zip(self._entries, self._gains, strict=True)
                    ],
                    "provenance": self.provenance,
                }
            ),
        )

    @classmethod
    def load(cls, name_or_path: str | os.PathLike[str]) -> Self:
        """Read a shipped list by its name, or any list by its path.

        Args:
            name_or_path: a name that `available_lists()` shows, else a path.

        Returns:
            The list.

        Raises:
            InvalidValueError: if it is neither a text nor a path.
            UnknownNameError: if it is neither a shipped name nor looks like a path.
            FileNotFoundError: if it looks like a path (an ending, a folder) and is not there.
            FileFormatError: if the file is not a valid list; names the file, the entry and the key.
        """
        if not isinstance(name_or_path, str | os.PathLike):
            raise InvalidValueError(
                f"The list to load is {name_or_path!r}; give a name such as 'nadamw', or the path "
                "of a list file. What is not in a file is a HyperparameterList(entries, space)."
            )
        path = Path(name_or_path)
        if isinstance(name_or_path, str) and name_or_path in available_lists():
            with resources.as_file(_shipped().joinpath(f"{name_or_path}.json")) as shipped:
                return cls._read(shipped)
        if not path.exists() and not path.suffix and path.name == os.fspath(name_or_path):
            raise UnknownNameError(
                "hyperparameter list",
                name_or_path,
                available_lists(),
                "A path to a .json file of your own works as well.",
            )
        return cls._read(path)

    @classmethod
    def _read(cls, path: Path) -> Self:
        document = json_format.parse(path)
        json_format.check(document, str(path))
        try:
            space = document["space"]
            if not isinstance(space, str):
                space = spaces.SearchSpace.from_config(space)
            return cls(
                [entry["values"] for entry in document["entries"]],
                space,
                name=document["name"],
                gains=[entry["gain"] for entry in document["entries"]],
                provenance=document["provenance"],
            )
        except HPListError as error:
            raise FileFormatError(f"{path}: {error}") from error

    @classmethod
    def from_opt_list(cls, path: str | os.PathLike[str]) -> Self:
        """Read the NAdamW list that Metz et al. (2020, arXiv 2002.11887) published as `opt_list`.

        Args:
            path: a JSON array of configurations in list order, or of objects with the keys `rank`,
                `name` and `hyperparameters`.

        Returns:
            A list over the space `nadamw`, named `opt_list`. As published, its curves were made
            with the quirks that `as_published=True` of the optimizer gives.

        Raises:
            FileFormatError: if the file has neither layout or a value is not allowed.
        """
        entries, names = opt_list.parse(json_format.parse(path), os.fspath(path))
        provenance: dict[str, Any] = dict(opt_list.PROVENANCE)
        if names is not None:
            provenance["configurations"] = names
        try:
            return cls(entries, "nadamw", name="opt_list", provenance=provenance)
        except InvalidValueError as error:
            raise FileFormatError(f"{os.fspath(path)}: {error}") from error


def available_lists() -> list[str]:
    """The names of the lists that are shipped with the package, sorted."""
    return sorted(
        file.name.removesuffix(".json")
        for file in _shipped().iterdir()
        if file.name.endswith(".json")
    )


ListLike = HyperparameterList | str | os.PathLike[str]
"""A list, the name of a shipped one, or the path of a list file."""


def checked_list(given: ListLike) -> HyperparameterList:
    """The list that was given, loaded if it is a name or a path.

    Raises:
        InvalidValueError, UnknownNameError, FileNotFoundError, FileFormatError: as
            `HyperparameterList.load`.
    """
    return given if isinstance(given, HyperparameterList) else HyperparameterList.load(given)


def checked_list_name(name: str) -> str:
    """The name of a list, as its file can hold it.

    Raises:
        InvalidValueError: if it is no text, empty, or nothing that UTF-8 can hold.
    """
    return checked_text("The name of a list", name, or_else="None for the name of its search space")


def get_optimizer(
    list_or_name: ListLike,
    index: int = 0,
    training_steps: int | None = None,
    **optimizer_kwargs: Any,
) -> "keras.optimizers.Optimizer":
    """The optimizer of one entry of a list, for `model.compile`.

    Args:
        list_or_name: a list, the name of a shipped one, or the path of a list file.
        index: the rank of the entry; 0 is the first to try.
        training_steps: for how many optimizer updates the run is planned; None if the
            `TrainingSteps` callback is to find out.
        **optimizer_kwargs: passed on to the optimizer, for example `clipnorm=1.0`; no
            hyperparameters, which the entry sets.

    Returns:
        A new Keras optimizer.

    Raises:
        InvalidValueError: if it is no list, the list has no such entry, or a hyperparameter is
            given.
        UnknownNameError: if there is no such list.
    """
    entries = checked_list(list_or_name)
    index = checked_count(f"The index in list {entries.name!r}", index, 0, len(entries) - 1)
    return entries.space.optimizer(
        entries[index], training_steps=training_steps, **optimizer_kwargs
    )


def _shipped() -> Any:
    return resources.files(__package__).joinpath("shipped")


def _space_json(space: "spaces.SearchSpace") -> Any:
    return space.name if space.name in spaces.names() else space.to_config()
