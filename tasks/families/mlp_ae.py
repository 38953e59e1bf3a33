"""Fully connected image autoencoders of one to six hidden layers."""

from typing import TYPE_CHECKING

from ..sampling import Config, Rng, activation, choice, image_dataset, initializer, widths

if TYPE_CHECKING:
    from ..definition import Definition


def sample(seed: int) -> Config:
    """The published configuration of `mlp_ae_family_seed<seed>`."""
    rng = Rng(seed)
    outputs = ["tanh", "tanh", "sigmoid", "sigmoid", "linear_center", "linear"]
    return {
        "hidden_units": widths(rng, [1, 2, 3, 4, 5, 6], 32, 128),
        "activation": activation(rng),
        "w_init": initializer(rng),
        "dataset": image_dataset(rng),
        "output_type": choice(rng, outputs),
        "loss_type": choice(rng, ["l2", "l2", "l1"]),
        "reduction_type": choice(rng, ["reduce_mean", "reduce_sum"]),
    }


def build(config: Config) -> "Definition":
    """Flat image to itself; per image the sum or mean over pixels of squared or absolute errors."""
    from ..images import Images, preprocess
    from ..layers import autoencoder, mlp_blocks

    images = Images.sampled(config["dataset"])
    kind = config["output_type"]
    sizes = [images.size, *config["hidden_units"], images.size]
    return images.define(
        *preprocess(center=kind in ("tanh", "linear_center"), flat=True),
        autoencoder(
            mlp_blocks(sizes, config["activation"], config["w_init"]),
            kind if kind in ("tanh", "sigmoid") else None,
            config["loss_type"],
            config["reduction_type"],
        ),
        outputs="Reconstruction error of each image.",
    )
