"""Hand-designed fully connected variational autoencoders."""

from typing import TYPE_CHECKING

from ..fixed_images import autoencoder_row as _row
from ..sampling import Config

if TYPE_CHECKING:
    from ..definition import Definition


ROWS = {
    "FixedMLPVAE_cifar101_128x32x128_bs128": _row("cifar10", 128, [128], 32, [128]),
    "FixedMLPVAE_cifar101_128x128x32x128x128_bs128": _row(
        "cifar10", 128, [128, 128], 32, [128, 128]
    ),
    "FixedMLPVAE_mnist_128x8x128x128_bs128": _row("mnist", 128, [128], 8, [128, 128]),
    "FixedMLPVAE_mnist_128x128x8x128_bs128": _row("mnist", 128, [128, 128], 8, [128]),
    "FixedMLPVAE_mnist_128x64x32x64x128_bs64": _row("mnist", 64, [128, 64], 32, [64, 128]),
    "FixedMLPVAE_food10132x32_128x64x32x64x128_bs64": _row(
        "food101_32x32", 64, [128, 64], 32, [64, 128]
    ),
    # The data are really Food-101, whatever the name says.
    "Imagenet32x30_FC_VAE_128x64x32x64x128_relu_bs256": _row(
        "food101_32x32", 256, [128, 64], 32, [64, 128]
    ),
}


def build(config: Config) -> "Definition":
    """Negative evidence lower bound of images in [-1, 1], in nats per image."""
    from ..images import Images, preprocess
    from ..layers import mlp_blocks, negative_elbo
    from ..program import chain

    images = Images.sampled(config["dataset"])
    latent = config["latent"]
    return images.define(
        *preprocess(center=True, flat=True),
        negative_elbo(
            chain(*mlp_blocks([images.size, *config["encoder"], 2 * latent], "relu")),
            chain(*mlp_blocks([latent, *config["decoder"], 2 * images.size], "relu")),
        ),
        outputs="Negative evidence lower bound of each image, nats.",
    )
