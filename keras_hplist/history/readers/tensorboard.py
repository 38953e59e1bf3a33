"""TensorBoard log folders whose runs recorded their hyperparameters."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from keras_hplist.errors import FileFormatError
from keras_hplist.history.places import Place, place_of
from keras_hplist.history.readers.event_files import Scalar, read_events
from keras_hplist.history.readers.steps import curve
from keras_hplist.history.readers.trials import HistoryBuilder, Options, Trial
from keras_hplist.history.report import ReadReport
from keras_hplist.history.store import History
from keras_hplist.spaces.bookkeeping import LIST_RANK, own_values

if TYPE_CHECKING:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

_STATES = {0: "ok", 1: "ok", 2: "failed", 3: "unfinished"}
"""By TensorBoard's number of a session's status: unknown, success, failure, running."""

_LARGEST_WHOLE = 2**53
"""TensorBoard stores every number as a double, which tells whole ones apart up to here."""

_Scalars = dict[str, list[tuple[float, float]]]
"""Points (step, value) by tag."""

_EXECUTION = re.compile(r"execution\d+")


def read_tensorboard(
    path: str | os.PathLike[str],
    valid: str = "validation/epoch_loss",
    train: str | None = "train/epoch_loss",
    test: str | None = None,
    **options: Unpack[Options],
) -> History:
    """Read the runs below a log folder that have hyperparameters (TensorBoard's HParams).

    A run is the folder whose event file says which hyperparameters a session started with, as
    Keras' `hparams.KerasCallback`, `hparams.hparams` and PyTorch's `add_hparams` write it. Its
    scalars are those of this folder and the folders below it, named by relative folder and tag; the
    defaults are what Keras' `TensorBoard` callback writes. `add_hparams` starts a folder of its own
    below the run's: scalars that are not there are looked for in the folder above. The task is the
    folder that holds the runs. In the logs of a KerasTuner search, `<trial>/execution<n>`, that is
    the folder of the trials: executions are repeated runs, and the bookkeeping of KerasTuner and
    of this package is no hyperparameter. TensorBoard stores all numbers as real ones: those of a
    hyperparameter are whole if they are so in all runs; the report says which.

    STATUS_FAILURE is `failed`; STATUS_RUNNING is dropped. A last record that a killed process left
    incomplete is left out.

    Args:
        path: the log folder.
        valid: tag of the validation loss, the objective.
        train: tag of the training loss, None to leave it out.
        test: tag of the test loss.
        **options: see `Options`.

    Returns:
        The history.

    Raises:
        FileFormatError: naming the damaged file and record; or if no run has hyperparameters.
        FileNotFoundError: if there is no such folder.
        InvalidValueError: if no run has the tag `valid`.
    """
    builder = HistoryBuilder(path, {"valid": valid, "train": train, "test": test}, options)
    root = Path(path)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    scalars, sessions = _recorded(root, builder.report)
    sessions = {folder: session for folder, session in sessions.items() if session.values}
    if scalars and not sessions:
        raise FileFormatError(
            f"No run below {root} recorded its hyperparameters; add the callback "
            "tensorboard.plugins.hparams.api.KerasCallback(log_dir, hparams) to model.fit."
        )
    values = _hyperparameters(sessions, builder.report)
    in_folder = Counter(folder.parent for folder in sessions)
    homes = {}
    for folder in sessions:
        # PyTorch: the curves lie one folder above the session's.
        above = in_folder[folder.parent] == 1 and folder != root and scalars.get(folder.parent)
        homes[folder] = folder.parent if above else folder
    below = _below({*homes, *homes.values()}, scalars)
    for folder, session in sessions.items():
        home = homes[folder]
        logged = below[home] | below[folder]
        name, task = _names(home, root)
        builder.add(
            Trial(
                name=name,
                place=os.fspath(home),
                task=task,
                values=values[folder],
                metrics={tag: curve(logged[tag]) for tag in builder.wanted & set(logged)},
                logged=list(logged),
                state=session.state,
                seconds=session.seconds,
            )
        )
    return builder.history()


def _recorded(
    root: Path, report: ReadReport
) -> "tuple[dict[Path, _Scalars], dict[Path, _Session]]":
    """The scalars and the session that the event files of each folder hold."""
    scalars: dict[Path, _Scalars] = defaultdict(dict)
    sessions: dict[Path, _Session] = {}
    for file in sorted(root.rglob("*tfevents*")):
        for event in read_events(file, report) if file.is_file() else ():
            if isinstance(event, Scalar):
                scalars[file.parent].setdefault(event.tag, []).append((event.step, event.value))
            else:
                sessions.setdefault(file.parent, _Session()).update(event)
    return scalars, sessions


def _below(
    bases: Collection[Path], scalars: Mapping[Path, _Scalars]
) -> defaultdict[Path, _Scalars]:
    """Of each base the scalars in this folder and those below, by relative folder and tag."""
    below: defaultdict[Path, _Scalars] = defaultdict(dict)
    for folder, tags in scalars.items():
        for base in (folder, *folder.parents):
            if base in bases:
                for tag, points in tags.items():
                    below[base][(folder.relative_to(base) / tag).as_posix()] = points
    return below


def _names(run: Path, root: Path) -> tuple[str, Place]:
    """What the run in a folder is called, and the place of its task."""
    place = place_of(run)
    if _EXECUTION.fullmatch(place[-1]):  # KerasTuner's <log folder>/<trial>/execution<n>
        return "/".join(place[-2:]), place[:-2]
    return place[-1], place if run == root else place[:-1]


def _hyperparameters(
    sessions: "Mapping[Path, _Session]", report: ReadReport
) -> dict[Path, dict[str, Any]]:
    """The hyperparameters of each run: no bookkeeping, and whole what is whole in all runs."""
    recorded = {
        folder: {name: v for name, v in own_values(session.values).items() if name != LIST_RANK}
        for folder, session in sessions.items()
    }
    found: dict[str, list[Any]] = defaultdict(list)
    for values in recorded.values():
        for name, value in values.items():
            found[name].append(value)
    whole = sorted(name for name, values in found.items() if all(map(_is_whole, values)))
    if whole:
        report.note(f"whole in all runs, so read as whole numbers: {', '.join(whole)}")
    return {
        folder: {name: int(v) if name in whole else v for name, v in values.items()}
        for folder, values in recorded.items()
    }


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_WHOLE


class _Session:
    """What the HParams plugin wrote about one run."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.state = "ok"
        self._start, self._end = 0.0, 0.0

    def update(self, data: "HParamsPluginData") -> None:
        """Take in one message of the plugin."""
        kind = data.WhichOneof("data")
        if kind == "session_start_info":
            self._start = data.session_start_info.start_time_secs
            for name, value in data.session_start_info.hparams.items():
                self.values[name] = getattr(value, value.WhichOneof("kind") or "", None)
        elif kind == "session_end_info":
            self._end = data.session_end_info.end_time_secs
            self.state = _STATES.get(data.session_end_info.status, "ok")

    @property
    def seconds(self) -> float | None:
        return self._end - self._start if self._start and self._end else None
