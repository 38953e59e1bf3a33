"""Fully connected image autoencoders of one to six hidden layers."""

from ..sampling import Config, Rng, activation, choice, image_dataset, initializer, widths


def sample(seed: int) -> Config:
    """The published configuration of `mlp_ae_family_seed<seed>`."""
    rng = Rng(seed)
    outputs = ["tanh", "tanh", "sigmoid", "sigmoid", "linear_center", "linear"]
    return {
        "hidden_units": widths(rng, [1, 2, 3, 4, 5, 6], 32, 128),
        "activation": activation(rng),
        "w_init": initializer(rng),
        "dataset": image_dataset(rng),
        "output_type": choice(rng, outputs),
        "loss_type": choice(rng, ["l2", "l2", "l1"]),
        "reduction_type": choice(rng, ["reduce_mean", "reduce_sum"]),
    }
