"""What else was tried for `nadamw` and `adam1p`, judged on families that are left out.

    python histories/variants.py        # Markdown, for docs/results.md

Shorter trainings, other weights of the families, another scale of the scores, and an order that
depends on the losses of the trials so far, judged on the trainings that the shipped list learns
from; and after 200 steps more draws of the space, and learning rates beside the half orders of
magnitude. A result is the test score where the validation score is lowest, or J on validation and
training.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import learn_lists
import measured
import numpy as np
import pandas as pd
import refine
from numpy.typing import NDArray
from sklearn.base import clone

import keras_hplist as khl
from keras_hplist import spaces
from keras_hplist.learning import best_after, greedy
from keras_hplist.learning.adaptive import next_column
from keras_hplist.learning.selection import from_median
from keras_hplist.learning.splits import task_weights
from keras_hplist.spaces.search_space import configuration_id

TRIALS = (1, 3, 5, 10, 20)
CARRIED = 50
"""So many entries of a list carry their scores."""

SHORT = (200, 400)
DRAWS = (32, 128, 512)
WORST = 1.5
SYNTHETIC = ("quadratic_family", "losg_tasks_family")
"""Families without a network or data."""
Scores = NDArray[np.float64]
Learner = Callable[[Scores, Scores], Callable[[Scores], list[int]]]
"""Learns from scores (task, configuration) and weights to order by a new task's scores on valid."""


def listed(scores: Scores, weights: Scores) -> Callable[[Scores], list[int]]:
    """The list as it is learned: the same order for every task."""
    return linear(from_median(scores), weights)


def linear(scores: Scores, weights: Scores) -> Callable[[Scores], list[int]]:
    """The list that is chosen on the linear scale of the scores."""
    order = greedy(scores, max(TRIALS), weights).order.tolist()
    return lambda valid: order


def adaptive(scores: Scores, weights: Scores) -> Callable[[Scores], list[int]]:
    """The list in an order that follows the trials so far (`order="adaptive"`)."""
    first = greedy(from_median(scores), CARRIED, weights).order

    def order_of(valid: Scores) -> list[int]:
        losses: dict[int, float] = {}
        for _ in range(max(TRIALS)):
            rank = next_column(scores[:, first], weights, losses)
            assert rank is not None
            loss = valid[first[rank]]
            losses[rank] = loss if loss < 1 else np.inf
        return first[list(losses)].tolist()

    return order_of


@dataclass(frozen=True)
class Measured:
    """Scores of trainings: frames (task, configuration), and the family of each task."""

    scores: pd.DataFrame
    families: pd.Series

    @classmethod
    def of(cls, history: khl.History, splits: Sequence[str], name: str = "nadamw") -> "Measured":
        """Scores on the mean of some splits, as a shipped list's learner makes them."""
        learner = clone(learn_lists.RECIPES[name].learner).set_params(split=tuple(splits))
        scores = learner.score(history).to_frame()
        return cls(scores, pd.Series(history.families)[scores.index])

    @classmethod
    def judges(cls, history: khl.History, name: str = "nadamw") -> dict[str, "Measured"]:
        """By what an entry is chosen, and judged."""
        splits = {"both": learn_lists.SPLITS, "valid": ("valid",), "test": ("test",)}
        return {label: cls.of(history, of_them, name) for label, of_them in splits.items()}

    def without(self, candidates: Sequence[Mapping[str, Any]], space: str = "nadamw") -> "Measured":
        """No list is chosen from these: they are as bad as a score can be."""
        labels = [configuration_id(space, values) for values in candidates]
        return Measured(self.scores.assign(**dict.fromkeys(labels, WORST)), self.families)

    def and_also(self, other: "Measured") -> "Measured":
        """The trainings of both."""
        return Measured(
            pd.concat([self.scores, other.scores]), pd.concat([self.families, other.families])
        )


def follow(
    judges: Mapping[str, Measured],
    judged: Sequence[str],
    known: Measured,
    importance: Mapping[str, float],
    learn: Learner,
) -> tuple[Scores, Scores]:
    """Mean over families, each left out in turn: the selected test score, and J; (trial,) each."""
    selected, reached = [], []
    families = judges["both"].families
    for family in judged:
        outside = known.families[known.families != family]
        weights = task_weights(range(len(outside)), outside.tolist(), importance)
        scores = np.clip(
            known.scores[(known.families != family).to_numpy()].to_numpy(), None, WORST
        )
        order_of = learn(scores[weights > 0], weights[weights > 0])
        tests, best = [], []
        for task in families.index[families == family]:
            valid, test = (judges[split].scores.loc[task].to_numpy() for split in ("valid", "test"))
            order = order_of(valid)
            tests.append(test[[order[np.argmin(valid[order[:k]])] for k in TRIALS]])
            curve = best_after(judges["both"].scores.loc[[task]].to_numpy(), np.array(order))[0]
            best.append(curve[np.array(TRIALS) - 1])
        selected.append(np.mean(tests, axis=0))
        reached.append(np.mean(best, axis=0))
    return np.mean(selected, axis=0), np.mean(reached, axis=0)


