"""Batches that are a function of seed and step, as `tf.data` pipelines that can start anywhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from keras_hplist.tasks.data import ImageSplit, Split, TextSplit

Batch = tuple[NDArray[Any], NDArray[np.int32]]

_SHIFT = 4  # pixels at most by which an image is moved


def stream(batch: Callable[[int], Batch], start: int, stop: int) -> tf.data.Dataset:
    """The batches of the steps from `start` to before `stop`.

    Args:
        batch: inputs and targets of a step, of the same shapes and dtypes for each.
        start: the first step.
        stop: the step after the last.
    """
    arrays = batch(start)

    def load(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
        tensors = tf.numpy_function(lambda k: batch(int(k)), [step], [a.dtype for a in arrays])
        return tuple(tf.ensure_shape(t, a.shape) for t, a in zip(tensors, arrays))

    return tf.data.Dataset.range(start, stop).map(load).prefetch(2)


def standardized(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images in [0, 1] moved to mean 0 and standard deviation 1, roughly."""
    return (images - np.float32(0.5)) / np.float32(0.25)


def augmented(split: ImageSplit, step: int, batch_size: int, seed: int) -> Batch:
    """A batch of randomly shifted and mirrored images, standardised.

    An image is shifted by at most four pixels each way; its edges are continued by reflection.

    Args:
        split: what to draw from.
        step: which batch.
        batch_size: its size.
        seed: of order, shifts and mirroring.

    Returns:
        Images (float32, batch × H × W × C) and labels (int32, batch).
    """
    images, labels = split.batch(step, batch_size, seed)
    height, width = images.shape[1:3]
    around = ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0))
    padded = np.pad(standardized(images), around, mode="reflect")
    rng = np.random.default_rng((seed, step))
    down, right = rng.integers(0, 2 * _SHIFT + 1, (2, batch_size, 1))
    rows, columns = down + np.arange(height), right + np.arange(width)
    mirrored = rng.random((batch_size, 1)) < 0.5
    columns = np.where(mirrored, columns[:, ::-1], columns)
    examples = np.arange(batch_size)[:, None, None]
    return padded[examples, rows[:, :, None], columns[:, None, :]], labels


@dataclass(frozen=True)
class PackedText(Split):
    """Documents end to end, cut into windows without padding.

    A window's targets are its inputs moved on by one token, so that the last target is the first
    input of the next window.

    Attributes:
        tokens: integers of shape `(T,)`; may be mapped from a file.
        context: tokens of a window.
    """

    tokens: NDArray[Any] = field(repr=False)
    context: int

    def __len__(self) -> int:
        """Number of windows."""
        return (len(self.tokens) - 1) // self.context

    def batch(self, step: int, batch_size: int, seed: int = 0) -> Batch:
        """Inputs and targets, int32 of shape `(batch_size, context)` each."""
        return self.at(self.indices(step, batch_size, seed))

    def at(self, windows: NDArray[np.integer]) -> Batch:
        """Inputs and targets of given windows."""
        starts = np.asarray(windows, np.int64)[:, None] * self.context
        text = self.tokens[starts + np.arange(self.context + 1)].astype(np.int32)
        return text[:, :-1], text[:, 1:]


def packed(split: TextSplit, context: int) -> PackedText:
    """The documents of a split end to end, with a 0 after each."""
    pieces: list[NDArray[np.int32]] = []
    for start, length in zip(split.starts, split.lengths):
        pieces += [split.tokens[start : start + length], np.zeros(1, np.int32)]
    return PackedText(split.name, np.concatenate(pieces), context)


def fixed_batches(arrays: Sequence[NDArray[Any]], batch_size: int) -> tf.data.Dataset:
    """Examples in their order, for evaluation; the last batch may be smaller."""
    return tf.data.Dataset.from_tensor_slices(tuple(arrays)).batch(batch_size).prefetch(2)
