"""Fully connected image classifiers of one to six hidden layers."""

from ..sampling import Config, Rng, activation, choice, image_dataset, initializer, widths


def sample(seed: int) -> Config:
    """The published configuration of `mlp_family_seed<seed>`."""
    rng = Rng(seed + 99123491)
    return {
        "layer_sizes": widths(rng, [1, 2, 3, 4, 5, 6], 16, 128),
        "activation": activation(rng),
        "w_init": initializer(rng),
        "dataset": image_dataset(rng),
        "center_data": choice(rng, [True, False]),
    }
