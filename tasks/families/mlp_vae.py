"""Fully connected variational autoencoders of images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..sampling import Config, Rng, activation, image_dataset, initializer, widths

if TYPE_CHECKING:
    from ..definition import Definition
    from ..initializers import Initializer
    from ..program import Block


def sample(seed: int) -> Config:
    """The published configuration of `mlp_vae_family_seed<seed>`."""
    rng = Rng(seed)
    return {
        "enc_hidden_units": widths(rng, [1, 2, 3, 4], 32, 128),
        "dec_hidden_units": widths(rng, [1, 2, 3], 32, 128),
        "activation": activation(rng),
        "w_init": initializer(rng),
        "dataset": image_dataset(rng),
    }


def build(config: Config) -> "Definition":
    """Negative evidence lower bound of images in [0, 1], in nats per image."""
    *hidden, latent = config["enc_hidden_units"]
    return autoencoder(
        config["dataset"],
        hidden,
        latent,
        config["dec_hidden_units"],
        config["activation"],
        config["w_init"],
    )


def autoencoder(
    dataset: Sequence[Any],
    encoder: Sequence[int],
    latent: int,
    decoder: Sequence[int],
    act: str,
    initializer: "Initializer",
    center: bool = False,
) -> "Definition":
    """The task of a fully connected variational autoencoder.

    Args:
        dataset: see `images.Images.sampled`.
        encoder: widths of its hidden layers.
        latent: numbers in the code.
        decoder: widths of its hidden layers.
        act: activation of both.
        initializer: of the kernels of both.
        center: whether images are in [-1, 1]; else in [0, 1].
    """
    from ..images import Images, preprocess
    from ..layers import mlp_blocks, negative_elbo
    from ..program import chain

    images = Images.sampled(dataset)

    def network(*sizes: int) -> "Block":
        return chain(*mlp_blocks(sizes, act, initializer))

    return images.define(
        *preprocess(center, flat=True),
        negative_elbo(
            network(images.size, *encoder, 2 * latent),
            network(latent, *decoder, 2 * images.size),
        ),
        outputs="Negative evidence lower bound of each image, nats.",
    )
