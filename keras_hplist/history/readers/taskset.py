"""TaskSet's published learning curves: arrays per task, and two public re-packagings of them."""

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from keras_hplist import spaces
from keras_hplist.checks import checked_name, checked_path
from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.files import read_json
from keras_hplist.history.report import ReadReport
from keras_hplist.history.schema import SPLITS
from keras_hplist.history.store import History

_SPLITS = {"outer": ("train", None, "valid", "test"), "inner": ("train", "valid", None, "test")}
"""For the four splits of TaskSet, the split of a history."""


def read_taskset(
    path: str | os.PathLike[str],
    *,
    task: str | None = None,
    validation: Literal["outer", "inner"] = "outer",
    configurations: str | os.PathLike[str] | Mapping[str, Any] | None = None,
) -> History:
    """Read learning curves of TaskSet (Metz et al. 2020), without unpickling anything.

    Three layouts are told by their contents:

    - the published `.npz`, one task and one search space a file: `optimizers` (names), `xs` (steps)
      and `ys` of shape (configurations, replicas, times, 4), the splits train, inner validation,
      outer validation and test. Replicas become seeds.
    - an `.npz` of several tasks: `loss` of shape (tasks, configurations, times, splits), `hp` of
      shape (configurations, hyperparameters), `hp_names`, `tasks`, `splits`, `steps`.
    - a `.json` of one task, as the DPL benchmark packs them: a list of
      `{"hp": {…}, "train": {"loss": […]}, "valid": …, "test": …}` with a point every 200 steps.

    A curve that ends in a value that is not finite is `diverged`.

    Args:
        path: a file, or a folder: every `.npz` and `.json` file in it, and of the folders below.
        task: name of the task of a file that does not name its own; default: the file's name
            without suffix, or the folder's name where the file is called after a search space.
        validation: which of TaskSet's two validation splits is `valid`. The outer one was set
            aside for learning lists.
        configurations: hyperparameters by configuration name, as a mapping or a JSON file
            (`{name: {…}}` or TaskSet's `{name: [{…}, space]}`), for names that are not of the five
            published search spaces.

    Returns:
        The history. `space` is the published search space that the names or hyperparameters are of,
        else "custom"; the family is what the task's name starts with.

    Raises:
        FileFormatError: naming the file and the array that is missing or of a wrong shape.
        FileNotFoundError: if there is no such path.
        InvalidValueError: if the hyperparameters of a configuration are not known.
        UnknownNameError: if `validation` is another word.
    """
    checked_name("validation split of TaskSet", validation, _SPLITS)
    given = {} if configurations is None else configurations
    if not isinstance(given, Mapping):
        source = checked_path("configurations", given, or_else="a mapping")
        given = read_json(source)
        if not isinstance(given, Mapping):
            raise FileFormatError(f"{source} holds no mapping of names to hyperparameters.")
    task = None if task is None else str(task)
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(f"There is no file or folder {root}.")
    files = [root] if root.is_file() else sorted([*root.rglob("*.npz"), *root.rglob("*.json")])
    if not files:
        raise FileFormatError(f"The folder {root} holds no .npz or .json file.")
    report, records = ReadReport([os.fspath(root)]), []
    for file in files:
        if file.suffix == ".json":
            records += list(_listed(file, task))
            continue
        arrays = _arrays(file)
        if "ys" in arrays:
            named = _Names(given, file)
            records += list(_published(arrays, file, task, _SPLITS[validation], named))
        elif "loss" in arrays:
            records += list(_stacked(arrays, file))
        else:
            raise FileFormatError(
                f"{file} has the arrays {', '.join(arrays)}; expected are those of TaskSet, "
                "optimizers, xs and ys, or loss, hp, hp_names, tasks, splits and steps."
            )
    report.read = len(records)
    try:
        return History.from_records(records, report=report)
    except InvalidValueError as error:
        raise FileFormatError(f"{root}: {error}") from error


def _published(
    arrays: Mapping[str, np.ndarray],
    file: Path,
    task: str | None,
    splits: tuple[str | None, ...],
    named: "_Names",
) -> Iterator[dict[str, Any]]:
    names = [_text(name) for name in _array(arrays, "optimizers", file, 1)]
    steps = _array(arrays, "xs", file, 1)
    losses = _array(arrays, "ys", file, 4)
    if losses.shape[::2] != (len(names), len(steps)) or losses.shape[3] != 4:
        raise FileFormatError(
            f"{file}: 'ys' has shape {losses.shape}; expected (configurations={len(names)}, "
            f"replicas, times={len(steps)}, splits=4)."
        )
    task = task or _task(file)
    for name, replicas in zip(names, losses, strict=True):
        space, values = named(name)
        for seed, curves in enumerate(replicas):
            yield _record(
                file,
                task,
                {split: curves[:, i] for i, split in enumerate(splits) if split},
                steps,
                space=space,
                values=values,
                seed=seed,
            )


