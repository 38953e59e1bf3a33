"""Configuration-steps per second: `train_population` against a `model.fit` loop.

    python benchmarks/throughput.py mlp_family quadratic_family --configurations 32

For each family the tasks at the 10th, 50th and 90th percentile of expected cost. Building and
compiling is in the time of both sides; the population's time also includes its evaluations.
`model.fit` is timed on a few configurations, each with a model of its own.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from keras_hplist import spaces, tasks
from keras_hplist.training import train_population
from keras_hplist.training.layout import Cost, measure


def chosen_tasks(family, candidates=40):
    """Tasks of a family at three percentiles of the cost of a step."""
    found = [tasks.get(name) for name in tasks.names(family)[:candidates]]
    machine = measure()
    found.sort(key=lambda task: Cost.of(task).step_seconds(1, machine))
    return [found[round(q * (len(found) - 1))] for q in (0.1, 0.5, 0.9)]


def fit_rate(task, configurations, steps, **compiling):
    """Configuration-steps per second of a loop of `model.fit`."""
    start = time.perf_counter()
    for values in configurations:
        optimizer = spaces.get("nadamw").optimizer(values, steps)
        model = task.compile(optimizer, **compiling)
        model.fit(task.train_data(), steps_per_epoch=steps, verbose=0)
    return len(configurations) * steps / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("families", nargs="+")
    parser.add_argument("--configurations", type=int, default=32)
    parser.add_argument("--fits", type=int, default=2, help="configurations timed in model.fit")
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    values = spaces.get("nadamw").sample(options.configurations).to_dict("records")
    print("| task | fit | fit, jit, 50 steps | population | ratio | size | evaluation |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    ratios = []
    for family in options.families:
        for task in chosen_tasks(family):
            task.data.train.batch(0, task.batch_size)  # loading data is on neither side
            plain = fit_rate(task, values[: options.fits], options.steps)
            jit = fit_rate(
                task,
                values[: options.fits],
                options.steps,
                jit_compile=True,
                steps_per_execution=50,
            )
            start = time.perf_counter()
            curves = train_population(task, values, options.steps)
            rate = len(values) * options.steps / (time.perf_counter() - start)
            ratios.append(rate / plain)
            print(
                f"| {task.name} | {plain:.0f} | {jit:.0f} | {rate:.0f} | {ratios[-1]:.1f} "
                f"| {curves.size} | {curves.evaluation_share:.0%} |",
                flush=True,
            )
    print(f"\ngeometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.1f}")


if __name__ == "__main__":
    main()