def main() -> None:
    """Print the table."""
    recipe = learn_lists.RECIPES["nadamw"]
    judges = Measured.judges(recipe.history)
    shipped = judges["both"]
    short = Measured.of(measured.longest("nadamw", SHORT, recipe.candidates), learn_lists.SPLITS)
    families = shipped.families.unique()
    modern = sorted(name for name in families if name.startswith("modern_"))
    networks = sorted(set(families) - {*modern, *SYNTHETIC})
    equal = dict.fromkeys([*families, *short.families], 1.0)
    less, double = dict.fromkeys(SYNTHETIC, 0.25), dict.fromkeys(modern, 2.0)
    second = learn_lists.FINALISTS[refine.FINALISTS :]
    variants: dict[str, tuple[Measured, dict[str, float], Learner]] = {
        "as shipped": (shipped, equal, listed),
        "without the second refinement": (shipped.without(second), equal, listed),
        "short trainings": (short, equal, listed),
        "short trainings as well": (shipped.and_also(short), equal, listed),
        "without modern problems": (shipped, equal | dict.fromkeys(modern, 0.0), listed),
        "modern problems only": (
            shipped,
            equal | dict.fromkeys([*networks, *SYNTHETIC], 0.0),
            listed,
        ),
        "without synthetic functions": (shipped, equal | dict.fromkeys(SYNTHETIC, 0.0), listed),
        "synthetic functions a quarter": (shipped, equal | less, listed),
        "modern problems double": (shipped, equal | double, listed),
        "both": (shipped, equal | less | double, listed),
        "on the linear scale (round 6)": (shipped, equal, linear),
        "both, on the linear scale (round 7)": (shipped, equal | less | double, linear),
        "adaptive order": (shipped, equal, adaptive),
    }
    print("| judged on | variant | result | " + " | ".join(f"k = {k}" for k in TRIALS) + " |")
    print("| --- " * (len(TRIALS) + 3) + "|")
    for label, judged in (("modern", modern), ("networks of the suite", networks)):
        for name, (known, importance, learn) in variants.items():
            print_rows(label, name, follow(judges, judged, known, importance, learn))
    compare_draws()
    compare_rates()


def compare_draws() -> None:
    """The same of lists that are chosen from fewer and from more draws of the space."""
    space = spaces.get("nadamw")
    draws = [space.draw(seed) for seed in range(max(DRAWS))]
    history = measured.complete(measured.suite("nadamw", min(SHORT)), draws)
    compare("nadamw", history, listed, {f"{count} draws": draws[count:] for count in DRAWS})


def compare_rates() -> None:
    """The same of `adam1p`, from the half orders of magnitude and from draws beside them."""
    history = measured.complete(measured.suite("adam1p", 200))
    grid = learn_lists.RECIPES["adam1p"].candidates
    known = history.values().values()
    draws = [values for values in known if values not in grid]
    without = {
        f"half orders ({len(known) - len(draws)})": draws,
        f"draws ({len(draws)})": grid,
        f"both ({len(known)})": [],
    }
    compare("adam1p", history, linear, without)


def compare(
    name: str,
    history: khl.History,
    learn: Learner,
    without: Mapping[str, Sequence[Mapping[str, Any]]],
) -> None:
    """Print what lists reach that are chosen without some configurations, by what is left."""
    judges = Measured.judges(history, name)
    families = judges["both"].families
    equal = dict.fromkeys(families.unique(), 1.0)
    for label, unknown in without.items():
        known = judges["both"].without(unknown, name)
        results = follow(judges, list(equal), known, equal, learn)
        print_rows(f"{name}, {len(families)} tasks", label, results)


def print_rows(label: str, name: str, results: tuple[Scores, Scores]) -> None:
    """Two rows of Markdown, of what `follow` returns."""
    for result, values in zip(("test", "J"), results, strict=True):
        numbers = " | ".join(f"{value:.3f}" for value in values)
        print(f"| {label} | {name} | {result} | {numbers} |")


if __name__ == "__main__":
    main()
