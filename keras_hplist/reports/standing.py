"""How a search stands: its scores beside those of the tasks its list was learned from.

A search knows neither how low its loss may go nor how the list goes on. What it is compared with is
therefore put on the same footing: the scores of the tasks as they were after as many trials (see
`Evidence.as_seen_after`), on tasks that were left out of the choice of the list.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from keras_hplist.checks import checked_name
from keras_hplist.errors import InvalidValueError
from keras_hplist.figures.plane import FEWEST, on_plane
from keras_hplist.history.curves import DEFAULT_TIMES
from keras_hplist.learning.evaluation import QUARTILES
from keras_hplist.learning.evidence import Evidence
from keras_hplist.learning.normalization import NORMALIZATIONS, InitialScale, Normalizer
from keras_hplist.learning.provenance import held_out_curve
from keras_hplist.learning.scores import score_matrix
from keras_hplist.lists import HyperparameterList
from keras_hplist.reports.project import Project

FURTHER = (1, 2, 3, 5, 10, 20)
"""Numbers of further trials whose gain is estimated."""
NOTICEABLE = 0.01
"""A gain above this, in score, is worth a word."""
NEAREST = 5
_NEXT = 5  # entries that are shown of those to come
_ENOUGH = 3  # entries that must have been tried before tasks are compared
_COUNTED = {
    "mean": "the mean loss over the training",
    "min": "the lowest loss of the training",
    "last": "the loss at the end of the training",
}


@dataclass(frozen=True)
class Scores:
    """The trials that followed a list, in order of the entries, in units of score.

    Attributes:
        trials: DataFrame with index k from 1: `trial`, `entry` (its rank in the list), `score`
            (1: no better than the start, also where a trial failed), `best` (the best so far).
        span: what a score of 1 is, in units of the loss: the initial loss less the best known.
        split: on whose losses: "valid" or "train".
    """

    trials: pd.DataFrame
    span: float
    split: str

    @property
    def count(self) -> int:
        """The number of trials."""
        return len(self.trials)

    @property
    def best(self) -> float:
        """The best score so far."""
        return float(self.trials["best"].iloc[-1])


def aggregation_of(hplist: HyperparameterList) -> str:
    """How a list's scores make one number of a learning curve: "mean", "min" or "last".

    Raises:
        UnknownNameError: if its provenance says anything else.
    """
    how = hplist.provenance
    normalization = NORMALIZATIONS.get(str(how.get("normalization")))
    own = normalization and normalization.aggregation
    return checked_name("aggregation", own or str(how.get("aggregation", "mean")), _COUNTED)


def counted(hplist: HyperparameterList) -> str:
    """What a score of the list counts, in words."""
    return _COUNTED[aggregation_of(hplist)]


def scores_of(project: Project, hplist: HyperparameterList) -> Scores:
    """Score the trials of a project by the rule of the list that it followed.

    Curves are put on an even time axis first, since a mean over few epochs would give the loss
    before training too much weight.

    Raises:
        InvalidValueError: if that cannot be done; the message says why.
    """
    how = str(hplist.provenance.get("normalization", "initial"))
    if how not in NORMALIZATIONS or NORMALIZATIONS[how].scale is not InitialScale:
        raise InvalidValueError(
            f"The list's scores are ranks ({how!r}) among all configurations; a few trials have "
            "none."
        )
    followed = project.finished[project.finished["entry"].notna()].sort_values("entry")
    if followed.empty:
        raise InvalidValueError("No trial of the list has finished.")
    if project.history is None:
        raise InvalidValueError(
            "No learning curves were recorded, so that trials have no scores; "
            "HyperparameterListTuner records them."
        )
    runs = project.history.select(configuration=list(followed.index))
    split = "valid" if runs.table["valid"].null_count < len(runs) else "train"
    curves = runs.curves(split, np.linspace(0, 1, DEFAULT_TIMES).tolist())
    normalizer = Normalizer("initial").fit(curves)
    known = normalizer.scales_[curves.tasks[0]]
    assert isinstance(known, InitialScale)
    matrix = score_matrix(curves, normalizer, aggregation_of(hplist))
    measured = pd.Series(matrix.upper[0], matrix.configurations)
    scores = measured.reindex(followed.index).fillna(1.0)
    trials = pd.DataFrame(
        {
            "trial": followed.index,
            "entry": followed["entry"].astype(int).to_numpy(),
            "score": scores.to_numpy(),
            "best": np.minimum.accumulate(np.minimum(scores.to_numpy(), 1.0)),
        },
        index=pd.RangeIndex(1, len(followed) + 1, name="k"),
    )
    return Scores(trials, known.initial - known.best, split)


def expected(evidence: Evidence | None, hplist: HyperparameterList, trials: int) -> pd.DataFrame:
    """What the list reaches on tasks that were left out of its choice.

    Args:
        evidence: of the list; without it there is no more than J(k) in its provenance.
        hplist: the list.
        trials: on how many the search knows, see `Evidence.as_seen_after`.

    Returns:
        DataFrame with index k: `mean` over tasks, and with evidence the columns of
        `QUARTILES`, over tasks too; empty if the list says nothing.
    """
    if evidence is not None and evidence.held_out.size:
        seen = evidence.as_seen_after(min(trials, evidence.held_out.shape[1]))
        quartiles = seen.quantile(list(QUARTILES.values())).T
        quartiles.columns = list(QUARTILES)
        return quartiles.assign(mean=seen.mean()).rename_axis("k")
    return pd.Series(held_out_curve(hplist), dtype=float, name="mean").rename_axis("k").to_frame()


def share_behind(evidence: Evidence, hplist: HyperparameterList, scores: Scores) -> float | None:
    """The share of tasks on which the list's best score after as many trials was higher.

    None if no task was left out, or scores do not count the mean loss: the lowest loss that the
    search knows is that of one of its trials, whose score by "min" is therefore 0 on any problem,
    and by "last" wherever that loss came at the end.
    """
    if not evidence.held_out.size or aggregation_of(hplist) != "mean":
        return None
    k = min(scores.count, evidence.held_out.shape[1])
    return float((evidence.as_seen_after(k)[k] > scores.trials["best"].loc[k]).mean())


def further_gains(
    evidence: Evidence | None, hplist: HyperparameterList, trials: int, span: float = np.nan
) -> pd.DataFrame:
    """By how much further entries of the list lowered the best score on tasks left out.

    Args:
        evidence: of the list; without it the gains are differences of its J(k).
        hplist: the list.
        trials: how many were tried.
        span: what a score of 1 is, in units of the loss.

    Returns:
        DataFrame with index `further trials`: `score` (mean gain), `loss` (the same in units of the
        loss) and, with evidence, `noticeable`: the share of tasks that gained more than 0.01.
    """
    if evidence is not None:
        last = evidence.held_out.shape[1]
        best = evidence.as_seen_after(min(trials, last)) if trials and last else evidence.held_out
    else:
        best = expected(None, hplist, trials)[["mean"]].T
        last = int(best.columns.max()) if best.size else 0
        best = best.reindex(columns=range(1, last + 1)).interpolate(axis=1)
    rows = {}
    for further in FURTHER:
        if trials and trials + further <= last:
            gain = best[trials] - best[trials + further]
            rows[further] = {"score": gain.mean(), "loss": gain.mean() * span}
            if evidence is not None:
                rows[further]["noticeable"] = (gain > NOTICEABLE).mean()
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return frame.rename_axis("further trials")


def nearest_tasks(evidence: Evidence, scores: Scores) -> pd.DataFrame:
    """The tasks on which the entries did as they do here, nearest first.

    A task is the vector of its scores over the entries that were tried, in units of its own best
    among them (0) and its start (1), since more is not known of the problem. The distance is the
    root of the mean squared difference.

    The order "adaptive" weighs tasks by another measure, on the trials' objectives from the lowest
    to their median (see `keras_hplist.learning.AdaptiveOrder`): it has to do without the start,
    which is known here from the curves, and so tells of three trials only which was the best.

    Returns:
        DataFrame indexed by task: `family`, `distance`, and `usual`: the median distance of the
        task from the other tasks.

    Raises:
        InvalidValueError: if fewer than three entries have a score, or none is better than the
            start.
    """
    own, tasks = _vectors(evidence, scores)
    squares = (tasks[:, None] - tasks[None]) ** 2
    between = np.sqrt(squares.mean(axis=-1))
    np.fill_diagonal(between, np.nan)
    frame = pd.DataFrame(
        {
            "family": evidence.families,
            "distance": np.sqrt(((tasks - own) ** 2).mean(axis=1)),
            "usual": np.nanmedian(between, axis=1) if len(tasks) > 1 else np.nan,
        },
        index=evidence.entries.index,
    )
    return frame.sort_values("distance", kind="stable")


def task_map(evidence: Evidence, scores: Scores, name: str) -> pd.DataFrame:
    """A plane in which tasks lie together whose vectors of `nearest_tasks` are alike (t-SNE).

    Args:
        evidence: of the list.
        scores: of the search.
        name: of the problem, which is put among the tasks.

    Returns:
        DataFrame indexed by task, the problem last: `x`, `y`, `family`, `nearest` (whether among
        the five nearest).

    Raises:
        InvalidValueError: as `nearest_tasks`, or if there are fewer than eight tasks.
        NotApplicable: if fewer than three of them differ.
    """
    near = nearest_tasks(evidence, scores).head(NEAREST).index
    own, tasks = _vectors(evidence, scores)
    if len(tasks) < FEWEST:
        raise InvalidValueError(f"A map needs {FEWEST} tasks; the list tells of {len(tasks)}.")
    plane = on_plane(np.vstack([tasks, own]))
    index = [*evidence.entries.index, name]
    return pd.DataFrame(
        {
            "x": plane[:, 0],
            "y": plane[:, 1],
            "family": [*evidence.families, None],
            "nearest": [*evidence.entries.index.isin(near), False],
        },
        index=pd.Index(index, name="task"),
    )


def next_entries(
    hplist: HyperparameterList,
    tried: Iterable[int],
    evidence: Evidence | None = None,
    near: Iterable[str] = (),
) -> pd.DataFrame:
    """The first five entries that were not tried, in order of the list.

    Args:
        hplist: the list.
        tried: ranks that were.
        evidence: of the list.
        near: tasks that the problem resembles.

    Returns:
        DataFrame indexed by `rank`: with evidence `gain` and `gain on the nearest tasks`, by how
        much the entry lowers the mean of the best score of what was tried, over all tasks and over
        the nearest; then the values. If a hyperparameter is itself called `rank` or `gain`, the
        index or the column is `rank_` or `gain_`.
    """
    ranks = sorted(set(tried))
    coming = [rank for rank in range(len(hplist)) if rank not in set(ranks)][:_NEXT]
    frame = pd.DataFrame(
        [hplist[rank] for rank in coming],
        pd.Index(coming, name=hplist.space.free_name("rank")),
        dtype=object,
    )
    if evidence is None:
        return frame
    known = [rank for rank in ranks if rank in evidence.entries]
    best = evidence.entries[known].min(axis=1) if known else pd.Series(1.0, evidence.entries.index)
    lowered = evidence.entries.rsub(best, axis=0).clip(lower=0).reindex(columns=coming)
    frame.insert(0, hplist.space.free_name("gain"), lowered.mean())
    if near := list(near):
        frame.insert(1, "gain on the nearest tasks", lowered.loc[near].mean())
    return frame


def _vectors(evidence: Evidence, scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """The problem and the tasks: float64 (entries tried,) and (task, entries tried)."""
    tried = scores.trials[scores.trials["entry"].isin(evidence.entries.columns)]
    if len(tried) < _ENOUGH:
        raise InvalidValueError(
            f"Tasks are compared by what at least {_ENOUGH} entries of the list do on them; "
            f"{len(tried)} {'was' if len(tried) == 1 else 'were'} tried."
        )
    own = tried["score"].to_numpy()[None]
    if own.min() >= 1:
        raise InvalidValueError("No trial is better than the start, so that there is no likeness.")
    return _relative(own)[0], _relative(evidence.entries[list(tried["entry"])].to_numpy())


def _relative(scores: np.ndarray) -> np.ndarray:
    best = scores.min(axis=1, keepdims=True)
    span = np.where(best < 1, 1 - best, np.inf)  # what never improves is as bad as its start
    return np.where(best < 1, (scores - best) / span, 1.0)
