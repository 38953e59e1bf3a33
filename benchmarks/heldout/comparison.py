"""From runs to losses after so many trials or so much time, and their statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import problems
from methods import Method
from numpy.typing import ArrayLike, NDArray
from store import Record, Runs, best_point, read_search, search_file

from keras_hplist.errors import InvalidValueError
from keras_hplist.figures import bands
from keras_hplist.learning.comparison import wilcoxon_p

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BUDGETS = (1, 3, 5, 10, 20, 100)
REORDERINGS = 100
"""Orders of the random pool for each seed; losses, wins and times are means over them."""

BOOTSTRAPS = 10_000
Trials = NDArray[np.float64]
"""One row per trial in order: cost in whole runs, seconds, loss on valid, loss on test."""


@dataclass(frozen=True)
class Estimate:
    """A mean over problems and its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """For a table."""
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Pair:
    """Two methods, each at a budget.

    Attributes:
        difference: of the mean normalised losses, negative where the first is better.
        win_rate: share of problems and seeds on which the first has the lower loss; ties half.
        p: of Wilcoxon's two-sided signed-rank test over the problems; 1 if they are all equal.
    """

    difference: Estimate
    win_rate: float
    p: float


@dataclass(frozen=True)
class Comparison:
    """Normalised losses of all methods.

    Attributes:
        problems: names.
        seeds: how many.
        methods: the first is ours.
        trials: of method, problem and seed: one array for each order of the trials.
        scales: of each problem: the loss that counts 0, the loss that counts 1, and the median
            seconds of a whole run.
    """

    problems: tuple[str, ...]
    seeds: int
    methods: tuple[Method, ...]
    trials: dict[tuple[str, str, int], list[Trials]]
    scales: dict[str, tuple[float, float, float]]

    @property
    def ours(self) -> Method:
        """The method that is judged."""
        return self.methods[0]

    def losses(self, method: Method, budget: float, timed: bool = False) -> NDArray[np.float64]:
        """Normalised losses within a budget.

        Args:
            method: whose.
            budget: in whole runs.
            timed: whether the budget is the time of so many runs, not their number.

        Returns:
            Shape (problems, seeds, orders of the trials).
        """
        rows = []
        for problem in self.problems:
            _, constant, seconds = self.scales[problem]
            column, limit = (1, budget * seconds) if timed else (0, budget)
            found = [
                [_after(order, column, limit, constant) for order in orders]
                for seed in range(self.seeds)
                for orders in [self.trials[method.name, problem, seed]]
            ]
            rows.append(self.normalised(problem, found))
        return np.array(rows)

    def normalised(self, problem: str, losses: ArrayLike) -> NDArray[np.float64]:
        """Losses on test in the problem's scale: from 0, the lowest of any run, to 1."""
        best, constant, _ = self.scales[problem]
        return np.clip((np.array(losses) - best) / (constant - best), 0.0, 1.0)

    def mean(self, method: Method, budget: float, timed: bool = False) -> Estimate:
        """The mean normalised loss within a budget."""
        return estimate(self.losses(method, budget, timed).mean(axis=(1, 2)))

    def against(self, first: Method, budget: float, second: Method, other: float) -> Pair:
        """Compare two methods, each at its own budget."""
        a, b = self.losses(first, budget), self.losses(second, other)
        gaps = a.mean(axis=(1, 2)) - b.mean(axis=(1, 2))
        return Pair(
            estimate(gaps),
            win_rate(a, b),
            wilcoxon_p(gaps),
        )

    def frame(self) -> pd.DataFrame:
        """Mean normalised losses: a row per method, a column per number of trials.

        NaN where a method has not so many trials.
        """
        return pd.DataFrame(
            {
                k: [
                    self.mean(method, k).mean if k <= method.length else np.nan
                    for method in self.methods
                ]
                for k in BUDGETS
            },
            index=[method.title for method in self.methods],
        )


