"""A user's own models: seconds of `train_population` against those of a loop of `model.fit`.

    python benchmarks/user_tasks.py --problems modern_gated_cancer modern_mixer_mnist

The modern problems of `histories/`, each with the first configurations of `nadamw`. Building,
tracing and compiling are in the time of both sides; the population's time also includes its
evaluations on three splits, which the loop does not make. Two configurations of the loop are
timed, and their mean stands for the others. Without XLA and with it (`jit_compile=True`).
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from throughput import geometric_mean

from keras_hplist import spaces
from keras_hplist.training import train_population

sys.path.insert(0, str(Path(__file__).parents[1] / "histories"))
import modern_problems

TIMED = 2


def fit_seconds(task, values, steps, **compiling):
    """Seconds that one configuration takes in `model.fit`."""
    x, y = task.train
    epochs, rest = divmod(steps * task.batch_size, len(x))
    start = time.perf_counter()
    model = task.build_model()
    model.compile(spaces.get("nadamw").optimizer(values, steps), loss=task.loss, **compiling)
    if epochs:
        model.fit(x, y, batch_size=task.batch_size, epochs=epochs, verbose=0)
    if rest:
        model.fit(x[:rest], y[:rest], batch_size=task.batch_size, verbose=0)
    return time.perf_counter() - start


def main():
    """Print a row for each problem."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    found = {task.name: task for task in modern_problems.tasks()}
    parser.add_argument("--problems", nargs="+", choices=found, default=found, metavar="NAME")
    parser.add_argument("--configurations", type=int, default=32)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    values = spaces.get("nadamw").sample(options.configurations).to_dict("records")
    print("| problem | side by side | `fit`, s | `fit`, jit, s | population, s | ratio | to jit |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    ratios = []
    for task in map(found.get, options.problems):
        plain, jit = (
            np.mean([fit_seconds(task, row, options.steps, **compiling) for row in values[:TIMED]])
            * len(values)
            for compiling in ({"jit_compile": False}, {"jit_compile": True})
        )
        start = time.perf_counter()
        curves = train_population(task, values, options.steps)
        seconds = time.perf_counter() - start
        ratios.append((plain / seconds, jit / seconds))
        print(
            f"| {task.name} | {curves.size} | {plain:.0f} | {jit:.0f} | {seconds:.1f} "
            f"| {plain / seconds:.1f} | {jit / seconds:.1f} |",
            flush=True,
        )
    means = [geometric_mean(column) for column in zip(*ratios)]
    print(f"| geometric mean | | | | | {means[0]:.1f} | {means[1]:.1f} |")


if __name__ == "__main__":
    main()
