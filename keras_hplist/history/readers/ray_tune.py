"""Result folders of Ray Tune. Ray is not needed, and its pickled files are never opened."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from keras_hplist.checks import checked_text
from keras_hplist.errors import FileFormatError
from keras_hplist.history.places import place_of
from keras_hplist.history.readers.documents import parse_mapping, read_mapping
from keras_hplist.history.readers.steps import curve
from keras_hplist.history.readers.trials import HistoryBuilder, Options, Trial
from keras_hplist.history.readers.values import STATES, number_in
from keras_hplist.history.store import History


def read_ray_tune(
    path: str | os.PathLike[str],
    valid: str = "val_loss",
    train: str | None = None,
    test: str | None = None,
    *,
    step: str = "training_iteration",
    **options: Unpack[Options],
) -> History:
    """Read the trials of Ray Tune; each experiment folder is a task.

    Read are `params.json` and `result.json` of every trial, and the states in
    `experiment_state-*.json`; without that file, an error file beside a trial tells that it failed.
    ERROR is `failed`; RUNNING and PENDING are dropped. Ray does not record whether a scheduler
    stopped a trial: one that ended before the longest of its experiment is taken as `pruned`. A
    trial whose hyperparameters changed on the way (population based
    training) is dropped. A last line that a killed process left incomplete is left out.

    Args:
        path: an experiment's folder, or one that holds several.
        valid: key of the reported validation loss, the objective.
        train: key of the reported training loss.
        test: key of the reported test loss.
        step: key of the reported steps.
        **options: see `Options`.

    Returns:
        The history; nested hyperparameters are named with slashes, `optimizer/lr`.

    Raises:
        FileFormatError: naming the damaged file and line; or if there are no trials.
        FileNotFoundError: if there is no such folder.
        InvalidValueError: if no trial reported `valid`, or an argument is not allowed.
    """
    checked_text("step", step)
    builder = HistoryBuilder(path, {"valid": valid, "train": train, "test": test}, options)
    root = Path(path)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    trials: dict[Path, list[Trial]] = {}
    for file in sorted(root.rglob("params.json")):
        experiment = file.parent.parent
        trial = _trial(file.parent, step, builder)
        if trial is not None:
            trials.setdefault(experiment, []).append(trial)
    for experiment, found in trials.items():
        states = _states(experiment)
        longest = max((_last(trial, valid) for trial in found), default=0)
        for trial in found:
            trial.state = states.get(Path(trial.place).name, trial.state)
            if trial.state == "ok" and _last(trial, valid) < longest:
                trial.state = "pruned"
                builder.report.note(
                    "trials that ended before the longest are taken as stopped by the scheduler"
                )
            builder.add(trial)
    return builder.history()


def _trial(folder: Path, step: str, builder: HistoryBuilder) -> Trial | None:
    values = read_mapping(folder / "params.json")
    results = _results(folder / "result.json", builder)
    configs = [result["config"] for result in results.values() if "config" in result]
    if any(config != configs[0] for config in configs):
        builder.drop(folder.name, "its hyperparameters changed during the run")
        return None
    points = {
        metric: [
            (_number(result, step, place), _number(result, metric, place))
            for place, result in results.items()
            if result.get(metric) is not None
        ]
        for metric in builder.wanted
    }
    last = next(reversed(results.values()), {})
    failed = any((folder / name).exists() for name in ("error.txt", "error.pkl"))
    return Trial(
        name=folder.name,
        place=os.fspath(folder),
        task=place_of(folder.parent),
        values=values,
        metrics={metric: curve(given) for metric, given in points.items() if given},
        logged={key for result in results.values() for key in result},
        state="failed" if failed else "ok",
        seconds=last.get("time_total_s"),
    )


def _results(file: Path, builder: HistoryBuilder) -> dict[str, Mapping[str, Any]]:
    """The reports of a trial, one JSON object a line, by their places."""
    if not file.exists():
        return {}
    results: dict[str, Mapping[str, Any]] = {}
    lines = file.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{file}, line {number}"
        try:
            results[place] = parse_mapping(line, place)
        except FileFormatError:
            if number < len(lines):
                raise
            builder.report.note(f"{file}: the last line is incomplete and was left out")
    return results


def _number(result: Mapping[str, Any], key: str, place: str) -> float:
    number = number_in(result.get(key))
    if number is None:
        raise FileFormatError(f"{place}: {key!r} is {result.get(key)!r}, not a number.")
    return number


def _last(trial: Trial, metric: str) -> float:
    return max(trial.metrics[metric][0]) if metric in trial.metrics else 0


def _states(experiment: Path) -> dict[str, str]:
    """Name of a trial's folder to its state, from the newest state file of the experiment."""
    files = sorted(experiment.glob("experiment_state-*.json"))
    states = {}
    for file in files[-1:]:
        for entry in read_mapping(file).get("trial_data") or ():
            # A pair of JSON texts: what is fixed for the trial, and what changes while it runs.
            if not isinstance(entry, list) or not entry or not isinstance(entry[0], str):
                raise FileFormatError(f"{file}: 'trial_data' holds {entry!r}, not a pair of texts.")
            trial = parse_mapping(entry[0], f"{file}, 'trial_data'")
            status = STATES.get(str(trial.get("status")).lower())
            if status is not None and isinstance(trial.get("relative_logdir"), str):
                states[Path(trial["relative_logdir"]).name] = status
    return states
