"""From the published name of a data set to its four splits."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import TaskDataError
from . import embedded, idx
from .catalog import DataSet, describe
from .options import Options
from .provenance import STAND_INS
from .sizes import ROLES, divide
from .splits import ImageSplit, Split, Splits

SOURCES = ("embedded", "idx", "tfds")
DATA_DIR_VARIABLE = "KERAS_HPLIST_DATA_DIR"
_IDX_NAMES = ("mnist", "fashion_mnist")


def checked_source(source: str) -> str:
    """The source that was given.

    Raises:
        TaskDataError: there is no such source.
    """
    if source not in SOURCES:
        raise TaskDataError(f"Unknown source {source!r}. Known: {', '.join(SOURCES)}.")
    return source


def load(
    name: str,
    options: Mapping[str, Any] | None = None,
    source: str = "embedded",
    data_dir: str | os.PathLike[str] | None = None,
) -> Splits:
    """The four splits of a data set.

    Args:
        name: published name, one of `names()`.
        options: see `Options`; `{"patch_length": …}` is needed for text.
        source: `"embedded"` (default) is real data that ships with the package; `"idx"` reads the
            published MNIST or Fashion-MNIST from idx files; `"tfds"` reads any published data set
            through TensorFlow Datasets (the extra `tfds`).
        data_dir: folder of the idx files, or of prepared TensorFlow Datasets. Default: the
            environment variable `KERAS_HPLIST_DATA_DIR`; for `"tfds"` without it, the default
            folder of TensorFlow Datasets.

    Returns:
        The splits. Arrays are shared between calls: do not write to them.

    Raises:
        TaskDataError: an unknown name, source or option; data that are missing or damaged.
        MissingExtraError: `source="tfds"` without the package tensorflow-datasets.
    """
    data_set = describe(name)
    chosen = Options.check(data_set, options)
    valid_size = chosen.valid_size or data_set.valid_size
    given = data_dir if data_dir is not None else os.environ.get(DATA_DIR_VARIABLE)
    folder = None if given is None else os.path.expanduser(os.fspath(given))
    if checked_source(source) == "embedded":
        splits = embedded.splits(data_set, chosen, valid_size)
    elif source == "idx":
        splits = divide(name, _idx(data_set, folder), valid_size)
    else:
        splits = divide(name, _tfds(data_set, chosen, folder), valid_size)
    if chosen.num_train is not None:
        splits["train"] = splits["train"].take(slice(chosen.num_train))
    if chosen.just_train:
        splits = dict.fromkeys(ROLES, splits["train"])
    return Splits(**splits, provenance=_provenance(data_set, source, chosen, valid_size, splits))


def _idx(data_set: DataSet, folder: str | None) -> dict[str, Split]:
    name = data_set.name
    if name not in _IDX_NAMES:
        raise TaskDataError(f"{name} has no idx files; they exist for {', '.join(_IDX_NAMES)}.")
    if folder is None:
        raise TaskDataError(
            f"Source 'idx' needs a folder: give data_dir, or set {DATA_DIR_VARIABLE}, to that "
            f"of the four idx files of {name}, or to the folder that holds it."
        )
    root = Path(folder)
    candidates = (root / name, root / name.replace("_", "-"), root)
    found = next((path for path in candidates if path.is_dir()), root)
    return _read_idx(name, found)


@lru_cache(maxsize=2)
def _read_idx(name: str, folder: Path) -> dict[str, Split]:
    return {part: ImageSplit(name, *idx.read_part(folder, part)) for part in ("train", "test")}


def _tfds(data_set: DataSet, options: Options, folder: str | None) -> dict[str, Split]:
    from . import published  # imports TensorFlow

    return published.offered(data_set, options.patch_length, folder)


def _provenance(
    data_set: DataSet, source: str, options: Options, valid_size: int, splits: Mapping[str, Split]
) -> dict[str, Any]:
    account: dict[str, Any] = {
        "data_set": data_set.name,
        "source": source,
        "options": asdict(options),
        "published_sizes": dict(data_set.published),
        "wanted_valid_size": valid_size,
        "sizes": {role: len(split) for role, split in splits.items()},
    }
    if source == "embedded":
        stand_in = STAND_INS[data_set.corpus]
        account |= {
            "substitute": stand_in.data,
            "origin": stand_in.origin,
            "licence": stand_in.licence,
        }
    return account
