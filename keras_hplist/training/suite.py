"""Checking and measuring the tasks of the suite, each in a worker process."""

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from keras_hplist import __version__, tasks
from keras_hplist.tasks import Facts
from keras_hplist.tasks.measurements import Table
from keras_hplist.training import engines


@dataclass
class Measured:
    """What `measure` found.

    Attributes:
        table: the facts of all tasks that passed, here or before, in the order of the suite.
        failed: by name of a task, what is wrong with it.
    """

    table: Table
    failed: dict[str, str] = field(default_factory=dict)


def measure(
    names: Iterable[str],
    *,
    n_jobs: int = -1,
    table: Table | None = None,
    on_result: Callable[[str, Facts | str, Table], None] | None = None,
) -> Measured:
    """Build tasks, train each for three steps with Adam, check and measure them.

    Args:
        names: of tasks.
        n_jobs: number of processes; -1 for one per core.
        table: facts found before; what it has is not measured again.
        on_result: called after each task with its name, its facts or what is wrong with it, and the
            table so far.

    Returns:
        The table, with what was given, and the failures.

    Raises:
        InvalidValueError: if `n_jobs` is 0.
    """
    engines.check("loky", n_jobs)
    found = Measured(table or Table.of({}, __version__))
    # Together what shares data: a worker keeps a few data sets at a time.
    todo = sorted(set(names) - set(found.table.facts), key=lambda name: (_data_set(name), name))
    for unit, result in engines.run("loky", n_jobs, _check, map(_Named, todo)):
        if isinstance(result, Facts):
            found.table = Table.of(_ordered({**found.table.facts, unit.key: result}), __version__)
        else:
            result = found.failed[unit.key] = str(result)
        if on_result is not None:
            on_result(unit.key, result, found.table)
    return found


@dataclass(frozen=True)
class _Named:
    """A unit of work: the task of this name."""

    key: str


def _check(unit: _Named) -> Facts | str:
    """What a worker does; an error becomes its text."""
    try:
        from keras_hplist.tasks import checking  # noqa: F401

        # What is loaded stays: searching it for garbage would take half a second for each task.
        gc.freeze()
        return tasks.check(unit.key)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _data_set(name: str) -> str:
    facts = tasks.facts().get(name)
    return facts.data_set if facts else ""


def _ordered(facts: dict[str, Facts]) -> dict[str, Facts]:
    """In the order of the suite, other tasks last."""
    places = {name: i for i, name in enumerate(tasks.names())}
    return dict(sorted(facts.items(), key=lambda item: (places.get(item[0], len(places)), item[0])))
