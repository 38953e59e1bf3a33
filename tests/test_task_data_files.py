"""Shipped files, idx files, image resampling, and what is said when they are bad."""

import gzip
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_hplist.tasks import data
from keras_hplist.tasks.data import embedded, photographs, resampling, shipped
from keras_hplist.tasks.errors import TaskDataError

FOLDER = Path(data.__file__).parent


# --- shipped files ------------------------------------------------------------------------------


def test_shipped_files_are_small_and_licensed():
    """Below 5 MB each and 12 MB in all, and each listed with its licence."""
    sizes = {path.name: path.stat().st_size for path in (FOLDER / "files").iterdir()}
    assert max(sizes.values()) < 5_000_000
    assert sum(sizes.values()) < 12_000_000
    notices = (FOLDER / "LICENSES.md").read_text("utf-8")
    for name in sizes:
        assert name in notices, name
    for scene in photographs.photographs():
        assert f"`{scene}`" in notices, scene


def test_written_arrays_are_read_back(tmp_path, monkeypatch):
    """The packed form gives back every array, and the same bytes for the same arrays."""
    (tmp_path / "files").mkdir()
    monkeypatch.setattr(shipped, "files", lambda package: tmp_path)
    arrays = {"a": np.arange(6, dtype=np.uint16).reshape(2, 3), "b": np.array([True, False])}
    packed = shipped.write(arrays)
    assert packed == shipped.write(dict(arrays))
    (tmp_path / "files" / "x.npz.xz").write_bytes(packed)
    read = shipped.read("x")
    assert list(read) == ["a", "b"]
    np.testing.assert_array_equal(read["a"], arrays["a"])


@pytest.mark.parametrize("damage", ["missing", "truncated", "other"])
def test_damaged_shipped_file_is_named(tmp_path, monkeypatch, damage):
    """A missing or broken file of the installation is named, with the way to mend it."""
    (tmp_path / "files").mkdir()
    file = tmp_path / "files" / "mnist_5k.npz.xz"
    whole = (FOLDER / "files" / "mnist_5k.npz.xz").read_bytes()
    if damage != "missing":
        file.write_bytes(whole[:1000] if damage == "truncated" else b"not an archive")
    monkeypatch.setattr(shipped, "files", lambda package: tmp_path)
    reason = "missing" if damage == "missing" else "damaged"
    with pytest.raises(TaskDataError, match=f"{re.escape(str(file))} .*{reason}.*Reinstall"):
        data.load("mnist")


@pytest.mark.parametrize("channels", [1, 3])
def test_image_coding_is_lossless(channels):
    """Differences give back the image, whatever its pixels."""
    image = np.random.default_rng(0).integers(0, 256, (9, 7, channels), dtype=np.uint8)
    np.testing.assert_array_equal(shipped.decode_image(shipped.encode_image(image)), image)


# --- windows of photographs ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "coil100_32x32", "sun397_32x32"])
def test_splits_never_share_a_pixel(name, monkeypatch):
    """On photographs painted by split, every image has the colour of its own split only."""
    recipe = replace(photographs.RECIPES[name], light=0.0, tint=0.0)
    paint = {"t": 10, "i": 80, "o": 150, "e": 220}
    across = len(recipe.tiles)

    def painted(shape):
        """An image whose tiles show which split they belong to."""
        image = np.empty(shape, np.uint8)
        rows, columns = recipe.grid[0] * across, recipe.grid[1] * across
        tops = np.rint(np.linspace(0, shape[0], rows + 1)).astype(int)
        lefts = np.rint(np.linspace(0, shape[1], columns + 1)).astype(int)
        for r in range(rows):
            for c in range(columns):
                cell = r // across * recipe.grid[1] + c // across
                letter = recipe.tiles[(r - cell) % across][(c - cell // across) % across]
                image[tops[r] : tops[r + 1], lefts[c] : lefts[c + 1]] = paint[letter]
        return image

    scenes = {scene: painted(image.shape) for scene, image in photographs.photographs().items()}
    monkeypatch.setattr(photographs, "photographs", lambda: scenes)
    monkeypatch.setattr(photographs, "_keep_apart", lambda images: None)
    monkeypatch.setitem(photographs.RECIPES, name, recipe)
    sizes = tuple((role, 500) for role in photographs.ROLES)
    parts = photographs.cut(name, sizes, data.describe(name).classes, seed=987)
    for role, letter in photographs.ROLES.items():
        assert (parts[role][0] == paint[letter]).all(), role


def test_classes_and_regions_are_all_used():
    """Windows of a class come from many places: no two of its images are equal."""
    split = data.load("cifar100").train
    for label in (0, 37, 99):
        images = split.images[split.labels == label]
        assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images) == 80


def test_angles_turn_the_picture():
    """Label k of coil100 is the same kind of window turned by k times 5 degrees."""
    recipe = photographs.RECIPES["coil100_32x32"]
    reach = recipe.reach
    ramp = np.broadcast_to(np.linspace(0, 255, reach)[:, None, None], (72, reach, reach, 3))
    rotated = photographs._rotate(recipe, ramp.astype(np.uint8), np.arange(72, dtype=np.int32))
    for k in range(72):
        rise, run = (np.diff(rotated[k, :, :, 0].astype(float), axis=a).mean() for a in (0, 1))
        angle = np.degrees(np.arctan2(-run, rise)) % 360
        assert abs((angle - 5 * k + 180) % 360 - 180) < 2


# --- resampling ---------------------------------------------------------------------------------


def reference_resize(image, height, width):
    """Cubic convolution with a = -0.75, pixel by pixel in float64, edges repeated."""

    def weight(x, a=-0.75):
        x = abs(x)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    result = np.zeros((height, width, image.shape[2]))
    for r in range(height):
        y = (r + 0.5) * image.shape[0] / height - 0.5
        for c in range(width):
            x = (c + 0.5) * image.shape[1] / width - 0.5
            for i in range(int(np.floor(y)) - 1, int(np.floor(y)) + 3):
                for j in range(int(np.floor(x)) - 1, int(np.floor(x)) + 3):
                    pixel = image[
                        min(max(i, 0), image.shape[0] - 1), min(max(j, 0), image.shape[1] - 1)
                    ]
                    result[r, c] += weight(y - i) * weight(x - j) * pixel
    return np.clip(result, 0, 255)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 11), (20, 31), (12, 17)])
