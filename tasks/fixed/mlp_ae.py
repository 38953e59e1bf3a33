"""Hand-designed fully connected autoencoders."""

from ..families.mlp_ae import build as build
from ..fixed_images import image_row
from ..initializers import SONNET
from ..sampling import Config


def _row(dataset: str, hidden: list[int]) -> Config:
    return image_row(
        dataset,
        128,
        hidden_units=hidden,
        activation="relu",
        w_init=list(SONNET),
        output_type="sigmoid",
        loss_type="l2",
        reduction_type="reduce_mean",
    )


ROWS = {
    "FixedMLPAE_mnist_32x32x32_bs128": _row("mnist", [32, 32, 32]),
    "FixedMLPAE_mnist_128x32x128_bs128": _row("mnist", [128, 32, 128]),
    "FixedMLPAE_cifar10_128x32x128_bs128": _row("cifar10", [128, 32, 128]),
}
