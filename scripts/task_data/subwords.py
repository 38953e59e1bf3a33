"""Byte-pair subwords of one corpus: vocabulary and token ids, as the arrays of a shipped file."""

import os
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from text import Document

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # set before the library reads it

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

# Text goes in as Latin-1, one character a byte, so that every subword is a string of bytes and the
# bytes of a document are those of its subwords end to end. Letters of other alphabets are bytes
# above 127 there and count as letters.
_LETTER = r"[A-Za-z\x{80}-\x{ff}]"
_WORDS = rf" ?{_LETTER}+| ?[0-9]+| ?[^A-Za-z0-9 \t\r\n\x{{80}}-\x{{ff}}]+|[ \t\r\n]+"


def train(documents: list[bytes], vocabulary_size: int) -> Tokenizer:
    """A byte-pair tokenizer with all 256 bytes and at most `vocabulary_size` subwords in all."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORDS), "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        initial_alphabet=[chr(byte) for byte in range(256)],
        show_progress=False,
    )
    tokenizer.train_from_iterator((text.decode("latin-1") for text in documents), trainer)
    return tokenizer


def corpus(
    documents: Iterable[Document], vocabulary_size: int, held_out_tenths: int
) -> dict[str, NDArray]:
    """The arrays of a shipped corpus.

    Args:
        documents: the documents; of several with the same text the first is kept.
        vocabulary_size: largest number of subwords, padding not counted.
        held_out_tenths: tenths of the places whose documents make up the test split.

    Returns:
        `ids` uint16 (padding not counted: the id in a batch is one more), `lengths`, `held_out`,
        `labels` if there is more than one, and the spelling of every subword: `vocabulary` uint8,
        end to end, and `vocabulary_lengths`.

    Raises:
        ValueError: the subwords of a document do not spell it.
    """
    unique: dict[str, Document] = {}
    for document in documents:
        unique.setdefault(document.text, document)
    kept = list(unique.values())
    spelled = [document.text.encode("utf-8") for document in kept]
    tokenizer = train(spelled, vocabulary_size)
    encoded = [tokenizer.encode(text.decode("latin-1")).ids for text in spelled]
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    vocabulary = [subword.encode("latin-1") for subword, _ in by_id]
    for ids, text in zip(encoded, spelled, strict=True):
        if b"".join(vocabulary[i] for i in ids) != text:
            raise ValueError(f"subwords do not spell {text!r}")
    arrays = {
        "ids": np.concatenate([np.array(ids, np.uint16) for ids in encoded]),
        "lengths": np.array([len(ids) for ids in encoded], np.uint16),
        "held_out": np.array([_draw(document.place) < held_out_tenths for document in kept]),
        "vocabulary": np.frombuffer(b"".join(vocabulary), np.uint8),
        "vocabulary_lengths": np.array([len(subword) for subword in vocabulary], np.uint8),
    }
    labels = np.array([document.label for document in kept], np.uint8)
    return {**arrays, "labels": labels} if labels.any() else arrays


def _draw(place: str) -> int:
    """A digit that is the same for a place on every machine."""
    return zlib.crc32(place.encode("utf-8")) % 10
