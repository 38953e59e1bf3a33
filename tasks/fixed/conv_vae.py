"""Hand-designed convolutional variational autoencoders."""

from typing import TYPE_CHECKING

from ..fixed_images import autoencoder_row as _row
from ..sampling import Config

if TYPE_CHECKING:
    from ..definition import Definition


ROWS = {
    "FixedImageConvVAE_mnist_32x32x32x32x32_bs128": _row("mnist", 128, [32, 32], 32, [32, 32]),
    # The data are really CIFAR-10, whatever the name says.
    "FixedImageConvVAE_mnist_32x64x32x64x32_bs128": _row("cifar10", 128, [32, 64], 32, [64, 32]),
    "FixedImageConvVAE_cifar10_32x64x128x64x32_bs128": _row(
        "cifar10", 128, [32, 64], 128, [64, 32]
    ),
    "FixedImageConvVAE_mnist_64x128x128x128x64_bs128": _row(
        "mnist", 128, [64, 128], 128, [128, 64]
    ),
    "FixedImageConvVAE_cifar10_64x128x256x128x256x128x64_bs128": _row(
        "cifar10", 128, [64, 128, 256], 128, [256, 128, 64]
    ),
    "FixedImageConvVAE_cifar10_32x64x128x64x128x64x32_bs128": _row(
        "cifar10", 128, [32, 64, 128], 64, [128, 64, 32]
    ),
    "FixedImageConvVAE_cifar10_32x64x128x64x128x64x32_bs512": _row(
        "cifar10", 512, [32, 64, 128], 64, [128, 64, 32]
    ),
}


def build(config: Config) -> "Definition":
    """Negative evidence lower bound of images in [-1, 1], in nats per image."""
    from ..images import Images, preprocess
    from ..layers import conv_decoder, conv_encoder, negative_elbo

    images = Images.sampled(config["dataset"])
    latent = config["latent"]
    return images.define(
        *preprocess(center=True, flat=True),
        negative_elbo(
            conv_encoder(images.shape, config["encoder"], "relu", 2 * latent),
            conv_decoder(latent, images.shape, config["decoder"], "relu", images=2),
        ),
        outputs="Negative evidence lower bound of each image, nats.",
    )
