"""Recurrent classifiers of text."""

from typing import TYPE_CHECKING

from ..sampling import Config, Rng, choice, initializer, log_int, recurrent_core, text_dataset

if TYPE_CHECKING:
    from ..definition import Definition


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


def build(config: Config) -> "Definition":
    """Logits from the last, mean or largest state; mean softmax cross-entropy.

    As in the published suite the data are IMDB reviews in subwords, whatever name was drawn.
    """
    from ..texts import Texts, text_classifier

    options = config["dataset"][1]
    texts = Texts(
        "imdb_reviews/subwords8k",
        options["bs"],
        options["patch_length"],
        valid_size=3000,
        num_train=options["num_train"],
    )
    return text_classifier(
        texts,
        config["core"],
        min(config["vocab_size"], options["max_token"]),
        config["embed_dim"],
        config["w_init"],
        config["trainable_init"],
        config["loss_compute"],
    )
