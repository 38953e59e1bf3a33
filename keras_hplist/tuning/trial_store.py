"""The files of a KerasTuner project, kept so that a kill at any moment leaves them readable.

One `trial_<id>/trial.json` per trial is the truth; everything else can be rebuilt from these, and
`oracle.json` has the same size whether one trial was run or a thousand. Each file is written under
a temporary name and renamed, so it is the old one or the new one, whole. The layout and the keys
are KerasTuner's; a trial has one more key, `hplist`. Numbers that are not finite are null, because
JSON has no other word for them.

Nothing is synced to the disk (`fsync`). A killed process needs no sync: what it wrote and renamed
is in the hands of the operating system. A power cut may take the writes of the last half minute:
a file is then the one before, missing or empty, an empty one is set aside, and the entries of the
trials that ended in that half minute run again. That is cheaper than a sync per trial.
"""

import copy
import json
import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from keras_tuner import HyperParameters
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src import backend

from keras_hplist.errors import FileFormatError
from keras_hplist.files import parse_json, read_json, sweep, write_text
from keras_hplist.spaces.bookkeeping import INDEX

FINISHED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
_STATUSES = (*FINISHED, TrialStatus.RUNNING, TrialStatus.INVALID)
_DAMAGED = ".damaged"
# What Python and Keras raise on JSON that is not laid out as expected.
_MALFORMED = (AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True)
class TrialRecord:
    """What an oracle needs to know of a trial beside KerasTuner's own fields.

    Attributes:
        fingerprint: of the hyperparameter list that is tried.
        seed: of the search.
        runs: how often the trial ran to an end, be it a result or an exception.
        ended: the trial's place in the order in which trials ended; -1 if it has not.
        diverged: whether the result is a loss that is not finite.
    """

    fingerprint: str
    seed: int
    runs: int
    ended: int
    diverged: bool

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Take the fields from what `json` read; keys that a later release added are left out."""
        return cls(
            fingerprint=str(document["fingerprint"]),
            seed=int(document["seed"]),
            runs=int(document["runs"]),
            ended=int(document["ended"]),
            diverged=bool(document["diverged"]),
        )


class TrialStore:
    """Reads and writes the files of one project folder.

    Args:
        folder: the project folder. A path with a scheme (`gs://…`) is left to KerasTuner's own
            file functions, which write in place: there is no atomic rename to build on. Object
            stores replace a file as a whole anyway.

    Attributes:
        folder: as above.
        next_number: the lowest trial number above all that are taken, also by unreadable files.
    """

    def __init__(self, folder: str) -> None:
        """Read and write nothing yet."""
        self.folder = folder
        self.next_number = 0
        self._damaged: list[str] = []
        self._swept = False

    @property
    def oracle_file(self) -> str:
        """The path of `oracle.json`."""
        return os.path.join(self.folder, "oracle.json")

    def trial_file(self, trial_id: str) -> str:
        """The path of a trial's `trial.json`."""
        return os.path.join(self.folder, f"trial_{trial_id}", "trial.json")

    def write_oracle(self, state: Mapping[str, Any]) -> None:
        """Write `oracle.json`."""
        _write(self.oracle_file, _text(state))

    def write_trial(self, trial: Trial, record: TrialRecord) -> None:
        """Write a trial's `trial.json`."""
        document = trial.get_state() | {"hplist": asdict(record)}
        if record.diverged:
            document["score"] = None
        _write(self.trial_file(trial.trial_id), _text(document))
        self.next_number = max(self.next_number, int(trial.trial_id) + 1)

    def read_oracle(self) -> dict[str, Any] | None:
        """The state in `oracle.json`, maybe another oracle's; None if none can be read."""
        if not backend.io.exists(self.oracle_file):
            return None
        return self._read(self.oracle_file, _checked_oracle)

    def read_trials(self) -> list[tuple[Trial, TrialRecord]]:
        """All trials that can be read, lowest number first.

        Returns:
            Each with its record, which has an empty fingerprint if another oracle wrote the trial.
            A trial that diverged has no score.
        """
        found = []
        for path in _trial_files(self.folder):
            number = re.search(r"trial_(\d+)$", os.path.dirname(path))
            if number:
                self.next_number = max(self.next_number, int(number[1]) + 1)
            if path.endswith("trial.json"):
                trial = self._read(path, _checked_trial)
                if trial is not None:
                    found.append(trial)
        return sorted(found, key=lambda pair: _by_number(pair[0].trial_id))

    def _read(self, path: str, parse: Callable[[str, Any], Any]) -> Any:
        try:
            return parse(path, _load(path))
        except FileFormatError:
            self._damaged.append(path)
            return None

    def set_damaged_aside(self) -> None:
        """Rename the files that could not be read to `<name>.damaged`, and warn of each."""
        for path in self._damaged:
            warnings.warn(
                f"{path} cannot be read and is left out; {_set_aside(path)}. "
                "A list entry without a readable trial runs again.",
                stacklevel=2,
            )
        self._damaged.clear()

    def sweep(self) -> None:
        """Once, delete the temporary files of processes that were killed while they wrote."""
        if _is_local(self.folder) and not self._swept:
            self._swept = True
            for pattern in (".", "trial_*"):
                sweep(Path(self.folder), pattern)


