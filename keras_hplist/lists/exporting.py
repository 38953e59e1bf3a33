"""Lists for other tools: the published `opt_list`, KerasTuner, Optuna, and a table."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from keras_hplist.checks import checked_count, checked_name
from keras_hplist.errors import InvalidValueError
from keras_hplist.lists.hyperparameter_list import HyperparameterList, ListLike, checked_list
from keras_hplist.spaces import Hyperparameter
from keras_hplist.spaces.distributions import Fixed, Number, Value

_ON_GRID = 1e-8  # how far from a multiple of its step Optuna lets a value be, in steps


def to_opt_list(hplist: HyperparameterList) -> list[dict[str, Value]]:
    """The configurations as Metz et al. published theirs: `opt_list.json` is this array.

    Args:
        hplist: a list over the space `nadamw`.

    Returns:
        Its entries in order. Written as JSON, `HyperparameterList.from_opt_list` reads them back
        exactly; the format has no place for gains and provenance.

    Raises:
        InvalidValueError: if the list is over another search space.
    """
    if hplist.space.name != "nadamw":
        raise InvalidValueError(
            f"opt_list is a format for configurations of 'nadamw'; list {hplist.name!r} is over "
            f"{hplist.space.name!r}. Export it to csv, keras-tuner or optuna."
        )
    return list(hplist)


def to_keras_tuner(hplist: HyperparameterList) -> list[dict[str, Any]]:
    """The entries as configs of `keras_tuner.HyperParameters`.

    Args:
        hplist: the list.

    Returns:
        For each entry, in order, what `keras_tuner.HyperParameters.from_config` takes: the whole
        search space, and the entry as current values. A hyperparameter that is inactive but has a
        value all the same (a weight decay of 0) is among these too, so that `hp.get(name)` gives
        every value of the entry. KerasTuner's oracles remove it: in a search, read
        `hp.values.get(name, 0.0)`, or `SearchSpace.from_keras_tuner(hp.values)`.

    Raises:
        InvalidValueError: if KerasTuner cannot express an entry, since the space never draws it, or
            the space, since a name has different distributions under different conditions.
    """
    names = [row.name for row in hplist.space.rows]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValueError(
                f"{name!r} has {names.count(name)} distributions under different conditions; "
                "KerasTuner loses the value of such a hyperparameter. Give them different names."
            )
    hyperparameters = hplist.space.hyperparameters()
    configs = []
    for rank, entry in enumerate(hplist):
        try:
            hyperparameters.values = hplist.space.to_keras_tuner(entry) | entry
        except InvalidValueError as error:
            raise InvalidValueError(f"entry {rank}: {error} Leave it out with drop().") from error
        configs.append(hyperparameters.get_config())
    return configs


def to_optuna(hplist: HyperparameterList) -> dict[str, Any]:
    """The entries as parameters for `study.enqueue_trial`, and the distributions to suggest from.

    Args:
        hplist: the list.

    Returns:
        A JSON-able dict:

        - `distributions`: hyperparameter to its distribution, as `distribution_to_json` of Optuna
          writes it; each holds every value that the list has.
        - `conditions`: for a hyperparameter that not every configuration has, the alternatives
          under which to suggest it, each a mapping of other hyperparameters to the values that they
          must have.
        - `notes`: hyperparameters whose scale Optuna does not have, with what stands for it. Only
          what is sampled after the list depends on it.
        - `trials`: the entries in order.

    Raises:
        InvalidValueError: if a hyperparameter has distributions, under different conditions, that
            Optuna cannot have in one study.
    """
    notes: list[str] = []
    conditions: dict[str, list[dict[str, list[Value]]]] = {}
    distributions = {}
    for name in hplist.space.names:
        rows = [row for row in hplist.space.rows if row.name == name]
        values = [entry[name] for entry in hplist if name in entry]
        distributions[name] = _optuna_distribution(name, rows, values, notes)
        if all(row.when and row.otherwise is None for row in rows):
            conditions[name] = [{parent: list(v) for parent, v in row.when} for row in rows]
    return {
        "list": hplist.name,
        "distributions": distributions,
        "conditions": conditions,
        "notes": notes,
        "trials": list(hplist),
    }


def to_csv(hplist: HyperparameterList) -> str:
    """The list as a table.

    Args:
        hplist: the list.

    Returns:
        CSV text with a head line: `rank` from 0, the hyperparameters in the order of the space,
        `gain`. Floats are written with all digits that tell them from their neighbours; a cell is
        empty where a hyperparameter is not active or the gain not known. What a hyperparameter is
        called too is called `rank_` and `gain_`.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")  # writes floats by repr, None as nothing
    rank_name, gain_name = map(hplist.space.free_name, ("rank", "gain"))
    table.writerow([rank_name, *hplist.space.names, gain_name])
    for rank, (entry, gain) in enumerate(zip(hplist, hplist.gains, strict=True)):
        table.writerow([rank, *map(entry.get, hplist.space.names), gain])
    return text.getvalue()


