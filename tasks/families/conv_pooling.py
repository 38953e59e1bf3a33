"""Convolutional image classifiers with global pooling."""

from typing import TYPE_CHECKING

from ..convolution_sizes import infeasible as infeasible
from ..sampling import Config, Rng, choice, conv_stack, image_dataset

if TYPE_CHECKING:
    from ..definition import Definition


def sample(seed: int) -> Config:
    """The published configuration of `conv_pooling_family_seed<seed>`."""
    rng = Rng(seed)
    return conv_stack(rng) | {
        "pool_type": choice(rng, ["mean", "max", "squared_mean"]),
        "use_bias": choice(rng, [True, False]),
        "dataset": image_dataset(rng),
        "center_data": choice(rng, [True, False]),
    }


def build(config: Config) -> "Definition":
    """Convolutions, global pooling, logits; mean softmax cross-entropy."""
    from ..images import Images, preprocess
    from ..layers import cross_entropy, dense_block, pool, sampled_conv_blocks

    images = Images.sampled(config["dataset"])
    convolutions, shape = sampled_conv_blocks(images.shape, config)
    return images.define(
        *preprocess(config["center_data"], flat=False),
        *convolutions,
        pool(config["pool_type"]),
        dense_block(shape[-1], images.classes, config["w_init"]).named("logits"),
        loss=cross_entropy,
        outputs="Logits of the classes.",
    )
