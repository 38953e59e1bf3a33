"""Running units on processes of this machine, a Dask cluster, or Ray."""

import contextlib
import functools
import importlib.util
import numbers
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from keras_hplist.checks import checked_name
from keras_hplist.errors import InvalidValueError, MissingExtraError
from keras_hplist.training import clusters
from keras_hplist.training.calls import (
    Packet,
    Parallel,
    WorkerDied,
    call,
    one_core,
    pack,
    worker_died,
)

ENGINES = ("loky", "dask", "ray")


class Unit(Protocol):
    """A piece of work, told from others by its key."""

    @property
    def key(self) -> str:
        """Unique among the units of a run."""


U = TypeVar("U", bound=Unit)


def check(engine: str, n_jobs: int) -> None:
    """Refuse an engine that is not there.

    Raises:
        UnknownNameError: if there is no such engine.
        MissingExtraError: if its package is not installed.
        InvalidValueError: if `n_jobs` is 0.
    """
    checked_name("engine", engine, ENGINES)
    package = {"dask": "distributed"}.get(engine, engine)
    if engine != "loky" and importlib.util.find_spec(package) is None:
        raise MissingExtraError(package, engine, f"engine={engine!r}")
    if not isinstance(n_jobs, numbers.Integral) or n_jobs == 0:
        raise InvalidValueError(
            f"n_jobs must be a number of processes, or -1 for one per core; got {n_jobs!r}."
        )


def run(
    engine: str, n_jobs: int, function: Callable[[U], Any], units: Iterable[U]
) -> Iterator[tuple[U, Any]]:
    """Call a function for each unit in worker processes.

    If a worker dies, the units in flight are run again one at a time, so that the one that kills
    its worker is told from those that were beside it.

    Args:
        engine: "loky", "dask" or "ray".
        n_jobs: number of units worked on at once; -1 for one per core, of this machine or of the
            cluster, whose cores are the most.
        function: of one unit; returns errors instead of raising them.
        units: drawn from only when a worker is free; each is all that is sent for it.

    Yields:
        Each unit with what its function returned, or with a `NoResult`, in the order in which they
        finish.
    """
    source = iter(units)
    in_flight: dict[str, U] = {}

    def drawn() -> Iterator[Packet]:
        for unit in source:
            in_flight[unit.key] = unit
            yield unit.key, pack(function, unit)

    opened = {"loky": _loky, "dask": clusters.dask, "ray": clusters.ray}[engine](n_jobs)
    with opened as parallel:
        while True:
            try:
                for key, result in parallel(drawn()):
                    yield in_flight.pop(key), result
                return
            except WorkerDied:
                suspects = list(in_flight.values())
                in_flight.clear()
            for unit in suspects:
                try:
                    for _, result in parallel([(unit.key, pack(function, unit))]):
                        yield unit, result
                except WorkerDied as death:
                    yield unit, death


@contextlib.contextmanager
def _loky(n_jobs: int) -> Iterator[Parallel]:
    """Processes of this machine, replaced when they die and kept for the next run."""
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool

    def parallel(packets: Iterable[Packet]) -> Iterator[tuple[str, Any]]:
        at_once = joblib.effective_n_jobs(n_jobs)
        # With one process joblib would work in this one, which a killing unit would take along.
        calls = joblib.Parallel(
            max(at_once, 2), batch_size=1, pre_dispatch=at_once, return_as="generator_unordered"
        )
        child_call = functools.partial(joblib.delayed(_child_call), os.getpid())
        try:
            yield from calls(child_call(*packet) for packet in packets)
        except BrokenProcessPool as death:
            raise worker_died(death) from death

    # Workers are replaced once they have grown by 300 MB, with a warning about leaks.
    with joblib.parallel_config("loky", inner_max_num_threads=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped while some jobs")
        yield parallel


def _child_call(starter: int, key: str, packed: bytes) -> tuple[str, Any]:
    os.environ.update(one_core())
    end_with_parent(starter)
    return call(key, packed)


@functools.cache
def end_with_parent(starter: int | None = None) -> None:
    """End this process when the one that started it is gone: nobody would take its results.

    Args:
        starter: its number, for it may be gone already; None: the parent of this process.
    """
    parent = os.getppid() if starter is None else starter

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
