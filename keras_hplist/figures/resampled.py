"""J(k) on tasks that were held out, over resamplings; what figures 2, 3, S2, S3, S5, S9 share.

J is here the plain mean over tasks, as in the paper: a family counts by its number of tasks.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.learning import ListLearner, ScoreMatrix
from keras_hplist.learning.baselines import by_mean, tuned_adam
from keras_hplist.learning.evaluation import QUARTILES
from keras_hplist.learning.held_out import follow
from keras_hplist.learning.selection import best_measured
from keras_hplist.learning.splits import Split, task_splits

TRIALS = 100
"""The longest k that is drawn."""

LIST, RANDOM, BY_MEAN = "list", "random search", "best constants"
"""Ways through a search space: the learned list; at random; by mean score on the training tasks,
which is the best constant configuration first, then the next best."""

ADAM, NADAMW = "adam1p", "nadamw"
"""The search spaces of Adam's learning rate alone, and the one that is drawn where one is."""

_FEW_TASKS = 4
_ENOUGH = 40  # tasks that search spaces share, however many one of them has
_NEARLY_ALL = 0.9  # of the tasks, or of the configurations
_APART = 1.2  # times a round size are all, where both are drawn


class Resampling(NamedTuple):
    """How tasks are split into those to learn from and those held out.

    The same seed splits the same tasks in the same way, so that what is drawn from several matrices
    can be compared resampling by resampling.

    Attributes:
        n_resamplings: how often tasks are split.
        test_size: share (float) or number (int) of the tasks to hold out.
        seed: of splits, subsets and random orders.
    """

    n_resamplings: int = 50
    test_size: float | int = 0.25
    seed: int = 0

    def splits(self, matrix: ScoreMatrix) -> list[Split]:
        """The splits of a matrix's tasks.

        Raises:
            InvalidValueError: if there are fewer than two tasks, or a number is out of range.
        """
        return task_splits(matrix.tasks, matrix.families, "tasks", *self)

    def describe(self, frame: pd.DataFrame, matrix: ScoreMatrix) -> pd.DataFrame:
        """The frame with columns of counts, for captions and whoever reads the table alone.

        Returns:
            Its columns, and `tasks`, `held_out` (of these), `resamplings` and `configurations`.
        """
        return frame.assign(
            tasks=len(matrix.tasks),
            held_out=int(self.splits(matrix)[0].test.sum()),
            resamplings=self.n_resamplings,
            configurations=len(matrix.configurations),
        )


RESAMPLING = Resampling()
"""That of all figures."""


def sizes_up_to(most: int, sizes: Sequence[int]) -> list[int]:
    """The sizes that are drawn: some, and all; those next to all are left out."""
    return [size for size in sizes if size < most / _APART] + [most]


def list_learner(trials: int) -> ListLearner:
    """The learner of these figures: tasks count the same, and holes are filled quickly."""
    return ListLearner(length=trials, weights="equal", missing="additive")


def curves(
    matrix: ScoreMatrix,
    trials: int = TRIALS,
    resampling: Resampling = RESAMPLING,
    learned_from: ScoreMatrix | None = None,
) -> dict[str, np.ndarray]:
    """J(k) on held-out tasks for three ways through a search space.

    Args:
        matrix: the scores to report.
        trials: the longest k; at most the number of configurations.
        resampling: of the tasks.
        learned_from: scores of the same tasks and configurations to choose orders from; default:
            `matrix`.

    Returns:
        For `LIST`, `RANDOM` and `BY_MEAN` a float64 array (resampling, k) of J(k). One random order
        serves all tasks of a resampling. Configurations that were not run on a task are passed over
        there.

    Raises:
        InvalidValueError: if there are fewer than two tasks, or a number is out of range.
    """
    trials = min(trials, len(matrix.configurations))
    learner = list_learner(trials)
    splits = resampling.splits(matrix)
    result = {way: np.empty((len(splits), trials)) for way in (LIST, RANDOM, BY_MEAN)}
    for row, split in enumerate(splits):
        choice, scores, _ = follow(
            learner, learned_from or matrix, None, matrix.upper, ~split.test, split.test
        )
        random = np.random.default_rng([resampling.seed, split.number, 2])
        orders = {
            LIST: choice.selection.order,
            RANDOM: random.permutation(scores.shape[1]),
            BY_MEAN: by_mean(choice.scores, choice.weights),
        }
        for way, order in orders.items():
            reached = best_measured(scores, order)[:, :trials].mean(axis=0)
            result[way][row] = np.pad(reached, (0, trials - len(reached)), "edge")
    return result


