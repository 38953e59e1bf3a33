"""A call in a worker process: packed in the calling process, unpacked and made in the worker."""

import os
import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cloudpickle

from keras_hplist.errors import InvalidValueError

Packet = tuple[str, bytes]
"""The key of a unit, and what `pack` made of its call."""

Parallel = Callable[[Iterable[Packet]], Iterator[tuple[str, Any]]]
"""Makes calls in workers, and yields each key with what its function returned, or a `NoResult`.

Draws a packet only when a worker is free. Raises `WorkerDied` where a worker died; the packets that
were drawn and of which nothing was yielded may have had a part in it.
"""


class NoResult(RuntimeError):
    """Why a unit has no result."""


class WorkerDied(NoResult):
    """The process that worked on a unit was killed or crashed."""


def pack(function: Callable[[Any], Any], unit: Any) -> bytes:
    """A call, for `call` in another process; functions of a script or in others go by value."""
    return cloudpickle.dumps((function, unit))


def check_packable(what: str, content: Any) -> None:
    """Refuse what no worker can be sent.

    Raises:
        InvalidValueError: if it cannot be pickled.
    """
    try:
        # Arrays are handed to the callback, and not copied.
        cloudpickle.dumps(content, protocol=5, buffer_callback=lambda _: None)
    except Exception as error:
        raise InvalidValueError(
            f"{what} refers to something that cannot be sent to a worker process "
            f"({type(error).__name__}: {error}). Locks, open files, connections and the like must "
            "be made inside of the functions that use them."
        ) from error


def call(key: str, packed: bytes) -> tuple[str, Any]:
    """What a worker does: call the function, which returns errors instead of raising them."""
    try:
        function, unit = pickle.loads(packed)
    except Exception as error:
        return key, no_result("The worker process could not read what it was sent", error)
    return key, function(unit)


def no_result(what: str, error: Exception) -> NoResult:
    """The traceback of an error, and in the last line what happened."""
    trace = "".join(traceback.format_exception(error))
    sign = next(iter(str(error).splitlines()), "")
    return NoResult(f"{trace}\n{what} ({type(error).__name__}: {sign}).")


def worker_died(error: Exception) -> WorkerDied:
    """By what an engine raises then."""
    sign = type(error).__name__
    return WorkerDied(f"The worker process died, perhaps killed for want of memory ({sign}).")


def one_core() -> dict[str, str]:
    """One core for each process, and no chatter: read by TensorFlow when it starts.

    What the user has set stays.
    """
    variables = {
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return {name: os.environ.get(name, value) for name, value in variables.items()}
