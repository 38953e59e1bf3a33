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
    sizes, inside = kernel.shape[1:3], x.shape[-3:-1]

    @ops.custom_gradient
    def run(x: Any, kernel: Any) -> Any:
        y = _product(_patches(x, sizes, stride, padding), kernel)

        def grad(*args: Any, upstream: Any = None) -> Any:
            (upstream,) = args if upstream is None else (upstream,)
            patches = _patches(x, sizes, stride, padding)
            member = "p" if len(patches.shape) == 5 else ""
            gradient = ops.einsum(f"{member}bhwk,pbhwo->pko", patches, upstream)
            gradient = ops.reshape(gradient, kernel.shape)
            before = [_missing(n, k, stride, padding) // 2 for n, k in zip(inside, sizes)]
            back = _spread(upstream, kernel, stride, before, inside)
            return back if member else ops.sum(back, axis=0), gradient

        return y, grad

    return run(x, kernel)


def conv_transpose(x: Any, kernel: Any, stride: int) -> Any:
    """Transpose of the strided SAME convolution: (B, H, W, C) to (B, H·s, W·s, O).

    Args:
        x: (B, H, W, C), or (P, B, H, W, C) where the members already differ.
        kernel: (h, w, O, C) or (P, h, w, O, C), with h and w at least the stride.
        stride: of both axes, s.
    """
    if len(kernel.shape) == 4:
        return ops.conv_transpose(x, kernel, stride, "same", data_format="channels_last")
    before = [(size - stride) // 2 for size in kernel.shape[1:3]]
    return _spread(x, kernel, stride, before, [n * stride for n in x.shape[-3:-1]])


def _spread(x: Any, kernel: Any, stride: int, before: Sequence[int], sizes: Sequence[int]) -> Any:
    """Transpose of a strided convolution: what each pixel adds to those it reaches.

    Args:
        x: (B, H, W, O), or (P, B, H, W, O).
        kernel: (P, h, w, C, O).
        stride: of both axes.
        before: rows and columns of the result to leave out at its beginning.
        sizes: rows and columns to keep.

    Returns:
        (P, B, *sizes, C).
    """
    *taps, channels, inputs = kernel.shape[1:]
    columns = ops.reshape(
        ops.moveaxis(kernel, -1, 1), (-1, 1, 1, inputs, math.prod(taps) * channels)
    )
    added = _product(x, columns)
    added = ops.reshape(added, (*added.shape[:-1], *taps, channels))
    rows = [added[..., i, :, :] for i in range(taps[0])]
    added = _overlap(rows, -4, stride, before[0], sizes[0])
    return _overlap([added[..., i, :] for i in range(taps[1])], -2, stride, before[1], sizes[1])


def _overlap(taps: Sequence[Any], axis: int, stride: int, first: int, size: int) -> Any:
    """Sum tensors along an axis: pixel p of tap i lands at p·stride + i.

    Args:
        taps: tensors of one shape.
        axis: negative.
        stride: distance of two pixels of a tap.
        first: the pixel of the sum with which the result begins.
        size: pixels of the result; those that nothing lands on are zero.
    """
    *before, length = taps[0].shape[: axis + 1 or None]
    after = taps[0].shape[len(before) + 1 :]
    shifts = math.ceil(len(taps) / stride) - 1

    def padded(x: Any, low: int, high: int) -> Any:
        return ops.pad(x, [(0, 0)] * len(before) + [(low, high)] + [(0, 0)] * len(after))

    def phase(number: int) -> Any:
        """Every pixel p·stride + number: here taps differ by whole pixels."""
        moved = [
            padded(tap, shift, shifts - shift) for shift, tap in enumerate(taps[number::stride])
        ]
        return sum(moved[1:], moved[0]) if moved else ops.zeros_like(phase(0))

    merged = phase(0)
    if stride > 1:
        merged = ops.stack([phase(i) for i in range(stride)], axis=len(before) + 1)
        merged = ops.reshape(merged, (*before, (length + shifts) * stride, *after))
    beyond = first + size - merged.shape[len(before)]
    if beyond > 0:
        merged = padded(merged, 0, beyond)
    return merged[(slice(None),) * len(before) + (slice(first, first + size),)]


def _patches(x: Any, sizes: Sequence[int], stride: int, padding: str) -> Any:
    """What each output position sees: (..., H, W, C) to (..., H', W', h·w·C)."""
    out = [output_size(n, stride, padding, k) for n, k in zip(x.shape[-3:-1], sizes)]
    if padding == "SAME":
        missing = [_missing(n, k, stride, padding) for n, k in zip(x.shape[-3:-1], sizes)]
        around = [(m // 2, m - m // 2) for m in missing]
        x = ops.pad(x, [(0, 0)] * (len(x.shape) - 3) + around + [(0, 0)])
    rows, columns = ((o - 1) * stride + 1 for o in out)
    slices = [
        x[..., i : i + rows : stride, j : j + columns : stride, :]
        for i in range(sizes[0])
        for j in range(sizes[1])
    ]
    return slices[0] if len(slices) == 1 else ops.concatenate(slices, axis=-1)


def _missing(size: int, taps: int, stride: int, padding: str) -> int:
    """Rows or columns that the padding adds, half of them, rounded down, before the first."""
    reached = (output_size(size, stride, padding, taps) - 1) * stride + taps
    return max(reached - size, 0)


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
