"""Hand-designed fully connected variational autoencoders."""

from typing import TYPE_CHECKING

from ..families.mlp_vae import autoencoder
from ..fixed_images import autoencoder_row as _row
from ..initializers import SONNET
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
    return autoencoder(
        config["dataset"],
        config["encoder"],
        config["latent"],
        config["decoder"],
        "relu",
        SONNET,
        center=True,
    )
