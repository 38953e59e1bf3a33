"""Collect a history: tasks × configurations × seeds, on all cores or a cluster, resumable."""

import errno
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from keras_hplist import spaces
from keras_hplist.checks import checked_count, checked_text
from keras_hplist.errors import InvalidValueError
from keras_hplist.files import checked_folder
from keras_hplist.training import engines, plan, timing
from keras_hplist.training.backend import check_backend
from keras_hplist.training.calls import NoResult, check_packable
from keras_hplist.training.folder import Folder, Place
from keras_hplist.training.population import (
    MEMORY,
    check_memory,
    resolve_configurations,
    resolve_task,
)
from keras_hplist.training.progress import Progress
from keras_hplist.training.user_task import KerasTask
from keras_hplist.training.worker import Result, Work, train

if TYPE_CHECKING:
    from keras_hplist.spaces import SearchSpace


@dataclass
class Summary:
    """What a call of `collect` did.

    Attributes:
        done: units finished in this call.
        already_done: units found on disk.
        failed: by "task (key)", the last line of the error, of this call and earlier ones.
        left_out: tasks for which the budget did not suffice, with the number of their units.
        curves: curves written in this call.
        families: units finished in this call, by family.
        seconds: wall time.
        rate: configuration-steps per second of wall time, as planned (a diverged one counts whole).
    """

    done: int = 0
    already_done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    curves: int = 0
    families: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    rate: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form."""
        return asdict(self)


def collect(
    tasks: Iterable[Any],
    space: "str | SearchSpace",
    n_configurations: int,
    training_steps: int,
    out: Place,
    engine: str = "loky",
    *,
    seeds: Sequence[int] = (0,),
    configuration_seed: int = 0,
    configurations: Any = None,
    evaluations: int | Sequence[int] = timing.POINTS,
    n_jobs: int = -1,
    budget: float | str | None = None,
    per_family: bool = True,
    retry_failed: bool = False,
    memory: float = MEMORY,
    progress: bool = True,
) -> Summary:
    """Train the first configurations of a search space on many tasks and store the curves.

    May be stopped or killed at any moment and called again with the same arguments: what is on disk
    is not done again. Tasks and seeds may be added in a later call on the same folder; one
    `KerasTask` of the name of another, which has other data, another batch size, loss or number of
    parameters, is refused. A file of curves that is empty or cut off is set aside with a warning,
    and its units run again.

    Args:
        tasks: names of tasks of the suite, tasks, or `KerasTask`s.
        space: a published search space, or its name.
        n_configurations: how many.
        training_steps: optimizer updates of each run.
        out: the folder; `keras_hplist.History.read(out)` reads it.
        engine: "loky": processes of this machine; "dask": the current `distributed.Client`, or a
            local cluster; "ray".
        seeds: every configuration is trained once with each.
        configuration_seed: where `configurations` are not given, they are those of
            `space.sample(n_configurations, configuration_seed)`.
        configurations: the first `n_configurations` of these are trained; as `train_population`
            takes them.
        evaluations: number of points, denser early; or the steps themselves.
        n_jobs: number of processes; -1 for one per core. On a cluster, at most its cores.
        budget: wall time in seconds, or as "30m", "2h", "1d". Cheap units come first, and a unit
            starts only if it is expected to end in time.
        per_family: with a budget, give each family the same share of it.
        retry_failed: run again what failed in an earlier call.
        memory: bound of one process in bytes.
        progress: show progress on a terminal, or log it to "keras_hplist.collect".

    Returns:
        A `Summary`.

    Raises:
        UnknownNameError: if there is no such search space or engine.
        MissingExtraError: if the engine's package is not installed.
        InvalidValueError: if a number is not allowed, no task is given or two have one name, a name
            or family is no text, the space has no optimizer, there are too few `configurations`,
            Keras's backend is not TensorFlow, or the folder holds another collection or curves of
            another task of one name, is being written by another process, or cannot be a folder; or
            a task cannot be pickled.
        OSError: if the disk is full; what was written before stays.
        TimeoutError: if a Dask cluster has no worker for 5 minutes.
    """
    began = time.monotonic()
    folder = Folder(checked_folder(out))
    engines.check(engine, n_jobs)
    training_steps = checked_count("training_steps", training_steps, 1)
    steps = timing.evaluation_steps(training_steps, evaluations).tolist()
    budget_seconds = plan.parse_budget(budget)
    check_memory(memory)
    chosen = spaces.get(space)
    values, origin = _configurations(chosen, n_configurations, configuration_seed, configurations)
    if isinstance(tasks, str) or not isinstance(tasks, Iterable):
        raise InvalidValueError(f"tasks is {tasks!r}; give several, such as a list: [{tasks!r}].")
    given = list(tasks)
    resolved = [resolve_task(task) for task in given]
    _check_tasks(resolved)
    settings = {
        "space": chosen.name,
        "n_configurations": len(values),
        **origin,
        "training_steps": training_steps,
        "evaluations": steps,
    }
    if not isinstance(seeds, Iterable):
        raise InvalidValueError(f"seeds is {seeds!r}; give each of them, such as (0, 1).")
    seeds = [checked_count("each of seeds", seed) for seed in seeds]
    if len(set(seeds)) < max(len(seeds), 1):
        raise InvalidValueError(f"seeds are {seeds}; give at least one, and each once.")
    sent = {t.name: t for t, g in zip(resolved, given) if not isinstance(g, str)}
    for name, task in sent.items():
        check_packable(f"Task {name!r}", task)
    check_backend()  # now, not in every unit: what has failed is not run again
    with folder.alone():
        units = plan.make_units(resolved, values, seeds, settings, memory)
        own = {task.name: task.traits for task in resolved if isinstance(task, KerasTask)}
        folder.open(settings, units, own)
        folder.set_damaged_aside()
        summary = Summary()
        waiting = _waiting(folder, units, retry_failed, summary)
        left_out: list[plan.Unit] = []
        estimate = plan.Estimate()
        ordered: Iterable[plan.Unit] = plan.longest_first(waiting)
        if budget_seconds is not None:
            end = began + budget_seconds
            cheapest = plan.cheapest_first(waiting, per_family)
            ordered = plan.within(cheapest, lambda: end - time.monotonic(), estimate, left_out)
        families: Counter[str] = Counter()
        with Progress(waiting, training_steps, progress) as shown:
            works = (
                Work(
                    unit,
                    sent.get(unit.task, unit.task),
                    chosen.name,
                    training_steps,
                    tuple(steps),
                    memory,
                )
                for unit in ordered
            )
            for work, result in engines.run(engine, n_jobs, train, works):
                unit = work.unit
                _store(folder, unit, result, summary)
                if isinstance(result, Result) and not result.error:
                    estimate.learn(unit, result.seconds)
                    families[unit.family] += 1
                shown.advance(unit)
    summary.left_out = dict(Counter(unit.task for unit in left_out))
    summary.families = dict(families)
    summary.seconds = time.monotonic() - began
    summary.rate = summary.curves * training_steps / max(summary.seconds, 1e-9)
    return summary


def _waiting(
    folder: Folder, units: Sequence[plan.Unit], retry_failed: bool, summary: Summary
) -> list[plan.Unit]:
    """The units that are to be done; the summary notes what was done, and what failed, before."""
    done, failures = folder.done(), folder.failures()
    missing = [unit for unit in units if unit.key not in done]
    summary.already_done = len(units) - len(missing)
    if retry_failed:
        return missing
    failed = [unit for unit in missing if unit.key in failures]
    summary.failed |= {_label(u): _last_line(failures[u.key]["error"]) for u in failed}
    return [unit for unit in missing if unit.key not in failures]


def _configurations(
    space: "SearchSpace", count: int, seed: int, given: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The values of the configurations, and what tells them from those of other collections."""
    count = checked_count("n_configurations", count, 1)
    if given is None:
        sample = space.sample(count, seed)
        return resolve_configurations(sample, space)[1], {"configuration_seed": int(seed)}
    values = resolve_configurations(given, space)[1]
    count = checked_count("n_configurations", count, 1, len(values))
    return values[:count], {"configurations": plan.digest(values[:count])}


