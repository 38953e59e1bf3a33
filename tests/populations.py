"""Made-up training runs with known best hyperparameters, shared by the learner's tests."""

import functools

import numpy as np
import pandas as pd

from keras_hplist.history import History
from keras_hplist.learning import ListLearner
from keras_hplist.learning.evidence import Evidence


def runs(tasks=6, rates=12, seeds=1, points=6, seed=0, **columns):
    """Curves of `adam1p` configurations whose best learning rate differs a little by task.

    Losses fall from 2 towards a floor that is lowest at the task's best rate; rates 30 times above
    that diverge halfway.
    """
    rng = np.random.default_rng(seed)
    records = []
    for task in range(tasks):
        best = -2.5 + rng.normal(0, 0.4)
        for rate in np.logspace(-5, 0, rates):
            distance = np.log10(rate) - best
            for repeat in range(seeds):
                floor = min(0.2 + 0.3 * distance**2, 2.0) + rng.normal(0, 0.01)
                curve = floor + (2.0 - floor) * np.exp(-np.arange(points) / 1.5)
                if distance > 1.5:
                    curve[points // 2 :] = np.nan
                records.append(
                    {
                        "task": f"{'mlp' if task % 2 else 'conv'}_{task}",
                        "family": "mlp" if task % 2 else "conv",
                        "space": "adam1p",
                        "values": {"learning_rate": float(rate)},
                        "seed": repeat,
                        "steps": list(range(0, 10 * points, 10)),
                        "valid": curve,
                        "test": curve + 0.05,
                        "seconds": 1.0 + rate,
                    }
                    | columns
                )
    return records


def history(**options):
    """The history of `runs`."""
    return History.from_records(runs(**options))


@functools.cache
def learned():
    """A list called `mine`, of six entries that carry their scores on nine tasks, and these."""
    measured = history(tasks=9, rates=9)
    learner = ListLearner(length=6, name="mine").fit(measured)
    evidence = Evidence.of(learner, measured)
    return evidence.attached_to(learner.list_), evidence


def frame(scores, **options):
    scores = np.asarray(scores, float)
    return pd.DataFrame(
        scores,
        index=[f"t{i}" for i in range(scores.shape[0])],
        columns=[f"c{i}" for i in range(scores.shape[1])],
        **options,
    )