def test_resize_is_cubic_convolution(height, width):
    """Against a pixel-by-pixel reference, shrinking and growing."""
    image = np.random.default_rng(1).integers(0, 256, (12, 17, 3), dtype=np.uint8)
    got = resampling.resize(image, height, width)
    assert np.abs(got - reference_resize(image, height, width)).max() <= 0.501
    if (height, width) == image.shape[:2]:
        np.testing.assert_array_equal(got, image)


# --- idx files ----------------------------------------------------------------------------------


def idx_bytes(array):
    """The idx form of a uint8 array."""
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}i", *array.shape)
        + (array.tobytes())
    )


@pytest.fixture
def idx_folder(tmp_path):
    """Small idx files, the training part packed with gzip and the test part plain."""
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for stem, count in (("train", 40), ("t10k", 10)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(array)
            if stem == "train":
                name, content = f"{stem}-{kind}-ubyte.gz", gzip.compress(content)
            else:
                name = f"{stem}-{kind}-ubyte"
            (folder / name).write_bytes(content)
    return folder


def load_idx(folder, name="fashion_mnist", **options):
    """Fashion-MNIST from a folder."""
    return data.load(name, options, source="idx", data_dir=folder)


def test_idx_files_give_the_published_splits(idx_folder, monkeypatch):
    """Plain and packed files are read, from the folder, from above it, or by the variable."""
    splits = load_idx(idx_folder, valid_size=5)
    assert [len(split) for _, split in splits.items()] == [30, 5, 5, 10]
    assert splits.inner_valid.labels.tolist() == [0, 1, 2, 3, 4]
    above = load_idx(idx_folder.parent, valid_size=5)
    np.testing.assert_array_equal(above.train.images, splits.train.images)
    monkeypatch.setenv("KERAS_HPLIST_DATA_DIR", str(idx_folder.parent))
    assert len(data.load("fashion_mnist", source="idx").train) == 20
    assert "substitute" not in splits.provenance


@pytest.mark.parametrize(
    ("file", "spoil", "message"),
    [
        ("t10k-images-idx3-ubyte", lambda b: b[:-10], "truncated: 7830 bytes of data"),
        ("t10k-images-idx3-ubyte", lambda b: b + b"x", "too long"),
        ("t10k-images-idx3-ubyte", lambda b: b"PNG" + b[3:], "does not start like an idx file"),
        ("t10k-images-idx3-ubyte", lambda b: b[:7], "does not start like an idx file"),
        ("t10k-labels-idx1-ubyte", lambda b: None, "neither it nor its .gz form is there"),
        (
            "t10k-labels-idx1-ubyte",
            lambda b: idx_bytes(np.zeros(9, np.uint8)),
            "9 labels for 10 images",
        ),
        ("t10k-labels-idx1-ubyte", lambda b: b[:-1] + b"\x0b", "label 11; labels go from 0 to 9"),
        ("train-images-idx3-ubyte.gz", lambda b: b[:-30], "gzip stream is damaged"),
        ("train-labels-idx1-ubyte.gz", lambda b: b"no gzip", "gzip stream is damaged"),
        (
            "t10k-images-idx3-ubyte",
            lambda b: idx_bytes(np.zeros((10, 8, 8), np.uint8)),
            r"its images are \(8, 8\)",
        ),
    ],
)
def test_bad_idx_file_is_named_with_the_reason(idx_folder, file, spoil, message):
    """Each kind of wrong or truncated file: its path and what is wrong with it."""
    path = idx_folder / file
    content = spoil(path.read_bytes())
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(TaskDataError, match=f"{re.escape(str(path))}.*{message}"):
        load_idx(idx_folder)


def test_idx_needs_a_folder_and_a_set_that_has_them(monkeypatch):
    """No folder, and a set without idx files, are told apart."""
    monkeypatch.delenv("KERAS_HPLIST_DATA_DIR", raising=False)
    with pytest.raises(TaskDataError, match="needs a folder"):
        data.load("mnist", source="idx")
    with pytest.raises(TaskDataError, match="cifar10 has no idx files"):
        data.load("cifar10", source="idx", data_dir=".")


# --- TensorFlow Datasets ------------------------------------------------------------------------


def test_missing_extra_is_named():
    """Without tensorflow-datasets the message says which extra to install."""
    code = (
        "import sys; sys.modules['tensorflow_datasets'] = None\n"
        "from keras_hplist.tasks import data\n"
        "from keras_hplist.tasks.errors import MissingExtraError\n"
        "try:\n"
        "    data.load('cifar10', source='tfds')\n"
        "except MissingExtraError as error:\n"
        '    assert "keras_hplist[tfds]" in str(error), error\n'
        "else:\n"
        "    sys.exit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_recipe_is_a_published_set():
    """Recipes and packed sets cover the image sets, each once."""
    images = {name for name in data.names() if data.describe(name).kind == "image"}
    assert photographs.RECIPES.keys() | embedded._PACKED.keys() == images
    assert len({recipe.key for recipe in photographs.RECIPES.values()}) == len(photographs.RECIPES)
