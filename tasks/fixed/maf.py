"""Hand-designed masked autoregressive flows.

Their masks are those of the family: proper ones, also where the hidden layers are narrower than
the image. The published masks cut such layers off from it for ever.
"""

from ..families.maf import build as build
from ..fixed_images import flow_row

ROWS = {
    "FixedMAF_mnist_2layer_bs64": flow_row("mnist", "glorot_normal", 2, [2048, 2048]),
    "FixedMAF_mnist_3layer_thin_bs64": flow_row("mnist", "glorot_normal", 3, [128, 128]),
    "FixedMAF_cifar10_3layer_bs64": flow_row("cifar10", "glorot_normal", 3, [1024, 1024]),
}
