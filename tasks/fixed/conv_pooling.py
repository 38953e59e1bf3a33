"""Hand-designed convolutional classifiers with global pooling, some with batch normalisation."""

from typing import TYPE_CHECKING

from ..fixed_images import convolutional_row
from ..initializers import SONNET
from ..sampling import Config

if TYPE_CHECKING:
    from ..definition import Definition


def _row(
    dataset: str,
    batch_size: int,
    channels: tuple[int, ...],
    act: str = "relu",
    initializer: tuple[str, float | None] = SONNET,
    pool_type: str = "mean",
    batch_norm: bool = False,
) -> Config:
    return convolutional_row(
        dataset,
        batch_size,
        channels,
        act,
        initializer,
        pool_type=pool_type,
        batch_norm=batch_norm,
    )


_HE = ("he_normal", None)

ROWS = {
    "FixedImageConv_cifar10_32x64x64_bs128": _row("cifar10", 128, (32, 64, 64)),
    "FixedImageConv_cifar10_32x64x64_tanh_bs64": _row("cifar10", 64, (32, 64, 64), "tanh"),
    "FixedImageConv_cifar10_32x64x128_he_bs64": _row(
        "cifar10", 64, (32, 64, 128), "tanh", _HE, "max"
    ),
    "FixedImageConv_cifar10_32x64x128_normal_bs64": _row(
        "cifar10", 64, (32, 64, 128), "tanh", ("random_normal", 0.02)
    ),
    "FixedImageConv_cifar10_32x64x128_largenormal_bs64": _row(
        "cifar10", 64, (32, 64, 128), "tanh", ("random_normal", 0.2)
    ),
    "FixedImageConv_cifar10_32x64x128_smallnormal_bs64": _row(
        "cifar10", 64, (32, 64, 128), "tanh", ("random_normal", 0.002)
    ),
    "FixedImageConv_cifar10_32x64x128x128x128_avg_he_bs64": _row(
        "cifar10", 64, (32, 64, 128, 128, 128), "tanh", _HE
    ),
    "FixedImageConv_cifar10_batchnorm_32x64x64_bs128": _row(
        "cifar10", 128, (32, 64, 64), batch_norm=True
    ),
    "FixedImageConv_cifar10_batchnorm_32x32x32x64x64_bs128": _row(
        "cifar10", 128, (32, 32, 32, 64, 64), batch_norm=True
    ),
    "FixedImageConv_food101_batchnorm_32x32x32x64x64_bs128": _row(
        "food101_32x32", 128, (32, 32, 32, 64, 64), batch_norm=True
    ),
    "FixedImageConv_cifar100_bn_32x64x128x128_bs128": _row(
        "cifar100", 128, (32, 64, 128, 128), batch_norm=True
    ),
    "FixedImageConv_coil10032x32_bn_32x64x128x128_bs128": _row(
        "coil100_32x32", 128, (32, 64, 128, 128), batch_norm=True
    ),
    "FixedImageConv_sun39732x32_bn_32x64x128x128_bs128": _row(
        "sun397_32x32", 128, (32, 64, 128, 128), batch_norm=True
    ),
}


def build(config: Config) -> "Definition":
    """Convolutions, global pooling, logits; mean softmax cross-entropy."""
    from ..images import Images
    from ..layers import batch_norm, conv_blocks, cross_entropy, dense_block, pool

    images = Images.sampled(config["dataset"])
    channels = config["hidden_units"]
    norms = [batch_norm(n).named(f"norm{i}") for i, n in enumerate(channels)]
    convolutions, _ = conv_blocks(
        images.shape,
        channels,
        [rows for rows, _ in config["strides"]],
        config["padding"],
        config["activation"],
        config["w_init"],
        between=norms if config["batch_norm"] else (),
    )
    return images.define(
        *convolutions,
        pool(config["pool_type"]),
        dense_block(channels[-1], images.classes).named("logits"),
        loss=cross_entropy,
        outputs="Logits of the classes.",
    )
