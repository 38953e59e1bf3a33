"""Hand-designed convolutional classifiers with a flattened, fully connected head."""

from ..families.conv_fc import build as build
from ..fixed_images import convolutional_row as _row

_HE = ("he_normal", None)
# Published as an initialiser of contrib, which differs from this one by 0.3 per cent of its scale.
_SCALED = ("variance_scaling", 2.0)

ROWS = {
    "FixedImageConv_cifar10_32x64x64_flatten_bs128": _row(
        "cifar10", 128, (32, 64, 64), "relu", fc_hidden_units=[]
    ),
    "FixedImageConv_cifar10_32x64x64_fc_64_bs128": _row(
        "cifar10", 128, (32, 64, 64), "relu", fc_hidden_units=[64]
    ),
    "FixedImageConv_mnist_32x64x64_fc_64_bs128": _row(
        "mnist", 128, (32, 64, 64), "relu", fc_hidden_units=[64]
    ),
    "Mnist_Conv_32x16x64_flatten_FC32_tanh_bs32": _row(
        "mnist", 32, (32, 16, 64), "tanh", fc_hidden_units=[32]
    ),
    "FixedImageConv_cifar10_32x64x128_flatten_FC64x32_tanh_he_bs8": _row(
        "cifar10", 8, (32, 64, 128), "tanh", _HE, fc_hidden_units=[64, 32]
    ),
    "FixedImageConv_cifar10_32x64x128_flatten_FC64x32_tanh_variance_scaling_bs64": _row(
        "cifar10", 64, (32, 64, 128), "tanh", _SCALED, fc_hidden_units=[64, 32]
    ),
    "FixedImageConv_cifar100_32x64x128_FC64x32_tanh_variance_scaling_bs64": _row(
        "cifar100", 64, (32, 64, 128), "tanh", _SCALED, fc_hidden_units=[64, 32]
    ),
    "FixedImageConv_cifar100_32x64x64_flatten_bs128": _row(
        "cifar100", 128, (32, 64, 64), "relu", fc_hidden_units=[]
    ),
    "FixedImageConv_food10164x64_Conv_32x64x64_flatten_bs64": _row(
        "food101_64x64", 64, (32, 64, 64), "relu", fc_hidden_units=[]
    ),
    "FixedImageConv_colorectalhistology32x32_32x64x64_flatten_bs128": _row(
        "colorectal_histology_32x32", 128, (32, 64, 64), "relu", fc_hidden_units=[]
    ),
}
