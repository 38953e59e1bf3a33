"""Train ResNet50 on ImageNet from scratch, or a small residual network on photographs, by a list.

    python examples/large/resnet50.py --list nadamw --entry 0
    python examples/large/resnet50.py --baseline adam --learning-rate 1e-3
    python examples/large/resnet50.py --preset full --mixed-precision bfloat16 --data-dir ...

The full preset needs tensorflow-datasets with imagenet2012 prepared, see docs/large.md. A run that
was stopped goes on where its last checkpoint was when the same command is given again.
"""

import argparse
from collections.abc import Sequence
from functools import partial

import keras
from driver import Preset, Problem, parse, run
from keras import layers
from streams import augmented, fixed_batches, standardized, stream

from keras_hplist.figures.large_models import RESNET, SMALL_RESNET
from keras_hplist.tasks import data

PRESETS = {
    "laptop": Preset(SMALL_RESNET, 64, 2000, 100),
    "full": Preset(RESNET, 512, 225_000, 2500),
}
IMAGE_SIZE = 224
CLASSES = 1000
NUM_PARAMETERS = {"laptop": 78_714, "full": 25_636_712}
_VALIDATION_EXAMPLES = 2000  # of the laptop preset


def resnet50() -> keras.Model:
    """ResNet50 of keras.applications with random weights, giving logits in float32."""
    trunk = keras.applications.ResNet50(
        weights=None, include_top=False, pooling="avg", input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3)
    )
    logits = layers.Dense(CLASSES, dtype="float32")(trunk.output)
    return keras.Model(trunk.input, logits, name="resnet50")


def small_resnet(classes: int = 10, widths: Sequence[int] = (16, 32, 64)) -> keras.Model:
    """A residual network for 32×32 images: a block of two convolutions per width, giving logits.

    The first convolution halves the image, each block after the first does so again.
    """
    images = keras.Input((32, 32, 3))
    x = _normalized(layers.Conv2D(widths[0], 3, 2, padding="same", use_bias=False)(images))
    x = layers.ReLU()(x)
    for block, width in enumerate(widths):
        stride = 2 if block else 1
        convolution = partial(layers.Conv2D, width, padding="same", use_bias=False)
        y = layers.ReLU()(_normalized(convolution(3, stride)(x)))
        y = _normalized(convolution(3)(y))
        shortcut = x if stride == 1 else _normalized(convolution(1, stride)(x))
        x = layers.ReLU()(layers.Add()([shortcut, y]))
    logits = layers.Dense(classes, dtype="float32")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(images, logits, name="small_resnet")


def _normalized(x: keras.KerasTensor) -> keras.KerasTensor:
    # The running means forget in tens of steps: a run has two thousand and is evaluated early.
    return layers.BatchNormalization(momentum=0.9)(x)


def problem(arguments: argparse.Namespace) -> Problem:
    """The model and the data of a preset."""
    size, seed = arguments.batch_size, arguments.seed
    if arguments.preset == "full":
        import imagenet  # needs tensorflow-datasets

        images = imagenet.prepared(arguments.data_dir)
        return Problem(
            resnet50,
            NUM_PARAMETERS["full"],
            lambda start, stop: imagenet.train(images, size, seed, start, stop, IMAGE_SIZE),
            imagenet.valid(images, size, IMAGE_SIZE),
        )
    splits = data.load("cifar10")
    held_out = splits.outer_valid
    return Problem(
        small_resnet,
        NUM_PARAMETERS["laptop"],
        lambda start, stop: stream(
            lambda step: augmented(splits.train, step, size, seed), start, stop
        ),
        fixed_batches(
            [
                standardized(held_out.images[:_VALIDATION_EXAMPLES] / 255).astype("float32"),
                held_out.labels[:_VALIDATION_EXAMPLES],
            ],
            500,
        ),
    )


def main(command: Sequence[str] | None = None) -> None:
    """Run the script."""
    run(problem, parse(__doc__, PRESETS, command))


if __name__ == "__main__":
    main()
