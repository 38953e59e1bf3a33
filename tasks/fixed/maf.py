"""Hand-designed masked autoregressive flows.

Their masks are those of the family: proper ones, also where the hidden layers are narrower than
the image. The published masks cut such layers off from it for ever.
"""

from ..families.maf import build as build
from ..fixed_images import image_row
from ..sampling import Config


def _row(dataset: str, steps: int, hidden: list[int]) -> Config:
    return image_row(
        dataset,
        64,
        activation="relu",
        w_init=["glorot_normal", None],
        hidden_units=hidden,
        num_bijectors=steps,
    )


ROWS = {
    "FixedMAF_mnist_2layer_bs64": _row("mnist", 2, [2048, 2048]),
    "FixedMAF_mnist_3layer_thin_bs64": _row("mnist", 3, [128, 128]),
    "FixedMAF_cifar10_3layer_bs64": _row("cifar10", 3, [1024, 1024]),
}
