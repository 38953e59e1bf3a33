"""Propose configurations next to the best measured ones, and say what they gained once measured.

    python histories/refine.py propose histories/refined/nadamw-2.json --seed 2
    python histories/refine.py finalists histories/refined/finalists-1.json \\
        --proposals histories/refined/nadamw-2.json
    python histories/collect_suite.py refined/nadamw-2-200               # measure them
    python histories/refine.py gain histories/refined/nadamw-1.json      # on other tasks

Proposals are drawn around the entries of a list that is learned from what was measured: each is an
entry, or a cross of two, with some hyperparameters moved; out of many, a surrogate chooses: a
regression forest predicts each proposal's score on every task, and the list learner chooses among
them. The same number again are the list's first entries at a third of their learning rate, for
trainings that are longer than the measured ones. Finalists are the list's first entries and the
proposals: what is worth measuring over longer trainings.

The first round, `nadamw-1.json`, was 32 choices of the surrogate and 32 proposals as drawn.
"""

import argparse
from pathlib import Path
from typing import Any

import learn_lists
import measured
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor

import keras_hplist as khl
from keras_hplist import spaces
from keras_hplist.learning import best_after, greedy
from keras_hplist.learning.completion import features_of
from keras_hplist.learning.splits import task_weights
from keras_hplist.spaces.distributions import Number
from keras_hplist.spaces.search_space import configuration_id

PARENTS = 24
"""Entries of the list so far from which proposals are drawn, earlier ones more often."""

DRAWN, TAKEN = 4000, 24
"""Proposals that the surrogate chooses from; how many it takes."""

LOWERED = 1 / 3
"""The learning rate of an entry's slower variant, of the entry's own."""

FINALISTS = 64
"""Entries of the list so far that are finalists, beside the proposals."""

DRAWS = 128
"""Draws of the space, the published seeds from 0, that proposals are compared with."""

MOVED, WIDTH = 0.5, 0.08
"""Chance that a hyperparameter is moved; by how much, in the unit interval of its distribution."""


def learner() -> khl.ListLearner:
    """How configurations are judged: as those of the shipped list."""
    return clone(learn_lists.RECIPES["nadamw"].learner)


def propose(history: khl.History, seed: int) -> khl.HyperparameterList:
    """Configurations of NAdamW to measure next, first what the surrogate chose."""
    fitted = learner().fit(history)
    scores, known = fitted.scores_, history.values()
    random = np.random.default_rng(seed)
    parents = [known[label] for label in fitted.order_[:PARENTS]]
    seen, drawn = set(known), []
    while len(drawn) < DRAWN:
        values = drawn_near(parents, random)
        if (label := configuration_id("nadamw", values)) not in seen:
            seen.add(label)
            drawn.append(values)
    predicted = predicted_scores(scores, known, drawn)
    chosen = greedy(predicted, TAKEN, fitted.weights_.to_numpy()).order
    slower = [{**values, "learning_rate": values["learning_rate"] * LOWERED} for values in parents]
    return khl.HyperparameterList(
        [*(drawn[index] for index in chosen), *slower],
        "nadamw",
        name=f"nadamw-refined-{seed}",
        provenance={
            "about": f"Proposals around the first {PARENTS} entries of a list learned from the "
            f"tasks below: {TAKEN} chosen by a surrogate, then these entries at a third of their "
            "learning rate.",
            "history": history.fingerprint,
            "seed": seed,
            "configurations": len(known),
            "tasks": list(scores.index),
        },
    )


def finalists(history: khl.History, proposals: khl.HyperparameterList) -> khl.HyperparameterList:
    """The first entries of the list so far, then the proposals."""
    known = history.values()
    first = [known[label] for label in learner().fit(history).order_[:FINALISTS]]
    return khl.HyperparameterList(
        [*first, *proposals],
        "nadamw",
        name="nadamw-finalists",
        provenance={
            "about": f"The first {FINALISTS} entries of a list learned from {len(known)} "
            f"configurations, then the proposals {proposals.name}.",
            "history": history.fingerprint,
        },
    )


