"""Convolutional image classifiers with a fully connected head."""

import math
from typing import TYPE_CHECKING

from ..convolution_sizes import infeasible as infeasible
from ..sampling import Config, Rng, choice, conv_stack, image_dataset, widths

if TYPE_CHECKING:
    from ..definition import Definition


def sample(seed: int) -> Config:
    """The published configuration of `conv_fc_family_seed<seed>`."""
    rng = Rng(seed)
    return conv_stack(rng) | {
        "fc_hidden_units": widths(rng, [0, 1, 2, 3], 32, 128),
        "use_bias": choice(rng, [True, False]),
        "dataset": image_dataset(rng),
        "center_data": choice(rng, [True, False]),
    }


def build(config: Config) -> "Definition":
    """Convolutions, flattened, hidden layers, logits; mean softmax cross-entropy."""
    from ..images import Images, preprocess
    from ..layers import cross_entropy, flatten, mlp_blocks, sampled_conv_blocks
    from ..program import function

    images = Images.sampled(config["dataset"])
    convolutions, shape = sampled_conv_blocks(images.shape, config)
    sizes = [math.prod(shape), *config["fc_hidden_units"], images.classes]
    return images.define(
        *preprocess(config["center_data"], flat=False),
        *convolutions,
        function(flatten),
        *mlp_blocks(sizes, config["activation"], config["w_init"]),
        loss=cross_entropy,
        outputs="Logits of the classes.",
    )
