"""Fully connected variational autoencoders of images."""

from typing import TYPE_CHECKING

from ..sampling import Config, Rng, activation, image_dataset, initializer, widths

if TYPE_CHECKING:
    from ..definition import Definition
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
    from ..images import Images, preprocess
    from ..layers import mlp_blocks, negative_elbo
    from ..program import chain

    images = Images.sampled(config["dataset"])
    *hidden, latent = config["enc_hidden_units"]

    def network(*sizes: int) -> list["Block"]:
        return mlp_blocks(sizes, config["activation"], config["w_init"])

    return images.define(
        *preprocess(center=False, flat=True),
        negative_elbo(
            chain(*network(images.size, *hidden, 2 * latent)),
            chain(*network(latent, *config["dec_hidden_units"], 2 * images.size)),
        ),
        outputs="Negative evidence lower bound of each image, nats.",
    )