def read(
    folder: Path, chosen: Sequence[problems.Problem], methods: Sequence[Method], seeds: int
) -> tuple[Comparison, dict[str, list[str]]]:
    """Read the runs of a comparison.

    Args:
        folder: where `run.py` put them.
        chosen: the problems.
        methods: the first is the one that is judged.
        seeds: how many.

    Returns:
        The comparison over the problems on which every method has finished; and what is missing on
        the others, by problem.

    Raises:
        InvalidValueError: if no problem is finished.
    """
    trials: dict[tuple[str, str, int], list[Trials]] = {}
    scales, missing = {}, {}
    for problem in chosen:
        runs = Runs(folder, problem.name)
        found = {
            (method.name, problem.name, seed): _orders(folder, runs, problem, method, seed)
            for method in methods
            for seed in range(seeds)
        }
        absent = {method for (method, _, _), orders in found.items() if orders is None}
        if absent:
            missing[problem.name] = sorted(absent)
            continue
        trials.update({key: orders for key, orders in found.items() if orders is not None})
        records = list(runs.records.values())
        whole = [r["seconds"] for r in records if r["status"] == "ok"]
        best = min(best_point(record)[1] for record in records)
        scales[problem.name] = best, problem.constant_loss, float(np.median(whole))
    if not scales:
        raise InvalidValueError(
            f"{folder} holds no problem on which every method has finished. Run the same "
            "--problems, --methods and --seeds with run.py first; missing: "
            + "; ".join(f"{name}: {', '.join(what)}" for name, what in missing.items())
        )
    return Comparison(tuple(scales), seeds, tuple(methods), trials, scales), missing


def _orders(
    folder: Path, runs: Runs, problem: problems.Problem, method: Method, seed: int
) -> list[Trials] | None:
    """The trials of a method in each of its orders; None if something is missing."""
    steps = problem.training_steps
    if method.is_search:
        file = search_file(folder, problem.name, method.name, seed)
        if not file.exists():
            return None
        rows = [
            _row(runs.find(trial.configuration, seed, trial.stop), trial.start, trial.stop, steps)
            + np.array([0.0, trial.seconds, 0.0, 0.0])
            for trial in read_search(file)
        ]
        return [np.array(rows)]
    trained = [runs.find(c, seed) for c in method.configurations]
    if None in trained:
        return None
    whole = np.array([_row(record, 0, steps, steps) for record in trained])
    if not method.is_pool:
        return [whole]
    generator = np.random.default_rng(seed)
    return [whole[generator.permutation(len(whole))] for _ in range(REORDERINGS)]


def _row(record: Record | None, start: int, stop: int, whole: int) -> NDArray[np.float64]:
    """Cost in whole runs, seconds, and losses of a trial that went from one step to another."""
    assert record is not None  # a finished search has all its runs
    last = record["steps"][-1]
    share = (min(stop, last) - min(start, last)) / last
    return np.array([(stop - start) / whole, record["seconds"] * share, *best_point(record, stop)])


def _after(trials: Trials, column: int, limit: float, otherwise: float) -> float:
    """The loss on test of the trial best on valid among those that end within a limit."""
    within = trials[np.cumsum(trials[:, column]) <= limit + 1e-9]
    return float(within[np.argmin(within[:, 2]), 3]) if len(within) else otherwise


def win_rate(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The share of losses in which the first is lower; ties half."""
    return float(((first < second) + 0.5 * (first == second)).mean())


def estimate(values: NDArray[np.float64]) -> Estimate:
    """The mean over problems, and percentiles of means over problems drawn with replacement."""
    drawn = np.random.default_rng(0).integers(0, len(values), (BOOTSTRAPS, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return Estimate(float(values.mean()), float(low), float(high))


def draw(ax: "Axes", frame: Any) -> None:
    """Draw mean normalised losses over the number of trials, ours thick.

    Methods of one trial are crosses, side by side left of the others so that none hides another.
    """
    single = frame.index[frame.notna().sum(axis=1) == 1]
    beside = dict(zip(single, np.geomspace(0.5, 0.85, len(single)), strict=True))
    for number, (title, losses) in enumerate(frame.drop(single).iterrows()):
        ax.plot(
            losses.index,
            losses,
            label=title,
            marker="osD"[number // 8 % 3],
            markersize=4,
            linestyle=("-", "--", ":")[number // 8 % 3],
            linewidth=4 if number == 0 else 1.5,
            zorder=3 if number == 0 else 2,
        )
    for title, loss in frame.loc[single, 1].items():
        ax.plot(beside[title], loss, "x", label=f"{title}, 1 trial", markersize=7)
    ax.set_xscale("log")
    ax.set_xticks(list(frame.columns), [str(k) for k in frame.columns])
    ax.minorticks_off()
    ax.set_xlabel("trials")
    bands.score_axis(ax, "mean normalised loss on test")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
