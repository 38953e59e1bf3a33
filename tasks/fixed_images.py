"""Rows of hand-designed image tasks, in the form in which the families sample theirs. No Keras.

So the builder of a family serves the hand-designed tasks of its kind too. The suite shuffles some
of these data sets through a buffer of 5000 examples; here every epoch is a whole permutation.
"""

from collections.abc import Sequence

from .data import describe
from .initializers import SONNET
from .sampling import Config

_VALID_SIZE = 3000


def image_row(dataset: str, batch_size: int, **design: object) -> Config:
    """A configuration: the data set as a published triple, without augmentation, and the design.

    Args:
        dataset: published name.
        batch_size: examples of a training step.
        design: the other fields, sequences as lists, as JSON has them.
    """
    options = {
        "bs": batch_size,
        "num_train": None,
        "valid_size": min(_VALID_SIZE, describe(dataset).valid_size),
    }
    return {"dataset": [dataset, options, None], **design}


def convolutional_row(
    dataset: str,
    batch_size: int,
    channels: Sequence[int],
    act: str,
    initializer: Sequence[object] = SONNET,
    **design: object,
) -> Config:
    """Row of a classifier whose 3x3 SAME convolutions halve the image in the first layer only."""
    later = len(channels) - 1
    return image_row(
        dataset,
        batch_size,
        strides=[[2, 2]] + [[1, 1]] * later,
        hidden_units=list(channels),
        activation=act,
        w_init=list(initializer),
        padding=["SAME"] * len(channels),
        use_bias=True,
        center_data=False,
        **design,
    )


def flow_row(dataset: str, initializer: str, steps: int, hidden: Sequence[int]) -> Config:
    """Row of a flow with relu networks and batches of 64."""
    return image_row(
        dataset,
        64,
        activation="relu",
        w_init=[initializer, None],
        hidden_units=list(hidden),
        num_bijectors=steps,
    )


def autoencoder_row(
    dataset: str, batch_size: int, encoder: Sequence[int], latent: int, decoder: Sequence[int]
) -> Config:
    """Row of an autoencoder: widths or channels of its two halves, numbers in the code."""
    return image_row(
        dataset, batch_size, encoder=list(encoder), latent=latent, decoder=list(decoder)
    )
