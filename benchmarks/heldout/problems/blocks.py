"""Blocks that several of the networks share."""

import keras
from keras import layers, ops


class PositionEmbedding(layers.Layer):
    """Adds a learned vector to every position of a sequence (batch, length, features)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        self.positions = self.add_weight(
            shape=input_shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02)
        )

    def call(self, x):
        return x + self.positions


def transformer_block(x, heads: int, dropout: float = 0.0, causal: bool = False):
    """Attention and a feed-forward network, each normalised before and added (pre-norm)."""
    width = x.shape[-1]
    normal = layers.LayerNormalization()(x)
    attended = layers.MultiHeadAttention(heads, width // heads, dropout=dropout)(
        normal, normal, use_causal_mask=causal
    )
    x = layers.Add()([x, layers.Dropout(dropout)(attended)])
    hidden = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(x))
    return layers.Add()([x, layers.Dropout(dropout)(layers.Dense(width)(hidden))])


class LearnedImputation(layers.Layer):
    """Replaces missing inputs (NaN) by learned values, and appends which ones were missing."""

    def build(self, input_shape):
        self.fillings = self.add_weight(shape=input_shape[1:], initializer="zeros")

    def call(self, x):
        missing = ops.isnan(x)
        filled = ops.where(missing, self.fillings, ops.where(missing, 0.0, x))
        return ops.concatenate([filled, ops.cast(missing, x.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * input_shape[-1])


def embedded_columns(columns, cardinalities: list[int], width: int):
    """One learned vector per categorical column of (..., columns), side by side."""
    return layers.Concatenate()(
        [
            layers.Embedding(cardinality, width)(columns[..., index])
            for index, cardinality in enumerate(cardinalities)
        ]
    )


class FeatureWiseModulation(layers.Layer):
    """Scales and shifts the channels of an image by a vector (FiLM, arXiv 1709.07871)."""

    def build(self, image_shape, vector_shape):
        self.projection = layers.Dense(2 * image_shape[-1], kernel_initializer="zeros")
        self.projection.build(vector_shape)

    def call(self, image, vector):
        scale, shift = ops.split(self.projection(vector)[:, None, None, :], 2, axis=-1)
        return image * (1.0 + scale) + shift


class DepthToSpace(layers.Layer):
    """Turns blocks of channels into pixels: (h, w, 4 c) to (2 h, 2 w, c)."""

    def call(self, x):
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, height, width, 2, 2, channels // 4))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, 2 * height, 2 * width, channels // 4))
