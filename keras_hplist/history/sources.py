"""Which reader reads what: by the name of the tool, or told from the files."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_hplist.checks import checked_name
from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.files import SQLITE_MAGIC, reading_sqlite, visible
from keras_hplist.history import readers
from keras_hplist.history.keras_tuner_project import projects_in
from keras_hplist.history.places import told_apart
from keras_hplist.history.store import History

SOURCES: dict[str, Callable[..., History]] = {
    "history": History.read,
    "keras-tuner": readers.read_keras_tuner,
    "optuna": readers.read_optuna,
    "mlflow": readers.read_mlflow,
    "wandb": readers.read_wandb,
    "ray-tune": readers.read_ray_tune,
    "tensorboard": readers.read_tensorboard,
    "csv-logger": readers.read_csv_logger,
    "csv": readers.read_csv,
    "taskset": readers.read_taskset,
    "algoperf": readers.read_algoperf,
}
"""Reader by the name of the tool whose files it reads."""

# The files of a folder by which a tool is known, the surest sign first; hidden ones are none.
_SIGNS = (
    ("mlflow", "**/meta.yaml"),
    ("ray-tune", "**/params.json"),
    ("history", "**/*.parquet"),
    ("tensorboard", "**/events.out.tfevents.*"),
    ("taskset", "**/*.npz"),
)
_WITH_ARTIFACTS = ("mlflow", "ray-tune")  # what lies beside such a sign is the run's, of any kind


def read_logs(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    source: str | None = None,
    **options: Any,
) -> History:
    """Read a history, or what another tool recorded.

    Args:
        path: a file or folder, or several, possibly of several tools.
        source: a name of `SOURCES`; None: told from the files (KerasTuner project folders, our own
            histories, Optuna and MLflow storages, folders of Ray Tune, TensorBoard and TaskSet).
        **options: arguments of that source's reader.

    Returns:
        The history with its report.

    Raises:
        UnknownNameError: if there is no such source.
        FileNotFoundError: if there is no such file or folder.
        FileFormatError: if the files are not a source's, or damaged.
        InvalidValueError: if the reader has no such option, cannot take its value, or needs one
            that is not given.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else path
    given: dict[str, list[str | os.PathLike[str]]] = {}
    notes = []
    for each in paths:
        first, *others = [source] if source else _sources_of(Path(each))
        given.setdefault(first, []).append(each)
        notes += [
            f"{each} was read with source={first!r}; what is there for source={other!r} was not"
            for other in others
        ]
    histories = []
    for name, places in given.items():
        # Read together, KerasTuner's projects of the same name are told apart.
        for place in [places] if name == "keras-tuner" else places:
            histories.append(_read(name, place, options))
    joined = _joined(histories)
    for note in notes:
        joined.report.note(note)
    return joined


def select_runs(
    history: History, space: str | None = None, training_steps: int | None = None
) -> History:
    """The runs of one search space, and of one planned length.

    Args:
        history: of any runs.
        space: name of the search space; None: of all.
        training_steps: planned; None: of any number.

    Raises:
        UnknownNameError: if no run is of the space.
        InvalidValueError: if no run (of the space) is of the length.
    """
    if space is not None:
        checked_name("search space in these runs", space, history.space_names)
        history = history.select(space=space)
    if training_steps is not None:
        planned = set(history.table["training_steps"].to_pylist())
        if training_steps not in planned:
            raise InvalidValueError(
                f"No run was planned for {training_steps} training steps; these were for "
                f"{', '.join(map(str, sorted(planned)))}."
            )
        history = history.select(training_steps=training_steps)
    return history


def _joined(histories: Sequence[History]) -> History:
    """One history of several; tasks that are called alike after several places are told apart."""
    named = told_apart(place for h in histories for place in h.report.places.values())
    apart = []
    for history in histories:
        found = history.report.places.items()
        longer = {name: named[place][-1] for name, place in found if named[place] != place}
        apart.append(history.with_tasks(longer) if longer else history)
    joined = History.concat(apart)
    joined.report.places.clear()
    joined.report.add_places(named)
    return joined


def _read(name: str, place: Any, options: Mapping[str, Any]) -> History:
    read = SOURCES[checked_name("source", name, SOURCES)]
    signature = inspect.signature(read)
    _, *others = signature.parameters.values()
    for needed in (p.name for p in others if p.default is p.empty and p.kind != p.VAR_KEYWORD):
        if needed not in options:
            raise InvalidValueError(
                f"The reader of {name!r} needs {needed!r}: give {needed}=…, or from a shell "
                f"--set '{needed}=…' with its value as JSON."
            )
    try:
        signature.bind(place, **options)
    except TypeError as error:
        arguments = [p.name for p in others if p.kind != p.VAR_KEYWORD]
        raise InvalidValueError(
            f"The reader of {name!r} cannot take these options: {error}. Its own are: "
            f"{', '.join(arguments) or 'none'}."
        ) from error
    return read(place, **options)


def _sources_of(path: Path) -> list[str]:
    """The tools whose files a path holds, first the one that it is read as."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_dir():
        found = _sources_of_folder(path)
    else:
        found = [name] if (name := _source_of_file(path)) else []
    if not found:
        raise FileFormatError(
            f"{path} is not of a kind that is told from its files. Name its source: "
            f"{', '.join(SOURCES)}."
        )
    return found


def _sources_of_folder(folder: Path) -> list[str]:
    # A project of our own tuner holds histories too, and more is known from the project.
    taken = set(projects_in(folder))
    found = ["keras-tuner"] if taken else []
    for name, sign in _SIGNS:
        files = [file for file in visible(folder, sign) if taken.isdisjoint(file.parents)]
        if files:
            found.append(name)
        if name in _WITH_ARTIFACTS:
            taken.update(file.parent for file in files)
    return found


def _source_of_file(file: Path) -> str | None:
    if file.suffix == ".parquet":
        return "history"
    if file.suffix == ".npz":
        return "taskset"
    if file.name.startswith("events.out.tfevents."):
        return "tensorboard"
    with file.open("rb") as opened:
        head = opened.read(len(SQLITE_MAGIC))
    if head == SQLITE_MAGIC:
        with reading_sqlite(file, "SQLite database") as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        return "optuna" if "studies" in tables else "mlflow" if "experiments" in tables else None
    return "optuna" if head.startswith(b'{"op_code"') else None
