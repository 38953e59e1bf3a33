"""Masked autoregressive flows: densities of images."""

from ..sampling import Config, flow


def sample(seed: int) -> Config:
    """The published configuration of `maf_family_seed<seed>`."""
    return flow(seed + 6123348)
