"""What is known of a search when its report is written, and where the report puts its files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from keras_hplist.errors import InvalidValueError
from keras_hplist.figures import standing
from keras_hplist.figures.page import Html, downloads, figure
from keras_hplist.figures.project import Project
from keras_hplist.figures.saving import save
from keras_hplist.files import write_text
from keras_hplist.learning.evidence import Evidence
from keras_hplist.lists import HyperparameterList, available_lists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SUGGESTED = "nadamw"  # to those who have not followed a list


class Findings:
    """A search, its list, and what comes of holding one against the other.

    Args:
        project: the search.
        given: the list that was followed, or that is to be suggested; None: the one that is shipped
            with the fingerprint of what was followed, or "nadamw" to those who followed none.
        out: the folder of the report's files.

    Attributes:
        project: as above.
        hplist: the list; None if one was followed and cannot be found.
        followed: whether the search followed a list.
        evidence: of the list, if it carries some.
        scores: of the trials, if they can be scored.
        unscored: why they cannot.
        told: what the report says, for machines.

    Raises:
        InvalidValueError: if another list was given than was followed.
        UnknownNameError: if there is no such list.
    """

    def __init__(
        self,
        project: Project,
        given: str | os.PathLike[str] | HyperparameterList | None,
        out: Path,
    ) -> None:
        """Find the list and score the trials by it."""
        self.project, self._out = project, out
        self.hplist = _list_of(project, given)
        self.followed = project.followed is not None
        self.evidence = None if self.hplist is None else Evidence.carried_by(self.hplist)
        self.scores: standing.Scores | None = None
        self.unscored = "The search did not follow a list of this package."
        if project.followed and self.hplist is None:
            self.unscored = (
                f"The search followed the list {project.followed[0]!r}, which is not one of those "
                "shipped with this release; give its file (hyperparameter_list=…) to see what it "
                "leads to expect."
            )
        elif project.followed and self.hplist is not None:
            try:
                self.scores = standing.scores_of(project, self.hplist)
            except InvalidValueError as error:
                self.unscored = str(error)
        self.told = self._told()

    def _told(self) -> dict[str, Any]:
        project = self.project
        return {
            "files": [],
            "project": str(project.path),
            "tuner": project.tuner,
            "objective": project.objective,
            "direction": project.direction,
            "trials": {k: int(n) for k, n in project.trials["status"].value_counts().items()},
            "best": {
                "trial": project.best,
                "objective": float(project.trials["objective"].loc[project.best]),
                "values": project.values[project.best],
            },
            "list": project.followed[0] if project.followed else None,
            "score": self.scores.best if self.scores else None,
            "ahead": None,
            "nearest": [],
            "next": [],
            "gains": [],
            "left_out": [f"{what}: {why}" for what, why in project.report.dropped],
            "notes": list(project.report.notes),
        }

    def picture(
        self,
        name: str,
        draw: "Callable[[Axes, pd.DataFrame], None]",
        frame: pd.DataFrame,
        caption: str,
    ) -> Html:
        """A picture for the page, also written as `<name>.png`, `.svg` and `.csv`."""
        for kind in ("png", "svg"):
            save(draw, frame, self._out / f"{name}.{kind}")
            self.told["files"].append(str(self._out / f"{name}.{kind}"))
        text = frame.to_csv(index=frame.index.name is not None)
        return Html(figure(draw, frame, caption) + self.file(f"{name}.csv", text))

    def file(self, name: str, text: str) -> Html:
        """Write a text among the report's files; a link for the page that saves it."""
        write_text(self._out / name, text)
        self.told["files"].append(str(self._out / name))
        return downloads({name: text})


def _list_of(
    project: Project, given: str | os.PathLike[str] | HyperparameterList | None
) -> HyperparameterList | None:
    if given is not None and not isinstance(given, HyperparameterList):
        given = HyperparameterList.load(given)
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


def trials(count: int) -> str:
    """A number of trials in words."""
    return f"{count} trial{'' if count == 1 else 's'}"
