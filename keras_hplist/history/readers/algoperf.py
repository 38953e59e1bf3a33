"""Training logs of the AlgoPerf competition: as gathered tables, or as its runner wrote them."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from keras_hplist.history.readers.documents import parse_mapping, read_mapping
from keras_hplist.history.readers.steps import Curve
from keras_hplist.history.readers.tables import column, numbers, read_table
from keras_hplist.history.readers.trials import HistoryBuilder, Options, Trial
from keras_hplist.history.store import History

_SPLITS = {"train": "train", "valid": "validation", "test": "test"}


def read_algoperf(path: str | os.PathLike[str], **options: Unpack[Options]) -> History:
    """Read training logs of AlgoPerf; each workload is a task.

    A configuration is a submission with the hyperparameters of one of its trials; the repeated
    studies, whatever their framework, are its seeds. Runs have a budget of time, so they differ in
    steps within a workload: the longest sets the training steps of all. Two layouts are read:

    - `runs.csv` and `curves.csv` in one folder, plain or `.gz`, joined by the column `run`;
    - the logs themselves, `measurements.csv` and, where there were hyperparameters, `hparams.json`,
      in `…/<ruleset>/<submission>/study_<k>/<workload>_<framework>/trial_<n>/`.

    Losses are read: `train/loss`, `validation/loss`, `test/loss` (`…/ctc_loss` for speech).

    Args:
        path: the folder.
        **options: see `Options`.

    Returns:
        The history; `values` are the hyperparameters and, as `submission`, ruleset and name of the
        submission, for example `external_tuning/nadamp`.

    Raises:
        FileFormatError: naming file, row and column; or if there are no logs.
        FileNotFoundError: if there is no such folder.
    """
    root = Path(path)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    options.setdefault("first_epoch", 1)
    metrics = {split: f"{split}_loss" for split in _SPLITS}
    builder = HistoryBuilder(root, metrics, options, choose=None)
    runs, curves = _table(root, "runs"), _table(root, "curves")
    trials = list(_gathered(runs, curves) if runs and curves else _logs(root))
    longest: Counter[Any] = Counter()
    for trial in trials:
        for steps, _ in trial.metrics.values():
            longest[trial.task] = int(np.nanmax(steps, initial=max(longest[trial.task], 1)))
    for trial in _told_apart(trials, builder):
        trial.columns = {"training_steps": longest[trial.task]}
        builder.add(trial)
    return builder.history("min")


def _told_apart(trials: list[Trial], builder: HistoryBuilder) -> list[Trial]:
    """Give a submission one more name for each further set of hyperparameters it was run with.

    So the name of the submission tells which hyperparameters a configuration has. In the published
    logs that concerns five runs.
    """
    sets: dict[str, Counter[frozenset[str]]] = defaultdict(Counter)
    for trial in trials:
        sets[trial.values["submission"]][frozenset(trial.values)] += 1
    for trial in trials:
        name = trial.values["submission"]
        ranked = [names for names, _ in sets[name].most_common()]
        number = ranked.index(frozenset(trial.values)) + 1
        if number > 1:
            trial.values = {**trial.values, "submission": f"{name} #{number}"}
            builder.report.note(f"{name} was run with several sets of hyperparameters: #1, #2, …")
    return trials


def _table(root: Path, name: str) -> Path | None:
    return next((file for file in sorted(root.glob(f"{name}.csv*"))), None)


def _gathered(runs_file: Path, curves_file: Path) -> Iterator[Trial]:
    runs, curves = read_table(runs_file), read_table(curves_file)
    steps, _ = numbers(curves, "step", curves_file)
    losses = {name: numbers(curves, name, curves_file) for name in map("{}_loss".format, _SPLITS)}
    owner, _ = numbers(curves, "run", curves_file)
    order = np.argsort(owner, kind="stable")
    ids, _ = numbers(runs, "run", runs_file)
    starts, ends = (np.searchsorted(owner[order], ids, side) for side in ("left", "right"))
    cells = {
        name: column(runs, name, runs_file).to_pylist()
        for name in ("ruleset", "submission", "workload", "hparams_json")
    }
    for row in range(runs.num_rows):
        points = order[starts[row] : ends[row]]
        text = cells["hparams_json"][row]
        values = parse_mapping(text, f"{runs_file}, row {row + 2}") if text else {}
        yield Trial(
            name=f"run {ids[row]:g}",
            place=os.fspath(runs_file),
            task=str(cells["workload"][row]),
            values={
                "submission": f"{cells['ruleset'][row]}/{cells['submission'][row]}",
                **values,
            },
            metrics={
                name: (steps[points][given[points]], loss[points][given[points]])
                for name, (loss, given) in losses.items()
            },
        )


def _logs(root: Path) -> Iterator[Trial]:
    """The logs of AlgoPerf's runner; what lies below the submission's folder names the run."""
    for file in sorted(root.rglob("measurements.csv")):
        folder = file.parent
        workload, study = folder.parent, folder.resolve().parent.parent
        hparams = folder / "hparams.json"
        values = read_mapping(hparams) if hparams.is_file() else {}
        yield Trial(
            name=f"{study.name}/{workload.name}/{folder.name}",
            place=os.fspath(file),
            task=re.sub("_(jax|pytorch)$", "", workload.name),
            values={"submission": "/".join(study.parts[-3:-1]), **values},
            metrics=_measured(file),
        )


def _measured(file: Path) -> dict[str, Curve]:
    table = read_table(file)
    steps, known = numbers(table, "global_step", file)
    curves = {}
    for split, prefix in _SPLITS.items():
        found = [f"{prefix}/{loss}" for loss in ("loss", "ctc_loss")]
        for name in [name for name in found if name in table.column_names][:1]:
            losses, given = numbers(table, name, file)
            given &= known
            curves[f"{split}_loss"] = steps[given], losses[given]
    return curves
