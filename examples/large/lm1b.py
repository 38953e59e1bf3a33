"""LM1B through TensorFlow Datasets, as one array of subwords per split, made once and kept.

    python examples/large/lm1b.py --data-dir ... --processes 16

The array is mapped from its file, so that any window can be read at any time. Encoding goes by
pieces; a stopped preparation goes on with those that are missing.
"""

import argparse
import functools
import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import tensorflow_datasets as tfds
from numpy.typing import NDArray
from prepared import prepared_builder

from keras_hplist.errors import InvalidValueError
from keras_hplist.files import write_atomically

TARGET_VOCABULARY = 2**15
_VOCABULARY_SENTENCES = 200_000
_PIECES = 64
_END = 0  # after each sentence; subwords count from 1


def tokens(
    split: str, data_dir: str | None, vocabulary: int, processes: int | None = None
) -> NDArray[np.uint16]:
    """The subwords of a split, sentence after sentence, a 0 after each.

    Args:
        split: "train" or "test".
        data_dir: folder of prepared data sets; the array is kept in `keras_hplist` below it.
        vocabulary: the largest size of vocabulary allowed, the 0 included; at most 65,536.
        processes: for encoding; default: one per core.

    Returns:
        uint16 of shape (T,), mapped from a file.

    Raises:
        InvalidValueError: if LM1B is not prepared, or its vocabulary turns out larger.
    """
    builder = prepared_builder("lm1b", data_dir)
    folder = (
        Path(data_dir or tfds.core.constants.DATA_DIR).expanduser() / "keras_hplist" / "lm1b32k"
    )
    encoder = _encoder(builder, folder)
    if encoder.vocab_size > vocabulary:
        raise InvalidValueError(
            f"The vocabulary {folder}.subwords has {encoder.vocab_size} subwords; the model takes "
            f"{vocabulary}. Delete the file and lower TARGET_VOCABULARY."
        )
    whole = folder / f"{split}.npy"
    if not whole.exists():
        parts = tfds.even_splits(split, _PIECES)
        names = [folder / f"{split}-{k:02d}.npy" for k in range(_PIECES)]
        missing = [(part, name) for part, name in zip(parts, names) if not name.exists()]
        joblib.Parallel(processes or os.cpu_count(), verbose=5)(
            joblib.delayed(_encode)(data_dir, folder, part, name) for part, name in missing
        )
        joined = np.concatenate([np.load(name) for name in names])
        write_atomically(whole, lambda file: np.save(file, joined))
        for name in names:
            name.unlink()
    return np.load(whole, mmap_mode="r")


def _sentences(builder: Any, part: Any) -> Iterator[str]:
    config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    for example in tfds.as_numpy(builder.as_dataset(split=part, read_config=config)):
        yield example["text"].decode()


def _encoder(builder: Any, stem: Path) -> Any:
    """The subword encoder, built from the first training sentences and kept beside the tokens."""
    encoder = tfds.deprecated.text.SubwordTextEncoder
    file = stem.with_name(f"{stem.name}.subwords")
    if not file.exists():
        sentences = islice(_sentences(builder, "train"), _VOCABULARY_SENTENCES)
        built = encoder.build_from_corpus(sentences, target_vocab_size=TARGET_VOCABULARY)
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            built.save_to_file(os.path.join(folder, "vocabulary"))
            os.replace(os.path.join(folder, "vocabulary.subwords"), file)
    return _loaded(str(stem))


@functools.cache
def _loaded(stem: str) -> Any:
    return tfds.deprecated.text.SubwordTextEncoder.load_from_file(stem)


def _encode(data_dir: str | None, stem: Path, part: Any, name: Path) -> None:
    """Write the tokens of a piece of a split."""
    encoder, ids = _loaded(str(stem)), array("H")
    for sentence in _sentences(prepared_builder("lm1b", data_dir), part):
        ids.extend([*encoder.encode(sentence), _END])
    write_atomically(name, lambda file: np.save(file, np.array(ids, np.uint16)))


def main(command: Sequence[str] | None = None) -> None:
    """Prepare both splits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=os.path.expanduser, help="of TensorFlow Datasets")
    parser.add_argument("--processes", type=int, help="default: one per core")
    arguments = parser.parse_args(command)
    for split in ("test", "train"):
        made = tokens(split, arguments.data_dir, 2**16, arguments.processes)
        print(f"{split}: {len(made):,} tokens")


if __name__ == "__main__":
    main()
