"""The published data sets through TensorFlow Datasets, in the form the published suite read them.

Images are resized without regard to their aspect ratio, wikipedia gives one document a paragraph,
reviews one a body; subword vocabularies are built from the first training texts. The data have to
be prepared in a folder already.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingExtraError, TaskDataError
from .catalog import DataSet
from .resampling import resize
from .splits import ImageSplit, Split, TextSplit

try:
    import tensorflow as tf
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.read_only_builder import builder_from_files
except ImportError as error:
    raise MissingExtraError(
        "source='tfds' needs the package 'tensorflow-datasets', which cannot be imported "
        f"({error}). Run: pip install 'keras_hplist[tfds]'"
    ) from error

MAX_DOCUMENTS = 300_000
"""So many training documents of a corpus are read at most, and a third as many for testing."""

_MAX_ARTICLES = 1_000_000
_VOCABULARY_DOCUMENTS = 200_000
_TARGET_VOCABULARY = 2**13
_LABEL_KEYS = ("angle_label", "label")
"""The label of coil100 is the angle; it also has an object id."""


def offered(data_set: DataSet, patch_length: int | None, data_dir: str | None) -> dict[str, Split]:
    """The splits a data set offers: `train`, and `validation` or `test` where it has them.

    Args:
        data_set: which one.
        patch_length: tokens of a window, for text.
        data_dir: folder of prepared data; None is the default one of TensorFlow Datasets.

    Raises:
        TaskDataError: the data are not prepared, or are damaged; the message names folder or file
            and the reason.
    """
    if data_set.kind == "image":
        return {
            split: ImageSplit(data_set.name, *_images(data_set, split, data_dir))
            for split, _ in data_set.published
        }
    assert patch_length is not None  # checked by Options
    return {
        split: TextSplit.from_documents(
            data_set.name,
            *_tokens(data_set.corpus, data_set.encoding, split, data_dir),
            patch_length,
        )
        for split in ("train", "test")
    }


# --- reading ------------------------------------------------------------------------------------


def _records(name: str, split: str, limit: int | None, data_dir: str | None) -> Iterator[Any]:
    """The first examples of a split in the order of the files, as NumPy.

    Raises:
        TaskDataError: as in `offered`.
    """
    builder = _builder(name, data_dir)
    if split not in builder.info.splits:
        raise TaskDataError(
            f"{builder.data_path} has no split {split!r}; it has {', '.join(builder.info.splits)}."
        )
    info = builder.info.splits[split]
    expected = info.num_examples if limit is None else min(limit, info.num_examples)
    found = 0
    try:
        examples = builder.as_dataset(
            split=split,
            read_config=tfds.ReadConfig(interleave_cycle_length=1),
            shuffle_files=False,
        )
        for example in tfds.as_numpy(examples.take(expected)):
            found += 1
            yield example
    except (tf.errors.OpError, ValueError, AssertionError) as error:
        raise _damage(info.filepaths, error) from error
    if found != expected:
        raise TaskDataError(
            f"{builder.data_path}: split {split!r} has {found} examples where its description says "
            f"{expected}. Prepare the data set again."
        )


def _damage(paths: Iterable[Any], error: Exception) -> TaskDataError:
    """What to raise for a split that cannot be read: names the first file at fault."""
    for path in paths:
        try:
            for _ in tf.data.TFRecordDataset(os.fspath(path)):
                pass
        except tf.errors.OpError as reason:
            return TaskDataError(
                f"Cannot read {path}: {reason.message or type(reason).__name__}. "
                "Prepare the data set again."
            )
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return TaskDataError(f"Cannot read {', '.join(map(str, paths))}: {first}.")


def _builder(name: str, data_dir: str | None) -> Any:
    """The prepared data set; never downloads, since some sets are hundreds of gigabytes."""
    try:
        return builder_from_files(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        folder = data_dir or tfds.core.constants.DATA_DIR
        raise TaskDataError(
            f"{name} is not prepared in {folder}. Prepare it with tensorflow_datasets.load("
            f"{name!r}, data_dir={os.fspath(folder)!r}), or use source='embedded'."
        ) from None
    except (ValueError, OSError, tf.errors.OpError) as error:
        raise TaskDataError(f"Cannot read {name} below {data_dir}: {error}.") from error


# --- images -------------------------------------------------------------------------------------


def _prepared_name(image_set: str) -> str:
    """The name in TensorFlow Datasets: the published names of resized sets end in the size."""
    if image_set.startswith("imagenet_resized"):
        return image_set
    stem = image_set.removesuffix("_32x32").removesuffix("_64x64")
    return "sun397/tfds" if stem == "sun397" else stem


@lru_cache(maxsize=8)
def _images(
    data_set: DataSet, split: str, data_dir: str | None
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    height, width, channels = data_set.shape
    name = _prepared_name(data_set.name)
    for example in _records(name, split, None, data_dir):
        image = example["image"]
        if image.shape[-1] != channels:
            raise TaskDataError(f"{name} has images of shape {image.shape}, not {data_set.shape}.")
        same = image.shape[:2] == (height, width)
        images.append(image if same else resize(image, height, width))
        labels.append(int(next(example[key] for key in _LABEL_KEYS if key in example)))
    return np.array(images, np.uint8), np.array(labels, np.int32)


# --- text ---------------------------------------------------------------------------------------


class _Document(NamedTuple):
    text: str
    label: int | None = None


def _is_train(corpus: str, index: int) -> bool:
    """Whether an article or review falls in the seven tenths for training.

    The published suite used a hash of its own; which documents fall where differs from it.
    """
    digest = hashlib.blake2b(f"{corpus}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % 1000 < 700


def _documents(corpus: str, split: str, data_dir: str | None) -> Iterator[_Document]:
    if corpus.startswith("tokenized_wikipedia/"):
        name = corpus.replace("tokenized_wikipedia", "wikipedia")
        for index, article in enumerate(_records(name, "train", _MAX_ARTICLES, data_dir)):
            if _is_train(corpus, index) == (split == "train"):
                for line in article["text"].decode("utf-8").splitlines():
                    if len(line.strip()) > 5:
                        yield _Document(line.strip())
    elif corpus.startswith("tokenized_amazon_reviews/"):
        name = corpus.replace("tokenized_amazon_reviews", "amazon_us_reviews")
        for index, example in enumerate(_records(name, "train", None, data_dir)):
            review = example.get("data", example)
            if _is_train(corpus, index) == (split == "train"):
                yield _Document(review["review_body"].decode(), int(review["star_rating"]) - 1)
    elif corpus == "imdb_reviews":
        for example in _records("imdb_reviews/plain_text", split, None, data_dir):
            yield _Document(example["text"].decode("utf-8"), int(example["label"]))
    else:
        for example in _records(corpus, split, None, data_dir):
            yield _Document(example["text"].decode("utf-8"))


@lru_cache(maxsize=4)
def _tokens(
    corpus: str, encoding: str, split: str, data_dir: str | None
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32] | None]:
    """Tokens, lengths and labels of the documents of a split."""
    encode = _encode_bytes if encoding == "bytes" else _subwords(corpus, data_dir).encode
    limit = MAX_DOCUMENTS if split == "train" else MAX_DOCUMENTS // 3
    pieces: list[NDArray[np.int32]] = []
    labels: list[int | None] = []
    for document in islice(_documents(corpus, split, data_dir), limit):
        ids = np.array(encode(document.text), np.int32)
        if ids.size:
            pieces.append(ids)
            labels.append(document.label)
    if not pieces:
        raise TaskDataError(f"{corpus} has no document in its {split} split. Prepare it again.")
    lengths = np.array([len(ids) for ids in pieces], np.int32)
    known = None if labels[0] is None else np.array(labels, np.int32)
    return np.concatenate(pieces), lengths, known


def _encode_bytes(text: str) -> NDArray[np.int32]:
    return np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int32) + 1


@lru_cache(maxsize=4)
def _subwords(corpus: str, data_dir: str | None) -> Any:
    """The subword encoder of a corpus, built once and kept beside the prepared data."""
    encoder = tfds.deprecated.text.SubwordTextEncoder
    root = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    stem = root / "keras_hplist" / corpus.replace("/", "_")
    if not stem.with_name(f"{stem.name}.subwords").exists():
        texts = (document.text for document in _documents(corpus, "train", data_dir))
        built = encoder.build_from_corpus(
            islice(texts, _VOCABULARY_DOCUMENTS), target_vocab_size=_TARGET_VOCABULARY
        )
        _save(built.save_to_file, stem)
    return encoder.load_from_file(os.fspath(stem))


def _save(save_to_file: Callable[[str], None], stem: Path) -> None:
    """Saves a vocabulary so that no other process ever sees half of it."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=stem.parent) as folder:
        save_to_file(os.path.join(folder, "vocabulary"))
        os.replace(
            os.path.join(folder, "vocabulary.subwords"), stem.with_name(f"{stem.name}.subwords")
        )
