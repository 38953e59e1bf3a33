"""What else was tried for `nadamw`, judged on families that are left out.

    python histories/variants.py        # Markdown, for docs/results.md

Other weights of the families; and an order that depends on the losses of the trials so far. A
result is the test score where the validation score is lowest, or J on validation and training.
"""

from collections.abc import Callable, Mapping
from functools import partial

import learn_lists
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from keras_hplist.learning import best_after, greedy
from keras_hplist.learning.splits import task_weights

TRIALS = (1, 3, 5, 10, 20)
WIDTHS = (0.05, 0.1, 0.2, 0.3)
SYNTHETIC = ("quadratic_family", "losg_tasks_family")
Scores = NDArray[np.float64]
Learner = Callable[[Scores, Scores], Callable[[Scores], list[int]]]
"""Learns from scores (task, configuration) and weights to order by a new task's scores on valid."""


def fixed(scores: Scores, weights: Scores) -> Callable[[Scores], list[int]]:
    """The list: the same order for every task."""
    order = greedy(scores, max(TRIALS), weights).order.tolist()
    return lambda valid: order


def adaptive(width: float) -> Learner:
    """An order that follows the tasks on which the trials so far did as they do here."""

    def order_of(valid: Scores, scores: Scores, weights: Scores) -> list[int]:
        order: list[int] = []
        best = np.ones(len(scores))
        near = weights
        for _ in range(max(TRIALS)):
            if order:
                # Of the new task the best loss is not known, so that all tasks are compared on a
                # scale from the best trial so far to the start; roots tell good trials apart.
                gaps = np.sqrt(_rescaled(scores[:, order])) - np.sqrt(_rescaled(valid[None, order]))
                near = weights * np.exp(-((np.abs(gaps).mean(axis=1) / width) ** 2) / 2)
            gains = near @ np.maximum(best[:, None] - scores, 0.0)
            gains[order] = -1.0
            order.append(int(gains.argmax()))
            best = np.minimum(best, scores[:, order[-1]])
        return order

    return lambda scores, weights: partial(order_of, scores=scores, weights=weights)


def _rescaled(scores: Scores) -> Scores:
    lowest = scores.min(axis=1, keepdims=True)
    return np.clip((scores - lowest) / np.maximum(1 - lowest, 1e-9), 0.0, 1.2)


def follow(
    matrices: Mapping[str, pd.DataFrame],
    families: pd.Series,
    judged: list[str],
    factors: Mapping[str, float],
    learn: Learner,
) -> tuple[Scores, Scores]:
    """Mean over families, each left out in turn: the selected test score, and J; (trial,) each."""
    selected, reached = [], []
    for family in judged:
        inside = families == family
        outside = families[~inside]
        weights = task_weights(outside.index, outside) * outside.map(factors).fillna(1.0).to_numpy()
        known = np.clip(matrices["both"].loc[outside.index].to_numpy(), None, 1.5)
        kept = weights > 0
        order_of = learn(known[kept], weights[kept])
        tests, best = [], []
        for task in families.index[inside]:
            valid = matrices["valid"].loc[task].to_numpy()
            order = order_of(valid)
            lowest = [order[np.argmin(valid[order[:k]])] for k in TRIALS]
            tests.append(matrices["test"].loc[task].to_numpy()[lowest])
            curve = best_after(matrices["both"].loc[[task]].to_numpy(), np.array(order))[0]
            best.append(curve[np.array(TRIALS) - 1])
        selected.append(np.mean(tests, axis=0))
        reached.append(np.mean(best, axis=0))
    return np.mean(selected, axis=0), np.mean(reached, axis=0)


def main() -> None:
    """Print the table."""
    recipe = learn_lists.RECIPES["nadamw"]
    history = recipe.history
    matrices = {
        name: clone(recipe.learner).set_params(split=split).score(history).to_frame()
        for name, split in {
            "both": learn_lists.SPLITS,
            "valid": ("valid",),
            "test": ("test",),
        }.items()
    }
    common = sorted(set.intersection(*(set(matrix.index) for matrix in matrices.values())))
    matrices = {name: matrix.loc[common] for name, matrix in matrices.items()}
    families = pd.Series(history.families)[common]
    modern = sorted(name for name in families.unique() if name.startswith("modern_"))
    networks = sorted(set(families) - set(modern) - set(SYNTHETIC))
    suite = sorted(set(families) - set(modern))
    variants: dict[str, tuple[dict[str, float], Learner]] = {
        "as shipped": ({}, fixed),
        "without modern problems": (dict.fromkeys(modern, 0.0), fixed),
        "modern problems only": (dict.fromkeys(suite, 0.0), fixed),
        "without synthetic functions": (dict.fromkeys(SYNTHETIC, 0.0), fixed),
        "synthetic functions a quarter": (dict.fromkeys(SYNTHETIC, 0.25), fixed),
        **{f"adaptive, width {width}": ({}, adaptive(width)) for width in WIDTHS},
    }
    print("| judged on | variant | result | " + " | ".join(f"k = {k}" for k in TRIALS) + " |")
    print("| --- " * (len(TRIALS) + 3) + "|")
    for label, judged in (("modern", modern), ("networks of the suite", networks)):
        for name, (factors, learn) in variants.items():
            results = follow(matrices, families, judged, factors, learn)
            for result, values in zip(("test", "J"), results, strict=True):
                numbers = " | ".join(f"{value:.3f}" for value in values)
                print(f"| {label} | {name} | {result} | {numbers} |")


if __name__ == "__main__":
    main()
