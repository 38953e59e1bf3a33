"""The columns of a history, what may be missing, and the check of single records."""

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from keras_hplist.errors import InvalidValueError
from keras_hplist.spaces import configuration_id

SPLITS = ("train", "valid", "test")
"""The splits of the data on which a loss may be measured."""

STATUSES = ("ok", "diverged", "pruned", "failed")
"""How a run ended. `ok`: as planned, or stopped because it would not get better; `diverged`: its
loss left the finite numbers; `pruned`: stopped from outside, its later losses are not known;
`failed`: it crashed and says nothing about its configuration."""

LAST_STEP = 2**31 - 1
"""The largest step that a history holds."""

STEP_LIMIT = f"a history holds steps up to {LAST_STEP}. Count in larger units, such as epochs."
"""What the messages on larger steps end with."""

KEY = ("task", "configuration", "seed", "training_steps")
"""The columns that tell one run from another."""

SCHEMA = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("family", pa.string()),
        pa.field("configuration", pa.string(), nullable=False),
        pa.field("space", pa.string(), nullable=False),
        pa.field("values", pa.string(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("training_steps", pa.int32(), nullable=False),
        pa.field("batch_size", pa.int32()),
        pa.field("steps", pa.list_(pa.int32()), nullable=False),
        pa.field("train", pa.list_(pa.float32())),
        pa.field("valid", pa.list_(pa.float32())),
        pa.field("test", pa.list_(pa.float32())),
        pa.field("status", pa.string(), nullable=False),
        pa.field("seconds", pa.float64()),
        pa.field("num_parameters", pa.int64()),
        pa.field("source", pa.string()),
        pa.field("versions", pa.string()),
    ]
)
"""One row per run. `values` and `versions` are JSON text, `steps` counts optimizer updates and
increases, the splits hold the loss at these steps (NaN: not measured there, or diverged; null: the
split was never measured), `seconds` is the wall time of the run."""


def complete_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with every column, checked.

    Args:
        record: a mapping with `task`, either `values` (mapping or JSON text) or `configuration`,
            and any other column of `SCHEMA`. None and NaN, which pandas has in empty cells, are
            missing.

    Returns:
        The record with what was missing filled in: `space` "custom", `values` {}, `configuration`
        the id of space and values, `seed` 0, `steps` empty, `training_steps` the last step,
        `status` "diverged" where a curve ends in a number that is not finite and "ok" elsewhere,
        None for the rest.

    Raises:
        InvalidValueError: naming the task and the column.
    """
    unknown = [key for key in record if key not in SCHEMA.names]
    if unknown:
        close = difflib.get_close_matches(str(unknown[0]), SCHEMA.names, n=1)
        raise InvalidValueError(
            f"A history has no column {unknown[0]!r}."
            + (f" Did you mean {close[0]!r}?" if close else f" Columns: {', '.join(SCHEMA.names)}.")
        )
    record = {name: None if _is_nan(value) else value for name, value in record.items()}
    task = record.get("task")
    if not isinstance(task, str) or not task:
        raise InvalidValueError(f"column 'task' is {task!r}; every run needs the name of its task.")
    if record.get("values") is None and record.get("configuration") is None:
        raise InvalidValueError(f"task {task!r}: give 'values' or 'configuration' for every run.")
    space = record.get("space") or "custom"
    values = _values(record.get("values"), task)
    steps = _steps(record.get("steps"), task)
    curves = {split: _curve(record.get(split), steps, task, split) for split in SPLITS}
    training_steps = record.get("training_steps")
    if training_steps is None:
        training_steps = int(steps[-1]) if len(steps) else 0
    status = record.get("status") or _status(curves)
    if status not in STATUSES:
        raise InvalidValueError(
            f"task {task!r}: status is {status!r}; allowed: {', '.join(STATUSES)}."
        )
    versions = record.get("versions")
    return {
        **dict.fromkeys(SCHEMA.names),
        **record,
        **curves,
        "space": space,
        "values": _json(values, task),
        "configuration": record.get("configuration") or configuration_id(space, values),
        "seed": _seed(record.get("seed"), task),
        "training_steps": training_steps,
        "steps": steps,
        "status": status,
        "versions": json.dumps(versions, sort_keys=True)
        if isinstance(versions, Mapping)
        else versions,
    }


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and math.isnan(value)


def _seed(seed: Any, task: str) -> Any:
    if isinstance(seed, int) and not -(2**63) <= seed < 2**63:
        raise InvalidValueError(
            f"task {task!r}: seed is {seed}; a history holds seeds below 2**63. Number repeated "
            "runs 0, 1, 2, … instead, as readers do that are given no seed."
        )
    return 0 if seed is None else seed


def _values(values: Any, task: str) -> dict[str, Any]:
    if isinstance(values, str):
        try:
            values = json.loads(values)
        except ValueError as error:
            raise InvalidValueError(
                f"task {task!r}: 'values' is not JSON text ({error}): {values!r}"
            ) from error
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise InvalidValueError(
            f"task {task!r}: 'values' is {values!r}; give a mapping of hyperparameter to value."
        )
    values = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in values.items()
    }
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidValueError(
                f"task {task!r}: hyperparameter {name!r} is {value}; values must be finite."
            )
    return values


def _json(values: Mapping[str, Any], task: str) -> str:
    try:
        return json.dumps(values, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(
            f"task {task!r}: 'values' is {values!r}; its values must be numbers, texts or flags "
            f"({error})."
        ) from error


def _steps(steps: Sequence[int] | None, task: str) -> np.ndarray:
    array = np.asarray([] if steps is None else steps)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.number)):
        raise InvalidValueError(f"task {task!r}: 'steps' must be a flat sequence of integers.")
    if array.size and array.max() > LAST_STEP:
        raise InvalidValueError(f"task {task!r}: 'steps' go up to {array.max()}; {STEP_LIMIT}")
    whole = array.astype(np.int32)
    if not np.array_equal(whole, array) or (whole < 0).any() or (np.diff(whole) <= 0).any():
        raise InvalidValueError(
            f"task {task!r}: 'steps' must be whole numbers from 0 that increase; got {array}."
        )
    return whole


def _curve(
    losses: Sequence[float | None] | None, steps: np.ndarray, task: str, split: str
) -> np.ndarray | None:
    if losses is None:
        return None
    with np.errstate(over="ignore"):  # beyond float32 is +inf
        curve = np.asarray(losses, dtype=np.float32)  # None becomes NaN
    if curve.shape != steps.shape:
        raise InvalidValueError(
            f"task {task!r}: {split!r} has {curve.size} losses for {steps.size} steps."
        )
    return curve


def _status(curves: Mapping[str, np.ndarray | None]) -> str:
    measured = [curve for curve in curves.values() if curve is not None and curve.size]
    return "ok" if all(np.isfinite(curve[-1]) for curve in measured) else "diverged"
