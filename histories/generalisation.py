"""What the shipped lists are worth on tasks and families of the suite that they did not see.

    python histories/generalisation.py                  # Markdown, for docs/results.md

Each list is learned anew from the other tasks as `learn_lists.py` does: 50 times without a random
quarter of the tasks, and once without each family. J(k): mean over tasks, families equal, of the
best score of k trials (0: best known, 1: the start).
"""

import learn_lists
import pandas as pd
from sklearn.base import clone

from keras_hplist.learning import evaluation

TRIALS = (1, 3, 5, 10, 20, 50)


def quartiles(table: pd.DataFrame) -> list[str]:
    """Median and quartiles of J(k) as text."""
    return [
        "{median:.3f} ({lower_quartile:.3f} to {upper_quartile:.3f})".format(**table.loc[k])
        if k in table.index
        else ""
        for k in TRIALS
    ]


def main() -> None:
    """Print the tables."""
    print("| list | left out | method | " + " | ".join(f"k = {k}" for k in TRIALS) + " |")
    print("| --- " * (len(TRIALS) + 3) + "|")
    by_family = {}
    for name, recipe in learn_lists.RECIPES.items():
        history, learner = recipe.history, recipe.learner
        for split, left_out in (
            ("tasks", "a quarter of the tasks, 50 times"),
            ("leave_one_family_out", "each family once"),
        ):
            raw = evaluation.resamplings(
                history, {"list": learner}, split=split, aggregation=learner.aggregation
            )
            for method in ("list", "random search", "single best"):
                rows = raw[raw["method"] == method].groupby("k")["J"]
                table = pd.DataFrame({n: rows.quantile(q) for n, q in evaluation.QUARTILES.items()})
                print(f"| {name} | {left_out} | {method} | " + " | ".join(quartiles(table)) + " |")
        by_family[name] = raw[raw["k"].isin(TRIALS) & (raw["method"] == "list")].pivot(
            index="left_out", columns="k", values="J"
        )
    for name, table in by_family.items():
        print(f"\n| {name}: family left out | " + " | ".join(f"k = {k}" for k in table) + " |")
        print("| --- " * (len(table.columns) + 1) + "|")
        for family, row in table.iterrows():
            print(f"| {family} | " + " | ".join(f"{value:.3f}" for value in row) + " |")
    compare_splits()


def compare_splits() -> None:
    """What it is worth to learn on several splits, judged on test losses of families left out."""
    recipe = learn_lists.RECIPES["nadamw"]
    history = recipe.history
    learners = {
        " and ".join(splits): clone(recipe.learner).set_params(split=splits)
        for splits in (("valid",), ("train",), ("valid", "train"))
    }
    raw = evaluation.resamplings(
        history,
        learners,
        split="leave_one_family_out",
        report_split="test",
        aggregation=recipe.learner.aggregation,
    )
    print("\n| nadamw learned on; J on test | " + " | ".join(f"k = {k}" for k in TRIALS) + " |")
    print("| --- " * (len(TRIALS) + 1) + "|")
    for name in learners:
        means = raw[raw["method"] == name].groupby("k")["J"].mean()
        print(f"| {name} | " + " | ".join(f"{means[k]:.3f}" for k in TRIALS) + " |")


if __name__ == "__main__":
    main()
