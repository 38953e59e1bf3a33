"""Attention over text: a classifier of paragraphs, and a small causal language model."""

import keras
import numpy as np
from keras import layers

from . import sources
from .blocks import PositionEmbedding, transformer_block
from .problem import CROSS_ENTROPY, Data, Problem, class_frequencies, cross_entropy_of_frequencies

MANUALS = "tokenized_amazon_reviews/Books_v1_02"  # stands for: paragraphs of the Python manuals
NOVELS = "imdb_reviews/"  # stands for: six novels by Jane Austen
LENGTH, VOCABULARY = 48, 2048
CHARACTERS, WINDOW = 257, 64


def manuals() -> Data:
    """Paragraphs and which of five groups of manuals they are from; the test is other pages."""
    ids, labels, held_out = sources.padded_documents(MANUALS, LENGTH, VOCABULARY)
    order = np.random.default_rng(1).permutation(len(ids))
    learned, test = order[~held_out[order]], order[held_out[order]]
    chosen = (learned[768:], learned[:768], test[:1024])
    return Data(*((ids[rows], labels[rows]) for rows in chosen))


def paragraph_classifier() -> keras.Model:
    tokens = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(VOCABULARY, 32, mask_zero=True)(tokens)
    x = PositionEmbedding()(x)
    for _ in range(2):
        x = transformer_block(x, heads=2, dropout=0.1)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(tokens, layers.Dense(5, name="output")(x))


def novels() -> Data:
    """Windows of bytes that do not overlap; held-out chapters are the test."""
    found = sources.documents(NOVELS.rstrip("/"), "bytes")
    held_out = np.repeat(found.held_out, found.lengths)
    step = WINDOW + 1
    learned, test = (
        found.tokens[part][: part.sum() // step * step].reshape(-1, step)
        for part in (~held_out, held_out)
    )
    order = np.random.default_rng(2).permutation(len(learned))
    rng = np.random.default_rng(3)
    chosen = (learned[order[512:12_512]], learned[order[:512]], rng.permutation(test)[:512])
    return Data(*((rows[:, :-1], rows[:, 1:]) for rows in chosen))


def causal_transformer() -> keras.Model:
    tokens = keras.Input((WINDOW,), dtype="int32")
    x = PositionEmbedding()(layers.Embedding(CHARACTERS, 48)(tokens))
    for _ in range(2):
        x = transformer_block(x, heads=4, causal=True)
    x = layers.LayerNormalization()(x)
    return keras.Model(tokens, layers.Dense(CHARACTERS, name="output")(x))


PROBLEMS = (
    Problem(
        "transformer_manuals",
        "transformer encoder, text classification",
        "paragraphs of the Python manuals, five groups of manuals",
        manuals,
        paragraph_classifier,
        CROSS_ENTROPY,
        class_frequencies,
        batch_size=32,
        training_steps=300,
    ),
    Problem(
        "causal_transformer_novels",
        "causal transformer, language model of bytes",
        "six novels by Jane Austen",
        novels,
        causal_transformer,
        CROSS_ENTROPY,
        lambda data: cross_entropy_of_frequencies(data.train[1], data.test[1]),
        batch_size=16,
        training_steps=240,
    ),
)
