"""Tasks on text: from a configured corpus and a network to a definition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from .data import Splits, load
from .definition import Definition
from .initializers import Initializer
from .layers import cross_entropy, dense_block, mean_loss, recurrent_block
from .layers.cores import prediction_block
from .program import Block, Program, chain, function
from .sampling import Config


@dataclass(frozen=True)
class Texts:
    """A corpus as a task uses it.

    Attributes:
        name: published name of the data set.
        batch_size: examples of a training step.
        patch_length: tokens of an example.
        valid_size: wanted size of the validation splits.
        num_train: number of training documents; None (default) for all.
        just_train: whether all splits are the training split (default False).
    """

    name: str
    batch_size: int
    patch_length: int
    valid_size: int
    num_train: int | None = None
    just_train: bool = False

    def load(self, source: str) -> Splits:
        """The four splits."""
        options = {
            "num_train": self.num_train,
            "valid_size": self.valid_size,
            "patch_length": self.patch_length,
            "just_train": self.just_train,
        }
        return load(self.name, options, source)

    def define(
        self, network: Block, loss: Callable[[Any, Any], Any] = mean_loss, *, outputs: str
    ) -> Definition:
        """The task of a network whose input is a batch of tokens."""
        return Definition(Program(network, loss, outputs), self.batch_size, self.load)


def language_model(
    texts: Texts,
    core: Sequence[Any],
    vocabulary: int,
    embedding: int,
    initializer: Initializer,
    trainable_init: bool,
    masked: bool = False,
) -> Definition:
    """Next-token prediction by a recurrent core; cross-entropy in nats per token.

    Args:
        texts: the corpus.
        core: see `layers.recurrent_block`.
        vocabulary: number of ids; larger ones count as the last.
        embedding: width of the table of tokens.
        initializer: of the output layer.
        trainable_init: whether the first state is trained.
        masked: whether padding is left out of the mean; else it counts as ordinary targets.
    """
    length = texts.patch_length
    block = prediction_block(
        core,
        vocabulary,
        slice(0, length - 1),
        slice(1, length),
        initializer,
        texts.batch_size,
        embedding=embedding,
        trainable_init=trainable_init,
        masked=masked,
    )
    return texts.define(block, outputs="Cross-entropy of each example, nats per token.")


def sampled_language_model(config: Config, valid_size: int, masked: bool = False) -> Definition:
    """`language_model` of the fields that the families sample.

    Args:
        config: of the task.
        valid_size: wanted size of the validation splits.
        masked: see `language_model`.
    """
    name, options = config["dataset"]
    return language_model(
        Texts(name, valid_size=valid_size, **options),
        config["core"],
        config["vocab_size"],
        config["embed_dim"],
        config["w_init"],
        config["trainable_init"],
        masked,
    )


REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "last": lambda states: states[-1],
    "avg": lambda states: ops.mean(states, axis=0),
    "max": lambda states: ops.max(states, axis=0),
}
"""From the states of all steps, (L, ...), to one; by its published name."""


def text_classifier(
    texts: Texts,
    core: Sequence[Any],
    vocabulary: int,
    embedding: int,
    initializer: Initializer,
    trainable_init: bool,
    reduction: str,
) -> Definition:
    """Two classes, by a recurrent core that reads padding as well; softmax cross-entropy.

    Args:
        texts: the corpus.
        core: see `layers.recurrent_block`.
        vocabulary: number of ids; larger ones count as the last.
        embedding: width of the table of tokens.
        initializer: of the output layer.
        trainable_init: whether the first state is trained.
        reduction: a key of `REDUCTIONS`.
    """
    recurrent = recurrent_block(core, vocabulary, texts.patch_length, embedding, trainable_init)
    head = dense_block(core[1]["core_dim"], 2, initializer).named("logits")
    network = chain(recurrent, function(REDUCTIONS[reduction]), head)
    return texts.define(network, cross_entropy, outputs="Logits of the classes.")
