"""Fully connected variational autoencoders of images."""

from ..sampling import Config, Rng, activation, image_dataset, initializer, widths


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
