"""Variational autoencoders: the negative evidence lower bound of each image."""

import math
from typing import Any

from keras import ops

from ..program import Block, split
from .core import flatten
from .random import Draws

_BIN = 1.0 / 255.0


def gaussian_log_density(x: Any, mean: Any, log_stddev: Any) -> Any:
    """log N(x; mean, exp(log_stddev)²) of each entry."""
    standard = (x - mean) * ops.exp(-log_stddev)
    return -0.5 * (standard * standard + math.log(2 * math.pi)) - log_stddev


def kl_to_standard_normal(mean: Any, log_stddev: Any) -> Any:
    """KL(N(mean, σ²) || N(0, 1)) summed over the last axis."""
    terms = ops.exp(2.0 * log_stddev) + mean * mean - 1.0 - 2.0 * log_stddev
    return 0.5 * ops.sum(terms, axis=-1)


def negative_elbo(encoder: Block, decoder: Block) -> Block:
    """Images (B, ...) to KL(q(z|x) || N(0, I)) - log p(x|z), (B,) or (P, B), in nats.

    z is one reparameterised draw. p(x|z) is the density of the pixels, dequantised by uniform noise
    as wide as one of 255 levels, times that width: a normal with mean and log of the standard
    deviation as the decoder gives them, both clipped to [-10, 10].

    Args:
        encoder: image to (B, 2L): mean and log of the standard deviation of z.
        decoder: (B, L) to (B, 2D), flat: those of the pixels.
    """

    def apply(weights: Any, x: Any, draws: Draws) -> Any:
        encode, decode = split(weights, encoder, decoder)
        mean, log_stddev = ops.split(encoder.apply(encode, x, draws), 2, axis=-1)
        noise = draws.normal((ops.shape(x)[0], mean.shape[-1]))
        outputs = decoder.apply(decode, mean + ops.exp(log_stddev) * noise, draws)
        pixel_mean, pixel_log_stddev = ops.split(ops.clip(outputs, -10.0, 10.0), 2, axis=-1)
        flat = flatten(x) if len(x.shape) > 2 else x
        smooth = flat + draws.uniform(ops.shape(flat), -_BIN / 2, _BIN / 2)
        log_p = gaussian_log_density(smooth, pixel_mean, pixel_log_stddev) + math.log(_BIN)
        return kl_to_standard_normal(mean, log_stddev) - ops.sum(log_p, axis=-1)

    return Block(
        (*encoder.named("encoder").weights, *decoder.named("decoder").weights),
        apply,
    )
