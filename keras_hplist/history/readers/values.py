"""What tools write for hyperparameters, states and metrics, in the words of a history."""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from keras_hplist.errors import FileFormatError, InvalidValueError

STATES = {
    **dict.fromkeys(("ok", "complete", "completed", "finished", "success", "terminated"), "ok"),
    **dict.fromkeys(("pruned", "killed", "stopped", "paused"), "pruned"),
    **dict.fromkeys(("failed", "fail", "failure", "error", "crashed"), "failed"),
    **dict.fromkeys(
        ("running", "waiting", "pending", "scheduled", "queued", "preempting", "preempted"),
        "unfinished",
    ),
    "diverged": "diverged",
}
"""What tools call the state of a run, in lower case, and the state of a `Trial` it stands for."""

_NOT_FINITE = {
    **dict.fromkeys(("null", "nan", "NaN"), math.nan),
    **dict.fromkeys(("inf", "Infinity"), math.inf),
    **dict.fromkeys(("-inf", "-Infinity"), -math.inf),
}

_MINIMIZED = {
    *("loss", "error", "err", "mse", "mae", "rmse", "mape", "msle", "nll", "crossentropy"),
    *("logloss", "perplexity", "ppl", "wer", "cer", "divergence", "regret", "cost"),
}
_MAXIMIZED = {
    *("acc", "accuracy", "auc", "auroc", "f1", "precision", "recall", "r2", "score", "reward"),
    *("iou", "dice", "bleu", "rouge", "map", "ssim", "psnr", "ndcg"),
}


def plain_values(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Hyperparameter values as plain bool, int, float, str or None.

    Args:
        values: name to value. A nested mapping is flattened, `{"opt": {"lr": 1}}` to
            `{"opt/lr": 1}`; lists become JSON text; NumPy scalars and decimals Python's numbers;
            other objects text.
        prefix: put before every name.
    """
    plain: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, Mapping):
            plain |= plain_values(value, f"{prefix}{name}/")
        elif isinstance(value, Decimal):
            whole = value.as_tuple().exponent == 0
            plain[f"{prefix}{name}"] = int(value) if whole else float(value)
        elif isinstance(value, list | tuple):
            plain[f"{prefix}{name}"] = json.dumps(value, default=str)
        elif value is None or isinstance(value, bool | int | float | str):
            plain[f"{prefix}{name}"] = value
        else:
            plain[f"{prefix}{name}"] = str(value)
    return plain


def parse_value(text: str) -> Any:
    """The value that a tool wrote as text: bool, int, float, None, or the text itself.

    `nan` and `inf` are numbers, which Python writes so; digits too large for one, such as
    `12e4567`, which may be a commit, stay text.
    """
    words = {"True": True, "true": True, "False": False, "false": False, "None": None}
    if text in words:
        return words[text]
    for number in (int, float):
        try:
            value = number(text)
            if math.isfinite(value) or not re.search(r"\d", text):
                return value
        except (ValueError, OverflowError):
            continue
    return text


def number_in(value: Any) -> float | None:
    """The number that a tool wrote as JSON; None if it is none.

    JSON has no NaN and no infinity: Ray Tune and Weights & Biases write them as texts, the former
    NaN as "null".
    """
    if isinstance(value, str):
        return _NOT_FINITE.get(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def state_in(status: Any, place: str) -> str:
    """The state of a `Trial` that a tool's word stands for.

    Raises:
        FileFormatError: naming the place, if it is none of `STATES`.
    """
    state = STATES.get(str(status).lower())
    if state is None:
        raise FileFormatError(
            f"{place}: the status {status!r} is unknown; allowed: {', '.join(STATES)}."
        )
    return state


def direction_of(metric: str) -> Literal["min", "max"]:
    """Whether a metric is minimised or maximised, told from the words of its name.

    Raises:
        InvalidValueError: if the name does not tell.
    """
    words = set(re.findall(r"[a-z]+\d*", metric.lower()))
    down, up = words & _MINIMIZED, words & _MAXIMIZED
    if bool(down) == bool(up):
        raise InvalidValueError(
            f"The name of the metric {metric!r} does not tell whether it is minimised or "
            "maximised; give direction='min' or direction='max'."
        )
    return "min" if down else "max"
