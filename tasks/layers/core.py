"""Dense layers, activations and the losses that most tasks share."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from ..initializers import SONNET, Initializer
from ..program import Block, Weight, chain, function

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": ops.relu,
    "tanh": ops.tanh,
    "cos": ops.cos,
    "elu": ops.elu,
    "sigmoid": ops.sigmoid,
    "swish": ops.silu,
    "leaky_relu4": lambda x: ops.leaky_relu(x, 0.4),
    "leaky_relu2": lambda x: ops.leaky_relu(x, 0.2),
    "leaky_relu1": lambda x: ops.leaky_relu(x, 0.1),
}

# Below this many rows a joint product spends more on rearranging the weights than it saves.
_ROWS_FOR_ONE_PRODUCT = 32


def activation(name: str) -> Block:
    """Element-wise activation by its published name."""
    return function(ACTIVATIONS[name])


def dense(x: Any, kernel: Any) -> Any:
    """Matrix product of rows with a kernel, or with each kernel of a population.

    Args:
        x: (N, I), or (P, N, I) where the members already differ.
        kernel: (I, O) or (P, I, O).

    Returns:
        (N, O) or (P, N, O).
    """
    if len(kernel.shape) == 2 or len(x.shape) == 3:
        return ops.matmul(x, kernel)
    if x.shape[0] is not None and x.shape[0] < _ROWS_FOR_ONE_PRODUCT:
        return ops.matmul(ops.broadcast_to(x, (kernel.shape[0], *x.shape)), kernel)
    return ops.einsum("ni,pio->pno", x, kernel)


def add_bias(x: Any, bias: Any, axes: int = 1) -> Any:
    """Add (C,) or (P, C) to the last axis of x, over the `axes` axes before it."""
    return x + ops.expand_dims(bias, tuple(range(-axes - 1, -1)))


def dense_block(
    inputs: int,
    outputs: int,
    initializer: Initializer = SONNET,
) -> Block:
    """Affine layer on rows: (N, inputs) to (N, outputs), with or without population axis.

    Args:
        inputs: number of inputs.
        outputs: number of outputs.
        initializer: of the kernel (inputs, outputs); the bias starts at zero.
    """
    kernel = Weight("kernel", (inputs, outputs), initializer, uses=1)
    return Block(
        (kernel, Weight("bias", (outputs,))),
        lambda w, x, draws: add_bias(dense(x, w[0]), w[1]),
    )


def mlp_blocks(
    sizes: Sequence[int],
    act: str,
    initializer: Initializer = SONNET,
    scope: str = "dense",
    between: Sequence[Block] = (),
) -> list[Block]:
    """Dense layers between the given sizes, with an activation between them.

    Args:
        sizes: inputs, hidden widths, outputs; one layer fewer than entries.
        act: name of the activation.
        initializer: of every kernel; biases start at zero.
        scope: layer i is named `<scope><i>`.
        between: one more block for each activated layer, before its activation.
    """
    blocks = []
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        blocks.append(dense_block(inputs, outputs, initializer).named(f"{scope}{i}"))
        if i < len(sizes) - 2:
            blocks += [*between[i : i + 1], activation(act)]
    return blocks


def autoencoder(
    network: Sequence[Block], last: str | None, loss: str = "l2", reduction: str = "reduce_mean"
) -> Block:
    """Flat images (B, D) to their reconstruction errors, (B,) or (P, B).

    Args:
        network: blocks from (B, D) to (B, D).
        last: activation of the output; None for none.
        loss: `"l2"`, squared differences, or `"l1"`, absolute ones.
        reduction: `"reduce_mean"` or `"reduce_sum"` over pixels.
    """
    blocks = chain(*network, *([activation(last)] if last else []))
    reduce = ops.mean if reduction == "reduce_mean" else ops.sum

    def apply(weights: Sequence[Any], x: Any, draws: Any) -> Any:
        error = blocks.apply(weights, x, draws) - x
        return reduce(error * error if loss == "l2" else ops.abs(error), axis=-1)

    return Block(blocks.weights, apply)


def flatten(x: Any) -> Any:
    """(B, H, W, C) to (B, H·W·C), or (P, B, H, W, C) to (P, B, H·W·C)."""
    shape = ops.shape(x)
    return ops.reshape(x, (*shape[:-3], math.prod(x.shape[-3:])))


def _one_hot(y_true: Any, outputs: Any) -> Any:
    return ops.one_hot(ops.cast(y_true, "int32"), outputs.shape[-1], dtype=outputs.dtype)


def cross_entropy(y_true: Any, logits: Any) -> Any:
    """Mean softmax cross-entropy in nats.

    Args:
        y_true: class numbers (B,).
        logits: (B, K) or (P, B, K).

    Returns:
        Scalar or (P,).
    """
    picked = ops.sum(_one_hot(y_true, logits) * logits, axis=-1)
    return ops.mean(ops.logsumexp(logits, axis=-1) - picked, axis=-1)


def sigmoid_squared_error(y_true: Any, logits: Any) -> Any:
    """Mean over batch and classes of the squared difference of one-hot labels and sigmoids.

    Arguments and result as in `cross_entropy`.
    """
    error = ops.sigmoid(logits) - _one_hot(y_true, logits)
    return ops.mean(error * error, axis=(-2, -1))


def mean_loss(y_true: Any, outputs: Any) -> Any:
    """Mean of per-example losses (B,) or (P, B); the labels are not used."""
    return ops.mean(outputs, axis=-1)
