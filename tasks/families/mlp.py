"""Fully connected image classifiers of one to six hidden layers."""

from typing import TYPE_CHECKING

from ..sampling import Config, Rng, activation, choice, image_dataset, initializer, widths

if TYPE_CHECKING:
    from ..definition import Definition


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


def build(config: Config) -> "Definition":
    """Flat image, hidden layers, logits; mean softmax cross-entropy."""
    from ..images import Images, preprocess
    from ..layers import cross_entropy, mlp_blocks

    images = Images.sampled(config["dataset"])
    sizes = [images.size, *config["layer_sizes"], images.classes]
    return images.define(
        *preprocess(config["center_data"], flat=True),
        *mlp_blocks(sizes, config["activation"], config["w_init"]),
        loss=cross_entropy,
        outputs="Logits of the classes.",
    )
