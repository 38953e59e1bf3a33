"""Measure the histories of the suite and beside it: a folder for each space, block and horizon.

Resumes where it was stopped. Without names all stages are gone through in the order below:

    python histories/collect_suite.py --budget 90m
    python histories/collect_suite.py --budget 30m nadamw-0-127-200 adam1p-grid-200
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

import modern_problems

from keras_hplist import HyperparameterList, spaces, tasks
from keras_hplist.tasks.checking import DIVERGING_AT_ONCE
from keras_hplist.training import collect, compact, status
from keras_hplist.training.folder import Folder
from keras_hplist.training.plan import parse_budget

HERE = Path(__file__).parent
SUITE = HERE / "suite"
FIRST = "nadamw-0-31-200"

FURTHER = {
    "quadratic_family": 80,
    "losg_tasks_family": 80,
    "mlp_family": 40,
    "mlp_ae_family": 40,
    "mlp_vae_family": 24,
    "fixed": 32,
}
"""How many tasks of a family come to its first ones; 16 of the dearer families."""


@dataclass(frozen=True)
class Stage:
    """One collection: the first so many configurations of a space, on some tasks."""

    space: str
    n_configurations: int
    steps: int
    tasks: Callable[[], list[Any]]
    options: dict[str, Any] = field(default_factory=dict)


def seconds_per_step(task: str) -> float:
    """Measured cost of a task, seconds of one core."""
    return tasks.facts()[task].seconds_per_step


def place(stage: str) -> Path:
    """The folder of a stage; proposals of `refine.py` do not stand among draws of the space."""
    return HERE / stage if "/" in stage else SUITE / stage


def measured(stage: str) -> list[str]:
    """The tasks that a collection holds."""
    folder = Folder(place(stage))
    units, done = folder.manifest()["units"], folder.done()
    return sorted({task for key, (task, *_) in units.items() if key in done})


def first() -> list[str]:
    """The tasks of the first collection: eight of each family, of the cheaper half."""
    return measured(FIRST)


def first_affordable() -> list[str]:
    """The first tasks whose step takes at most 20 ms of one core: all but one."""
    return [name for name in first() if seconds_per_step(name) <= 0.02]


def by_cost(family: str) -> list[str]:
    """The tasks of a family, the cheapest first, without those that diverge at once."""
    names = [name for name in tasks.names(family) if name not in DIVERGING_AT_ONCE]
    return sorted(names, key=seconds_per_step)


def further() -> list[str]:
    """The cheapest tasks of each family beside the first ones."""
    known, found = set(first()), []
    for family in tasks.family_names():
        found += [name for name in by_cost(family) if name not in known][: FURTHER.get(family, 16)]
    return found


def all_tasks() -> list[str]:
    """The first tasks but the one that is too dear, and the further ones."""
    return [*first_affordable(), *further()]


def cheapest(total: int, of_each: int) -> list[str]:
    """So many of the first and further tasks, among them so many of each family."""
    known = set(all_tasks())
    chosen = [
        name
        for family in tasks.family_names()
        for name in [task for task in by_cost(family) if task in known][:of_each]
    ]
    others = sorted(known - set(chosen), key=lambda name: (seconds_per_step(name), name))
    return chosen + others[: total - len(chosen)]


def cheap_half() -> list[str]:
    """The cheaper half of the first and further tasks."""
    chosen = sorted(all_tasks(), key=seconds_per_step)
    return chosen[: len(chosen) // 2]


def some() -> list[str]:
    """208 cheap tasks, for what not all are measured with."""
    return cheapest(208, of_each=10)


def without(stage: str, names: list[str]) -> list[str]:
    """What an earlier collection does not hold."""
    known = set(measured(stage))
    return [name for name in names if name not in known]


def for_finalists() -> list[str]:
    """The eight cheapest tasks of each family; of the hand-designed ones also eight networks."""
    return [
        task
        for family in tasks.family_names()
        for task in by_cost(family)[: 16 if family == "fixed" else 8]
    ]


def refined(name: str, steps: int, tasks: Callable[[], list[Any]]) -> Stage:
    """A collection of what `refine.py` proposed."""
    proposals = HyperparameterList.load(str(HERE / "refined" / f"{name}.json"))
    return Stage("nadamw", len(proposals), steps, tasks, {"configurations": proposals})


FEW = {"evaluations": 8}
"""Half as many points as elsewhere, each on more examples: less noise, and half the bytes."""

STAGES = {
    FIRST: Stage("nadamw", 32, 200, first),
    "nadamw-32-127-200": Stage("nadamw", 96, 200, first_affordable, {"configuration_seed": 32}),
    "nadamw-0-127-200": Stage("nadamw", 128, 200, further),
    "refined/nadamw-1-200": refined("nadamw-1", 200, all_tasks),
    "adam1p-grid-200": Stage(
        "adam1p", 17, 200, all_tasks, {"configurations": spaces.half_orders()}
    ),
    "modern/nadamw-0-127-400": Stage("nadamw", 128, 400, modern_problems.tasks),
    "refined/nadamw-1-400-modern": refined("nadamw-1", 400, modern_problems.tasks),
    "refined/nadamw-2-200": refined("nadamw-2", 200, lambda: measured("refined/nadamw-1-200")),
    "refined/nadamw-2-400-modern": refined("nadamw-2", 400, modern_problems.tasks),
    "refined/finalists-1-1000": refined("finalists-1", 1000, for_finalists),
    "refined/finalists-1-1200-modern": refined("finalists-1", 1200, modern_problems.tasks),
    "nadamw-0-31-1000": Stage("nadamw", 32, 1000, some),
    "nadamw-128-511-200": Stage("nadamw", 384, 200, cheap_half, {"configuration_seed": 128, **FEW}),
    "adam8p-0-31-200": Stage("adam8p", 32, 200, lambda: measured("adam8p-0-31-200")),
    "adam8p-32-127-200": Stage(
        "adam8p", 96, 200, lambda: measured("adam8p-0-31-200"), {"configuration_seed": 32, **FEW}
    ),
    "adam8p-0-127-200": Stage("adam8p", 128, 200, lambda: without("adam8p-0-31-200", some()), FEW),
    "adam6p-0-127-200": Stage("adam6p", 128, 200, some, FEW),
    "adam4p-0-127-200": Stage("adam4p", 128, 200, some, FEW),
    "adam1p-0-49-200": Stage("adam1p", 50, 200, all_tasks, FEW),
    "nadamw-0-31-10000": Stage("nadamw", 32, 10_000, lambda: cheapest(65, of_each=3)),
    "nadamw-0-31-200-seed-1": Stage("nadamw", 32, 200, first_affordable, {"seeds": [1]}),
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
        stage, out = STAGES[name], place(name)
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