def drawn_near(parents: list[dict[str, Any]], random: np.random.Generator) -> dict[str, Any]:
    """A cross of two parents, or one of them, with some hyperparameters moved."""
    space = spaces.get("nadamw")
    chances = 1 / np.arange(2, len(parents) + 2)
    while True:
        pair = random.choice(len(parents), 2, p=chances / chances.sum())
        crossed = random.random() < 0.5
        values = {}
        for row in space.rows:
            if row.hidden or row.name in values:
                continue
            value = parents[pair[int(crossed and random.random() < 0.5)]][row.name]
            # 0 says that a hyperparameter is not active, which only a cross changes.
            if isinstance(row.distribution, Number) and value and random.random() < MOVED:
                value = moved(row.distribution, value, random)
            values[row.name] = value
        if values["adamw_weight_decay"] or values["l2_weight_decay"]:  # as all of the space
            return space.validate(values)


def moved(distribution: Number, value: float, random: np.random.Generator) -> float:
    """A value nearby, by the distribution's own measure, between its bounds."""
    low, high = distribution.bounds
    scale = {
        "linear": (lambda x: x, lambda y: y),
        "log": (np.log, np.exp),
        "one_minus_log": (lambda x: -np.log1p(-x), lambda y: -np.expm1(-y)),
    }[distribution.sampling]
    start, stop = scale[0](low), scale[0](high)
    place = scale[0](value) + random.normal(0, WIDTH) * (stop - start)
    return float(np.clip(scale[1](np.clip(place, start, stop)), low, high))


def predicted_scores(
    scores: pd.DataFrame, known: dict[str, dict[str, Any]], drawn: list[dict[str, Any]]
) -> np.ndarray:
    """float64 (task, drawn configuration): scores by a forest grown on all tasks together."""
    measured_values = [known[label] for label in scores.columns]
    features = features_of([*measured_values, *drawn])
    forest = ExtraTreesRegressor(300, min_samples_leaf=2, random_state=0)
    forest.fit(features[: len(measured_values)], scores.to_numpy().T)
    return forest.predict(features[len(measured_values) :]).T


def gain(history: khl.History, refined: khl.HyperparameterList) -> pd.DataFrame:
    """J(k) of lists with and without the refined configurations, on tasks that had no part in them.

    Lists are learned from the tasks that the proposals were made from and followed on the others.

    Args:
        history: runs of the space's first 128 draws and of the proposals; tasks that lack some are
            left out, as are other configurations.
        refined: the proposals.

    Returns:
        A row for each list, columns k.
    """
    judge = learner().set_params(split="valid")
    space = spaces.get("nadamw")
    draws = [space.draw(seed) for seed in range(DRAWS)]
    matrix = judge.score(measured.complete(history, [*draws, *refined]))
    known = np.isin(matrix.tasks, refined.provenance["tasks"])
    ids = {configuration_id("nadamw", values) for values in refined}
    is_refined = np.isin(matrix.configurations, list(ids))
    weights = task_weights(
        [task for task, old in zip(matrix.tasks, known, strict=True) if not old],
        [family for family, old in zip(matrix.families, known, strict=True) if not old],
        judge.weights,
    )
    rows = {}
    for name, columns in (
        ("as the space draws them", ~is_refined),
        ("and refined ones", is_refined | ~is_refined),
        ("refined ones only", is_refined),
    ):
        order = judge.choose(matrix.rows(known).columns(columns)).selection.order
        followed = weights @ best_after(matrix.rows(~known).columns(columns).values, order)
        rows[f"{name}: {columns.sum()}"] = pd.Series(followed, range(1, len(order) + 1))
    return pd.DataFrame(rows).T.rename_axis(columns="k")


def main() -> None:
    """Propose, name finalists, or say what was gained."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("propose", "finalists", "gain"))
    parser.add_argument("file", type=Path, help="the list of proposals, or of finalists")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--proposals", type=Path, help="the list of proposals, for finalists")
    options = parser.parse_args()
    if options.what == "propose":
        propose(learn_lists.RECIPES["nadamw"].history, options.seed).save(options.file)
    elif options.what == "finalists":
        proposals = khl.HyperparameterList.load(options.proposals)
        finalists(learn_lists.RECIPES["nadamw"].history, proposals).save(options.file)
    else:
        table = gain(measured.suite("nadamw", 200), khl.HyperparameterList.load(options.file))
        print(table[[1, 2, 3, 5, 10, 20]].round(3).to_string())


if __name__ == "__main__":
    main()
