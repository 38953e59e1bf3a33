"""The comparison as a table, a plot, and the targets: met or missed.

    python benchmarks/heldout/table.py heldout-runs --markdown table.md --plot comparison.png

A trial's result is the test loss at the lowest validation loss of its curve; the result after k
trials is that of the trial with the lowest validation loss. It is normalised per problem: 0 is the
lowest result of any run on the problem, 1 the best prediction that ignores the inputs; what is
worse counts 1. Hyperband is charged by its steps: k trials are the steps of k whole runs.
"""

import argparse
import sys
from pathlib import Path

import comparison
from comparison import BUDGETS, Comparison
from run import add_choices, chosen_methods, chosen_problems

from keras_hplist.errors import HPListError
from keras_hplist.figures import saving
from keras_hplist.files import write_text

TIMES = (5, 10)
"""Equal times, in median whole runs of the problem."""

EVERYTHING_ELSE_AT = 10


def markdown(compared: Comparison) -> str:
    """The table: mean normalised loss by method and budget, and each method against ours."""
    ours = compared.ours
    head = [*(f"k = {k}" for k in BUDGETS), *(f"time {t}" for t in TIMES)]
    lines = [
        f"{len(compared.problems)} problems ({', '.join(compared.problems)}), "
        f"{compared.seeds} seeds. Mean normalised loss with 95 % bootstrap intervals over problems "
        f"(0: best known, 1: best constant prediction); ours is {ours.title}. Ours at 5 against "
        f"the method at {EVERYTHING_ELSE_AT}: share of "
        "problems and seeds with the lower loss (ties half), p of the two-sided Wilcoxon test over "
        "problems. A method that has fewer trials keeps its last result.",
        "",
        "| method | " + " | ".join(head) + " | ours wins | p |",
        "| --- |" + " --- |" * (len(head) + 2),
    ]
    for method in compared.methods:
        cells = [compared.mean(method, k).text if k <= method.length else "" for k in BUDGETS]
        cells += [compared.mean(method, t, timed=True).text for t in TIMES]
        if method is ours:
            cells += ["", ""]
        else:
            pair = compared.against(ours, 5, method, EVERYTHING_ELSE_AT)
            cells += [f"{pair.win_rate:.0%}", f"{pair.p:.3f}"]
        lines.append(f"| {method.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def targets(compared: Comparison) -> str:
    """Each target with both means, the interval of the difference, and whether it is met."""
    ours, rest = compared.ours, [m for m in compared.methods if m is not compared.ours]
    wanted = [(5, m, 5) for m in rest if m.name == "opt_list"]
    wanted += [(5, m, EVERYTHING_ELSE_AT) for m in rest]
    wanted += [(10, m, 100) for m in rest if m.name == "random"]
    wanted += [(1, m, 1) for m in rest if m.is_untuned]
    lines = [
        "| target | ours | other | ours - other | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for own, method, others in wanted:
        pair = compared.against(ours, own, method, others)
        met = "met" if pair.difference.mean < 0 else "**missed**"
        lines.append(
            f"| ours@{own} better than {method.title}@{others} "
            f"| {compared.mean(ours, own).mean:.3f} | {compared.mean(method, others).mean:.3f} "
            f"| {pair.difference.text} | {met} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the table and the targets; write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder of the runs")
    add_choices(parser)
    parser.add_argument("--markdown", type=Path, help="also write table and targets here")
    parser.add_argument("--plot", type=Path, help="draw the means over k here (.png or .svg)")
    options = parser.parse_args()
    try:
        compared, missing = comparison.read(
            options.out, chosen_problems(options), chosen_methods(options), options.seeds
        )
        for name, what in missing.items():
            print(f"{name} is left out; not finished: {', '.join(what)}.", file=sys.stderr)
        text = markdown(compared) + "\n" + targets(compared)
        print(text, end="")
        if options.markdown:
            write_text(options.markdown, text)
        if options.plot:
            saving.save(comparison.draw, compared.frame(), options.plot, size=(8.0, 6.0))
    except (HPListError, FileNotFoundError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