def _stacked(arrays: Mapping[str, np.ndarray], file: Path) -> Iterator[dict[str, Any]]:
    tasks, splits, names = (
        [_text(each) for each in _array(arrays, name, file, 1).tolist()]
        for name in ("tasks", "splits", "hp_names")
    )
    steps = _array(arrays, "steps", file, 1)
    losses, values = _array(arrays, "loss", file, 4), _array(arrays, "hp", file, 2)
    expected = (len(tasks), len(values), len(steps), len(splits))
    if losses.shape != expected or values.shape[1] != len(names):
        raise FileFormatError(
            f"{file}: 'loss' has shape {losses.shape} and 'hp' {values.shape}; expected "
            f"(tasks, configurations, times, splits) = {expected} and "
            f"(configurations, hyperparameters) = {(len(values), len(names))}."
        )
    if "valid" not in splits or not set(splits) <= set(SPLITS):
        raise FileFormatError(
            f"{file}: 'splits' holds {splits}; allowed are {', '.join(SPLITS)}, with 'valid'."
        )
    for task, configurations in zip(tasks, losses, strict=True):
        for row, curves in zip(values, configurations, strict=True):
            yield _record(
                file,
                task,
                {split: curves[:, i] for i, split in enumerate(splits)},
                steps,
                space=_space_of(names),
                values=dict(zip(names, row.tolist(), strict=True)),
            )


def _listed(file: Path, task: str | None) -> Iterator[dict[str, Any]]:
    document = read_json(file, strict=False)  # NaN is in these files
    for number, entry in enumerate(document if isinstance(document, list) else [None]):
        try:
            curves = {split: np.asarray(entry[split]["loss"], float) for split in SPLITS}
            values = dict(entry["hp"])
            points = {curve.shape for curve in curves.values()}
            if len(points) > 1 or curves["valid"].ndim != 1:
                raise ValueError(f"its curves have the shapes {sorted(points)}")
        except (KeyError, TypeError, ValueError) as error:
            raise FileFormatError(
                f"{file}, entry {number}: expected is {{'hp': …, 'train': {{'loss': […]}}, "
                f"'valid': …, 'test': …}}; {error!r}."
            ) from error
        steps = 200 * np.arange(len(curves["valid"]))
        space = _space_of(values)
        yield _record(file, task or _task(file), curves, steps, space=space, values=values)


def _record(
    file: Path, task: str, curves: Mapping[str, np.ndarray], steps: np.ndarray, **columns: Any
) -> dict[str, Any]:
    with np.errstate(over="ignore"):  # what float32 cannot hold has diverged
        losses = {split: curve.astype(np.float32) for split, curve in curves.items()}
    diverged = not np.isfinite(losses["valid"][-1:]).all()
    return {
        "task": task,
        "family": _family(task),
        "steps": steps,
        "status": "diverged" if diverged else "ok",
        "source": os.fspath(file),
        **losses,
        **columns,
    }


class _Names:
    """Finds space and hyperparameters of a published configuration name."""

    def __init__(self, given: Mapping[str, Any], file: Path) -> None:
        self._given, self._file = given, file
        published = (spaces.get(name) for name in spaces.names())
        self._published = {space.index_name: space for space in published}

    def __call__(self, name: str) -> tuple[str, Mapping[str, Any]]:
        prefix, _, seed = name.rpartition("_seed")
        if name in self._given:
            values = self._given[name]
            if isinstance(values, list):  # TaskSet's own: [hyperparameters, space]
                values = values[0]
            return prefix or "custom", values
        if prefix in self._published and seed.isdecimal():
            space = self._published[prefix]
            return space.name, space.draw(int(seed))
        if match := re.fullmatch(r"adam_lr_(-?\d+\.\d+)", name):
            return "adam1p", {"learning_rate": 10.0 ** float(match[1])}
        raise InvalidValueError(
            f"{self._file}: the hyperparameters of {name!r} are not known; "
            "give them: configurations={name: {…}} or the path of such a JSON file."
        )


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise FileFormatError(
            f"{file} is damaged or no .npz archive of plain arrays: {error}"
        ) from error


def _array(arrays: Mapping[str, np.ndarray], name: str, file: Path, ndim: int) -> np.ndarray:
    if name not in arrays:
        raise FileFormatError(f"{file} has no array {name!r}; it has {', '.join(arrays)}.")
    if arrays[name].ndim != ndim:
        raise FileFormatError(
            f"{file}: {name!r} has shape {arrays[name].shape}; expected are {ndim} axes."
        )
    return arrays[name]


def _task(file: Path) -> str:
    """TaskSet keeps the file of a search space in a folder called after the task."""
    is_space = re.match(r"(nadamw|adam\d+p|adagrad|momentum|rmsprop|adam_lr)", file.stem)
    return file.resolve().parent.name if is_space else file.stem


def _family(task: str) -> str | None:
    """`mlp_family_seed12` is of the family mlp, `FixedTextRNN…_imdb_…` of what is before the _."""
    sampled = re.fullmatch(r"(.+)_family_seed\d+", task)
    return sampled[1] if sampled else task.split("_")[0]


def _space_of(names: Any) -> str:
    """The published space that has exactly these hyperparameters."""
    wanted = set(map(str, names))
    known = {frozenset(spaces.get(name).names): name for name in spaces.names()}
    return known.get(frozenset(wanted), "custom")


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
