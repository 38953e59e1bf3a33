"""What `collect` adds to the trainings themselves, and what memory they take.

    python benchmarks/collect_overhead.py

Collects a few tasks with one worker. The rows of a history hold the seconds of their training, so
that the wall time of the collection over their sum is the overhead: starting the worker, planning,
moving results, writing. The worker's start, which a long collection does not notice, is told apart.

With `--memory` each of the tasks that are expected to need most trains 8 configurations for a step
in a process of its own, whose peak is printed; the bound is 4 GiB. Tasks may also be named.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_hplist import spaces, tasks
from keras_hplist.history import History
from keras_hplist.training import collect, train_population
from keras_hplist.training.layouts import Cost

TASKS = [f"mlp_family_seed{seed}" for seed in (8, 12, 15, 30)] + ["nvp_family_seed67"]


def compare():
    begin = time.perf_counter()
    process = multiprocessing.get_context("spawn").Process(target=importing)
    process.start()
    process.join()
    starting = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as out:
        summary = collect(TASKS, "nadamw", 128, 200, out, n_jobs=1, progress=False)
        training = History.read(out).to_frame()["seconds"].sum()
    print(
        f"collect {summary.seconds:.1f} s, of which trainings {training:.1f} s "
        f"and the start of a worker about {starting:.1f} s: "
        f"overhead {summary.seconds / training - 1:.1%}, "
        f"without the start {(summary.seconds - starting) / training - 1:.1%}"
    )


def importing():
    import tensorflow as tf

    tf.constant(0.0)


def peak(name, queue):
    """Train for a step and tell the largest memory of this process, in GiB."""
    train_population(name, spaces.get("nadamw").sample(8), 1, 2)
    queue.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def largest(count):
    """The tasks that are expected to need most memory, at most two of a family."""
    found, families = [], {}
    for name in sorted(tasks.names(), key=lambda n: -Cost.of(tasks.get(n)).bytes_in_step(1)):
        family = tasks.get(name).family
        families[family] = families.get(family, 0) + 1
        if families[family] <= 2:
            found.append(name)
    return found[:count]


def measure_memory(names):
    context = multiprocessing.get_context("spawn")
    print("| task | parameters | peak, GiB |\n| --- | --- | --- |")
    for name in names:
        queue = context.Queue()
        process = context.Process(target=peak, args=(name, queue))
        process.start()
        taken = queue.get()
        process.join()
        print(f"| {name} | {tasks.get(name).num_parameters:,} | {taken:.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tasks", nargs="*", help="for --memory; default: the largest")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--count", type=int, default=12)
    options = parser.parse_args()
    if options.memory:
        measure_memory(options.tasks or largest(options.count))
    else:
        compare()


if __name__ == "__main__":
    main()
