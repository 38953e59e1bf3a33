"""Running units on joblib: processes of this machine, a Dask cluster, or Ray."""

import contextlib
import functools
import importlib.util
import itertools
import numbers
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from keras_hplist.checks import checked_name
from keras_hplist.errors import InvalidValueError, MissingExtraError

ENGINES = ("loky", "dask", "ray")


class Unit(Protocol):
    """A piece of work, told from others by its key."""

    @property
    def key(self) -> str:
        """Unique among the units of a run."""


U = TypeVar("U", bound=Unit)


class WorkerDied(RuntimeError):
    """The process that worked on a unit was killed or crashed."""


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
        n_jobs: number of processes; -1 for one per core. A Dask cluster has its own number.
        function: of one unit; returns errors instead of raising them.
        units: drawn from only when a worker is free, except by "ray", which takes rounds of four
            units per process.

    Yields:
        Each unit with what its function returned, or with a `WorkerDied`, in the order in which
        they finish.
    """
    source = iter(units)
    in_flight: dict[str, U] = {}

    def drawn() -> Iterator[U]:
        for unit in source:
            in_flight[unit.key] = unit
            yield unit

    with _backend(engine):
        while True:
            try:
                for unit, result in _parallel(engine, n_jobs, function, drawn()):
                    del in_flight[unit.key]
                    yield unit, result
                return
            except _deaths():
                suspects = list(in_flight.values())
                in_flight.clear()
            for unit in suspects:
                try:
                    yield from _parallel(engine, 1, function, [unit])
                except _deaths() as death:
                    yield (
                        unit,
                        WorkerDied(
                            "The worker process died, perhaps killed for want of memory "
                            f"({type(death).__name__})."
                        ),
                    )


def _parallel(
    engine: str, n_jobs: int, function: Callable[[U], Any], units: Iterable[U]
) -> Iterator[tuple[U, Any]]:
    import joblib

    # Workers of the other engines are started by these, perhaps on other machines.
    starter = os.getpid() if engine == "loky" else None
    call = functools.partial(joblib.delayed(_with_unit), starter)
    at_once = joblib.effective_n_jobs(n_jobs)
    # With one process joblib would work in this one, which a killing unit would take along.
    processes = max(at_once, 2)
    if engine == "ray":  # its backend returns lists only
        source = iter(units)
        while batch := list(itertools.islice(source, 4 * at_once)):
            yield from joblib.Parallel(processes, batch_size=1)(call(function, u) for u in batch)
        return
    yield from joblib.Parallel(
        processes, batch_size=1, pre_dispatch=at_once, return_as="generator_unordered"
    )(call(function, unit) for unit in units)


def _with_unit(starter: int | None, function: Callable[[U], Any], unit: U) -> tuple[U, Any]:
    # One core for each process: read by TensorFlow when it starts.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    end_with_parent(starter)
    return unit, function(unit)


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


@contextlib.contextmanager
def _backend(engine: str) -> Iterator[None]:
    import joblib

    with contextlib.ExitStack() as stack:
        if engine == "loky":
            stack.enter_context(joblib.parallel_config("loky", inner_max_num_threads=1))
            # Workers are replaced once they have grown by 300 MB, with a warning about leaks.
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "A worker stopped while some jobs")
        elif engine == "dask":
            import distributed

            try:
                client = distributed.get_client()
            except ValueError:
                client = stack.enter_context(distributed.Client(threads_per_worker=1))
            stack.enter_context(joblib.parallel_config("dask", client=client))
        else:
            from ray.util.joblib import register_ray

            register_ray()
            stack.enter_context(joblib.parallel_config("ray"))
        yield


def _deaths() -> tuple[type[BaseException], ...]:
    """What the engines raise when a worker has died."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    deaths: list[type[BaseException]] = [BrokenProcessPool]
    if importlib.util.find_spec("distributed"):
        from distributed.scheduler import KilledWorker

        deaths.append(KilledWorker)
    if importlib.util.find_spec("ray"):
        from ray.exceptions import RayError

        deaths.append(RayError)
    return tuple(deaths)
