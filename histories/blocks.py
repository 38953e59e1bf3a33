"""Parts that networks of several modules of problems are made of."""

from typing import Any

from keras import layers


class Positions(layers.Layer):
    """Adds a learned vector to each place of a sequence (batch, length, features)."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        """One vector for each place."""
        self.vectors = self.add_weight(shape=input_shape[1:], initializer="random_normal")

    def call(self, x: Any) -> Any:
        """Add them."""
        return x + self.vectors


def attend(
    x: Any, heads: int, causal: bool = False, post_norm: bool = False, to: Any = None
) -> Any:
    """A transformer block, normalised before its parts or after them; attends to x, or `to`."""
    width = x.shape[-1]
    inside = x if post_norm else layers.LayerNormalization()(x)
    attended = layers.MultiHeadAttention(heads, width // heads)(
        inside, inside if to is None else to, use_causal_mask=causal
    )
    x = x + attended
    if post_norm:
        x = layers.LayerNormalization()(x)
    inside = x if post_norm else layers.LayerNormalization()(x)
    x = x + layers.Dense(width)(layers.Dense(3 * width, activation="gelu")(inside))
    return layers.LayerNormalization()(x) if post_norm else x


def normed(x: Any, layer: layers.Layer, activation: str | None = "relu") -> Any:
    """A layer, batch normalization and an activation."""
    x = layers.BatchNormalization(momentum=0.9)(layer(x))
    return layers.Activation(activation)(x) if activation else x
