"""MNIST-like data in its original idx files, read from a folder the user has."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import TaskDataError

_STEMS = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTES = 0x08


def read_part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Images and labels of one part, from the two files of their original names.

    Args:
        folder: holds `train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte` and so on, each plain or
            with the suffix `.gz`.
        part: `"train"` or `"test"`.

    Returns:
        uint8 images `(N, 28, 28, 1)` and int32 labels `(N,)`.

    Raises:
        TaskDataError: a file is missing, is no idx file, is truncated, or the two do not match;
            the message names the file and the reason.
    """
    stem = _STEMS[part]
    image_path = _find(folder, f"{stem}-images-idx3-ubyte")
    label_path = _find(folder, f"{stem}-labels-idx1-ubyte")
    images, labels = _read(image_path, 3), _read(label_path, 1)
    if images.shape[1:] != (28, 28):
        raise _error(image_path, f"its images are {images.shape[1:]}, not (28, 28)")
    if len(images) != len(labels):
        raise _error(label_path, f"it has {len(labels)} labels for {len(images)} images")
    if labels.size and labels.max() > 9:
        raise _error(label_path, f"it has a label {labels.max()}; labels go from 0 to 9")
    return images[..., None], labels.astype(np.int32)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise _error(folder / name, "neither it nor its .gz form is there")


def _read(path: Path, axes: int) -> NDArray[np.uint8]:
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise _error(path, f"its gzip stream is damaged ({error})") from error
    start = 4 + 4 * axes
    if len(content) < start or content[:4] != bytes([0, 0, _UNSIGNED_BYTES, axes]):
        raise _error(path, f"it does not start like an idx file of bytes with {axes} axes")
    shape = tuple(int(n) for n in np.frombuffer(content, ">i4", axes, offset=4))
    expected, found = int(np.prod(shape)), len(content) - start
    if found != expected:
        kind = "truncated" if found < expected else "too long"
        raise _error(path, f"it is {kind}: {found} bytes of data where {shape} needs {expected}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _error(path: Path, reason: str) -> TaskDataError:
    return TaskDataError(f"Cannot read {path}: {reason}. Get the four idx files of the data set.")