def _store(folder: Folder, unit: plan.Unit, result: Any, summary: Summary) -> None:
    """Write a unit's curves or its error.

    Raises:
        OSError: if neither can be written; says what to do.
    """
    error = str(result) if isinstance(result, NoResult) else result.error
    try:
        if error:
            folder.write_failure(unit, error)
            summary.failed[_label(unit)] = _last_line(error)
        else:
            folder.write(unit, result.records)
            summary.done += 1
            summary.curves += len(result.records)
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            problem.errno,
            f"The disk of {folder.path} is full. What was written before is whole; make room and "
            "call collect again with the same arguments to go on",
        ) from problem


def _check_tasks(tasks: Sequence[Any]) -> None:
    if not tasks:
        raise InvalidValueError("There are no tasks; give at least one name.")
    for place, task in enumerate(tasks):
        if not hasattr(task, "name"):
            raise InvalidValueError(
                f"tasks[{place}] is {task!r}; give the name of a task of the suite, or a KerasTask."
            )
        checked_text(f"The name of tasks[{place}]", task.name)
        checked_text(f"The family of task {task.name!r}", getattr(task, "family", None))
    counts = Counter(task.name for task in tasks)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise InvalidValueError(
            f"Task {twice[0]!r} is given {counts[twice[0]]} times; name each task once."
        )


def _label(unit: plan.Unit) -> str:
    return f"{unit.task} ({unit.key})"


def _last_line(error: str) -> str:
    return error.strip().splitlines()[-1]
