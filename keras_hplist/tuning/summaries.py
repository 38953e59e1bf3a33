"""What a search along a list looks like, in words."""

import math
from collections.abc import Collection, Iterable, Iterator

from keras_tuner.engine.trial import Trial, TrialStatus

from keras_hplist.lists import HyperparameterList
from keras_hplist.spaces.bookkeeping import INDEX


def trial_lines(
    trials: Iterable[Trial], objective: str, diverged: Collection[str] = ()
) -> Iterator[str]:
    """A table of trials: the rank in the list, the trial's id, its score, how it ended.

    Args:
        trials: in the order in which to show them.
        objective: its name.
        diverged: ids of the trials whose training diverged, be it after a good epoch.
    """
    yield f"{'list rank':>9}  {'trial':>6}  {objective:>14}  outcome"
    for trial in trials:
        score = f"{trial.score:.6g}" if has_result(trial) else "-"
        later = ", diverged later" if has_result(trial) and trial.trial_id in diverged else ""
        yield f"{rank(trial):>9}  {trial.trial_id:>6}  {score:>14}  {outcome(trial)}{later}"


def rank(trial: Trial) -> str:
    """A trial's rank in the list, from 0."""
    index = trial.hyperparameters.values.get(INDEX, -1)
    return "after" if index < 0 else str(index)


def has_result(trial: Trial) -> bool:
    """Whether a trial ended with a finite score."""
    return trial.status == TrialStatus.COMPLETED and math.isfinite(trial.score)


def outcome(trial: Trial) -> str:
    """How a trial ended: best epoch, "diverged", "failed", "running"."""
    if trial.status != TrialStatus.COMPLETED:
        return trial.status.lower()
    if not has_result(trial):
        return "diverged"
    return f"best at epoch {trial.best_step + 1}"


def list_line(list_: HyperparameterList, max_trials: int, order: str, after_list: str) -> str:
    """Which entries are tried in which order, and what comes then."""
    tried = min(max_trials, len(list_))
    entries = {
        "list": f"ranks 0 to {tried - 1} of {len(list_)}, in order",
        "adaptive": f"{tried} of {len(list_)} entries, in an order that the results give",
    }
    line = f"List {list_.name!r}: {entries[order]}"
    if max_trials > len(list_):
        line += f"; then {max_trials - len(list_)} trials by {after_list!r}"
    return line + "."
