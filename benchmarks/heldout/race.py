"""What a race is worth: `RaceList` within the steps of one run, beside whole trials.

    python benchmarks/heldout/race.py heldout-runs --jobs 2
    python benchmarks/heldout/race.py benchmarks/heldout/results --races 4/0.2 4/0.3 8/0.3
    python benchmarks/heldout/race.py benchmarks/heldout/results --list adam1p --beside tuned_adam

Makes the races that are missing, and prints the table. Whole trials, of the list or of the method
`--beside`, are those that `run.py` put into the folder. A race starts from the same weights and
sees the same batches as they do, in one `model.fit` of as many steps; like them it is judged by its
loss on test where that on valid was lowest, of the points from a third of the steps on, when the
race is over. Losses are normalised as in `table.py`; races have no part in the scale.
"""

import argparse
import functools
import json
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import comparison
import methods
import numpy as np
import problems
from numpy.typing import NDArray
from run import add_problems, chosen_problems
from worker import work

from keras_hplist import HyperparameterList
from keras_hplist.errors import HPListError
from keras_hplist.files import read_json, write_text
from keras_hplist.training import engines

TRIALS = (1, 2, 3, 5)
LONG = 600
"""Steps from which on a fit is a long one: the heats of fewer are of a few steps each."""


@dataclass(frozen=True)
class Race:
    """The first entries of a list, raced on a problem for a fraction of its steps."""

    folder: Path
    problem: str
    seed: int
    hplist: HyperparameterList
    entries: int
    fraction: float

    @property
    def kind(self) -> str:
        """What races of all problems and seeds have in common."""
        return f"list {self.hplist.name}: a race of {self.entries} for {self.fraction} of the steps"

    @property
    def key(self) -> str:
        """Unique among the units of work."""
        return f"{self.problem}, seed {self.seed}, {self.kind}"

    @property
    def file(self) -> Path:
        """Where its result stands; other entries give another."""
        racers = self.hplist[: self.entries].fingerprint[:12]
        name = f"{racers}-{self.fraction}-{self.seed}.json"
        return self.folder / "races" / self.problem / name

    @property
    def result(self) -> dict[str, Any] | None:
        """The rank of the `winner` and its loss on `test`, None if not finite; None if not run."""
        return read_json(self.file) if self.file.exists() else None

    def work(self) -> int:
        """Race, and keep the result."""
        winner, test = raced(self)
        result = {"winner": winner, "test": test if math.isfinite(test) else None}
        write_text(self.file, json.dumps(result) + "\n")
        return 1


def raced(race: Race) -> tuple[int | None, float]:
    """The rank of the winner, and its loss on test where that on valid was lowest."""
    import keras
    import tensorflow as tf
    from training import POINTS, batches, gather, whole_batches

    from keras_hplist import callbacks, get_optimizer

    problem = problems.get(race.problem)
    size, steps, train = problem.batch_size, problem.training_steps, problem.data.train
    valid, test = (whole_batches(part, size) for part in (problem.data.valid, problem.data.test))
    arrays = keras.tree.map_structure(tf.constant, train)
    order = batches(problems.size(train), size, steps, race.seed)
    seen = tf.data.Dataset.from_tensor_slices(order).map(functools.partial(gather, arrays))
    keras.utils.set_random_seed(race.seed)
    model = problem.build()
    model.compile(optimizer=get_optimizer(race.hplist, 0), loss=problem.loss)
    callback = callbacks.RaceList(
        race.hplist,
        race.entries,
        fraction=race.fraction,
        validation_data=valid,
        validation_arguments={"batch_size": size},
    )
    best = keras.callbacks.EarlyStopping(
        patience=POINTS, restore_best_weights=True, start_from_epoch=POINTS // 3 - 1
    )
    model.fit(
        seen.repeat(),
        epochs=POINTS,
        steps_per_epoch=steps // POINTS,
        validation_data=valid,
        validation_batch_size=size,
        callbacks=[callback, best],
        shuffle=False,
        verbose=0,
    )
    losses = model.evaluate(*test, batch_size=size, verbose=0, return_dict=True)
    return callback.winner, float(losses["loss"])


