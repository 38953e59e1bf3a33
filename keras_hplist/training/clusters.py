"""Calls on a Dask cluster or on Ray."""

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from keras_hplist.training.calls import Packet, Parallel, call, no_result, one_core, worker_died


@dataclass(frozen=True)
class _Cluster:
    """What the loop needs of a cluster.

    Attributes:
        cores: how many units it can work on at once now.
        submit: begins `call` with these arguments, and returns what stands for its result.
        first: of several results, those that are there, at least one; waits for it.
        result: what was returned, or raises what happened.
        cancel: gives up a result.
        deaths: what `result` raises if a worker died.
    """

    cores: Callable[[], int]
    submit: Callable[[str, bytes], Any]
    first: Callable[[list[Any]], Iterable[Any]]
    result: Callable[[Any], tuple[str, Any]]
    cancel: Callable[[Any], Any]
    deaths: tuple[type[Exception], ...]


def _wanted(n_jobs: int, cores: int) -> int:
    """How many units are worked on at once: -1 is one for each core, -2 leaves one core free."""
    return n_jobs if n_jobs > 0 else max(cores + 1 + n_jobs, 1)


def _calls(cluster: _Cluster, n_jobs: int, packets: Iterable[Packet]) -> Iterator[tuple[str, Any]]:
    waiting = iter(packets)
    in_flight: dict[Any, str] = {}
    death: Exception | None = None

    def room() -> bool:
        cores = max(cluster.cores(), 1)
        return death is None and len(in_flight) < min(_wanted(n_jobs, cores), cores)

    try:
        while True:
            while room() and (packet := next(waiting, None)):
                in_flight[cluster.submit(*packet)] = packet[0]
            if not in_flight:
                break
            for future in cluster.first(list(in_flight)):
                key = in_flight.pop(future)
                try:
                    result = cluster.result(future)
                except cluster.deaths as error:
                    death = error  # what is beside it may yet end well
                except Exception as error:
                    yield key, no_result("The cluster gave no result", error)
                else:
                    yield result
    finally:
        for future in in_flight:
            cluster.cancel(future)
    if death is not None:
        raise worker_died(death) from death


WORKERLESS = 300
"""Seconds after which a Dask cluster without any worker is given up."""


@contextlib.contextmanager
def dask(n_jobs: int) -> Iterator[Parallel]:
    """The cluster of the current client, or a local one, which ends with the context.

    Raises:
        TimeoutError: if the cluster has no worker for long; without one Dask would wait for ever.
    """
    import distributed
    from distributed.scheduler import KilledWorker

    def first(futures: list[Any]) -> Iterable[Any]:
        while True:
            client.wait_for_workers(1, timeout=WORKERLESS)
            with contextlib.suppress(TimeoutError):
                return distributed.wait(futures, timeout=60, return_when="FIRST_COMPLETED").done

    with contextlib.ExitStack() as stack:
        try:
            client = distributed.get_client()
        except ValueError:
            client = stack.enter_context(_local_dask(n_jobs))
        # A unit has all its data with it, so that any worker can take it at any time.
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "Sending large graph")
        cluster = _Cluster(
            cores=lambda: sum(client.nthreads().values()),
            submit=lambda *packet: client.submit(call, *packet, pure=False),
            first=first,
            # Dask may wait for ever for a result that was lost with the worker which held it.
            result=lambda future: future.result(timeout=30),
            cancel=lambda future: future.cancel(),
            deaths=(KilledWorker, TimeoutError),
        )
        yield lambda packets: _calls(cluster, n_jobs, packets)


@contextlib.contextmanager
def _local_dask(n_jobs: int) -> Iterator[Any]:
    """A client of processes of this machine."""
    import dask
    import distributed
    import joblib

    settings = {
        "distributed.scheduler.allowed-failures": 0,  # what dies is run again alone by `engines`
        # A worker that is just being restarted then would be dropped.
        "distributed.deploy.lost-worker-timeout": "365d",
    }
    processes = _wanted(n_jobs, joblib.cpu_count())
    with (
        dask.config.set(settings),
        distributed.Client(n_workers=processes, threads_per_worker=1, env=one_core()) as client,
    ):
        yield client


@contextlib.contextmanager
def ray(n_jobs: int) -> Iterator[Parallel]:
    """The cluster that Ray is connected to, or a local one, which ends with the context."""
    import ray
    from ray import exceptions

    with contextlib.ExitStack() as stack:
        if not ray.is_initialized():
            ray.init(runtime_env={"env_vars": one_core()})
            stack.callback(ray.shutdown)
        remote = ray.remote(call).options(num_cpus=1, max_retries=0)
        cluster = _Cluster(
            cores=lambda: int(ray.cluster_resources().get("CPU", 0)),
            submit=remote.remote,
            first=lambda futures: ray.wait(futures)[0],
            result=ray.get,
            cancel=lambda future: ray.cancel(future, force=True),
            deaths=(
                exceptions.WorkerCrashedError,
                exceptions.OutOfMemoryError,
                exceptions.NodeDiedError,
            ),
        )
        yield lambda packets: _calls(cluster, n_jobs, packets)