def _optuna_text(hplist: HyperparameterList) -> str:
    document = to_optuna(hplist)
    parts = [f'"{key}": {json.dumps(document[key])}' for key in ("list", "conditions", "notes")]
    rows = [f"{json.dumps(n)}: {json.dumps(d)}" for n, d in document["distributions"].items()]
    parts.append('"distributions": ' + _lines("{", rows, "}"))
    parts.append('"trials": ' + _array(document["trials"]))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _array(items: Iterable[Any]) -> str:
    return _lines("[", map(json.dumps, items), "]")


def _lines(start: str, items: Iterable[str], end: str) -> str:
    """JSON with one item a line."""
    return f"{start}\n" + ",\n".join(items) + f"\n{end}"


TARGETS: dict[str, Callable[[HyperparameterList], str]] = {
    "opt-list": lambda hplist: _array(to_opt_list(hplist)) + "\n",
    "keras-tuner": lambda hplist: _array(to_keras_tuner(hplist)) + "\n",
    "optuna": _optuna_text,
    "csv": to_csv,
}
"""The text of a list for each tool, by its name."""


def export(hplist: ListLike, target: str, entries: int | None = None) -> str:
    """The text of a file from which another tool reads a list.

    Args:
        hplist: a list, the name of a shipped one, or the path of a list file.
        target: "opt-list", "keras-tuner", "optuna" or "csv"; the function of that name in this
            module says what is written. The first three are JSON.
        entries: how many, from the first on; default, and at most: all.

    Returns:
        The text; floats in it are exact.

    Raises:
        UnknownNameError: if there is no such target, or no such list.
        InvalidValueError: if `hplist` is no list, `entries` is below 1, or the target cannot
            express the list.
    """
    checked_name("target", target, TARGETS)
    if entries is not None:
        entries = checked_count("entries", entries, 1, or_else="None for all")
    return TARGETS[target](checked_list(hplist)[:entries])


def _optuna_distribution(
    name: str, rows: Sequence[Hyperparameter], values: Sequence[Value], notes: list[str]
) -> dict[str, Any]:
    """One distribution for all rows of a name, wide enough for the values of the list."""
    kinds = [row.distribution for row in rows]
    numbers = [kind for kind in kinds if isinstance(kind, Number)]
    if len(numbers) == len(kinds):
        idle = [row.otherwise for row in rows if row.otherwise is not None]
        return _optuna_number(name, numbers, [*values, *idle], notes)
    choices: dict[tuple[type, Value], Value] = {}
    for kind in kinds:
        if isinstance(kind, Number):
            raise InvalidValueError(
                f"{name!r} is a number under one condition and a choice under another; Optuna has "
                "one distribution for each name. Give the two different names."
            )
        offered = (kind.value,) if isinstance(kind, Fixed) else kind.values
        choices |= {(type(value), value): value for value in offered}
    return _described("Categorical", {"choices": list(choices.values())})


def _optuna_number(
    name: str, numbers: Sequence[Number], values: Sequence[Any], notes: list[str]
) -> dict[str, Any]:
    low = min([number.bounds[0] for number in numbers] + list(values))
    high = max([number.bounds[1] for number in numbers] + list(values))
    samplings = sorted({number.sampling for number in numbers})
    integer = all(number.integer for number in numbers)
    log = samplings == ["log"] and low > 0
    step = _common_step(numbers, [value - low for value in values])
    if step is not None:
        high = low + int((high - low) / step + _ON_GRID) * step
    if not log and samplings != ["linear"]:
        notes.append(
            f"{name}: the search space samples it {', '.join(samplings)}"
            + (f" or sets it to {low!r}" if samplings == ["log"] else "")
            + f"; Optuna has no such distribution, so it is uniform in [{low!r}, {high!r}] there."
        )
    kind: Callable[[Any], Value] = int if integer else float
    if integer:
        step = step or 1
    return _described(
        "Int" if integer else "Float",
        {
            "low": kind(low),
            "high": kind(high),
            "log": log,
            "step": None if step is None else kind(step),
        },
    )


def _common_step(numbers: Sequence[Number], offsets: Sequence[float]) -> float | None:
    """The step of the one distribution, if it is linear and every value of the list is on it."""
    step = numbers[0].step if len(numbers) == 1 and numbers[0].sampling == "linear" else None
    on_grid = step is not None and all(_is_multiple(offset, step) for offset in offsets)
    return step if on_grid else None


def _is_multiple(difference: float, step: float) -> bool:
    return abs(difference / step - round(difference / step)) <= _ON_GRID


def _described(kind: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": f"{kind}Distribution", "attributes": dict(attributes)}
