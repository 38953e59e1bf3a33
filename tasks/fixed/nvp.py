"""Hand-designed RealNVP flows on MNIST."""

from ..families.nvp import build as build
from ..fixed_images import flow_row

ROWS = {
    "FixedNVP_mnist_2layer_bs64": flow_row("mnist", "glorot_uniform", 2, [2048, 2048]),
    "FixedNVP_mnist_5layer_bs64": flow_row("mnist", "glorot_uniform", 5, [2048, 2048]),
    "FixedNVP_mnist_5layer_thin_bs64": flow_row("mnist", "glorot_uniform", 5, [128, 128]),
    "FixedNVP_mnist_3layer_thin_bs64": flow_row("mnist", "glorot_uniform", 3, [128, 128]),
    # The batch is really 64, whatever the name says.
    "FixedNVP_mnist_9layer_thin_bs16": flow_row("mnist", "glorot_uniform", 9, [128, 128]),
}
