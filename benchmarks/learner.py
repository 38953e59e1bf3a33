"""Speed and memory of the learner: exact greedy, rank normalisation, resampling.

Each figure stands beside its target and, where there is one, beside a plain implementation of the
same thing that runs in the same process. Least of several turns.

    python benchmarks/learner.py
"""

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd

from keras_hplist.learning import ListLearner, greedy
from keras_hplist.learning.evaluation import resample
from keras_hplist.learning.normalization import QuantileScale

LENGTH = 100


def scores(tasks: int, configurations: int, seed: int = 0) -> np.ndarray:
    """Scores with the structure of real ones: tasks agree in part, wild settings diverge to 1."""
    random = np.random.default_rng(seed)
    x = random.random((configurations, 3))
    best = random.normal(0.5, 0.15, (tasks, 3))
    distance = sum((x[None, :, axis] - best[:, axis, None]) ** 2 for axis in range(3))
    made = 1 - np.exp(-distance / (2 * 0.25**2)) + random.normal(0, 0.05, distance.shape)
    made[x[None, :, 0] > best[:, :1] + 0.3] = 1.0
    return np.clip(made, 0, 1)


def dense_greedy(matrix: np.ndarray, length: int) -> list[int]:
    """The definition in NumPy: the whole matrix at every step."""
    best, order = np.ones(len(matrix)), []
    for _ in range(length):
        means = np.minimum(best[:, None], matrix).mean(axis=0)
        means[order] = np.inf
        order.append(int(means.argmin()))
        best = np.minimum(best, matrix[:, order[-1]])
    return order


def seconds(function: Callable[[], object], turns: int) -> float:
    """Least wall time of several turns."""
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def peak_copies(function: Callable[[], object], size: int) -> float:
    """Memory that a function takes at its peak, in multiples of `size` bytes."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / size


def show(what: str, value: str, target: str) -> None:
    print(f"{what:<58}{value:>14}   {target}")


def selection(turns: int) -> None:
    for configurations, limit, ratio in ((1000, 0.035, 4), (10_000, 0.250, 8)):
        matrix = scores(1162, configurations)
        name = f"1162 x {configurations}, k = {LENGTH}"
        ours = seconds(lambda m=matrix: greedy(m, LENGTH), turns)
        plain = seconds(lambda m=matrix: dense_greedy(m, LENGTH), max(1, turns // 5))
        selected = greedy(matrix, LENGTH)
        first_pass = selected.order[selected.passes == 0].tolist()
        assert first_pass == dense_greedy(matrix, len(first_pass))
        holed = np.where(np.random.default_rng(1).random(matrix.shape) < 0.3, np.nan, matrix)
        missing = seconds(lambda m=holed: greedy(m, LENGTH), turns)
        show(f"greedy, {name}", f"{ours * 1e3:.1f} ms", f"at most {limit * 1e3:.0f} ms")
        show("  a dense NumPy greedy, same order", f"{plain * 1e3:.0f} ms", "")
        show("  ratio", f"{plain / ours:.1f}", f"at least {ratio}")
        show("  with 30 % missing cells", f"{missing * 1e3:.1f} ms", "at most twice that")
        copies = peak_copies(lambda m=matrix: greedy(m, LENGTH), matrix.nbytes)
        show("  memory beside the scores", f"{copies:.2f} copies", "at most 3")


def normalization(turns: int) -> None:
    losses = np.random.default_rng(0).random((1162, 1000, 1, 51), np.float32)

    def argsort() -> None:
        for task in losses:
            np.argsort(task[:, 0], axis=0)

    def ranks() -> None:
        for task in losses:
            QuantileScale.fit_transform(task)

    base, ours = seconds(argsort, turns), seconds(ranks, turns)
    show("rank normalisation, 1162 x 1000 x 51", f"{ours:.2f} s", "")
    show("  one argsort of the matrix", f"{base:.2f} s", "")
    show("  ratio", f"{ours / base:.2f}", "at most 3")


def resampling() -> None:
    matrix = pd.DataFrame(scores(1162, 1000))
    learner = ListLearner(length=LENGTH)
    show(
        "50 resamplings of 1162 x 1000, with random search",
        f"{seconds(lambda: resample(matrix, learner, 50), 1):.1f} s",
        "below 60 s",
    )
    show("ListLearner.fit, 1162 x 1000", f"{seconds(lambda: learner.fit(matrix), 3):.2f} s", "")
    copies = peak_copies(lambda: learner.fit(matrix), matrix.to_numpy().nbytes)
    show("  memory beside the scores", f"{copies:.2f} copies", "at most 3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=11, help="of what takes milliseconds")
    arguments = parser.parse_args()
    print("-" * 100)
    selection(arguments.turns)
    normalization(3)
    resampling()


if __name__ == "__main__":
    main()
