"""How many examples each split gets: the published rule, scaled to the data at hand."""

from collections.abc import Mapping

SIZES = ("train", "inner_valid", "outer_valid", "test")


def split_sizes(offered: Mapping[str, int], valid_size: int) -> dict[str, int]:
    """Sizes of the four splits, cut from the splits a data set offers.

    Published rule, with V = `valid_size`: validation splits are the first V examples of `train`, one
    after the other; a `validation` split beside a `test` split is the outer validation split; a set
    that offers `train` alone gives its test split from there as well. Where V is more than the data
    can bear it is lowered so that at least half of `train` stays for training.

    Args:
        offered: number of examples by split: `train`, and `validation` or `test` or both.
        valid_size: published V, at least 1.

    Returns:
        Number of examples of `train`, `inner_valid`, `outer_valid` and `test`; `num_train` not yet
        applied.
    """
    held_out = [offered[name] for name in ("validation", "test") if name in offered]
    cuts = 3 - len(held_out)  # splits that have to come out of `train`
    valid = min(valid_size, offered["train"] // (2 * cuts))
    sizes = {"train": offered["train"] - cuts * valid, "inner_valid": valid}
    sizes["outer_valid"] = held_out[0] if len(held_out) == 2 else valid
    sizes["test"] = held_out[-1] if held_out else valid
    return sizes
