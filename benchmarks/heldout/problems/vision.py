"""Images to labels: residual, separable, attention, siamese and two-headed networks."""

import keras
import numpy as np
from keras import layers, ops

from . import sources
from .blocks import PositionEmbedding, transformer_block
from .problem import CROSS_ENTROPY, Data, Problem, class_frequencies, cross_entropy_of_frequencies


def labelled(name: str, train: int, evaluation: int) -> Data:
    return Data(**sources.images(name, train, evaluation))


def residual_network() -> keras.Model:
    """Batch-normalised residual blocks (He et al. 2016), halved twice."""
    image = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    for filters, strides in ((8, 1), (16, 2), (32, 2)):
        y = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(y))
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
        y = layers.BatchNormalization(momentum=0.9)(y)
        if strides > 1:
            x = layers.Conv2D(filters, 1, strides=strides, use_bias=False)(x)
            x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, name="output")(x))


def separable_network() -> keras.Model:
    """Depthwise convolution, layer normalisation, inverted bottleneck (arXiv 2201.03545)."""
    image = keras.Input((32, 32, 3))
    x = layers.LayerNormalization()(layers.Conv2D(24, 4, strides=4)(image))
    for _ in range(3):
        y = layers.DepthwiseConv2D(5, padding="same")(x)
        y = layers.LayerNormalization()(y)
        y = layers.Dense(48, activation="gelu")(y)
        x = layers.Add()([x, layers.Dense(24)(y)])
    x = layers.LayerNormalization()(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(10, name="output")(x))


def vision_transformer() -> keras.Model:
    """Sixteen patches of 7 by 7 pixels as tokens (arXiv 2010.11929)."""
    image = keras.Input((28, 28, 1))
    x = layers.Reshape((16, 32))(layers.Conv2D(32, 7, strides=7)(image))
    x = PositionEmbedding()(x)
    for _ in range(3):
        x = transformer_block(x, heads=4)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(image, layers.Dense(10, name="output")(x))


def pairs() -> Data:
    """Two garments and whether they are of one kind; half of the pairs are."""
    parts = {}
    for number, (part, (images, labels)) in enumerate(
        sources.images("fashion_mnist", 4000, 1024).items()
    ):
        rng = np.random.default_rng(number)
        left = np.tile(np.arange(len(labels)), 2)
        right = rng.permuted(left)
        for label in range(10):  # the first half: partners of one kind
            members = np.flatnonzero(labels == label)
            right[members] = rng.permutation(members)
        same = (labels[left] == labels[right]).astype(np.float32)
        order = rng.permutation(np.flatnonzero(left != right))
        order = order if part == "train" else order[:768]
        x = {"left": images[left[order]], "right": images[right[order]]}
        parts[part] = x, same[order]
    return Data(**parts)


def siamese_network() -> keras.Model:
    image = keras.Input((28, 28, 1))
    x = image
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="swish")(x)
    encoder = keras.Model(image, layers.Dense(16, name="output")(layers.Flatten()(x)))
    both = {side: keras.Input((28, 28, 1), name=side) for side in ("left", "right")}
    apart = layers.Subtract()([encoder(both["left"]), encoder(both["right"])])
    distance = layers.Lambda(
        lambda z: ops.sqrt(ops.sum(ops.square(z), axis=-1) + 1e-6), output_shape=()
    )(apart)
    return keras.Model(both, distance)


def contrastive(same, distance):
    """Contrastive loss with margin 1 (Hadsell, Chopra and LeCun 2006)."""
    apart = ops.square(ops.maximum(1.0 - distance, 0.0))
    return same * ops.square(distance) + (1.0 - same) * apart


def best_constant_distance(data: Data) -> float:
    distance = 1.0 - data.train[1].mean()
    same = data.test[1].mean()
    return float(same * distance**2 + (1.0 - same) * (1.0 - distance) ** 2)


def turned() -> Data:
    """Garments turned by quarter circles; both the garment and the turn are asked for."""
    parts = {}
    for number, (part, (images, labels)) in enumerate(
        sources.images("fashion_mnist", 4000, 768).items()
    ):
        turns = np.random.default_rng(number).integers(0, 4, len(labels)).astype(np.int32)
        x = np.stack([np.rot90(image, turn) for image, turn in zip(images, turns)])
        parts[part] = x, {"output_garment": labels, "output_turn": turns}
    return Data(**parts)


def two_headed_network() -> keras.Model:
    """Group normalisation, squeeze and excitation (arXiv 1709.01507), one trunk, two heads."""
    image = keras.Input((28, 28, 1))
    x = image
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, strides=2, padding="same")(x)
        x = layers.Activation("swish")(layers.GroupNormalization(4)(x))
        gate = layers.Dense(filters // 4, activation="relu")(layers.GlobalAveragePooling2D()(x))
        gate = layers.Reshape((1, 1, filters))(layers.Dense(filters, activation="sigmoid")(gate))
        x = layers.Multiply()([x, gate])
    x = layers.Dense(32, activation="swish")(layers.Flatten()(layers.AveragePooling2D(2)(x)))
    heads = {"output_garment": 10, "output_turn": 4}
    return keras.Model(image, {n: layers.Dense(size, name=n)(x) for n, size in heads.items()})


def both_frequencies(data: Data) -> float:
    return sum(
        cross_entropy_of_frequencies(data.train[1][head], data.test[1][head])
        for head in data.train[1]
    )


PROBLEMS = (
    Problem(
        "residual_garments",
        "batch-normalised residual network",
        "Fashion-MNIST",
        lambda: labelled("fashion_mnist", 4000, 768),
        residual_network,
        CROSS_ENTROPY,
        class_frequencies,
        batch_size=32,
        training_steps=300,
    ),
    Problem(
        "separable_photographs",
        "depthwise separable convolutions with layer normalisation",
        "windows of ten photographs: which photograph",
        lambda: labelled("cifar10", 8000, 768),
        separable_network,
        CROSS_ENTROPY,
        class_frequencies,
        batch_size=32,
        training_steps=300,
    ),
    Problem(
        "vision_transformer_digits",
        "vision transformer",
        "5,000 digits of MNIST",
        lambda: labelled("mnist", 2000, 768),
        vision_transformer,
        CROSS_ENTROPY,
        class_frequencies,
        batch_size=32,
        training_steps=300,
    ),
    Problem(
        "siamese_garments",
        "siamese network, contrastive loss",
        "pairs of Fashion-MNIST",
        pairs,
        siamese_network,
        contrastive,
        best_constant_distance,
        batch_size=32,
        training_steps=960,
    ),
    Problem(
        "two_headed_garments",
        "multi-task heads on group-normalised convolutions with squeeze and excitation",
        "Fashion-MNIST, turned",
        turned,
        two_headed_network,
        {"output_garment": CROSS_ENTROPY, "output_turn": CROSS_ENTROPY},
        both_frequencies,
        batch_size=32,
        training_steps=300,
    ),
)
