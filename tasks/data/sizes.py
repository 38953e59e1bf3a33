"""How many examples each split gets: the published rule, scaled to the data at hand."""

from collections.abc import Mapping

from ..errors import TaskDataError
from .splits import Split

ROLES = ("train", "inner_valid", "outer_valid", "test")


def split_sizes(name: str, offered: Mapping[str, int], valid_size: int) -> dict[str, int]:
    """Sizes of the four splits, cut from the splits a data set offers.

    Published rule, with V = `valid_size`: validation splits are the first V examples of `train`,
    one after the other; a `validation` split beside a `test` split is the outer validation split; a
    set that offers `train` alone gives its test split from there as well. Where V is more than the
    data can bear it is lowered so that at least half of `train` stays for training.

    Args:
        name: the data set, for messages.
        offered: number of examples by split: `train`, and `validation` or `test` or both.
        valid_size: published V, at least 1.

    Returns:
        Number of examples of `train`, `inner_valid`, `outer_valid` and `test`; `num_train` not yet
        applied.

    Raises:
        TaskDataError: `train` is too small to be cut at all.
    """
    held_out = [offered[split] for split in ("validation", "test") if split in offered]
    cuts = 3 - len(held_out)  # splits that have to come out of `train`
    if offered["train"] < 2 * cuts:
        raise TaskDataError(
            f"{name} has {offered['train']} training examples; at least {2 * cuts} are needed to "
            f"cut {cuts} further splits from them."
        )
    valid = min(valid_size, offered["train"] // (2 * cuts))
    return {
        "train": offered["train"] - cuts * valid,
        "inner_valid": valid,
        "outer_valid": held_out[0] if len(held_out) == 2 else valid,
        "test": held_out[-1] if held_out else valid,
    }


def divide(name: str, offered: Mapping[str, Split], valid_size: int) -> dict[str, Split]:
    """The four splits, cut from the splits a data set offers by the rule of `split_sizes`."""
    counts = {split: len(examples) for split, examples in offered.items()}
    sizes = split_sizes(name, counts, valid_size)
    held_out = [offered[split] for split in ("validation", "test") if split in offered]
    roles: dict[str, Split] = {}
    if held_out:
        roles["test"] = held_out[-1].take(slice(None), f"{name}, test")
    if len(held_out) == 2:
        roles["outer_valid"] = held_out[0].take(slice(None), f"{name}, outer_valid")
    start = 0
    for role in ("inner_valid", "outer_valid", "test", "train"):
        if role not in roles:
            part = slice(start, start + sizes[role])
            roles[role] = offered["train"].take(part, f"{name}, {role}")
            start += sizes[role]
    return {role: roles[role] for role in ROLES}
