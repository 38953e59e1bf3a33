"""Recurrent classifiers of text."""

from ..sampling import Config, Rng, choice, initializer, log_int, recurrent_core, text_dataset


def sample(seed: int) -> Config:
    """The published configuration of `rnn_text_classification_family_seed<seed>`."""
    rng = Rng(seed)
    return {
        "embed_dim": log_int(rng, 8, 128),
        "w_init": initializer(rng),
        "dataset": text_dataset(rng),
        "vocab_size": log_int(rng, 100, 10000),
        "core": recurrent_core(rng),
        "trainable_init": choice(rng, [True, False]),
        "loss_compute": choice(rng, ["last", "avg", "max"]),
    }