def make(races: list[Race], jobs: int) -> int:
    """Make the races that are missing; the number of those that failed."""
    missing, failed = [race for race in races if race.result is None], 0
    for number, (race, result) in enumerate(engines.run("loky", jobs, work, missing), 1):
        failed += result != 1
        outcome = race.result and f"entry {race.result['winner']} wins"
        print(f"[{number}/{len(missing)}] {race.key}; {outcome or result}", file=sys.stderr)
    return failed


def table(compared: comparison.Comparison, races: list[Race]) -> str:
    """Mean normalised losses of whole trials and of races, on all, short and long problems."""
    steps = np.array([problems.get(name).training_steps for name in compared.problems])
    parts = {
        f"all {len(steps)} problems": steps > 0,
        f"{(steps < LONG).sum()} of fewer than {LONG} steps": steps < LONG,
        f"{(steps >= LONG).sum()} of more": steps >= LONG,
    }
    parts = {name: part for name, part in parts.items() if part.any()}
    lines = [
        f"| {compared.seeds} seeds | " + " | ".join(parts) + " | wins against the first trial |",
        "| --- |" + " --- |" * (len(parts) + 1),
    ]
    tried = {k: compared.losses(compared.ours, k)[:, :, 0] for k in TRIALS}
    rows = {f"{compared.ours.title}: the best of {k}": losses for k, losses in tried.items()}
    kinds = dict.fromkeys(race.kind for race in races)
    rows |= {kind: _losses(compared, races, kind) for kind in kinds}
    for name, losses in rows.items():
        cells = [comparison.estimate(losses.mean(axis=1)[part]).text for part in parts.values()]
        wins = f"{comparison.win_rate(losses, tried[1]):.0%}"
        cells.append("" if losses is tried[1] else wins)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _losses(compared: comparison.Comparison, races: list[Race], kind: str) -> NDArray[np.float64]:
    """Normalised losses of races of one kind: shape (problems, seeds)."""
    results = {(race.problem, race.seed): race.result for race in races if race.kind == kind}
    rows = []
    for problem in compared.problems:
        tests = [(results[problem, seed] or {}).get("test") for seed in range(compared.seeds)]
        tests = [math.inf if test is None else test for test in tests]
        rows.append(compared.normalised(problem, tests))
    return np.array(rows)


def racers(text: str) -> tuple[int, float]:
    """The number of entries and the fraction in N/FRACTION."""
    entries, _, fraction = text.partition("/")
    return int(entries), float(fraction)


def main() -> int:
    """Race what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder of the runs")
    add_problems(parser)
    parser.add_argument("--list", default="nadamw", help="shipped list or list file")
    parser.add_argument(
        "--races",
        nargs="+",
        type=racers,
        default=[(4, 0.3)],
        metavar="N/FRACTION",
        help="entries, and the part of the steps that the race takes (default 4/0.3)",
    )
    parser.add_argument(
        "--beside", metavar="METHOD", help="whose whole trials to show (default: the list's)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1; -1: all cores)")
    options = parser.parse_args()
    try:
        engines.check("loky", options.jobs)
        chosen, hplist = chosen_problems(options), HyperparameterList.load(options.list)
        available = methods.available([options.list], None)
        beside = methods.choose(available, [options.beside or f"list_{hplist.name}"])
        races = [
            Race(options.out, problem.name, seed, hplist, entries, fraction)
            for seed in range(options.seeds)
            for problem in chosen
            for entries, fraction in options.races
        ]
        if failed := make(races, options.jobs):
            print(f"{failed} races failed.", file=sys.stderr)
            return 1
        compared, _ = comparison.read(options.out, chosen, beside, options.seeds)
        print(table(compared, races))
    except (HPListError, FileNotFoundError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