def spread(values: np.ndarray, columns: pd.Index) -> pd.DataFrame:
    """Median, quartiles and mean over resamplings; NaN is left out.

    Args:
        values: float array (resampling, n).
        columns: n labels, the index of the result.

    Returns:
        A DataFrame with the columns `median`, `lower_quartile`, `upper_quartile` and `mean`, as
        those of `keras_hplist.learning.evaluation.resample`.
    """
    frame = pd.DataFrame(values, columns=columns)
    quartiles = {name: frame.quantile(quantile) for name, quantile in QUARTILES.items()}
    return pd.DataFrame(quartiles | {"mean": frame.mean()})


def summary(curves: Mapping[str, np.ndarray], name: str = "method") -> pd.DataFrame:
    """The spread of several curves.

    Args:
        curves: label to float array (resampling, k).
        name: what the labels are.

    Returns:
        A DataFrame indexed by `name` and k = 1, 2, … with the columns of `spread`.
    """
    return pd.concat(
        {
            label: spread(curve, pd.RangeIndex(1, curve.shape[1] + 1, name="k"))
            for label, curve in curves.items()
        },
        names=[name],
    )


def part(frame: pd.DataFrame, **labels: Any) -> pd.DataFrame:
    """The rows that have these labels in levels of the index, without these levels.

    Args:
        frame: indexed by more levels than are named here.
        **labels: level to label.
    """
    for level, label in labels.items():
        frame = frame[frame.index.get_level_values(level) == label].droplevel(level)
    return frame


def row(frame: pd.DataFrame, k: int, **labels: Any) -> pd.Series:
    """The row of `part` with this `k`."""
    left = part(frame, **labels)
    return left[left.index == k].iloc[0]


def compare(
    scores: Mapping[str, ScoreMatrix],
    ways: Mapping[str, Sequence[str]],
    trials: int = TRIALS,
    resampling: Resampling = RESAMPLING,
) -> pd.DataFrame:
    """J(k) in several search spaces on the same held-out tasks.

    Args:
        scores: name of each search space to its scores, all on one scale. The tasks that all of
            them have are used.
        ways: name of each search space to what to report of it: `LIST`, `RANDOM`, `BY_MEAN`.
        trials, resampling: as `curves`.

    Returns:
        A DataFrame indexed by `space`, `method` and `k` with the columns of `spread` and
        `Resampling.describe`.

    Raises:
        InvalidValueError: as `curves`, and if the search spaces have no task in common.
    """
    parts = {}
    for space, matrix in on_common_tasks(scores).items():
        found = curves(matrix, trials, resampling)
        chosen = summary({way: found[way] for way in ways[space]})
        parts[space] = resampling.describe(chosen, matrix)
    return pd.concat(parts, names=["space"])


def on_common_tasks(scores: Mapping[str, ScoreMatrix]) -> dict[str, ScoreMatrix]:
    """The same matrices, with the rows of the tasks that all of them have, in one order.

    Raises:
        InvalidValueError: if there is no such task.
    """
    common = set.intersection(*(set(matrix.tasks) for matrix in scores.values()))
    if not common:
        raise InvalidValueError(f"{' and '.join(scores)} have no task in common.")
    rows = sorted(common, key=str)
    return {
        name: matrix.rows(np.array([matrix.tasks.index(task) for task in rows]))
        for name, matrix in scores.items()
    }


def main_space(material: Material) -> str:
    """The search space that is drawn where one is: NAdamW, as in the paper, or that of most runs.

    Raises:
        NotApplicable: if there is no history.
    """
    material.require_history()
    return NADAMW if NADAMW in material.spaces else material.spaces[0]


