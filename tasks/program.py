"""The pure side of a task: weights, the function that uses them, and the loss.

Building blocks follow one rule. A weight of shape `s` may be given as `s`, or as `(P, *s)`: then it
holds P members of a population, and whatever is computed from it has a leading axis P. Inputs of
the network never have that axis: all members see the same batch and the same random draws.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import initializers

Tensor = Any


@dataclass(frozen=True)
class Weight:
    """One trainable array.

    Attributes:
        name: unique within its program, for example `"dense0_kernel"`.
        shape: shape of one member's array.
        initializer: see `initializers.draw`.
        uses: how often one example multiplies each entry: 1 for a dense kernel, the number of
            output positions for a convolution, of time steps for a recurrent kernel, 0 where the
            weight is only looked up or added.
    """

    name: str
    shape: tuple[int, ...]
    initializer: initializers.Initializer = initializers.ZEROS
    uses: float = 0.0

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Block:
    """Weights, and the function of (weights, x, draws) that uses them.

    Attributes:
        weights: what `apply` needs, in its order.
        apply: called with one tensor per weight, the input, and a `layers.Draws` as the source of
            randomness.
        draws: of a block in a program's preparation, how many random tensors it draws.
    """

    weights: tuple[Weight, ...]
    apply: Callable[[Sequence[Tensor], Tensor, Any], Tensor]
    draws: int = 0

    def named(self, scope: str) -> "Block":
        """The same block with `scope_` before the name of every weight."""
        renamed = tuple(replace(w, name=f"{scope}_{w.name}") for w in self.weights)
        return replace(self, weights=renamed)


def function(f: Callable[[Tensor], Tensor]) -> Block:
    """A block without weights and randomness."""
    return Block((), lambda weights, x, draws: f(x))


def chain(*blocks: Block) -> Block:
    """Blocks one after the other."""

    def apply(weights: Sequence[Tensor], x: Tensor, draws: Any) -> Tensor:
        for block, own in zip(blocks, split(weights, *blocks)):
            x = block.apply(own, x, draws)
        return x

    weights = tuple(w for block in blocks for w in block.weights)
    return Block(weights, apply, sum(block.draws for block in blocks))


def split(weights: Sequence[Tensor], *blocks: Block) -> list[Sequence[Tensor]]:
    """Cut a sequence of tensors into those of each block, in order."""
    ends = np.cumsum([0] + [len(block.weights) for block in blocks])
    return [weights[start:end] for start, end in itertools.pairwise(ends)]


@dataclass(frozen=True)
class Program:
    """A network and its loss as pure functions of (weights, batch, seed).

    Attributes:
        block: the network; its output is what `model.predict` returns.
        loss: function of (y_true, outputs) that reduces over the batch, to a scalar, or to `(P,)`
            for outputs with a population axis. `y_true` is (B,) of any numeric type.
        outputs_doc: one sentence on what the outputs are.
        preparation: what comes before the network and has no weights, so that one batch can be
            prepared for any number of members.
    """

    block: Block
    loss: Callable[[Tensor, Tensor], Tensor]
    outputs_doc: str = ""
    preparation: Block | None = None

    def __post_init__(self) -> None:
        """Weight names key the saved model, so they must differ."""
        names = [w.name for w in self.weights]
        if len(set(names)) != len(names):
            raise ValueError(
                f"Weight names repeat: {sorted(names)}. Give each block its own scope."
            )

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The trainable arrays, in the order in which every function here takes them."""
        return self.block.weights

    @property
    def num_parameters(self) -> int:
        """Number of trainable numbers."""
        return sum(w.size for w in self.weights)

    def forward_flops(self, batch_size: int) -> float:
        """Multiplications and additions of one forward pass over a batch."""
        return float(batch_size * sum(2 * w.uses * w.size for w in self.weights))

    def init(self, seed: int) -> list[np.ndarray]:
        """Initial weights: float32, the same on every backend for the same `seed`.

        The draw of a weight depends on `seed` and its position only.
        """
        return [
            initializers.draw(w.initializer, w.shape, np.random.default_rng([seed, i]))
            for i, w in enumerate(self.weights)
        ]

    def prepare(self, inputs: Tensor, seed: Tensor) -> Tensor:
        """What the network makes of one batch before any weight comes in."""
        from .layers import Draws

        return self.preparation.apply((), inputs, Draws(seed)) if self.preparation else inputs

    def outputs(
        self, weights: Sequence[Tensor], inputs: Tensor, seed: Tensor, prepared: bool = False
    ) -> Tensor:
        """Output of the network.

        Args:
            weights: one tensor per weight, all with or all without a population axis.
            inputs: one batch, `(B, ...)`.
            seed: integer tensor (2,): seed of the task and number of the step.
            prepared: whether the inputs come from `prepare`, with the same seed.

        Returns:
            Float tensor `(B, ...)`, or `(P, B, ...)` for a population.
        """
        from .layers import Draws

        if not prepared:
            inputs = self.prepare(inputs, seed)
        made = self.preparation.draws if self.preparation else 0
        return self.block.apply(weights, inputs, Draws(seed, made))

    def loss_value(
        self,
        weights: Sequence[Tensor],
        batch: tuple[Tensor, Tensor],
        seed: Tensor,
        prepared: bool = False,
    ) -> Tensor:
        """Loss on one batch (x, y): a scalar, or `(P,)` for a population; see `outputs`."""
        x, y = batch
        return self.loss(y, self.outputs(weights, x, seed, prepared))
