"""What a family makes of a configuration: the program, its batch size, and where data come from."""

from collections.abc import Callable
from dataclasses import dataclass

from .data import Splits
from .program import Program


@dataclass(frozen=True)
class Definition:
    """A task without its name.

    Attributes:
        program: network and loss.
        batch_size: examples of a training step.
        load: called with the source of data (see `data.load`), returns the four splits.
    """

    program: Program
    batch_size: int
    load: Callable[[str], Splits]