def main_scores(material: Material, **settings: Any) -> ScoreMatrix:
    """The scores of the main search space, if lists can be learned and judged on them.

    Configurations that few tasks ran are left out where they may be, see `run_everywhere`.

    Args:
        material: of any kind.
        **settings: as `Material.scores`.

    Raises:
        NotApplicable: if there is no history, there are fewer than four tasks or two
            configurations, or most configurations were run on one task only.
    """
    space = main_space(material)
    matrix = material.scores(space, **settings)
    _require(space, matrix)
    return run_everywhere(matrix)


def run_everywhere(matrix: ScoreMatrix) -> ScoreMatrix:
    """The configurations that nearly all tasks ran, if they are enough to draw; else all.

    Where more were run on cheap tasks only, what is missing is not missing at random: a list that
    passes it over on the dear ones is not the list that these would have had.
    """
    common = (~np.isnan(matrix.upper)).mean(axis=0) >= _NEARLY_ALL
    return matrix.columns(common) if common.sum() >= TRIALS else matrix


def that_ran_all(matrix: ScoreMatrix) -> ScoreMatrix:
    """The tasks that ran nearly all configurations, if they are enough to judge by; else all."""
    whole = (~np.isnan(matrix.upper)).mean(axis=1) >= _NEARLY_ALL
    return matrix.rows(whole) if whole.sum() >= _ENOUGH else matrix


def scores_by_space(material: Material, spaces: Sequence[str]) -> dict[str, ScoreMatrix]:
    """The scores of some search spaces, from the same runs and on one scale.

    Args:
        material: with a history.
        spaces: names of search spaces. Of those after the first, one that the history lacks, or
            that shares less than half of the tasks of the first, and fewer than 40, is left out,
            so that few runs of it do not narrow the comparison of the others.

    Raises:
        NotApplicable: as `main_scores`, if the first is of no use.
    """
    together, runs = material.scores(), material.runs()
    kept: dict[str, ScoreMatrix] = {}
    common: set[Hashable] = set()
    for space in spaces:
        own = set(runs.select(space=space).table["configuration"].to_pylist())
        matrix = together.columns(np.array([label in own for label in together.configurations]))
        known = ~np.isnan(matrix.upper)
        matrix = matrix.rows(known.any(axis=1)).columns(known.any(axis=0))
        if not kept:
            _require(space, matrix)
            kept[space], common = matrix, set(matrix.tasks)
            continue
        shared = common & set(matrix.tasks)
        enough = min(len(kept[spaces[0]].tasks) / 2, _ENOUGH)
        if _lacking(matrix) is None and len(shared) >= enough:
            kept[space], common = matrix, shared
    return kept


def half_orders(material: Material, adam: ScoreMatrix | None) -> ScoreMatrix | None:
    """The scores of the learning rates at half orders of magnitude, if they were run.

    Args:
        material: with a history.
        adam: scores of the search space `adam1p`, or None.
    """
    if adam is None:
        return None
    grid = set(tuned_adam(material.runs()))
    rates = np.array([label in grid for label in adam.configurations])
    return adam.columns(rates) if rates.any() else None


def _require(space: str, matrix: ScoreMatrix) -> None:
    why = _lacking(matrix)
    if why is not None:
        raise NotApplicable(f"Lists over the search space {space!r} cannot be judged: {why}.")


def _lacking(matrix: ScoreMatrix) -> str | None:
    """Why lists cannot be learned from some tasks and tried on others; None if they can."""
    tasks = len(matrix.tasks)
    if tasks < _FEW_TASKS:
        return (
            f"it takes {_FEW_TASKS} tasks, to learn from some and test on others; there are {tasks}"
        )
    if len(matrix.configurations) < 2:
        return "there is one configuration, and so nothing to order"
    runs = (~np.isnan(matrix.upper)).sum(axis=0)
    if (runs <= 1).mean() > 0.5:
        return "most configurations were run on one task only, and so cannot be tried on another"
    return None
