"""Convolutions over images: one kernel, or one kernel for each member of a population."""

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from ..convolution_sizes import output_size
from ..initializers import SONNET, ZEROS, Initializer
from ..program import Block, Weight, function
from ..sampling import Config
from .core import activation, add_bias, dense

POOLS = {
    "mean": lambda x: ops.mean(x, axis=(-3, -2)),
    "max": lambda x: ops.max(x, axis=(-3, -2)),
    "squared_mean": lambda x: ops.mean(x * x, axis=(-3, -2)),
}
"""Global pooling by its published name: (B, H, W, C) to (B, C)."""


def conv(x: Any, kernel: Any, stride: int = 1, padding: str = "SAME") -> Any:
    """2-D convolution (cross-correlation) with the padding rule of TensorFlow.

    A single kernel goes to Keras. The kernels of a population become one matrix product per
    member: the shifted slices of the padded input, side by side, times the kernel, which XLA
    compiles to far faster code than the grouped convolution that says the same.

    Args:
        x: (B, H, W, C), or (P, B, H, W, C) where the members already differ.
        kernel: (h, w, C, O) or (P, h, w, C, O).
        stride: of both axes.
        padding: `"SAME"` or `"VALID"`.

    Returns:
        (B, H', W', O) or (P, B, H', W', O).
    """
    if len(kernel.shape) == 4:
        return ops.conv(x, kernel, stride, padding.lower(), data_format="channels_last")
    return _product(_patches(x, kernel.shape[-4:-2], stride, padding), kernel)


def conv_transpose(x: Any, kernel: Any, stride: int) -> Any:
    """Transpose of the strided SAME convolution: (B, H, W, C) to (B, H·s, W·s, O).

    Args:
        x: (B, H, W, C), or (P, B, H, W, C) where the members already differ.
        kernel: (h, w, O, C) or (P, h, w, O, C), with h and w at least the stride.
        stride: of both axes, s.
    """
    if len(kernel.shape) == 4:
        return ops.conv_transpose(x, kernel, stride, "same", data_format="channels_last")
    # What each pixel adds to the h x w pixels that it reaches: one product.
    *sizes, outputs, inputs = kernel.shape[1:]
    taps = ops.reshape(ops.moveaxis(kernel, -1, 1), (-1, 1, 1, inputs, math.prod(sizes) * outputs))
    added = _product(x, taps)
    added = ops.reshape(added, (*added.shape[:-1], *sizes, outputs))
    added = _overlap([added[..., i, :, :] for i in range(sizes[0])], -4, stride)
    return _overlap([added[..., i, :] for i in range(sizes[1])], -2, stride)


def _overlap(taps: Sequence[Any], axis: int, stride: int) -> Any:
    """Sum tensors that are n pixels long, n·stride after: pixel p of tap i lands at p·stride + i.

    What lands outside is dropped, by the SAME rule. There are at least `stride` taps.
    """
    *before, length = taps[0].shape[: axis + 1]
    after = taps[0].shape[len(before) + 1 :]
    shifts = math.ceil(len(taps) / stride) - 1

    def phase(first: int) -> Any:
        """Every pixel p·stride + first: here taps differ by whole pixels."""
        moved = []
        for shift, tap in enumerate(taps[first::stride]):
            around = [(0, 0)] * len(before) + [(shift, shifts - shift)] + [(0, 0)] * len(after)
            moved.append(ops.pad(tap, around))
        return sum(moved[1:], moved[0])

    phases = ops.stack([phase(first) for first in range(stride)], axis=len(before) + 1)
    merged = ops.reshape(phases, (*before, (length + shifts) * stride, *after))
    start = (len(taps) - stride) // 2
    inside = (slice(None),) * len(before) + (slice(start, start + length * stride),)
    return merged[inside]


