"""The folder of a collection: manifest, shards, failures.

collection.json              what the collection is
task=<name>/<key>.parquet    the curves of one unit, a history; written when the unit is done
failures/<key>.json          a unit that failed, with its error
compacted-<n>.parquet        the curves of many units, merged
compacted.json               for each merged file the keys of its units; a file may be gone
.lock                        held by the process that writes into the folder
"""

import contextlib
import itertools
import json
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock

from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.files import checked_folder, folder_of_task, read_json, sweep, write_text
from keras_hplist.history import History
from keras_hplist.training.plan import Unit

Place = str | os.PathLike[str]

_COMPACTED = "compacted.json"
_MARK = b"PAR1"


class Folder:
    """Reads and writes the folder of one collection."""

    def __init__(self, path: Place) -> None:
        self.path = Path(path)

    def open(
        self,
        settings: dict[str, Any],
        units: Iterable[Unit],
        own_tasks: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        """Make the folder or check that it holds this collection; add new units to its manifest.

        Args:
            settings: what tells the collection from others.
            units: to be done.
            own_tasks: by name, the traits of tasks that are not of the suite. They are kept as long
                as curves of the task are there; those of older manifests stay unknown.

        Raises:
            InvalidValueError: if it holds another collection; both are described. Or if it holds
                curves of another task of one name.
        """
        known: dict[str, dict[str, Any]] = {}
        measured: set[str] = set()
        names = {unit.key: [unit.task, unit.family, len(unit.values)] for unit in units}
        if self._manifest_path.exists():
            manifest = self.manifest()
            if manifest["settings"] != settings:
                raise InvalidValueError(
                    f"{self.path} holds another collection. There: "
                    f"{_describe(manifest['settings'])}. Asked for: {_describe(settings)}. "
                    "Choose another folder, or the same settings."
                )
            known = manifest.get("own_tasks", {})
            done = self.done()
            measured = {task for key, (task, *_) in manifest["units"].items() if key in done}
            names = {**manifest["units"], **names}
        elif self.path.exists() and any(self.path.rglob("*.parquet")):
            raise InvalidValueError(
                f"{self.path} holds Parquet files but no collection.json, so it is not a "
                "collection. Choose a new or an empty folder."
            )
        own_tasks = own_tasks or {}
        for name in measured.intersection(own_tasks, known):
            pairs = {k: (v, own_tasks[name].get(k)) for k, v in known[name].items()}
            changed = {
                k: pair for k, pair in pairs.items() if None not in pair and len({*pair}) > 1
            }
            if changed:
                how = ", ".join(f"{k} was {v!r}, is {now!r}" for k, (v, now) in changed.items())
                raise InvalidValueError(
                    f"{self.path} holds curves of another task {name!r}: {how}. Give the new task "
                    "another name, or choose another folder."
                )
        known |= {name: traits for name, traits in own_tasks.items() if name not in measured}
        content = {
            "format": "keras-hplist-collection",
            "version": 1,
            "settings": settings,
            "units": names,
            **({"own_tasks": known} if known else {}),
        }
        write_text(self._manifest_path, json.dumps(content, indent=1, sort_keys=True))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from writing into the folder; one that is killed lets go of it.

        What such a one left half written is deleted.

        Raises:
            InvalidValueError: if another process writes into it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise InvalidValueError(
                f"Another process collects into {self.path} or compacts it. Wait for its end, or "
                "choose another folder; History.concat joins what is in several."
            ) from None
        try:
            for pattern in (".", "task=*"):
                sweep(self.path, pattern)
            yield
        finally:
            lock.release()

    @property
    def _manifest_path(self) -> Path:
        return self.path / "collection.json"

    def manifest(self) -> dict[str, Any]:
        """What `open` wrote.

        Raises:
            FileNotFoundError: if the folder is not a collection.
            FileFormatError: if the manifest is damaged.
        """
        if not self._manifest_path.exists():
            raise FileNotFoundError(f"{self.path} is not a collection: no {self._manifest_path}.")
        manifest = _json(self._manifest_path)
        known = isinstance(manifest, dict) and manifest.get("format") == "keras-hplist-collection"
        if not known or manifest.get("version") != 1 or not _is_complete(manifest):
            raise FileFormatError(
                f"{self._manifest_path} is damaged, or not the manifest of a collection of version "
                "1. Collect into another folder; History.read still reads the curves in this one."
            )
        return manifest

    def done(self) -> set[str]:
        """Keys of the units whose curves are on disk, in files that are not damaged."""
        keys = {file.stem for file in self._shards() if _is_whole(file)}
        merged = self.compacted().items()
        return keys.union(*(own for name, own in merged if _is_whole(self.path / name)))

    def damaged(self) -> list[Path]:
        """Files of curves that are empty or cut off; damage within one shows when it is read."""
        files = [*self._shards(), *(self.path / name for name in self.compacted())]
        return sorted(file for file in files if not _is_whole(file))

    def set_damaged_aside(self) -> None:
        """Rename damaged files of curves to `<name>.damaged`, and warn of each."""
        for file in self.damaged():
            aside = file.with_name(f"{file.name}.damaged")
            file.replace(aside)
            warnings.warn(
                f"{file} is damaged; it is now {aside.name}, and its units run again.", stacklevel=2
            )

    def _shards(self) -> Iterator[Path]:
        return self.path.glob("task=*/*.parquet")

    def compacted(self) -> dict[str, list[str]]:
        """By name of a merged file that is there, the keys of its units.

        Raises:
            FileFormatError: if the index of merged files is damaged, or lacks one.
        """
        index = self.path / _COMPACTED
        files = {file.name for file in self.path.glob("compacted-*.parquet")}  # before the index
        merged = _json(index) if index.exists() else {}
        if not _is_index(merged):
            raise FileFormatError(
                f"{index} does not tell which units each merged file has. Restore it; or delete "
                "it and move compacted-*.parquet to another folder, and their units run again."
            )
        if unnamed := sorted(files - merged.keys()):
            raise FileFormatError(
                f"{index} does not name {', '.join(unnamed)}, so nobody knows which units are "
                "done. Restore it; or move these files to another folder, and their units run "
                "again."
            )
        return {name: keys for name, keys in merged.items() if (self.path / name).is_file()}

    def failures(self) -> dict[str, dict[str, Any]]:
        """By key: task, seed and error of the units that failed.

        Raises:
            FileFormatError: if one is damaged.
        """
        failures = {file: _json(file) for file in self.path.glob("failures/*.json")}
        for file, failure in failures.items():
            texts = [failure.get(k) for k in ("task", "error")] if isinstance(failure, dict) else []
            if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
                raise FileFormatError(
                    f"{file} does not tell the task and the error of a unit that failed. Delete "
                    "it, and the unit runs again."
                )
        return {file.stem: failure for file, failure in failures.items()}

    def write(self, unit: Unit, records: list[dict[str, Any]]) -> None:
        """Store the curves of a unit; an earlier failure of it is forgotten."""
        History.from_records(records).write(self._shard(unit.task, unit.key))
        self._failure(unit.key).unlink(missing_ok=True)

    def write_failure(self, unit: Unit, error: str) -> None:
        """Store that a unit failed, and why."""
        content = {"task": unit.task, "family": unit.family, "seed": unit.seed, "error": error}
        write_text(self._failure(unit.key), json.dumps(content, indent=1))

    def _shard(self, task: str, key: str) -> Path:
        return self.path / folder_of_task(task) / f"{key}.parquet"

    def _failure(self, key: str) -> Path:
        return self.path / "failures" / f"{key}.json"


@dataclass(frozen=True)
class Status:
    """State of a collection.

    Attributes:
        settings: space, configurations, horizon.
        done: number of units on disk.
        missing: number of units neither done nor failed, those in damaged files among them.
        failed: by "task (key)", the error.
        families: for each family the numbers of units "done", "missing" and "failed".
        curves: number of curves on disk.
        damaged: files of curves that are empty or cut off, below the folder.
    """

    settings: dict[str, Any]
    done: int
    missing: int
    failed: dict[str, str]
    families: dict[str, dict[str, int]]
    curves: int
    damaged: list[str]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form."""
        return asdict(self)


def status(out: Place) -> Status:
    """What is done, missing, failed and damaged in the folder of a collection; changes nothing.

    Raises:
        FileNotFoundError: if it is not one.
        FileFormatError: if one of its JSON files is damaged.
    """
    folder = Folder(out)
    manifest = folder.manifest()
    try:
        return _status(folder, manifest)
    except FileNotFoundError:  # merged by a compaction after it was listed
        return _status(folder, manifest)


def _status(folder: Folder, manifest: dict[str, Any]) -> Status:
    done, failures = folder.done(), folder.failures()
    families: dict[str, Counter] = {}
    curves = 0
    for key, (_, family, count) in manifest["units"].items():
        state = "done" if key in done else "failed" if key in failures else "missing"
        families.setdefault(family, Counter(done=0, missing=0, failed=0))[state] += 1
        curves += count if state == "done" else 0
    total = sum(families.values(), Counter())
    return Status(
        settings=manifest["settings"],
        done=total["done"],
        missing=total["missing"],
        failed={
            f"{failure['task']} ({key})": failure["error"]
            for key, failure in failures.items()
            if key not in done
        },
        families={name: dict(counts) for name, counts in sorted(families.items())},
        curves=curves,
        damaged=[str(file.relative_to(folder.path)) for file in folder.damaged()],
    )


def compact(out: Place) -> Path | None:
    """Merge the shards of a collection into one file, which replaces them.

    Files that were merged before stay as they are: what is finished is never written again. A kill
    at any moment loses and duplicates nothing: the merged file is named in the index before it is
    written, and written before shards are removed; runs that stand in both are read once.

    Args:
        out: the folder of a collection.

    Returns:
        The merged file, `compacted-<n>.parquet` in the folder; None where nothing was to be merged.

    Raises:
        FileNotFoundError: if it is not a collection.
        FileFormatError: if a shard, the merged file that has its curves, or the index of merged
            files is damaged; nothing is changed.
        InvalidValueError: if another process collects into the folder, or it cannot be written to.
    """
    folder = Folder(out)
    folder.manifest()
    checked_folder(out)
    with folder.alone():
        return _merge(folder)


def _merge(folder: Folder) -> Path | None:
    merged = folder.compacted()
    known = set().union(*merged.values())
    shards = sorted(folder.path.glob("task=*/*.parquet"))
    new = [shard for shard in shards if shard.stem not in known]
    left = {shard.stem for shard in shards} & known
    for name, keys in merged.items():
        if left.intersection(keys):
            History.read(folder.path / name)  # what is to be removed must be there
    names = (f"compacted-{number}.parquet" for number in itertools.count(1))
    target = folder.path / next(name for name in names if name not in merged)
    if new:
        together = History.concat([History.read(shard) for shard in new])
        # First the index: it may name a file that is not there, but must not lack one that is.
        merged[target.name] = sorted(shard.stem for shard in new)
        write_text(folder.path / _COMPACTED, json.dumps(merged))
        together.write(target)
    for shard in shards:
        shard.unlink()
        if not any(shard.parent.iterdir()):
            shard.parent.rmdir()
    return target if new else None


def _is_whole(file: Path) -> bool:
    """Whether a Parquet file has its beginning and its end, by the four bytes that mark either."""
    if file.is_symlink() and not file.exists():
        return False
    with file.open("rb") as content:
        begins = content.read(4) == _MARK
        return begins and content.seek(-4, os.SEEK_END) >= 8 and content.read() == _MARK


def _json(file: Path) -> Any:
    """What is in a JSON file; None where it is damaged, which no file of a collection holds."""
    try:
        return read_json(file)
    except FileFormatError:
        return None


def _is_index(merged: Any) -> bool:
    return isinstance(merged, dict) and all(
        isinstance(keys, list) and all(isinstance(key, str) for key in keys)
        for keys in merged.values()
    )


def _is_complete(manifest: dict[str, Any]) -> bool:
    settings, units = manifest.get("settings"), manifest.get("units")
    own_tasks = manifest.get("own_tasks", {})
    if not isinstance(settings, dict) or not isinstance(units, dict):
        return False
    if not isinstance(own_tasks, dict) or not all(isinstance(t, dict) for t in own_tasks.values()):
        return False
    kinds = [str, str, int]
    return all(
        isinstance(unit, list) and [type(each) for each in unit] == kinds for unit in units.values()
    )


def _describe(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())
