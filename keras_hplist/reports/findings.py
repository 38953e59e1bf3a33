"""What is known of a search when its report is written."""

import math
import os
from dataclasses import dataclass
from typing import Any

import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.learning.evidence import Evidence
from keras_hplist.lists import HyperparameterList, available_lists
from keras_hplist.lists.hyperparameter_list import checked_list
from keras_hplist.reports import standing
from keras_hplist.reports.project import Project

_SUGGESTED = "nadamw"  # to those who have not followed a list


@dataclass(frozen=True)
class Findings:
    """A search, its list, and what comes of holding one against the other.

    Attributes:
        project: the search.
        hplist: the list that was followed, or that is suggested to those who followed none; None
            if one was followed and cannot be found.
        evidence: of the list, if it carries some.
        scores: of the trials, if they can be scored.
        unscored: why they cannot.
        ahead: the share of the list's tasks that the search is ahead of; None if that cannot be
            told, see `standing.share_behind`.
        nearest: all tasks, nearest first, see `standing.nearest_tasks`; None if they cannot be
            compared.
        unlike: why they cannot.
        coming: the next entries of the list, see `standing.next_entries`; empty if all were tried
            or no list was followed.
        gains: of further trials, see `standing.further_gains`; empty likewise.
    """

    project: Project
    hplist: HyperparameterList | None
    evidence: Evidence | None
    scores: standing.Scores | None
    unscored: str
    ahead: float | None
    nearest: pd.DataFrame | None
    unlike: str
    coming: pd.DataFrame
    gains: pd.DataFrame

    @property
    def followed(self) -> bool:
        """Whether the search followed a list."""
        return self.project.followed is not None

    @property
    def statuses(self) -> dict[str, int]:
        """The number of trials by status, most frequent first."""
        return {str(k): int(n) for k, n in self.project.trials["status"].value_counts().items()}

    @property
    def left_out(self) -> list[str]:
        """The files that could not be read, and why."""
        return [f"{what}: {why}" for what, why in self.project.report.dropped]

    def told(self) -> dict[str, Any]:
        """What the report says, for machines: see `project_report.write`."""
        project, coming = self.project, self.coming
        return {
            "project": str(project.path),
            "tuner": project.tuner,
            "objective": project.objective,
            "direction": project.direction,
            "trials": self.statuses,
            "best": {
                "trial": project.best,
                "objective": project.best_result,
                "values": project.values[project.best],
            },
            "list": project.followed[0] if project.followed else None,
            "score": self.scores.best if self.scores else None,
            "ahead": self.ahead,
            "nearest": list(map(str, _near(self.nearest))),
            "next": [
                {"rank": rank, "values": self.hplist[rank]} for rank in coming.index if self.hplist
            ],
            "gains": self.gains.reset_index().dropna(axis=1).to_dict("records"),
            "left_out": self.left_out,
            "notes": list(project.report.notes),
        }


def find(
    project: Project, given: str | os.PathLike[str] | HyperparameterList | None = None
) -> Findings:
    """Find the list of a search, and hold the search against it.

    Args:
        project: the search.
        given: the list that was followed, or that is to be suggested; None: the one that is shipped
            with the fingerprint of what was followed, or "nadamw" to those who followed none.

    Raises:
        InvalidValueError: if another list was given than was followed.
        UnknownNameError: if there is no such list.
    """
    hplist = _list_of(project, given)
    evidence = None if hplist is None else Evidence.carried_by(hplist)
    scores, unscored = None, "The search did not follow a list of this package."
    ahead, nearest, unlike = None, None, ""
    coming, gains = pd.DataFrame(), pd.DataFrame()
    if project.followed and hplist is None:
        unscored = (
            f"The search followed the list {project.followed[0]!r}, which is not one of those "
            "shipped with this release; give its file (hyperparameter_list=…) to see what it "
            "leads to expect."
        )
    elif project.followed and hplist is not None:
        try:
            scores = standing.scores_of(project, hplist)
        except InvalidValueError as error:
            unscored = str(error)
        if scores is not None and evidence is not None:
            ahead = standing.share_behind(evidence, hplist, scores)
            try:
                nearest = standing.nearest_tasks(evidence, scores)
            except InvalidValueError as error:
                unlike = str(error)
        begun = project.trials["entry"].dropna().astype(int)
        coming = standing.next_entries(hplist, begun, evidence, _near(nearest))
        span = math.nan if scores is None else scores.span
        gains = standing.further_gains(evidence, hplist, project.tried, span)
    return Findings(
        project, hplist, evidence, scores, unscored, ahead, nearest, unlike, coming, gains
    )


def _near(nearest: pd.DataFrame | None) -> list[Any]:
    """The names of the tasks that are told of."""
    return [] if nearest is None else list(nearest.index[: standing.NEAREST])


def _list_of(
    project: Project, given: str | os.PathLike[str] | HyperparameterList | None
) -> HyperparameterList | None:
    if given is not None:
        given = checked_list(given)
    if project.followed is None:
        return given or HyperparameterList.load(_SUGGESTED)
    name, fingerprint = project.followed
    if given is None:
        for shipped in map(HyperparameterList.load, available_lists()):
            if shipped.fingerprint == fingerprint or (not fingerprint and shipped.name == name):
                return shipped
    elif fingerprint and given.fingerprint != fingerprint:
        raise InvalidValueError(
            f"{project.path} followed the list {name!r} of fingerprint {fingerprint}; the list "
            f"{given.name!r} that was given has {given.fingerprint}. Give that list, or none."
        )
    return given
