"""Real-valued non-volume-preserving flows: densities of images."""

from ..sampling import Config, flow


def sample(seed: int) -> Config:
    """The published configuration of `nvp_family_seed<seed>`."""
    return flow(seed + 123919936)
