"""Train a Transformer language model on LM1B, or a small one on technical prose, by a list.

    python examples/large/transformer.py --list nadamw --entry 0
    python examples/large/transformer.py --baseline adam --learning-rate 1e-3 --schedule fixed
    python examples/large/transformer.py --preset full --mixed-precision bfloat16 --data-dir ...

The full preset needs tensorflow-datasets with lm1b prepared, see docs/large.md. A run that was
stopped goes on where its last checkpoint was when the same command is given again.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from driver import Preset, Problem, parse, run
from keras import layers
from streams import PackedText, fixed_batches, packed, stream

from keras_hplist.figures.large_models import SMALL_TRANSFORMER, TRANSFORMER
from keras_hplist.tasks import data


@dataclass(frozen=True)
class Design:
    """The sizes of a decoder-only Transformer.

    Attributes:
        vocabulary: number of tokens, at least that of the data.
        context: tokens of a window.
        width: of the residual stream.
        depth: number of blocks.
        heads: of each attention; they share the width.
        hidden: width inside the feed-forward part.
    """

    vocabulary: int
    context: int
    width: int
    depth: int
    heads: int
    hidden: int

    @property
    def num_parameters(self) -> int:
        """Trained parameters, by arithmetic."""
        attention = 4 * (self.width**2 + self.width)  # query, key, value, output, with biases
        feed_forward = 2 * self.width * self.hidden + self.hidden + self.width
        block = attention + feed_forward + 2 * 2 * self.width  # and two normalisations
        embedding = (self.vocabulary + self.context) * self.width
        output = 2 * self.width + (self.width + 1) * self.vocabulary
        return embedding + self.depth * block + output


PRESETS = {
    "laptop": Preset(SMALL_TRANSFORMER, 16, 2000, 100),
    "full": Preset(TRANSFORMER, 512, 100_000, 1000),
}
# The full one is that of the Flax example for LM1B: 6 blocks of width 512, 8 heads, 2048 hidden
# units, some 2 ** 15 subwords, output weights of their own. 260 * 128 leaves room, since the
# builder of the vocabulary meets its target only roughly.
DESIGNS = {
    "laptop": Design(vocabulary=8192, context=32, width=64, depth=2, heads=4, hidden=256),
    "full": Design(vocabulary=33_280, context=128, width=512, depth=6, heads=8, hidden=2048),
}
NUM_PARAMETERS = {"laptop": 1_158_912, "full": 53_092_864}
_VALIDATION_WINDOWS = {"laptop": 512, "full": 20_480}


class AddPositions(layers.Layer):
    """Adds a trained vector for each position of a window."""

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the vectors."""
        self.positions = self.add_weight(shape=input_shape[1:], initializer=_small(), name="table")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Add them."""
        return x + self.positions


def transformer(design: Design) -> keras.Model:
    """A decoder-only Transformer with normalisation before each part, giving logits in float32."""
    tokens = keras.Input((design.context,), dtype="int32")
    embedding = layers.Embedding(design.vocabulary, design.width, embeddings_initializer=_small())
    x = AddPositions()(embedding(tokens))
    for _ in range(design.depth):
        y = layers.LayerNormalization()(x)
        attention = layers.MultiHeadAttention(design.heads, design.width // design.heads)
        x = x + attention(y, y, use_causal_mask=True)
        y = layers.LayerNormalization()(x)
        y = layers.Dense(design.hidden, activation="relu")(y)
        x = x + layers.Dense(design.width)(y)
    x = layers.LayerNormalization()(x)
    logits = layers.Dense(design.vocabulary, dtype="float32")(x)
    return keras.Model(tokens, logits, name="transformer")


def _small() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def problem(arguments: argparse.Namespace) -> Problem:
    """The model and the data of a preset."""
    size, seed, preset = arguments.batch_size, arguments.seed, arguments.preset
    design = DESIGNS[preset]
    if preset == "full":
        import lm1b  # needs tensorflow-datasets

        texts = {
            split: PackedText(
                "lm1b", lm1b.tokens(split, arguments.data_dir, design.vocabulary), design.context
            )
            for split in ("train", "test")
        }
    else:
        splits = data.load("lm1b/subwords8k", {"patch_length": design.context})
        texts = {
            "train": packed(splits.train, design.context),
            "test": packed(splits.outer_valid, design.context),
        }
    held_out = texts["test"].at(np.arange(min(_VALIDATION_WINDOWS[preset], len(texts["test"]))))
    return Problem(
        lambda: transformer(design),
        NUM_PARAMETERS[preset],
        lambda start, stop: stream(
            lambda step: texts["train"].batch(step, size, seed), start, stop
        ),
        fixed_batches(held_out, size * 4 if preset == "laptop" else size),
    )


def main(command: Sequence[str] | None = None) -> None:
    """Run the script."""
    run(problem, parse(__doc__, PRESETS, command))


if __name__ == "__main__":
    main()
