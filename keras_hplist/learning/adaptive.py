"""The order of a list, adapted to what its first trials on a new problem gave."""

import numbers
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from keras_hplist.checks import checked_count
from keras_hplist.errors import InvalidValueError
from keras_hplist.learning.evidence import Evidence
from keras_hplist.learning.selection import start_scores
from keras_hplist.learning.splits import task_weights
from keras_hplist.lists.hyperparameter_list import ListLike, checked_list

_WIDTH = 0.1
"""The mean distance between roots of losses at which a task counts exp(-1/2) times its weight."""

Scores = NDArray[np.float64]


class AdaptiveOrder:
    """Chooses the next entry of a list by the tasks on which the trials so far did as they do here.

    A list is the order that is best when nothing is known of a problem. Each trial tells something.
    The tasks that the list was learned from, whose scores it carries (`Evidence`), are weighed by
    their likeness to the problem, and the next entry is the one that lowers their weighted mean of
    the best score so far most: the rule by which the list itself was made, with other weights.

    Tasks are compared by the trials that gave a finite loss. On either side losses count from the
    lowest (0) to their median (1, and so does what is above), because of a new problem neither the
    lowest possible loss nor that of the start is known; a task at the mean distance d between the
    roots of these counts exp(-(d / 0.1)² / 2) times its weight. So neither the unit of the loss
    matters nor an addend. A diverged trial is as bad as a start. As long as nothing tells the tasks
    apart, the order is the list's: one loss alone has nothing to be compared with.

    The report on a search also knows the loss before training, so that its nearest tasks may differ
    from those that weigh most here.

    Args:
        hplist: a list whose provenance carries evidence, as the shipped ones and those of
            `keras-hplist learn` do; or the name of a shipped one, or the path of a list file.

    Raises:
        InvalidValueError: if it carries none.
        FileFormatError: if that is malformed.
    """

    def __init__(self, hplist: ListLike) -> None:
        """Read the scores that the list carries."""
        hplist = checked_list(hplist)
        evidence = Evidence.carried_by(hplist)
        if evidence is None:
            raise InvalidValueError(
                f"The list {hplist.name!r} carries no scores of its entries by task, by which they "
                "could be put in another order. Learn it with `keras-hplist learn`; attach them, "
                "keras_hplist.learning.Evidence.of(learner, history).attached_to(list); or try it "
                "in its own order."
            )
        weights = hplist.provenance.get("weights")
        self._length = len(hplist)
        self._known = set(evidence.entries.columns)
        # Of an entry without scores nothing is expected: it is as good as the start everywhere.
        scores = evidence.entries.reindex(columns=range(self._length)).to_numpy()
        self._scores = np.where(np.isnan(scores), start_scores(scores)[:, None], scores)
        self._weights = task_weights(
            list(evidence.entries.index),
            list(evidence.families),
            weights if isinstance(weights, Mapping) or weights == "equal" else "family",
        )

    def next_entry(self, losses: Mapping[int, float], running: Collection[int] = ()) -> int | None:
        """The rank of the entry to try next.

        Args:
            losses: of the entries that were tried, by rank; lower is better, and what is not finite
                has diverged.
            running: ranks that are being tried, of which no loss is known yet.

        Returns:
            A rank that is in neither. Entries without scores come after those that have something
            to gain on a task; where none has, the lowest rank. None if there is none left.

        Raises:
            InvalidValueError: if the list has no such entry, or a loss is no number.
        """
        for rank in (*losses, *running):
            checked_count("The rank of an entry that was tried", rank, 0, self._length - 1)
        for rank, loss in losses.items():
            if isinstance(loss, bool) or not isinstance(loss, numbers.Real):
                raise InvalidValueError(
                    f"The loss of entry {rank} is {loss!r}; give a number, NaN if it diverged."
                )
        telling = {rank: loss for rank, loss in losses.items() if rank in self._known}
        waiting = {*losses, *running} - telling.keys()
        return next_column(self._scores, self._weights, telling, waiting)


def next_column(
    scores: Scores,
    weights: Scores,
    losses: Mapping[int, float],
    running: Collection[int] = (),
) -> int | None:
    """The configuration to try next, by its scores on known tasks.

    Args:
        scores: float64 (task, configuration), without NaN; 1 is the start.
        weights: float64 (task,), of the tasks.
        losses: of the configurations that were tried, by column.
        running: columns that are being tried.

    Returns:
        The column; None if all were tried.
    """
    columns = range(scores.shape[1])
    left = [column for column in columns if column not in losses and column not in running]
    if not left:
        return None
    distance = _distance(scores[:, list(losses)], np.array(list(losses.values()), float))
    if np.ptp(distance) == 0:
        return left[0]
    # Relative to the nearest task: a problem that is like none must not make all weights 0.
    exponent = (distance / _WIDTH) ** 2 / 2
    weights = weights * np.exp(exponent.min() - exponent)
    begun = [column for column in columns if column not in left]
    best = np.minimum(start_scores(scores), scores[:, begun].min(axis=1))
    gains = weights @ np.maximum(best[:, None] - scores[:, left], 0.0)
    return left[int(gains.argmax())]


def _distance(scores: Scores, losses: Scores) -> Scores:
    """How unlike a problem each task is, by (task, trial) and (trial,): float64 (task,)."""
    if not losses.size:
        return np.zeros(len(scores))
    finite = np.isfinite(losses)
    here, there = np.where(finite, losses, 1.0)[None], np.clip(scores, 0.0, 1.0)
    if finite.any():
        here[:, finite], there[:, finite] = _scaled(here[:, finite]), _scaled(there[:, finite])
    return np.abs(np.sqrt(here) - np.sqrt(there)).mean(axis=1)


def _scaled(losses: Scores) -> Scores:
    """Rows from their lowest value (0) to their median (1); all 0 where these are the same."""
    lowest = losses.min(axis=1, keepdims=True)
    span = np.median(losses, axis=1, keepdims=True) - lowest
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.clip((losses - lowest) / span, 0.0, 1.0))
