"""What learned lists are worth on left-out tasks of published trials, and which order is best.

1. TaskSet: 12 tasks × 1000 Adam8p configurations; leave one task out.
2. AlgoPerf: 17 workloads, 68 configurations, most cells missing; leave one workload out, and leave
   out with it all variants of its data set.
3. How to go on once no entry improves any training task, and whether swapped or bootstrapped orders
   are better than the greedy one: held-out J of each.

The trials are the arrays of TaskSet and the logs of AlgoPerf, which `docs/readers.md` says where to
find; they are not part of the repository:

    python benchmarks/published_trials.py FOLDER_WITH_TRIALS
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from keras_hplist.history import History, read_algoperf, read_taskset
from keras_hplist.learning import ListLearner, best_after, greedy, score_matrix
from keras_hplist.learning.baselines import random_search
from keras_hplist.learning.evaluation import resample

SHOWN = [1, 2, 3, 5, 10, 20, 50]


def curves(summary: pd.DataFrame) -> pd.DataFrame:
    """The mean J of a summary, methods × k."""
    table = summary["mean"].unstack("k")
    return table[[k for k in SHOWN if k in table.columns]]


def taskset(trials: Path) -> History:
    return read_taskset(trials / "taskset-dpl" / "taskset_adam8p_12tasks.npz")


def algoperf(trials: Path) -> History:
    """The logs, with the data set as the family of its workloads."""
    table = read_algoperf(trials / "algoperf").table
    families = [task.split("_")[0] for task in table["task"].to_pylist()]
    return History(table.set_column(1, table.schema.field("family"), pa.array(families)))


def index_order(scores: np.ndarray, length: int) -> np.ndarray:
    """After the first pass: whatever the index says."""
    first = greedy(scores)
    first_pass = first.order[first.passes == 0]
    return np.append(first_pass, np.setdiff1d(np.arange(scores.shape[1]), first_pass))[:length]


def mean_order(scores: np.ndarray, length: int) -> np.ndarray:
    """After the first pass: by the mean score."""
    first = greedy(scores)
    first_pass = first.order[first.passes == 0]
    by_mean = np.argsort(scores.mean(axis=0), kind="stable")
    return np.append(first_pass, by_mean[~np.isin(by_mean, first_pass)])[:length]


def covering(scores: np.ndarray, length: int) -> np.ndarray:
    """What `greedy` does: cover the tasks anew."""
    return greedy(scores, length).order


def swapped(scores: np.ndarray, length: int) -> np.ndarray:
    """Greedy, then exchange entries while that lowers the sum over k of J(k) on training tasks."""
    order = greedy(scores, length).order

    def total(order: np.ndarray) -> float:
        return float(best_after(scores, order).mean(axis=0).sum())

    reached, improved = total(order), True
    while improved:
        improved = False
        for i in range(min(len(order), 10)):
            for j in range(i + 1, min(len(order), 10)):
                other = order.copy()
                other[[i, j]] = other[[j, i]]
                if total(other) < reached - 1e-12:
                    order, reached, improved = other, total(other), True
    return order


def bootstrapped(scores: np.ndarray, length: int) -> np.ndarray:
    """By the mean reciprocal rank in the greedy orders of 50 bootstrap samples of the tasks."""
    random, points = np.random.default_rng(0), np.zeros(scores.shape[1])
    for _ in range(50):
        weights = np.bincount(random.integers(len(scores), size=len(scores)), minlength=len(scores))
        order = greedy(scores, length, weights).order
        points[order] += 1 / np.arange(1, len(order) + 1)
    return np.argsort(-points, kind="stable")[:length]


def left_out(
    scores: np.ndarray, choose: Callable[[np.ndarray, int], np.ndarray], length: int
) -> np.ndarray:
    """J(k) of an order on each task left out in turn."""
    curve = np.empty((len(scores), length))
    for task in range(len(scores)):
        order = choose(np.delete(scores, task, axis=0), length)
        curve[task] = best_after(scores[[task]], order)[0]
    return curve.mean(axis=0)


def variants(history: History, small: History) -> pd.DataFrame:
    matrices = {
        "TaskSet": score_matrix(history.curves()).values,
        "TaskSet, quantile": score_matrix(history.curves(), "quantile").values,
    }
    for space in small.space_names:
        matrix = score_matrix(small.select(space=space).curves()).upper
        matrices[f"own runs, {space}"] = matrix[:, ~np.isnan(matrix).any(axis=0)]
    rows = {}
    for data, scores in matrices.items():
        for choose in (index_order, mean_order, covering, swapped, bootstrapped):
            curve = left_out(scores, choose, 30)
            rows[data, choose.__name__] = {
                **{k: curve[k - 1] for k in (1, 3, 5, 10, 20, 30)},
                "mean of 1 … 30": curve.mean(),
            }
    return pd.DataFrame(rows).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trials", type=Path, help="folder with taskset-dpl and algoperf")
    parser.add_argument("--own", type=Path, default=Path("histories/small-problems"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of thin tasks
    pd.set_option("display.width", 120, "display.max_columns", 12)
    pd.set_option("display.float_format", "{:.4f}".format)

    history = taskset(arguments.trials)
    learner = ListLearner(length=50)
    print("TaskSet, leave one task out: mean J(k), score 0 best known, 1 initial loss")
    print(curves(resample(history, learner, split="leave_one_task_out")))
    scores = score_matrix(history.curves()).values
    print("\nper task: list@1, @3, @10; random search@10, @100 (expectation)")
    expected = random_search(scores, 100)
    for row, task in enumerate(history.tasks):
        order = greedy(np.delete(scores, row, axis=0), 10).order
        listed = best_after(scores[[row]], order)[0]
        values = [*listed[[0, 2, 9]], *expected[row, [9, 99]]]
        print(f"{task:<66}" + "".join(f"{value:8.4f}" for value in values))

    logs = algoperf(arguments.trials)
    ranks = ListLearner(length=10, normalization="last_quantile", missing="surrogate")
    for split in ("leave_one_task_out", "leave_one_family_out"):
        print(f"\nAlgoPerf, {split}: mean J(k), score is the rank of the last validation loss")
        print(curves(resample(logs, ranks, split=split, normalization="last_quantile")))

    print("\nOrders: held-out J(k), leave one task out")
    print(variants(history, History.read(arguments.own)))


if __name__ == "__main__":
    main()
