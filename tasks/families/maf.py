"""Masked autoregressive flows: densities of images."""

from typing import TYPE_CHECKING

from ..sampling import Config, flow

if TYPE_CHECKING:
    from ..definition import Definition


def sample(seed: int) -> Config:
    """The published configuration of `maf_family_seed<seed>`."""
    return flow(seed + 6123348)


def build(config: Config) -> "Definition":
    """Negative log-density under a masked autoregressive flow, in nats per image."""
    from ..images import Images, preprocess
    from ..layers import masked_autoregressive

    images = Images.sampled(config["dataset"])
    return images.define(
        *preprocess(center=False, flat=True),
        masked_autoregressive(
            images.size,
            config["hidden_units"],
            config["activation"],
            config["w_init"],
            config["num_bijectors"],
        ),
        outputs="Negative log-density of each image, nats.",
    )
