"""Learn the shipped lists anew from the committed histories.

python histories/learn_lists.py                        # into keras_hplist/lists/shipped
python histories/learn_lists.py --output /tmp nadamw   # one of them, to compare
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measured
import pandas as pd
from sklearn.base import clone

import keras_hplist as khl
from keras_hplist.learning import evaluation
from keras_hplist.learning.evidence import Evidence

SHIPPED = Path(__file__).resolve().parent.parent / "keras_hplist" / "lists" / "shipped"
MEASURED = "1795996800"  # 2026-11-30, the day on which the newest histories were measured
REPORTED = (1, 2, 3, 5, 10, 20, 50, 100)
RESAMPLINGS = 50


@dataclass(frozen=True)
class Recipe:
    """How a list is learned.

    Attributes:
        learner: with its parameters.
        advice: what to use it for.
        horizons: training steps of the runs that it is learned from; of a task the longest.
        candidates: what it is chosen from; default: all configurations that were measured.
        chosen_from: what these are, in words.
    """

    learner: khl.ListLearner
    advice: str
    horizons: tuple[int, ...] = (200,)
    candidates: Sequence[Mapping[str, Any]] = ()
    chosen_from: str = "configurations"

    @property
    def history(self) -> khl.History:
        """The runs of the tasks that ran every candidate."""
        return measured.longest(self.learner.space, self.horizons, self.candidates)


SPLITS = ("valid", "train")
"""Evaluations are on few examples: the mean of both is less noisy."""

SCALE = "median"
"""Good configurations differ little as seen from the start, and count all the same."""

SUITE, MODERN = 1000, 1200
"""Training steps of the suite's tasks and of the modern problems."""

FINALISTS = khl.HyperparameterList.load(Path(__file__).parent / "refined" / "finalists-1.json")
"""Configurations that long trainings were measured with; see `refine.py`."""

FROM_FINALISTS: dict[str, Any] = {
    "horizons": (SUITE, MODERN),
    "candidates": FINALISTS,
    "chosen_from": "finalists of shorter trainings",
}

RECIPES = {
    "nadamw": Recipe(
        khl.ListLearner(100, aggregation="min", split=SPLITS, scale=SCALE, space="nadamw"),
        "Start here, whatever the number of trials.",
        **FROM_FINALISTS,
    ),
    "nadamw-five": Recipe(
        khl.ListLearner(5, aggregation="min", split=SPLITS, scale=SCALE, budget=5, space="nadamw"),
        "For five trials, no more and no fewer.",
        **FROM_FINALISTS,
    ),
    "nadamw-modern": Recipe(
        khl.ListLearner(100, aggregation="min", split=SPLITS, scale=SCALE, space="nadamw"),
        "For networks with attention, normalization or residual connections, and for tables; on "
        "others `nadamw` is better.",
        **FROM_FINALISTS | {"horizons": (MODERN,)},
    ),
    "nadamw-anytime": Recipe(
        khl.ListLearner(100, aggregation="mean", split=SPLITS, scale=SCALE, space="nadamw"),
        "For trainings that may be stopped at any time: judged by the mean loss over the training. "
        "Steps of all configurations take the same time, so that this is per second.",
        **FROM_FINALISTS,
    ),
    "adam8p": Recipe(
        khl.ListLearner(100, aggregation="min", split=SPLITS, scale=SCALE, space="adam8p"),
        "For Adam with L1 and L2 penalties and decays of its learning rate.",
    ),
    "adam1p": Recipe(
        khl.ListLearner(100, aggregation="min", split=SPLITS, space="adam1p"),
        "For any Keras Adam: constant learning rates alone.",
        # Draws between them gain little in few trials (docs/results.md).
        candidates=khl.spaces.half_orders().to_dict("records"),
    ),
}


