"""Recurrent language models over a vocabulary of 8k subwords."""

from ..sampling import Config, Rng, choice, initializer, language_dataset, log_int, recurrent_core


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
