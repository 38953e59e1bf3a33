"""Reading the data files that ship with the package."""

import io
import lzma
import zipfile
import zlib
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from ..errors import TaskDataError

SUFFIX = ".npz.xz"


def read(name: str) -> dict[str, NDArray]:
    """The arrays of one shipped file, by name.

    A file is an uncompressed NumPy archive inside an xz stream, which packs images and token ids
    about a fifth smaller than NumPy's own compression.

    Raises:
        TaskDataError: the file is missing or damaged; the message names it.
    """
    path = files(__package__) / "files" / f"{name}{SUFFIX}"
    try:
        packed = path.read_bytes()
        with np.load(io.BytesIO(lzma.decompress(packed)), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        reason = "it is missing"
    except (lzma.LZMAError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        reason = f"it is damaged ({error})"
    raise TaskDataError(
        f"The shipped data file {path} cannot be read: {reason}. Reinstall keras_hplist, or "
        "rebuild the file with scripts/task_data/prepare.py."
    )


def write(arrays: dict[str, NDArray]) -> bytes:
    """The bytes of a data file that `read` gives back, the same for the same arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def encode_image(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Differences that compress better than pixels: to the left neighbour, and to green.

    Args:
        image: uint8 of shape `(..., H, W, C)`.
    """
    coded = image.copy()
    coded[..., 1:, :] -= image[..., :-1, :]
    if image.shape[-1] == 3:
        coded[..., 0] -= coded[..., 1]
        coded[..., 2] -= coded[..., 1]
    return coded


def decode_image(coded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image whose `encode_image` is `coded`."""
    image = coded.copy()
    if image.shape[-1] == 3:
        image[..., 0] += coded[..., 1]
        image[..., 2] += coded[..., 1]
    return np.cumsum(image, axis=-2, dtype=np.uint8)
