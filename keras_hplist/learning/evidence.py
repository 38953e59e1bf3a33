"""What a list's entries did on the tasks it was learned from, as the list itself can carry it.

A list's provenance says what its first k entries are worth in the mean. To tell how a search stands
among the tasks, or which of them a problem resembles, it takes the scores task by task: some ten
numbers of four digits for each task and entry, written as a line of text for each task.
"""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.history import History
from keras_hplist.learning.held_out import follow
from keras_hplist.learning.normalization import NORMALIZATIONS, InitialScale
from keras_hplist.learning.provenance import begins_as_learned
from keras_hplist.learning.scores import score_matrix
from keras_hplist.learning.splits import held_out_folds
from keras_hplist.lists import HyperparameterList

if TYPE_CHECKING:
    from keras_hplist.learning.learner import ListLearner

_KEY = "evidence"  # in a list's provenance
_MATRICES = ("entries", "held_out", "lowest")
_LENGTH = 50  # so many entries are kept: hardly a search tries more


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Scores by task; 0 is the best that is known of a task, 1 its start.

    Attributes:
        entries: DataFrame tasks × rank (from 0): the score of each entry of the list that has one.
        held_out: DataFrame tasks × k (from 1): the best score among the first k entries of a list
            that was learned without the task and those held out with it. In a list whose entries
            were moved or left out, as far as it begins as the one that was learned.
        lowest: DataFrame tasks × k: the lowest normalised loss that these k entries reached at any
            time. It is what would be the best known, had only they been run.
        families: Series by task; None where not known.
    """

    entries: pd.DataFrame
    held_out: pd.DataFrame
    lowest: pd.DataFrame
    families: pd.Series

    @classmethod
    def of(cls, learner: "ListLearner", history: History, length: int = _LENGTH) -> "Evidence":
        """Follow a learner's list, and those learned without a part of the tasks, on the tasks.

        Args:
            learner: fitted on `history`.
            history: the learning curves.
            length: how many entries at most.

        Raises:
            InvalidValueError: if the scores have no unit of loss, as ranks ("quantile") have none,
                or there is a single task, so that none could be left out.
        """
        if NORMALIZATIONS[learner.normalization].scale is not InitialScale:
            raise InvalidValueError(
                f"A list by normalization={learner.normalization!r} carries no evidence: ranks "
                "among all configurations say nothing about a few trials. Learn with 'initial'."
            )
        matrix, candidates = learner.prepare(history)
        _, folds = held_out_folds(matrix.families, learner.seed)
        if not folds:
            raise InvalidValueError(
                f"There is one task, {matrix.tasks[0]!r}; evidence on tasks that were left out "
                "needs at least two."
            )
        again = learner
        if learner.missing_ is not None:  # the rule that was chosen; none is chosen for each fold
            again = clone(learner).set_params(missing=learner.missing_)
        assert candidates.values is not None
        values = [candidates.values[label] for label in matrix.configurations]
        # The lowest normalised loss of a run is its score under the aggregation "min".
        minima = score_matrix(
            history.curves(learner.splits[0]), "initial", "min", learner.seeds, learner.horizon
        ).to_frame()
        lowest = minima.reindex(matrix.tasks, columns=matrix.configurations).to_numpy()

        length = min(length, len(learner.order_))
        reached = {name: np.full((len(matrix.tasks), length), np.nan) for name in _MATRICES[1:]}
        for out in folds:
            for name, reported in (("held_out", matrix.upper), ("lowest", lowest)):
                best = follow(again, matrix, values, reported, ~out, out).best[:, :length]
                lacking = length - best.shape[1]
                reached[name][out] = np.pad(best, ((0, 0), (0, lacking)), "edge")
        tasks, k = pd.Index(matrix.tasks, name="task"), pd.RangeIndex(1, length + 1, name="k")
        entries = learner.scores_.loc[list(matrix.tasks), list(learner.order_[:length])]
        entries.columns = pd.RangeIndex(length, name="rank")
        return cls(
            entries,
            pd.DataFrame(reached["held_out"], tasks, k),
            pd.DataFrame(reached["lowest"], tasks, k),
            families=pd.Series(matrix.families, tasks, dtype=object, name="family"),
        )

    @classmethod
    def carried_by(cls, hplist: HyperparameterList) -> "Evidence | None":
        """The evidence in a list's provenance on its entries; None if it has none.

        Raises:
            FileFormatError: if it is there and malformed.
        """
        document = hplist.provenance.get(_KEY)
        evidence = None if document is None else cls._from_json(document, hplist.name)
        return None if evidence is None else evidence._on(hplist)

    def _on(self, hplist: HyperparameterList) -> "Evidence | None":
        """This evidence, which is on the list as it was learned, by the list's present ranks."""
        sources = pd.Series(hplist.source_ranks, dtype="Int64").rename_axis("rank")
        known = sources[sources.isin(self.entries.columns)]
        if known.empty:
            return None
        count = begins_as_learned(hplist)
        return dataclasses.replace(
            self,
            entries=self.entries[known.tolist()].set_axis(known.index, axis=1),
            held_out=self.held_out.loc[:, :count],
            lowest=self.lowest.loc[:, :count],
        )

    def attached_to(self, hplist: HyperparameterList) -> HyperparameterList:
        """The same list with this evidence in its provenance; its fingerprint stays.

        Args:
            hplist: the list that was learned, or one made of its entries.
        """
        return HyperparameterList(
            hplist,
            hplist.space,
            name=hplist.name,
            gains=hplist.gains,
            provenance={**hplist.provenance, _KEY: self._to_json()},
        )

    def as_seen_after(self, trials: int) -> pd.DataFrame:
        """Held-out scores as they look to somebody who has run so many entries and knows no more.

        A search cannot know how low a loss might go. Its own scores are normalised by the best loss
        so far, and so are these: n' = (n − m) / (1 − m), with m the lowest normalised loss after
        `trials` entries. Beyond these, scores may fall below 0.

        Args:
            trials: from 1 to the number of columns of `held_out`.

        Returns:
            DataFrame tasks × k.
        """
        lowest = self.lowest[trials].to_numpy()[:, None]
        # Where nothing that was tried improves on the start, every score is that of the start.
        span = np.where(lowest < 1, 1 - lowest, np.inf)
        return self.held_out.sub(1).div(span).add(1)

    def _to_json(self) -> dict[str, Any]:
        families = {} if self.families.isna().all() else {"families": list(self.families)}
        return {
            "about": "rows of scores by task: of each entry; of the best of the first k on tasks "
            "left out; of the lowest loss among these",
            "tasks": [str(task) for task in self.entries.index],
            **families,
            **{
                name: [
                    " ".join(f"{value:.4g}" for value in np.round(row, 4))
                    for row in getattr(self, name).to_numpy()
                ]
                for name in _MATRICES
            },
        }

    @classmethod
    def _from_json(cls, document: Mapping[str, Any], name: str) -> "Evidence":
        try:
            tasks = pd.Index(document["tasks"], name="task")
            families = document.get("families") or [None] * len(tasks)
            entries, held_out, lowest = (
                pd.DataFrame(np.array([row.split() for row in document[key]], float), tasks)
                for key in _MATRICES
            )
            if not entries.shape == held_out.shape == lowest.shape:
                raise ValueError("its matrices differ in shape")
            entries = entries.rename_axis("rank", axis=1)
            k = pd.RangeIndex(1, entries.shape[1] + 1, name="k")
            return cls(
                entries,
                held_out.set_axis(k, axis=1),
                lowest.set_axis(k, axis=1),
                pd.Series(families, tasks, dtype=object, name="family"),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FileFormatError(
                f"The evidence in the provenance of list {name!r} is malformed: {error!r}."
            ) from error
