"""Tasks on images: from a configured data set and a network to a definition."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .data import Splits, describe, load
from .definition import Definition
from .layers import augment, flatten, mean_loss
from .program import Block, Program, chain, function


@dataclass(frozen=True)
class Images:
    """A data set of images as a task uses it.

    Attributes:
        name: published name of the data set.
        batch_size: examples of a training step.
        num_train: number of training images; None (default) for all.
        augmentation: random changes of the images, see `layers.augment`; None (default) for none.
        valid_size: wanted size of the validation splits; None (default) for the published one.
    """

    name: str
    batch_size: int
    num_train: int | None = None
    augmentation: Mapping[str, Any] | None = None
    valid_size: int | None = None

    @classmethod
    def sampled(cls, dataset: Sequence[Any]) -> "Images":
        """From the triple [name, options, augmentation] of a sampled configuration.

        The published suite samples `just_train` too and never looks at it for images. Hand-designed
        tasks, written in the same form, add `valid_size`.
        """
        name, options, augmentation = dataset
        return cls(
            name, options["bs"], options["num_train"], augmentation, options.get("valid_size")
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels that reach the network."""
        height, width, channels = describe(self.name).shape
        crop = self.augmentation["crop_amount"] if self.augmentation else 0
        return height - crop, width - crop, channels

    @property
    def size(self) -> int:
        """Numbers in one image."""
        height, width, channels = self.shape
        return height * width * channels

    @property
    def classes(self) -> int:
        """Number of classes."""
        return describe(self.name).classes

    def load(self, source: str) -> Splits:
        """The four splits."""
        options = {"num_train": self.num_train, "valid_size": self.valid_size}
        return load(self.name, options, source)

    def define(
        self, *network: Block, loss: Callable[[Any, Any], Any] = mean_loss, outputs: str
    ) -> Definition:
        """The task of a network whose input is the augmented image in [0, 1]."""
        blocks = list(network)
        if self.augmentation:
            blocks.insert(0, augment(self.augmentation, self.shape[-1]))
        first = next(i for i, block in enumerate(blocks) if block.weights)
        preparation = chain(*blocks[:first]) if first else None
        program = Program(chain(*blocks[first:]), loss, outputs, preparation)
        return Definition(program, self.batch_size, self.load)


def centred(x: Any) -> Any:
    """[0, 1] to [-1, 1]."""
    return 2.0 * x - 1.0


def preprocess(center: bool, flat: bool) -> list[Block]:
    """Blocks between the image and the first layer."""
    return [function(centred)] * center + [function(flatten)] * flat
