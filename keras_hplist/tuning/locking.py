"""KerasTuner's lock on an oracle, given back also when the guarded method raises."""

import functools
from collections.abc import Callable
from typing import Any

import keras_tuner


def synchronized(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let one thread at a time into the methods of an oracle.

    `keras_tuner.synchronized` (1.4.8) does not release its lock when the method raises, and every
    later call on the oracle then waits for ever. Here the error is caught while the lock is held
    and raised again after it was released. It is the same lock, so the chief's own look at the
    oracle and the methods of subclasses exclude each other as KerasTuner means them to; a method
    may call another guarded one of the same oracle.

    Args:
        method: a method of a `keras_tuner.Oracle`.

    Returns:
        The method, guarded.
    """

    @keras_tuner.synchronized
    def attempt(oracle: keras_tuner.Oracle, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        try:
            return method(oracle, *args, **kwargs), None
        except BaseException as error:  # whatever it is, it is raised below, unlocked
            return None, error

    @functools.wraps(method)
    def locked(oracle: keras_tuner.Oracle, *args: Any, **kwargs: Any) -> Any:
        result, error = attempt(oracle, *args, **kwargs)
        if error is not None:
            raise error
        return result

    return locked