def save_state(path: str, state: Mapping[str, Any]) -> None:
    """Write a small state file such as `tuner0.json`, whole or not at all, if it would change.

    Args:
        path: the file to make or replace.
        state: what JSON can hold.
    """
    text = _text(state)
    if not _holds(path, text):
        _write(path, text)


def load_state(path: str) -> dict[str, Any]:
    """Read a state file such as `tuner0.json`.

    Args:
        path: the file.

    Returns:
        The state; an empty dict if the file is missing or torn. A torn one is renamed to
        `<name>.damaged`, with a warning, and an empty one put in its place, so that KerasTuner's
        own `reload` can read it as well.
    """
    if not backend.io.exists(path):
        return {}
    try:
        return _checked_state(path, _load(path))
    except FileFormatError as error:
        warnings.warn(f"{error}; {_set_aside(path)}.", stacklevel=2)
        save_state(path, {})
        return {}


def _is_local(path: str) -> bool:
    return "://" not in path


def _trial_files(folder: str) -> Iterable[str]:
    pattern = os.path.join("trial_*", "trial.json*")
    if _is_local(folder):
        # A glob over the whole path would take "run[1]" in it for a pattern and find nothing.
        return map(str, Path(folder).glob(pattern))
    return backend.io.glob(os.path.join(folder, pattern))


def _holds(path: str, text: str) -> bool:
    if not backend.io.exists(path):
        return False
    with backend.io.File(path, "r") as file:
        return file.read() == text


def _write(path: str, text: str) -> None:
    if _is_local(path):
        write_text(path, text, sync=False)
        return
    backend.io.makedirs(os.path.dirname(path))
    with backend.io.File(path, "w") as file:
        file.write(text)


def _load(path: str) -> Any:
    if _is_local(path):
        return read_json(path)
    with backend.io.File(path, "rb") as file:
        return parse_json(file.read(), path)


def _set_aside(path: str) -> str:
    if not _is_local(path):
        return "it cannot be renamed there"
    aside, copies = path + _DAMAGED, 1
    while os.path.exists(aside):
        aside, copies = f"{path}{_DAMAGED}{copies}", copies + 1
    os.replace(path, aside)
    return f"it is now {os.path.basename(aside)}"


def _text(document: Mapping[str, Any]) -> str:
    try:
        return json.dumps(document, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_without_nan(document), allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    return value.item()  # a NumPy scalar; anything else has no place in a trial


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _by_number(trial_id: str) -> tuple[int, str]:
    return (int(trial_id) if trial_id.isdigit() else -1, trial_id)


def _checked_state(path: str, document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise FileFormatError(f"{path} does not hold a JSON object")
    return document


def _checked_oracle(path: str, document: Any) -> dict[str, Any]:
    state = _checked_state(path, document)
    if "ongoing_trials" in state:  # KerasTuner's oracles have it, ours does not
        return state
    try:
        str(state["hyperparameter_list"]["fingerprint"])
        int(state["seed"])
        HyperParameters.from_config(copy.deepcopy(state["hyperparameters"]))
    except _MALFORMED as error:
        raise FileFormatError(f"{path} does not hold an oracle's state: {error!r}") from error
    return state


def _checked_trial(path: str, document: Any) -> tuple[Trial, TrialRecord]:
    try:
        folder = os.path.basename(os.path.dirname(path))
        if folder != f"trial_{document['trial_id']}":
            raise ValueError(f"its trial_id is {document['trial_id']!r}")
        if document["status"] not in _STATUSES:
            raise ValueError(f"its status is {document['status']!r}")
        for history in document["metrics"]["metrics"].values():
            for observation in history["observations"]:
                observation["value"] = [
                    math.nan if value is None else float(value) for value in observation["value"]
                ]
        if "hplist" not in document:
            return Trial.from_state(document), TrialRecord("", 0, 0, -1, False)
        int(document["hyperparameters"]["values"][INDEX])
        if document["status"] == TrialStatus.COMPLETED and not document["hplist"]["diverged"]:
            float(document["score"])
        return Trial.from_state(document), TrialRecord.from_json(document["hplist"])
    except _MALFORMED as error:
        raise FileFormatError(f"{path} does not hold a trial: {error!r}") from error
