"""Damage files as crashes and bad disks do, and check that a reader says so."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from keras_hplist.errors import HPListError
from keras_hplist.history import History


def truncations(file: Path, count: int = 12) -> Iterator[None]:
    """Cut the file after evenly spread numbers of bytes, one after the other; restore it last."""
    whole = file.read_bytes()
    for size in np.linspace(0, len(whole) - 1, count).astype(int):
        file.write_bytes(whole[:size])
        yield
    file.write_bytes(whole)


def flips(file: Path, count: int = 25, seed: int = 0) -> Iterator[None]:
    """Change three random bytes of the file, `count` times anew; restore it last."""
    whole, random = file.read_bytes(), np.random.default_rng(seed)
    for _ in range(count):
        damaged = bytearray(whole)
        for place in random.integers(len(whole), size=3):
            damaged[place] = random.integers(256)
        file.write_bytes(damaged)
        yield
    file.write_bytes(whole)


def check_damaged(file: Path, read: Callable[[], History]) -> int:
    """Read the file damaged in many ways: each time it reads, or our error names file or folder.

    Returns:
        How many times it did not read.
    """
    refused = 0
    for damages in (truncations(file), flips(file)):
        for _ in damages:
            try:
                assert isinstance(read(), History)
            except HPListError as error:
                refused += 1
                places = (file.name, str(file.parent), str(file.parent.parent))
                assert any(place in str(error) for place in places), error
    return refused
