"""Hand-designed RealNVP flows on MNIST."""

from ..families.nvp import build as build
from ..fixed_images import image_row
from ..sampling import Config


def _row(steps: int, hidden: list[int]) -> Config:
    return image_row(
        "mnist",
        64,
        activation="relu",
        w_init=["glorot_uniform", None],
        hidden_units=hidden,
        num_bijectors=steps,
    )


ROWS = {
    "FixedNVP_mnist_2layer_bs64": _row(2, [2048, 2048]),
    "FixedNVP_mnist_5layer_bs64": _row(5, [2048, 2048]),
    "FixedNVP_mnist_5layer_thin_bs64": _row(5, [128, 128]),
    "FixedNVP_mnist_3layer_thin_bs64": _row(3, [128, 128]),
    # The batch is really 64, whatever the name says.
    "FixedNVP_mnist_9layer_thin_bs16": _row(9, [128, 128]),
}
