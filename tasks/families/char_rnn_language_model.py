"""Recurrent language models over bytes."""

from typing import TYPE_CHECKING

from ..sampling import (
    Config,
    Rng,
    choice,
    coin,
    initializer,
    language_dataset,
    log_int,
    recurrent_core,
)

if TYPE_CHECKING:
    from ..definition import Definition


def sample(seed: int) -> Config:
    """The published configuration of `char_rnn_language_model_family_seed<seed>`."""
    rng = Rng(seed)
    return {
        "embed_dim": log_int(rng, 8, 128),
        "w_init": initializer(rng),
        "vocab_size": 256 if coin(rng, 0.8) else log_int(rng, 100, 256),
        "core": recurrent_core(rng),
        "trainable_init": choice(rng, [True, False]),
        "dataset": language_dataset(rng, "bytes", 160),
    }


def build(config: Config) -> "Definition":
    """Next-token prediction, padding included; mean cross-entropy in nats per token."""
    from ..texts import sampled_language_model

    return sampled_language_model(config, valid_size=3000)
