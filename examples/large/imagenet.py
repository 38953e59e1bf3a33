"""ImageNet through TensorFlow Datasets: batches that are a function of seed and step.

Nothing is downloaded: the data set has to be prepared. Training images get a random crop, resized,
and are mirrored half the time; both are made standard with ImageNet's mean and deviation per
channel. An epoch reads the files and a shuffle buffer in an order of its seed, so that a run that
starts at any step skips undecoded records only.
"""

import functools
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds
from prepared import prepared_builder

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
_BUFFER = 16_384  # undecoded images, some 2 GB
_CENTRE = 0.875  # of the shorter side, for evaluation


def prepared(data_dir: str | None) -> Any:
    """The builder of the prepared data set; see `prepared_builder`."""
    return prepared_builder("imagenet2012", data_dir)


def train(
    builder: Any, batch_size: int, seed: int, start: int, stop: int, size: int
) -> tf.data.Dataset:
    """Augmented training batches of the steps from `start` to before `stop`.

    Args:
        builder: from `prepared`.
        batch_size: images per batch; the remainder of an epoch is dropped.
        seed: of order and augmentation.
        start: the first step.
        stop: the step after the last.
        size: height and width of the images given.

    Returns:
        Images (float32, batch × size × size × 3) and labels (int64, batch).
    """
    per_epoch = builder.info.splits["train"].num_examples // batch_size
    first, done = divmod(start, per_epoch)
    epochs = [
        _epoch(builder, seed, epoch).take(per_epoch * batch_size)
        for epoch in range(first, -(-stop // per_epoch))
    ]
    records = functools.reduce(lambda left, right: left.concatenate(right), epochs)
    numbered = records.skip(done * batch_size).enumerate(start * batch_size)

    def example(number: tf.Tensor, record: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        return _augmented(record["image"], tf.stack([seed, number]), size), record["label"]

    batches = numbered.map(example, tf.data.AUTOTUNE, deterministic=True)
    return batches.batch(batch_size, drop_remainder=True).take(stop - start).prefetch(2)


def valid(builder: Any, batch_size: int, size: int) -> tf.data.Dataset:
    """The validation split in its order: the centre of every image, resized."""
    records = builder.as_dataset(
        split="validation",
        decoders={"image": tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(try_autocache=False),
    )

    def example(record: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        height, width = tf.unstack(tf.io.extract_jpeg_shape(record["image"])[:2])
        side = tf.cast(_CENTRE * tf.cast(tf.minimum(height, width), tf.float32), tf.int32)
        window = tf.stack([(height - side) // 2, (width - side) // 2, side, side])
        return _decoded(record["image"], window, size), record["label"]

    return records.map(example, tf.data.AUTOTUNE).batch(batch_size).prefetch(2)


def _epoch(builder: Any, seed: int, epoch: int) -> tf.data.Dataset:
    """Undecoded training records in the order of an epoch."""
    order = seed * 100_003 + epoch  # 100,003 epochs until two seeds share an order
    records = builder.as_dataset(
        split="train",
        shuffle_files=True,
        decoders={"image": tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(shuffle_seed=order, try_autocache=False, skip_prefetch=True),
    )
    return records.shuffle(_BUFFER, seed=order, reshuffle_each_iteration=False)


def _augmented(jpeg: tf.Tensor, seed: tf.Tensor, size: int) -> tf.Tensor:
    """A random crop of 8 to 100 percent of the area, resized; mirrored or not."""
    begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.io.extract_jpeg_shape(jpeg),
        tf.constant([0.0, 0.0, 1.0, 1.0], shape=[1, 1, 4]),
        seed=seed,
        area_range=(0.08, 1.0),
        aspect_ratio_range=(3 / 4, 4 / 3),
        max_attempts=10,
        use_image_if_no_bounding_boxes=True,
    )
    image = _decoded(jpeg, tf.concat([begin[:2], extent[:2]], 0), size)
    return tf.image.stateless_random_flip_left_right(image, seed)


def _decoded(jpeg: tf.Tensor, window: tf.Tensor, size: int) -> tf.Tensor:
    """A window (top, left, height, width) of an image, resized and standardised."""
    image = tf.io.decode_and_crop_jpeg(jpeg, window, channels=3)
    image = tf.image.resize(image, [size, size], antialias=True) / 255.0
    return (image - tf.constant(MEAN)) / tf.constant(DEVIATION)
