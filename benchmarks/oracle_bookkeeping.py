"""Cost of one trial's bookkeeping, here and in KerasTuner's RandomSearch, as trials grow.

    python benchmarks/oracle_bookkeeping.py

Nothing is trained: a trial is created, gets one metric, is ended, and the oracle is saved, as
`Tuner.search` does it. Both oracles search the ten hyperparameters of the space `nadamw`. The cost
at trial n is the median over the trials n to n + 29, once by the clock and once as CPU time: the
difference is waiting for the disk and for other processes.
"""

import argparse
import statistics
import tempfile
import time

import keras_tuner

from keras_hplist import HyperparameterList, HyperparameterListOracle, spaces

WINDOW = 30


def one_trial(oracle, loss):
    trial = oracle.create_trial("tuner0")
    oracle.update_trial(trial.trial_id, {"val_loss": loss})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    oracle.save()


def measure(oracle, marks):
    """Milliseconds per trial, by the clock and of the CPU, at each mark."""
    oracle.verbose = 0
    wall, cpu = [], []
    with tempfile.TemporaryDirectory() as folder:
        oracle._set_project_dir(folder, "search")
        for number in range(max(marks) + WINDOW):
            started = time.perf_counter(), time.process_time()
            one_trial(oracle, 1.0 / (1 + number))
            wall.append(time.perf_counter() - started[0])
            cpu.append(time.process_time() - started[1])
    return {
        mark: [1e3 * statistics.median(times[mark : mark + WINDOW]) for times in (wall, cpu)]
        for mark in marks
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--marks", type=int, nargs="+", default=[10, 100, 1000, 3000])
    marks = parser.parse_args().marks
    trials = max(marks) + WINDOW

    space = spaces.get("nadamw")
    entries = HyperparameterList([space.draw(seed) for seed in range(trials)], space)
    ours = measure(HyperparameterListOracle("val_loss", trials, entries), marks)
    random_search = keras_tuner.oracles.RandomSearchOracle(
        "val_loss", trials, seed=0, hyperparameters=space.hyperparameters()
    )
    theirs = measure(random_search, marks)

    print("milliseconds per trial (create, update, end, save)")
    print(f"{'trial':>6} {'list wall':>10} {'list cpu':>10} {'random wall':>12} {'random cpu':>12}")
    for mark in marks:
        print(
            f"{mark:6d} {ours[mark][0]:10.2f} {ours[mark][1]:10.2f} "
            f"{theirs[mark][0]:12.2f} {theirs[mark][1]:12.2f}"
        )
    first, last = marks[0], marks[-1]
    for column, kind in enumerate(("wall", "CPU")):
        growth = ours[last][column] / ours[first][column]
        print(f"{kind}: at trial {last} this oracle costs {growth:.2f} of trial {first}")
        for mark in marks:
            print(
                f"{kind}: at trial {mark} this oracle costs "
                f"{ours[mark][column] / theirs[mark][column]:.3f} of RandomSearch"
            )


if __name__ == "__main__":
    main()