def learn(name: str) -> khl.HyperparameterList:
    """Learn a list, and note what it is worth on tasks that it is not learned from."""
    recipe = RECIPES[name]
    history = recipe.history
    learner = clone(recipe.learner).set_params(name=name).fit(history)
    learned = learner.list_
    resampled = resample(learner, history)
    described = khl.HyperparameterList(
        learned,
        learned.space,
        name=name,
        gains=rounded(learned.gains),
        provenance={
            "about": conditions(
                history.select(task=learned.provenance["tasks"]), recipe.chosen_from
            ),
            "advice": f"{recipe.advice} {worth(resampled, recipe.chosen_from)}",
            **rounded(learned.provenance),
            "resampled": {
                "about": f"J(k) on a random quarter of the tasks that was left out of the choice, "
                f"over {RESAMPLINGS} such parts",
                **{
                    method: {
                        name: {str(k): value for k, value in column.items()}
                        for name, column in table.loc[table.index.isin(REPORTED)].items()
                    }
                    for method, table in resampled.items()
                },
            },
        },
    )
    return Evidence.of(learner, history).attached_to(described)


def rounded(document: Any) -> Any:
    """JSON with six digits after the point, which do not depend on the machine's order of sums."""
    if isinstance(document, dict):
        return {key: rounded(value) for key, value in document.items()}
    if isinstance(document, list):
        return [rounded(value) for value in document]
    return round(document, 6) if isinstance(document, float) else document


def resample(learner: khl.ListLearner, history: khl.History) -> dict[str, pd.DataFrame]:
    """Quartiles of J(k) on quarters of the tasks that are left out, of the list and random search.

    Returns:
        By method, a row for each k, to six digits after the point, so that what is told of it and
        what is kept round alike; of random search as many as there are configurations.
    """
    all_of_them = clone(learner).set_params(length=len(history.values()), budget=None)
    table = evaluation.resample(
        history,
        {"list": learner, "all": all_of_them},
        RESAMPLINGS,
        aggregation=learner.aggregation,
    )
    return {
        method: table.loc[label, list(evaluation.QUARTILES)].round(6)
        for method, label in (("list", "list"), ("random search", "all: random search"))
    }


def conditions(history: khl.History, chosen_from: str) -> str:
    """What a list was learned from, in a sentence or two."""
    rows = history.table.select(["task", "family", "training_steps"]).to_pandas().drop_duplicates()
    is_modern = rows["family"].str.startswith("modern_")
    counts = [
        f"{count} {'modern problems' if modern else 'tasks of the suite'} ({steps:,} steps)"
        for (modern, steps), count in rows.groupby([is_modern, "training_steps"]).size().items()
    ]
    sources = " and ".join(filter(None, (", ".join(counts[:-1]), counts[-1])))
    return (
        f"Learned from {sources}, in {len(set(history.families.values()))} families; "
        f"{len(history.values())} {chosen_from}, one seed, validation and training loss; small "
        "networks on two CPU cores, with the suite's substitutes for data that cannot be had here. "
        "Trainings that are much longer or networks that are much larger are extrapolation."
    )


def worth(resampled: dict[str, pd.DataFrame], chosen_from: str) -> str:
    """What some trials are worth, and what random search takes for as much."""
    ours, random = (resampled[method]["median"] for method in ("list", "random search"))
    k = min(5, len(ours))
    as_good = random.index[random <= ours[k]]
    needed = f"{as_good[0]}" if len(as_good) else f"more than {len(random)}"
    return (
        f"On tasks left out the first entry reaches {ours[1]:.3f}, the best of {k} {ours[k]:.3f} "
        f"(0: best known, 1: the start); random search over the same {chosen_from} takes "
        f"{needed} trials for as much."
    )


def main() -> None:
    """Write the lists."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(RECIPES)}; default: all")
    parser.add_argument("--output", type=Path, default=SHIPPED, help="folder of the lists")
    options = parser.parse_args()
    if unknown := set(options.names) - RECIPES.keys():
        parser.error(f"no such list: {', '.join(sorted(unknown))}")
    os.environ.setdefault("SOURCE_DATE_EPOCH", MEASURED)
    for name in options.names or RECIPES:
        learn(name).save(options.output / f"{name}.json")
        print(f"wrote {options.output / name}.json")


if __name__ == "__main__":
    main()
