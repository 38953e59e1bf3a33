"""Relations between things: a graph of similar paragraphs, words that occur together."""

import functools
import re
from collections import Counter

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.neighbors import NearestNeighbors

from . import sources
from .problem import CROSS_ENTROPY, Data, Problem, class_frequencies
from .text import MANUALS, NOVELS

NODES, NEIGHBOURS, FEATURES = 3000, 8, 96
WORDS, REACH = 1000, 5


@functools.cache
def paragraph_graph() -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
    """Paragraphs of the Python manuals, each joined to the eight most alike by TF-IDF cosine.

    Returns:
        Features (nodes, features): hashed counts of subwords, unit length; neighbours (nodes, 8);
        labels (nodes,): five groups of manuals.
    """
    ids, labels, _ = sources.padded_documents(MANUALS, 64, 8192)
    chosen = np.random.default_rng(5).permutation(len(ids))[:NODES]
    counts = np.zeros((NODES, 8192), np.float32)
    np.add.at(counts, (np.arange(NODES)[:, None], ids[chosen]), 1)
    counts[:, 0] = 0  # padding
    alike = NearestNeighbors(n_neighbors=NEIGHBOURS, metric="cosine", algorithm="brute")
    neighbours = alike.fit(TfidfTransformer().fit_transform(counts)).kneighbors(
        return_distance=False
    )
    features = np.zeros((NODES, FEATURES), np.float32)
    for column in range(counts.shape[1]):
        features[:, column % FEATURES] += counts[:, column]
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return features, neighbours.astype(np.int32), labels[chosen]


def labelled_nodes() -> Data:
    """Numbers of nodes and their labels; the graph and its features are known for all nodes."""
    labels = paragraph_graph()[2]
    nodes = np.random.default_rng(6).permutation(NODES).astype(np.int32)
    chosen = nodes[1536:], nodes[:768], nodes[768:1536]
    return Data(*((rows, labels[rows]) for rows in chosen))


class GraphConvolution(layers.Layer):
    """Joins each node's vector with the mean of its neighbours' (GraphSAGE, arXiv 1706.02216).

    Takes (..., 1 + neighbours, features), the node first, to (..., units).
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.own, self.others = layers.Dense(units), layers.Dense(units, use_bias=False)

    def build(self, input_shape):
        shape = (*input_shape[:-2], input_shape[-1])
        self.own.build(shape)
        self.others.build(shape)

    def call(self, x):
        return self.own(x[..., 0, :]) + self.others(ops.mean(x[..., 1:, :], axis=-2))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-2], self.own.units)


class Neighbourhood(layers.Layer):
    """The features of nodes, their neighbours, and the neighbours of those: two hops."""

    def call(self, nodes):
        features, neighbours, _ = paragraph_graph()
        around = np.concatenate([np.arange(NODES, dtype=np.int32)[:, None], neighbours], axis=1)
        hops = ops.take(around, ops.take(around, nodes, axis=0), axis=0)
        return ops.take(features, hops, axis=0)

    def compute_output_shape(self, input_shape):
        return (*input_shape, 1 + NEIGHBOURS, 1 + NEIGHBOURS, FEATURES)


def graph_network() -> keras.Model:
    nodes = keras.Input((), dtype="int32")
    x = layers.ReLU()(GraphConvolution(64)(Neighbourhood()(nodes)))
    x = layers.ReLU()(GraphConvolution(64)(layers.Dropout(0.2)(x)))
    return keras.Model(nodes, layers.Dense(5, name="output")(x))


def word_pairs() -> Data:
    """Pairs of the thousand most frequent words; how often they stand near each other.

    A pair at a distance of d words, at most five, counts 1 / d. The target is the logarithm of the
    count, beside the weight that the pair has in the loss (GloVe, Pennington et al. 2014).
    """
    found = sources.documents(NOVELS.rstrip("/"), "bytes")
    text = (found.tokens - 1).astype(np.uint8).tobytes().decode("utf-8", "replace").lower()
    words = re.findall(r"[a-z]+", text)
    rank = {word: n for n, (word, _) in enumerate(Counter(words).most_common(WORDS))}
    ids = np.array([rank.get(word, -1) for word in words])
    counts = np.zeros((WORDS, WORDS))
    for distance in range(1, REACH + 1):
        left, right = ids[:-distance], ids[distance:]
        both = (left >= 0) & (right >= 0)
        np.add.at(counts, (left[both], right[both]), 1 / distance)
    counts += counts.T
    pairs = np.argwhere(np.triu(counts) >= 1).astype(np.int32)
    count = counts[tuple(pairs.T)]
    targets = np.column_stack([np.log(count), np.minimum(1, (count / 100) ** 0.75)])
    order = np.random.default_rng(7).permutation(len(pairs))
    chosen = order[8192:], order[:4096], order[4096:8192]
    return Data(*((pairs[rows], targets[rows].astype(np.float32)) for rows in chosen))


def factorization() -> keras.Model:
    """The product of two vectors and two biases."""
    pair = keras.Input((2,), dtype="int32")
    vectors = layers.Embedding(WORDS, 48, embeddings_initializer="glorot_uniform")(pair)
    product = layers.Dot(axes=1)([vectors[:, 0], vectors[:, 1]])
    biases = layers.Embedding(WORDS, 1, embeddings_initializer="zeros")(pair)
    return keras.Model(pair, layers.Add()([product, biases[:, 0], biases[:, 1]]))


def weighted_squares(target, logarithm):
    return target[:, 1] * ops.square(logarithm[:, 0] - target[:, 0])


def weighted_mean(data: Data) -> float:
    (train, test), weight = (data.train[1], data.test[1]), data.test[1][:, 1]
    mean = np.average(train[:, 0], weights=train[:, 1])
    return float((weight * np.square(test[:, 0] - mean)).mean())


PROBLEMS = (
    Problem(
        "graph_manuals",
        "graph convolution, node classification",
        "paragraphs of the Python manuals, joined to the eight most alike",
        labelled_nodes,
        graph_network,
        CROSS_ENTROPY,
        class_frequencies,
        batch_size=64,
        training_steps=960,
    ),
    Problem(
        "word_factorization",
        "weighted matrix factorisation (GloVe)",
        "words that stand near each other in six novels by Jane Austen",
        word_pairs,
        factorization,
        weighted_squares,
        weighted_mean,
        batch_size=2048,
        training_steps=1200,
    ),
)
