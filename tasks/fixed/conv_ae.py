"""Hand-designed convolutional autoencoders."""

from typing import TYPE_CHECKING

from ..fixed_images import autoencoder_row as _row
from ..sampling import Config

if TYPE_CHECKING:
    from ..definition import Definition


ROWS = {
    "FixedImageConvAE_mnist_32x32x32x32x32_bs128": _row("mnist", 128, [32, 32], 32, [32, 32]),
    "FixedImageConvAE_mnist_32x64x8x64x32_bs128": _row("mnist", 128, [32, 64], 8, [64, 32]),
    # The last layer really has 64 channels, whatever the name says.
    "FixedImageConvAE_mnist_32x64x32x64x32_bs512": _row("mnist", 512, [32, 64], 32, [64, 64]),
    "FixedImageConvAE_cifar10_32x32x32x32x32_bs128": _row("cifar10", 128, [32, 32], 32, [32, 32]),
    "FixedImageConvAE_cifar10_32x64x8x64x32_bs128": _row("cifar10", 128, [32, 64], 8, [64, 32]),
}


def build(config: Config) -> "Definition":
    """Image to itself through a short code; mean over pixels of squared errors."""
    from ..images import Images, preprocess
    from ..layers import autoencoder, conv_decoder, conv_encoder

    images = Images.sampled(config["dataset"])
    network = [
        conv_encoder(images.shape, config["encoder"], "relu", config["latent"]),
        conv_decoder(config["latent"], images.shape, config["decoder"], "relu"),
    ]
    return images.define(
        *preprocess(center=False, flat=True),
        autoencoder(network, "sigmoid"),
        outputs="Reconstruction error of each image.",
    )
