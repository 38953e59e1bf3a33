"""What captions of figures, and reports, say in the same words."""

import pandas as pd

from keras_hplist.figures.resampled import LIST, RANDOM, part, row

TITLES = {
    "nadamw": "NAdamW",
    "adam8p": "Adam8p",
    "adam1p": "Adam1p",
    "adam6p": "Adam6p",
    "adam4p": "Adam4p",
}
"""The published search spaces as pictures and captions call them."""

UNREAD = "The paper draws this figure too; its numbers are not known to this project."


def title(space: str) -> str:
    """The name of a search space in pictures and captions."""
    return TITLES.get(space, space)


def trials(count: int) -> str:
    """A number of trials in words."""
    return f"{count} trial{'' if count == 1 else 's'}"


def setting(frame: pd.DataFrame) -> str:
    """How tasks were resampled, from the columns of `Resampling.describe`."""
    first = frame.iloc[0]
    return (
        f"Lines are medians and bands quartiles over {first['resamplings']:.0f} resamplings, in "
        f"each of which {first['held_out']:.0f} of {first['tasks']:.0f} tasks were held out; J is "
        "the mean over these of the best score so far, 0 the best known, 1 no better than before "
        "training."
    )


def told(spread: pd.Series) -> str:
    """A median with its quartiles."""
    low, high = spread["lower_quartile"], spread["upper_quartile"]
    return f"{spread['median']:.3f} ({low:.3f} to {high:.3f})"


def compared_at(wanted: int, configurations: int) -> int:
    """After how many trials ways through a search space are compared.

    Half of its configurations, if that is less than what is wanted: where all are tried, every
    order comes as low.
    """
    return max(1, min(wanted, configurations // 2))


def told_at(lists: pd.DataFrame, wanted: int) -> int:
    """The k of which a caption tells.

    Args:
        lists: J(k) of lists, with a level `k` and the column `configurations`.
        wanted: the k, where search spaces have at least twice as many configurations.
    """
    last = lists.index.get_level_values("k").max()
    return min(compared_at(wanted, int(lists["configurations"].min())), last)


def ahead(frame: pd.DataFrame, k: int) -> str:
    """In which search spaces the list is ahead of random search, each compared within itself.

    Args:
        frame: as of `resampled.compare`; search spaces without a list do not count.
        k: after how many trials.
    """
    lists, random = (part(frame, method=way, k=k)["median"] for way in (LIST, RANDOM))
    better = [title(space) for space in lists.index if lists[space] < random[space]]
    where = f"over {' and over '.join(better)}" if better else "in none of these search spaces"
    return f"Here lists are ahead of random search {where}, after {trials(k)}"


def list_and_random(curves: pd.DataFrame, space: str, k: int) -> str:
    """What the list and random search reach in a search space.

    Args:
        curves: of this search space, indexed by method and k, as of `resampled.compare`.
        space: its name.
        k: the number of trials, one of the index.
    """
    first, random = row(curves, k, method=LIST), part(curves, method=RANDOM)
    needed = trials_to_reach(random["median"], first["median"])
    return (
        f"After {trials(k)} the list over {title(space)} ({first['configurations']:.0f} "
        f"configurations) reaches {told(first)}, random search {told(row(random, k))}, which "
        f"takes {needed} trials to come as low as the list."
    )


def trials_to_reach(curve: pd.Series, score: float) -> str:
    """The first k at which a curve of J by k is at most `score`, in words."""
    reached = curve.index[curve <= score]
    return str(reached[0]) if len(reached) else f"more than {curve.index[-1]}"
