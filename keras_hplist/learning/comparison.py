"""Ready-made lists side by side on the tasks of a history."""

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.history import History
from keras_hplist.learning.baselines import random_search, tuned_adam
from keras_hplist.learning.inference import completed_values
from keras_hplist.learning.scores import ScoreMatrix, score_matrix
from keras_hplist.learning.selection import best_measured, measured_first, start_scores
from keras_hplist.learning.splits import task_weights
from keras_hplist.lists.hyperparameter_list import HyperparameterList, ListLike, checked_list


@dataclass(frozen=True)
class Comparison:
    """The best score on each task after every number of trials, by method.

    Attributes:
        best: method to a DataFrame tasks × k, k from 1.
        weights: of the tasks in J, with sum 1.
        unknown: list name to the ranks of entries that the history never ran; they count as tried
            without success. Entries that it ran, but not on a task, are passed over there.
        times: list name to a DataFrame tasks × k of the seconds that the first k entries took
            together, NaN where not known.
    """

    best: dict[str, pd.DataFrame]
    weights: pd.Series
    unknown: dict[str, list[int]]
    times: dict[str, pd.DataFrame]

    @property
    def curve(self) -> pd.DataFrame:
        """J by k (rows) and method (columns); NaN beyond the end of a method."""
        return pd.DataFrame(
            {method: self.weights @ frame for method, frame in self.best.items()}
        ).rename_axis("k")

    def after_seconds(self, budgets: float | Sequence[float]) -> pd.DataFrame:
        """J by the seconds spent on each task, one run after the other.

        Args:
            budgets: seconds for each task, of at least 0; one number or several.

        Returns:
            A DataFrame budgets × lists: the weighted mean over tasks of the best score among the
            entries that end within the budget; 1, the start, before the first.

        Raises:
            InvalidValueError: if a budget is no such number, or the time of a run is not known.
        """
        try:
            seconds = np.atleast_1d(np.asarray(budgets, float))
        except (TypeError, ValueError):
            seconds = np.array([np.nan])
        if not (seconds >= 0).all():
            raise InvalidValueError("Budgets are numbers of seconds, none below 0: [10, 60].")
        columns = {}
        for name, times in self.times.items():
            if times.isna().to_numpy().any():
                unknown = self.unknown[name]
                never = (
                    f": it never ran {len(unknown)} of its {times.shape[1]} entries. "
                    "keras_hplist.lists.drop leaves out those in `unknown`"
                )
                raise InvalidValueError(
                    f"The history does not hold the seconds of every run of list {name!r}"
                    f"{never if unknown else ''}."
                )
            columns[name] = [
                float(self.weights @ anytime(self.best[name].to_numpy(), times.to_numpy(), budget))
                for budget in seconds
            ]
        return pd.DataFrame(columns, index=pd.Index(seconds, name="seconds"))

    def significance(self, k: int) -> pd.DataFrame:
        """Every pair of methods after k trials, task by task.

        Returns:
            One row for each pair, with `wins`, `ties`, `losses` (numbers of tasks on which the
            first has the lower, an equal, the higher best score), `win_rate` (ties count half),
            `difference` (mean of the first minus the second), and `p_value` of the two-sided
            Wilcoxon signed-rank test, in which ties count half for either sign;
            1 if all are ties.

        Raises:
            InvalidValueError: if a method has no k-th trial.
        """
        for method, frame in self.best.items():
            if k not in frame.columns:
                raise InvalidValueError(
                    f"{method!r} has {frame.shape[1]} trials; there is no trial {k!r}."
                )
        rows = []
        for first, second in itertools.combinations(self.best, 2):
            difference = self.best[first][k].to_numpy() - self.best[second][k].to_numpy()
            wins, losses = int((difference < 0).sum()), int((difference > 0).sum())
            ties = len(difference) - wins - losses
            rows.append(
                {
                    "first": first,
                    "second": second,
                    "wins": wins,
                    "ties": ties,
                    "losses": losses,
                    "win_rate": (wins + ties / 2) / len(difference),
                    "difference": float(difference.mean()),
                    "p_value": wilcoxon_p(difference),
                }
            )
        return pd.DataFrame(rows).set_index(["first", "second"])


