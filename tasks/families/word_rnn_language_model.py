"""Recurrent language models over a vocabulary of 8k subwords."""

from typing import TYPE_CHECKING

from ..sampling import Config, Rng, choice, initializer, language_dataset, log_int, recurrent_core

if TYPE_CHECKING:
    from ..definition import Definition


def sample(seed: int) -> Config:
    """The published configuration of `word_rnn_language_model_family_seed<seed>`."""
    rng = Rng(seed)
    return {
        "embed_dim": log_int(rng, 8, 128),
        "w_init": initializer(rng),
        "vocab_size": log_int(rng, 1000, 30000),
        "core": recurrent_core(rng),
        "trainable_init": choice(rng, [True, False]),
        "dataset": language_dataset(rng, "subwords8k", 256),
    }


def build(config: Config) -> "Definition":
    """Next-token prediction, padding included; mean cross-entropy in nats per token."""
    from ..texts import sampled_language_model

    return sampled_language_model(config, valid_size=10_000)
