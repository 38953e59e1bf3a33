"""Tasks that are called by where they were found, and names that tell them apart."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

Place = tuple[str, ...]
"""Where a task was found: the parts of a whole path, the last of which is the task's name."""


def place_of(path: str | os.PathLike[str], *name: str) -> Place:
    """The place of a file or folder, or of something in it that has a name."""
    return (*Path(os.path.abspath(path)).parts, *name)


def told_apart(places: Iterable[Place]) -> dict[Place, Place]:
    """Each place with as much of its path in its name as tells it from the others.

    The last part of such a place is that longer name, with slashes.
    """
    joined = dict.fromkeys(places, 1)  # how many parts of it make the name
    while True:
        named = {p: (*p[:-many], "/".join(p[-many:])) for p, many in joined.items()}
        bearers = Counter(longer[-1] for longer in named.values())
        alike = [p for p, longer in named.items() if bearers[longer[-1]] > 1 and len(longer) > 1]
        if not alike:
            return named
        for place in alike:
            joined[place] += 1