def _patches(x: Any, sizes: Sequence[int], stride: int, padding: str) -> Any:
    """What each output position sees: (..., H, W, C) to (..., H', W', h·w·C)."""
    out = [output_size(n, stride, padding, k) for n, k in zip(x.shape[-3:-1], sizes)]
    if padding == "SAME":
        missing = [max((o - 1) * stride + k - n, 0) for o, k, n in zip(out, sizes, x.shape[-3:-1])]
        around = [(m // 2, m - m // 2) for m in missing]
        x = ops.pad(x, [(0, 0)] * (len(x.shape) - 3) + around + [(0, 0)])
    rows, columns = ((o - 1) * stride + 1 for o in out)
    slices = [
        x[..., i : i + rows : stride, j : j + columns : stride, :]
        for i in range(sizes[0])
        for j in range(sizes[1])
    ]
    return slices[0] if len(slices) == 1 else ops.concatenate(slices, axis=-1)


def _product(patches: Any, kernel: Any) -> Any:
    """Patches (B, H, W, K) or (P, B, H, W, K) times kernels (P, h, w, C, O)."""
    population, outputs = kernel.shape[0], kernel.shape[-1]
    *axes, inputs = patches.shape
    shared = len(axes) == 3
    rows = ops.reshape(patches, (-1, inputs) if shared else (population, -1, inputs))
    y = dense(rows, ops.reshape(kernel, (population, inputs, outputs)))
    return ops.reshape(y, (population, *axes[-3:], outputs))


def conv_block(
    inputs: int,
    outputs: int,
    positions: int,
    stride: int = 1,
    padding: str = "SAME",
    initializer: Initializer = SONNET,
    bias: bool = True,
    size: int = 3,
    transpose: bool = False,
) -> Block:
    """A convolution, with or without bias.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        positions: where the kernel is applied, for the count of operations: pixels of the output,
            or of the input of a transposed convolution.
        stride: of both axes.
        padding: `"SAME"` or `"VALID"`; a transposed convolution is SAME.
        initializer: of the kernel.
        bias: whether there is one; it starts at zero.
        size: rows and columns of the kernel.
        transpose: whether it is a transposed convolution, see `conv_transpose`.
    """
    channels = (outputs, inputs) if transpose else (inputs, outputs)
    weights: tuple[Weight, ...] = (
        Weight("kernel", (size, size, *channels), initializer, positions),
    )
    if bias:
        weights += (Weight("bias", (outputs,), ZEROS),)

    def apply(values: Sequence[Any], x: Any, draws: Any) -> Any:
        kernel, *biases = values
        y = conv_transpose(x, kernel, stride) if transpose else conv(x, kernel, stride, padding)
        return add_bias(y, biases[0], axes=3) if biases else y

    return Block(weights, apply)


def conv_blocks(
    shape: Sequence[int],
    channels: Sequence[int],
    strides: Sequence[int],
    paddings: Sequence[str],
    act: str,
    initializer: Initializer = SONNET,
    bias: bool = True,
    between: Sequence[Block] = (),
) -> tuple[list[Block], tuple[int, int, int]]:
    """A stack of 3x3 convolutions, every one followed by an activation.

    Args:
        shape: (H, W, C) of the input.
        channels: of every layer.
        strides: of every layer, the same in both axes.
        paddings: `"SAME"` or `"VALID"` of every layer.
        act: name of the activation.
        initializer: of the kernels.
        bias: whether the convolutions have biases.
        between: one more block for each layer, between convolution and activation.

    Returns:
        The blocks, and the shape (H, W, C) after them.
    """
    blocks: list[Block] = []
    height, width, inputs = shape
    for i, (outputs, stride, padding) in enumerate(zip(channels, strides, paddings)):
        height, width = (output_size(n, stride, padding) for n in (height, width))
        layer = conv_block(inputs, outputs, height * width, stride, padding, initializer, bias)
        blocks += [layer.named(f"conv{i}"), *between[i : i + 1], activation(act)]
        inputs = outputs
    return blocks, (height, width, inputs)


def sampled_conv_blocks(
    shape: Sequence[int], config: Config
) -> tuple[list[Block], tuple[int, int, int]]:
    """`conv_blocks` of the fields that both convolutional families sample."""
    return conv_blocks(
        shape,
        config["hidden_units"],
        [rows for rows, _ in config["strides"]],
        config["padding"],
        config["activation"],
        config["w_init"],
        config["use_bias"],
    )


def pool(name: str) -> Block:
    """Global pooling over both spatial axes."""
    return function(POOLS[name])
