"""Configuration-steps per second: `train_population` against a loop of `model.fit`.

    python benchmarks/throughput.py                       # every family
    python benchmarks/throughput.py maf_family --configurations 128

For each family the tasks at the 10th, 50th and 90th percentile of expected cost. Building, tracing
and compiling are in the time of both sides; the population's time also includes its evaluations,
which `model.fit` here does not make. Only steps that are trained count, not those that a diverged
member is spared. One configuration of the `model.fit` loop is timed: its first step, and then as
many of the others as fit into a few seconds, which stand for the rest; where 50 steps take longer
than that, an execution has fewer. A population that would take longer than `--limit` seconds is
timed at n and at 2 n steps, evaluated as often for each step, and the difference stands for the
rest; such rows say so.

The share of the roofline is the time that the arithmetic would take at the measured peak of a
matrix product, or the memory traffic of the weights at the measured bandwidth, whichever is more,
over the time taken. `--two-processes` compares two processes of one thread with one.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from keras_hplist import spaces, tasks
from keras_hplist.tasks.checking import DIVERGING_AT_ONCE
from keras_hplist.training import train_population
from keras_hplist.training.layouts import Cost, choose, measure
from keras_hplist.training.timing import POINTS

SAMPLED = tasks.family_names()[:-1]
GROUPS = {
    "dense": ("mlp_family", "mlp_ae_family", "mlp_vae_family"),
    "quadratic and losg": ("quadratic_family", "losg_tasks_family"),
    "flows": ("maf_family", "nvp_family"),
    "convolutions": ("conv_fc_family", "conv_pooling_family"),
    "recurrent": (
        "char_rnn_language_model_family",
        "word_rnn_language_model_family",
        "rnn_text_classification_family",
    ),
}
PASSES = 9  # weights twice, gradient twice, two moments and weights read or written in the update


def chosen_tasks(family):
    """The tasks of a family, of those that do not diverge at once, at three percentiles of cost."""
    found = [tasks.get(name) for name in tasks.names(family) if name not in DIVERGING_AT_ONCE]
    machine = measure()
    found.sort(key=lambda task: Cost.of(task).step_seconds(1, machine))
    return [found[round(q * (len(found) - 1))] for q in (0.1, 0.5, 0.9)]


def fit_seconds(task, values, steps, seconds, **compiling):
    """Seconds that one configuration takes in `model.fit`, if need be extrapolated."""
    block = compiling.get("steps_per_execution", 1)
    start = time.perf_counter()
    model = task.compile(spaces.get("nadamw").optimizer(values, steps), **compiling)
    data = task.train_data()
    model.fit(data, steps_per_epoch=block, verbose=0)
    first = time.perf_counter() - start
    done, spent = 0, 0.0
    while done < steps - block and spent < seconds:
        count = min(max(block, done), steps - block - done) // block * block
        start = time.perf_counter()
        model.fit(data, steps_per_epoch=count, verbose=0)
        spent += time.perf_counter() - start
        done += count
    return first + (spent / done * (steps - block) if done else 0.0)


def peak_and_bandwidth():
    """Of all cores together: operations per second of a matrix product; a bandwidth by size."""
    machine, cores = measure(), len(os.sched_getaffinity(0))

    def together(work):
        with ThreadPoolExecutor(cores) as pool:
            start = time.perf_counter()
            list(pool.map(lambda _: work(), range(4 * cores)))
            return 4 * cores / (time.perf_counter() - start)

    matrix = np.ones((1024, 1024), np.float32)
    peak = 2 * 1024**3 / min(_seconds(lambda: matrix @ matrix) for _ in range(5))
    large = [np.ones(2**22, np.float32) for _ in range(3)]
    rate = together(lambda: np.add(large[0], large[1], out=large[2])) * 3 * 2**24
    return peak, lambda size: max(cores * machine.bandwidth(size), rate)


def _seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def population_seconds(task, values, steps, limit):
    """Seconds, steps trained, the curves, and from how many steps they are extrapolated.

    Steps are those of all members together; a member that diverges is trained no further.
    """

    def timed(count):
        points = max(2, round(1 + (POINTS - 1) * count / steps))
        start = time.perf_counter()
        curves = train_population(task, values, count, points)
        taken = time.perf_counter() - start
        trained = np.where(curves.diverged < 0, count, curves.diverged).sum()
        return np.array([taken, trained]), curves

    step = choose(Cost.of(task), len(values), 3 * 2**30, len(os.sched_getaffinity(0))).seconds
    if step * steps <= limit:
        measured, curves = timed(steps)
        return *measured, curves, steps
    count = int(np.clip(limit / 3 / step, 2, steps // 2))
    (short, _), (long, curves) = timed(count), timed(2 * count)
    return *(short + (long - short) / count * (steps - count)), curves, count


def told(rate):
    """A rate with two digits or more."""
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"


def geometric_mean(values):
    return float(np.exp(np.mean(np.log(values))))


def compare(options):
    """The table of all chosen tasks."""
    values = spaces.get("nadamw").sample(options.configurations).to_dict("records")
    peak, bandwidth = peak_and_bandwidth()
    print(
        f"{options.configurations} configurations, {options.steps} steps; peak {peak / 1e9:.0f} "
        f"GFLOP/s, bandwidth at 32 MiB {bandwidth(2**25) / 1e9:.0f} GB/s\n"
    )
    print(
        "| task | `fit` | `fit`, jit, 50 steps | population | ratio | to jit | size | evaluation "
        "| roofline |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    ratios = {}
    for family in options.families:
        for task in chosen_tasks(family):
            task.data.train.batch(0, task.batch_size)  # loading data is on neither side
            cost = Cost.of(task)
            plain = options.steps / fit_seconds(task, values[0], options.steps, 4.0)
            block = int(np.clip(4.0 * plain, 1, 50))
            jit = options.steps / fit_seconds(
                task, values[0], options.steps, 4.0, jit_compile=True, steps_per_execution=block
            )
            seconds, trained, curves, steps = population_seconds(
                task, values, options.steps, options.limit
            )
            rate = trained / seconds
            least = max(
                cost.flops / peak,
                PASSES * 4 * cost.parameters / bandwidth(4 * 4 * cost.parameters),
            )
            ratios[task.name] = family, rate / plain, least * rate
            note = "" if steps == options.steps else f" (from {steps} and {2 * steps} steps)"
            print(
                f"| {task.name}{note} | {told(plain)} | {told(jit)} | {told(rate)} "
                f"| {rate / plain:.1f} | {rate / jit:.1f} | {curves.size} "
                f"| {curves.evaluation_share:.0%} | {least * rate:.0%} |",
                flush=True,
            )
    print("\n| families | geometric mean of the ratios | of the roofline |\n| --- | --- | --- |")
    for name, members in (GROUPS | {"all": tuple(SAMPLED)}).items():
        found = [(ratio, share) for family, ratio, share in ratios.values() if family in members]
        if found:
            means = [geometric_mean(column) for column in zip(*found)]
            print(f"| {name} | {means[0]:.1f} | {means[1]:.0%} |")


def worker(name, count, steps, barrier, times):
    """Train one task with one thread, when all workers are ready."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    task = tasks.get(name)
    values = spaces.get("nadamw").sample(count).to_dict("records")
    train_population(task, values[:2], 2, threads=1)
    barrier.wait()
    start = time.perf_counter()
    train_population(task, values, steps, threads=1)
    times.put(time.perf_counter() - start)


def compare_processes(options):
    """Throughput of two processes of one thread each over that of one."""
    context = multiprocessing.get_context("spawn")
    print("| task | one process | two processes | ratio |\n| --- | --- | --- | --- |")
    for family in options.families:
        name = chosen_tasks(family)[0].name
        rates = []
        for number in (1, 2):
            barrier, times = context.Barrier(number), context.Queue()
            arguments = (name, options.configurations, options.steps, barrier, times)
            processes = [context.Process(target=worker, args=arguments) for _ in range(number)]
            for process in processes:
                process.start()
            seconds = [times.get() for _ in processes]
            for process in processes:
                process.join()
            work = options.configurations * options.steps
            rates.append(number * work / statistics.fmean(seconds))
        print(
            f"| {name} | {rates[0]:.0f} | {rates[1]:.0f} | {rates[1] / rates[0]:.2f} |", flush=True
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("families", nargs="*", default=SAMPLED)
    parser.add_argument("--configurations", type=int, default=32)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of a population")
    parser.add_argument("--two-processes", action="store_true")
    options = parser.parse_args()
    (compare_processes if options.two_processes else compare)(options)


if __name__ == "__main__":
    main()
