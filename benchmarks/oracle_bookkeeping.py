"""Cost of one trial's bookkeeping, here and in KerasTuner's RandomSearch, as trials grow.

    python benchmarks/oracle_bookkeeping.py

Nothing is trained: a trial is created, gets one metric, is ended, and the oracle is saved, as
`Tuner.search` does it. Both oracles search the ten hyperparameters of the space `nadamw`, and take
turns, so that other load on the machine meets both. The cost at trial n is the median over the
trials n to n + 29, once by the clock and once as CPU time: the difference is waiting for the disk
and for other processes.
"""

import argparse
import statistics
import tempfile
import time

import keras_tuner

from keras_hplist import HyperparameterList, HyperparameterListOracle, spaces

WINDOW = 30


def one_trial(oracle, loss):
    """Run a trial; returns its seconds by the clock and of the CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    trial = oracle.create_trial("tuner0")
    oracle.update_trial(trial.trial_id, {"val_loss": loss})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    oracle.save()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(oracles, trials):
    """The (wall, CPU) seconds of each trial, by the oracle's name."""
    times = {name: [] for name in oracles}
    with tempfile.TemporaryDirectory() as folder:
        for name, oracle in oracles.items():
            oracle.verbose = 0
            oracle._set_project_dir(folder, name)
        for number in range(trials):
            for name, oracle in oracles.items():
                times[name].append(one_trial(oracle, 1.0 / (1 + number)))
    return times


def at(times, mark, kind):
    """Milliseconds per trial at a mark; kind 0 is wall, 1 is CPU."""
    return 1e3 * statistics.median(trial[kind] for trial in times[mark : mark + WINDOW])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--marks", type=int, nargs="+", default=[10, 100, 1000, 3000])
    marks = parser.parse_args().marks
    trials = max(marks) + WINDOW

    space = spaces.get("nadamw")
    entries = HyperparameterList([space.draw(seed) for seed in range(trials)], space)
    times = measure(
        {
            "list": HyperparameterListOracle("val_loss", trials, entries),
            "random": keras_tuner.oracles.RandomSearchOracle(
                "val_loss", trials, seed=0, hyperparameters=space.hyperparameters()
            ),
        },
        trials,
    )

    print("milliseconds per trial (create, update, end, save)")
    print("  trial  list wall  random wall  ratio   list CPU  random CPU  ratio")
    for mark in marks:
        row = f"{mark:7d}"
        for kind in (0, 1):
            ours, theirs = at(times["list"], mark, kind), at(times["random"], mark, kind)
            row += f"  {ours:9.2f}  {theirs:11.2f}  {ours / theirs:5.3f}"
        print(row)
    first, last = marks[0], marks[-1]
    for kind, name in enumerate(("wall", "CPU")):
        growth = {which: at(t, last, kind) / at(t, first, kind) for which, t in times.items()}
        print(
            f"{name} at trial {last} / at trial {first}: "
            f"list {growth['list']:.2f}, random {growth['random']:.2f}"
        )


if __name__ == "__main__":
    main()