def compare(
    lists: Mapping[str, ListLike] | Sequence[ListLike],
    history: History,
    *,
    split: str = "valid",
    normalization: str = "initial",
    aggregation: str = "mean",
    seeds: str = "mean",
    horizon: int | float | None = None,
    weights: str = "family",
) -> Comparison:
    """Follow lists on the measured runs of a history.

    Nothing is learned: whether the lists know these tasks already is for the caller to see to.
    Beside the lists stand `random search` over the configurations of each list's search space that
    the history holds, and `tuned Adam` if it holds that. A warning names the lists of which the
    history never ran some entries: they look worse than they are.

    Args:
        lists: by name, or a sequence of lists with names of their own; each may be given as the
            name of a shipped list or the path of a list file.
        history: runs of the lists' entries, possibly of several search spaces.
        split: this and the next four say how tasks are scored; see
            `keras_hplist.learning.score_matrix`.
        normalization: see there.
        aggregation: see there.
        seeds: see there.
        horizon: see there.
        weights: of the tasks in J: "family" or "equal".

    Returns:
        The comparison.

    Raises:
        InvalidValueError: if no list is given, or the history ran no entry of a list.
    """
    if isinstance(lists, Mapping):
        named = {name: checked_list(given) for name, given in lists.items()}
    else:
        named = {given.name: given for given in map(checked_list, lists)}
    if not named or len(named) < len(lists):
        raise InvalidValueError("Give at least one list, and lists of different names.")
    matrix = score_matrix(history.curves(split), normalization, aggregation, seeds, horizon)
    taken = np.full(matrix.upper.shape, np.nan) if matrix.seconds is None else matrix.seconds
    best, unknown, times = {}, {}, {}
    for name, given in named.items():
        columns = entry_columns(given, history, matrix)
        unknown[name] = np.flatnonzero(columns < 0).tolist()
        scores = np.column_stack([matrix.upper, start_scores(matrix.upper)])  # -1: not known
        best[name] = _frame(matrix, best_measured(scores, columns))
        seconds = np.column_stack([taken, np.full(len(scores), np.nan)])[:, columns]
        seconds[np.isnan(scores[:, columns])] = 0  # passed over
        in_turn = np.take_along_axis(seconds, measured_first(scores[:, columns]), axis=1)
        times[name] = _frame(matrix, np.cumsum(in_turn, axis=1))
    lacking = [
        f"{len(ranks)} of {len(named[name])} of list {name!r}"
        for name, ranks in unknown.items()
        if ranks
    ]
    if lacking:
        warnings.warn(
            "Entries that the history never ran count as tried without success, which makes a list "
            f"look worse than it is: {', '.join(lacking)}.",
            stacklevel=2,
        )
    searched = dict.fromkeys(given.space.name for given in named.values())
    for space in searched:
        label = "random search" if len(searched) == 1 else f"random search in {space}"
        ids = set(history.select(space=space).values())
        pool = np.array([configuration in ids for configuration in matrix.configurations])
        length = max(len(given) for given in named.values() if given.space.name == space)
        best[label] = _frame(matrix, random_search(matrix.upper[:, pool], length))
    adam = np.isin(matrix.configurations, tuned_adam(history))
    if adam.any():
        best["tuned Adam"] = _frame(matrix, random_search(matrix.upper[:, adam], int(adam.sum())))
    share = task_weights(matrix.tasks, matrix.families, weights)
    return Comparison(best, pd.Series(share, pd.Index(matrix.tasks, name="task")), unknown, times)


def anytime(best: np.ndarray, times: np.ndarray, budget: float) -> np.ndarray:
    """The best score of each task within a budget.

    Args:
        best: float array (task, k), the best score after each trial.
        times: float array (task, k), when each trial ends, in the unit of the budget.
        budget: how much may be spent on each task.

    Returns:
        float64 array (task,), 1 where no trial ends in time.
    """
    finished = (times <= budget).sum(axis=1)
    with_start = np.column_stack([np.ones(len(best)), best])
    return with_start[np.arange(len(best)), finished]


def entry_columns(given: HyperparameterList, history: History, matrix: ScoreMatrix) -> np.ndarray:
    """Where the entries of a list stand in a score matrix.

    Args:
        given: the list.
        history: runs of some entries.
        matrix: the history's scores.

    Returns:
        int64 array (entry,), the column of each entry, -1 for one that was not run.

    Raises:
        InvalidValueError: if no entry was run.
    """
    known: dict[tuple, int] = {}
    position = {label: column for column, label in enumerate(matrix.configurations)}
    for label, values in history.select(space=given.space.name).values().items():
        try:
            key = tuple(completed_values(given.space, values).items())
        except InvalidValueError:
            continue  # outside the list's space, so no entry of it
        if label in position:
            known[key] = position[label]
    columns = np.array([known.get(tuple(entry.items()), -1) for entry in given])
    if (columns < 0).all():
        raise InvalidValueError(
            f"The history holds no run of any entry of list {given.name!r}, of search space "
            f"{given.space.name!r}; its search spaces are {', '.join(history.space_names)}."
        )
    return columns


def _frame(matrix: ScoreMatrix, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        values,
        index=pd.Index(matrix.tasks, name="task"),
        columns=pd.RangeIndex(1, values.shape[1] + 1, name="k"),
    )


def wilcoxon_p(difference: np.ndarray) -> float:
    """p of the two-sided Wilcoxon signed-rank test of paired differences, ties split; 1 if all tie.

    Args:
        difference: float array (pair,).
    """
    from scipy.stats import wilcoxon

    if not difference.any():
        return 1.0
    return float(wilcoxon(difference, zero_method="zsplit").pvalue)
