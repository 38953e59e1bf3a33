"""Real-valued non-volume-preserving flows: densities of images."""

from typing import TYPE_CHECKING

from ..sampling import Config, flow

if TYPE_CHECKING:
    from ..definition import Definition


def sample(seed: int) -> Config:
    """The published configuration of `nvp_family_seed<seed>`."""
    return flow(seed + 123919936)


def build(config: Config) -> "Definition":
    """Negative log-density under a RealNVP flow, in nats per image.

    The published design clips no log_scale. Each step scales by exp(-log_scale) what the next one
    reads, so that draws with large initial weights start at an infinite or undefined loss.
    """
    from ..images import Images, preprocess
    from ..layers import real_nvp

    images = Images.sampled(config["dataset"])
    return images.define(
        *preprocess(center=False, flat=True),
        real_nvp(
            images.size,
            config["hidden_units"],
            config["activation"],
            config["w_init"],
            config["num_bijectors"],
        ),
        outputs="Negative log-density of each image, nats.",
    )
