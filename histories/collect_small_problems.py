"""Measure `histories/small-problems`: configurations of two search spaces on small real problems.

Every run goes through `HyperparameterListTuner` and its recorder, as a user's would. The script
resumes where it was stopped, and several may run beside each other on different problems:

    python histories/collect_small_problems.py --work /tmp/small-problems --part 0 --of 2
    python histories/collect_small_problems.py --work /tmp/small-problems --part 1 --of 2
    python histories/collect_small_problems.py --work /tmp/small-problems \\
        --gather histories/small-problems/curves.parquet
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import keras
import pandas as pd
import pyarrow as pa
import tensorflow as tf
from problems import PROBLEMS, Problem

import keras_hplist as khl
from keras_hplist import spaces

STEPS_PER_POINT, POINTS = 32, 10  # 320 training steps, with a point of the curves every 32
NUM_CONFIGURATIONS = {"nadamw": 64, "adam1p": 40}


def candidates(space_name: str) -> khl.HyperparameterList:
    """The published configurations from seed 0 on; of adam1p, the half-order grid first."""
    space = spaces.get(space_name)
    count = NUM_CONFIGURATIONS[space_name]
    frames = [space.sample(count, seed=0)]
    if space_name == "adam1p":
        frames.insert(0, spaces.half_orders())
    frame = pd.concat(frames).head(count)
    return khl.HyperparameterList(frame.to_dict("records"), space, name=f"{space_name}-candidates")


def search(problem: Problem, space_name: str, work: Path) -> khl.HyperparameterListTuner:
    """Train every candidate on one problem; finished trials of an earlier run are kept."""
    x, y, x_valid, y_valid, *_ = problem.load()
    entries = candidates(space_name)
    tuner = khl.HyperparameterListTuner(
        lambda hp: problem.compiled(),
        objective="val_loss",
        max_trials=None,
        hyperparameter_list=entries,
        seed=0,
        task=problem.name,
        directory=work,
        project_name=f"{problem.name}-{space_name}",
    )
    batches = tf.data.Dataset.from_tensor_slices((x, y)).cache().repeat()
    batches = batches.shuffle(len(x), seed=0).batch(problem.batch_size).prefetch(2)
    tuner.search(
        batches,
        steps_per_epoch=STEPS_PER_POINT,
        epochs=POINTS,
        validation_data=(x_valid, y_valid),
        validation_batch_size=len(x_valid),
        shuffle=False,  # the dataset does
        verbose=0,
    )
    return tuner


def gather(work: Path) -> Iterator[khl.History]:
    """Read the curves of every finished search, and name each problem's family."""
    families = {problem.name: problem.family for problem in PROBLEMS}
    for folder in sorted(work.glob("*/curves")):
        table = khl.History.read(folder).table
        family = pa.array([families[task] for task in table["task"].to_pylist()], pa.string())
        yield khl.History(table.set_column(table.schema.names.index("family"), "family", family))


def main() -> None:
    """Measure a share of the problems, or gather what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the tuner projects")
    parser.add_argument("--part", type=int, default=0, help="which share of the problems")
    parser.add_argument("--of", type=int, default=1, help="number of shares")
    parser.add_argument("--gather", type=Path, help="write the history to this file instead")
    arguments = parser.parse_args()
    if arguments.gather:
        khl.History.concat(gather(arguments.work)).write(arguments.gather)
        return
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for problem in PROBLEMS[arguments.part :: arguments.of]:
        for space_name in NUM_CONFIGURATIONS:
            search(problem, space_name, arguments.work)
            keras.utils.clear_session()
            print(f"{problem.name} {space_name} done", flush=True)


if __name__ == "__main__":
    main()
