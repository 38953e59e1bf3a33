"""Convolutional image classifiers with global pooling."""

from ..convolution_sizes import infeasible as infeasible
from ..sampling import Config, Rng, choice, conv_stack, image_dataset


def sample(seed: int) -> Config:
    """The published configuration of `conv_pooling_family_seed<seed>`."""
    rng = Rng(seed)
    return conv_stack(rng) | {
        "pool_type": choice(rng, ["mean", "max", "squared_mean"]),
        "use_bias": choice(rng, [True, False]),
        "dataset": image_dataset(rng),
        "center_data": choice(rng, [True, False]),
    }
