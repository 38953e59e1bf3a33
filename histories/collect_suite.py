"""Measure `histories/suite`: one folder for each search space, block of configurations and horizon.

Resumes where it was stopped. Without names all stages are gone through in the order below:

    python histories/collect_suite.py --budget 90m
    python histories/collect_suite.py --budget 30m adam8p-0-31-200 adam1p-grid-200
    python histories/collect_suite.py --compact            # merge what is finished, to commit it

Tasks that start at a loss or gradient that is not finite are left out: every configuration
diverges there at once.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_hplist import spaces, tasks
from keras_hplist.tasks.checking import DIVERGING_AT_ONCE
from keras_hplist.training import collect, compact, status
from keras_hplist.training.folder import Folder
from keras_hplist.training.plan import parse_budget

SUITE = Path(__file__).parent / "suite"
FIRST = "nadamw-0-31-200"


@dataclass(frozen=True)
class Stage:
    """One collection: the first so many configurations of a space, on some tasks."""

    space: str
    n_configurations: int
    steps: int
    tasks: Callable[[], list[str]]
    options: dict[str, Any] = field(default_factory=dict)


def first_tasks() -> list[str]:
    """The tasks of the first collection: eight of each family, of the cheaper half."""
    units = Folder(SUITE / FIRST).manifest()["units"].values()
    return sorted({task for task, *_ in units})


def first_affordable() -> list[str]:
    """The first tasks whose step takes at most 20 ms of one core: all but one."""
    facts = tasks.facts()
    return [name for name in first_tasks() if facts[name].seconds_per_step <= 0.02]


def cheapest(count: int) -> list[str]:
    """So many of the cheapest tasks of each family, without the first tasks."""
    facts, left_out, found = tasks.facts(), DIVERGING_AT_ONCE.union(first_tasks()), []
    for family in tasks.family_names():
        names = [name for name in tasks.names(family) if name not in left_out]
        found += sorted(names, key=lambda name: facts[name].seconds_per_step)[:count]
    return found


STAGES = {
    FIRST: Stage("nadamw", 32, 200, first_tasks),
    "adam8p-0-31-200": Stage("adam8p", 32, 200, first_affordable),
    "adam1p-grid-200": Stage(
        "adam1p", 17, 200, first_affordable, {"configurations": spaces.half_orders()}
    ),
    "nadamw-32-127-200": Stage("nadamw", 96, 200, first_affordable, {"configuration_seed": 32}),
    "nadamw-0-31-1000": Stage("nadamw", 32, 1000, first_affordable),
    "nadamw-0-127-200": Stage("nadamw", 128, 200, lambda: cheapest(36)),
}


def main() -> None:
    """Go through the stages while the budget lasts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stages", nargs="*", help=f"of {', '.join(STAGES)}; default: all")
    parser.add_argument("--budget", default="1h", help="wall time: 90s, 30m, 2h")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--compact", action="store_true", help="merge finished units; no training")
    options = parser.parse_args()
    if unknown := set(options.stages) - STAGES.keys():
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")
    end = time.monotonic() + (parse_budget(options.budget) or 0.0)
    for name in options.stages or STAGES:
        stage, out = STAGES[name], SUITE / name
        if options.compact:
            if out.exists():
                print(name, compact(out), status(out).curves)
            continue
        left = end - time.monotonic()
        if left < 1:
            break
        summary = collect(
            stage.tasks(),
            stage.space,
            stage.n_configurations,
            stage.steps,
            out,
            n_jobs=options.jobs,
            budget=left,
            **stage.options,
        )
        print(name, summary.to_dict(), flush=True)


if __name__ == "__main__":
    main()
