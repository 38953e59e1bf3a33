"""Hand-designed fully connected classifiers, some with dropout or normalisation."""

from typing import TYPE_CHECKING

from ..fixed_images import image_row
from ..sampling import Config

if TYPE_CHECKING:
    from ..definition import Definition


def _row(
    dataset: str,
    hidden: list[int],
    act: str = "relu",
    loss: str = "ce",
    keep: float | None = None,
    norm: str | None = None,
) -> Config:
    """A row.

    Args:
        dataset: published name.
        hidden: widths of the hidden layers.
        act: their activation.
        loss: `"ce"`, softmax cross-entropy, or `"mse"`, squared errors of sigmoids.
        keep: probability with which dropout keeps a pre-activation; None for no dropout.
        norm: `"layer"` or `"frozen_batch"` normalisation of pre-activations; None for none.
    """
    return image_row(
        dataset, 128, hidden=hidden, activation=act, loss=loss, keep_probability=keep, norm=norm
    )


_THREE = [128, 128, 128]

ROWS = {
    f"FixedMLP_{label}_{loss}_128x128x128_relu_bs128": _row(dataset, _THREE, loss=loss)
    for label, dataset in {
        "cifar10": "cifar10",
        "mnist": "mnist",
        "food10132x32": "food101_32x32",
    }.items()
    for loss in ("mse", "ce")
} | {
    "FixedMLP_cifar10_Dropout05_128x128_relu_bs128": _row("cifar10", [128, 128], keep=0.5),
    "FixedMLP_cifar10_Dropout08_128x128_relu_bs128": _row("cifar10", [128, 128], keep=0.8),
    "FixedMLP_cifar10_Dropout02_128x128_relu_bs128": _row("cifar10", [128, 128], keep=0.2),
    "FixedMLP_cifar10_LayerNorm_128x128x128_relu_bs128": _row("cifar10", _THREE, norm="layer"),
    "FixedMLP_cifar10_LayerNorm_128x128x128_tanh_bs128": _row(
        "cifar10", _THREE, "tanh", norm="layer"
    ),
    "FixedMLP_cifar10_BatchNorm_128x128x128_relu_bs128": _row(
        "cifar10", _THREE, norm="frozen_batch"
    ),
    "FixedMLP_cifar10_BatchNorm_64x64x64x64x64_relu_bs128": _row(
        "cifar10", [64] * 5, norm="frozen_batch"
    ),
}


def build(config: Config) -> "Definition":
    """Flat image, hidden layers, logits; softmax cross-entropy or squared errors of sigmoids."""
    from .. import layers
    from ..images import Images, preprocess

    images = Images.sampled(config["dataset"])
    hidden, keep = config["hidden"], config["keep_probability"]
    between = [layers.dropout(keep) for _ in hidden] if keep else []
    if config["norm"]:
        norm = {"layer": layers.layer_norm, "frozen_batch": layers.frozen_batch_norm}[
            config["norm"]
        ]
        between = [norm(width).named(f"norm{i}") for i, width in enumerate(hidden)]
    return images.define(
        *preprocess(center=False, flat=True),
        *layers.mlp_blocks(
            [images.size, *hidden, images.classes], config["activation"], between=between
        ),
        loss={"ce": layers.cross_entropy, "mse": layers.sigmoid_squared_error}[config["loss"]],
        outputs="Logits of the classes.",
    )
