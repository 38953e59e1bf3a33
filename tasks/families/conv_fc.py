"""Convolutional image classifiers with a fully connected head."""

from ..convolution_sizes import infeasible as infeasible
from ..sampling import Config, Rng, choice, conv_stack, image_dataset, widths


def sample(seed: int) -> Config:
    """The published configuration of `conv_fc_family_seed<seed>`."""
    rng = Rng(seed)
    return conv_stack(rng) | {
        "fc_hidden_units": widths(rng, [0, 1, 2, 3], 32, 128),
        "use_bias": choice(rng, [True, False]),
        "dataset": image_dataset(rng),
        "center_data": choice(rng, [True, False]),
    }
