"""The estimator that turns a history or a score matrix into a hyperparameter list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from keras_hplist.checks import LAST_SEED, checked_count, checked_name, checked_names
from keras_hplist.errors import InvalidValueError
from keras_hplist.history import History
from keras_hplist.history.schema import SPLITS
from keras_hplist.learning import inputs
from keras_hplist.learning.completion import (
    RULES,
    choose_rule,
    complete,
    features_of,
    warn_if_thin,
)
from keras_hplist.learning.explanation import Explanation, explain_entry
from keras_hplist.learning.held_out import follow_folds
from keras_hplist.learning.normalization import NORMALIZATIONS
from keras_hplist.learning.provenance import provenance_of
from keras_hplist.learning.scores import (
    AGGREGATIONS,
    SEED_REDUCTIONS,
    ScoreMatrix,
    mean_matrix,
    score_matrix,
)
from keras_hplist.learning.selection import (
    SCALES,
    Selection,
    best_after,
    best_for_budget,
    from_median,
    greedy,
    reductions,
)
from keras_hplist.learning.splits import WEIGHTS, held_out_folds, task_weights
from keras_hplist.lists import HyperparameterList
from keras_hplist.lists.hyperparameter_list import checked_list_name

if TYPE_CHECKING:
    from keras_hplist.spaces import SearchSpace


@dataclass(frozen=True)
class Choice:
    """An order of the configurations of a score matrix.

    Attributes:
        selection: the order with its gains.
        scores: float64 (task, configuration), what it was chosen from, without holes.
        weights: float64 (task,), with sum 1.
        rule: how holes were filled; None if there were none.
    """

    selection: Selection
    scores: np.ndarray
    weights: np.ndarray
    rule: str | None


class ListLearner(BaseEstimator):
    """Learns an ordered hyperparameter list from what configurations did on many tasks.

    Every run becomes a score (0: best known for its task, 1: no better than the start), cells of
    tasks × configurations that were not measured are estimated, and configurations are ordered
    greedily so that the weighted mean over tasks of the best score among the first k falls as fast
    as possible (see `keras_hplist.learning.selection.greedy`).

    Args:
        length: how many entries to choose; fewer if there are fewer configurations.
        normalization: "initial", "min", "last", "quantile" or "last_quantile".
        aggregation: over time: "mean" (rewards fast training), "min" or "last".
        split: on which split's loss to learn: "valid", "train" or "test"; or several, whose scores
            are averaged: where curves were evaluated on few examples, ("valid", "train") is less
            noisy than "valid". Reports are on the first.
        horizon: where curves are cut: training steps (int) or a fraction of them (float); None:
            not at all.
        seeds: reduction over seeds: "mean", "median" or "worst".
        weights: "family": families of tasks count equally, and a task without a family is one of
            its own; "equal": tasks count equally; or a mapping of every task, or of every family,
            to its weight.
        scale: on which scale scores count in the choice: "linear", as they are, or "median": from
            the best score of a task through that of its median configuration to the start (see
            `keras_hplist.learning.selection.from_median`), so that tasks on which all but the worst
            configurations are near the best, as seen from the start, count as well. What is
            reported, gains and J(k), is on the linear one.
        missing: how to estimate cells that were not measured: "surrogate", "additive",
            "pessimistic", "optimistic" (see `keras_hplist.learning.completion`), or "auto": what
            does best in cross-validation over tasks.
        cost: None, or "seconds": order by gain per mean wall time of a configuration's runs.
        budget: None, or a number of trials: the first so many entries are chosen for J(budget)
            alone (see `keras_hplist.learning.selection.best_for_budget`), the rest greedily.
        space: the search space or its name; default: the history's, or, if that is not defined, one
            inferred from the values.
        name: name of the list; default: that of the space.
        seed: of surrogates and splits.
        n_jobs: threads for growing the trees of surrogates; None: one.

    Attributes:
        list_: the `HyperparameterList`.
        order_: labels of the configurations (ids, or column labels of a matrix) in list order.
        gains_: float64 (entries,), by how much each entry lowers J on the training tasks; 0 from
            the second pass on.
        passes_: int64 (entries,), in which pass over the tasks each entry was chosen.
        scores_: DataFrame tasks × configurations as the list was chosen from, holes filled.
        weights_: Series, the weight of each task; they sum to 1.
        missing_: the rule by which holes were filled, None if there were none.
        curve_: DataFrame with index k and columns `training` and `held_out`: J(k) on all tasks, and
            as measured on tasks left out of the choice, where configurations that such a task did
            not run are passed over (NaN with a single task).
        held_out_: "list" and "random search" to a DataFrame tasks × k, the best score on each task
            when it was left out of the choice; of random search the expectation over what the task
            has run of the same candidates. Empty with a single task.
        dropped_: names of tasks that were left out: nothing improves in them, or nothing is known.
    """

    def __init__(
        self,
        length: int = 100,
        normalization: str = "initial",
        aggregation: str = "mean",
        split: str | Sequence[str] = "valid",
        horizon: int | float | None = None,
        seeds: str = "mean",
        weights: str | Mapping[str, float] = "family",
        scale: str = "linear",
        missing: str = "auto",
        cost: str | None = None,
        budget: int | None = None,
        space: "str | SearchSpace | None" = None,
        name: str | None = None,
        seed: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        """Keep the parameters; they are checked by `fit`, as scikit-learn asks."""
        self.length = length
        self.normalization = normalization
        self.aggregation = aggregation
        self.split = split
        self.horizon = horizon
        self.seeds = seeds
        self.weights = weights
        self.scale = scale
        self.missing = missing
        self.cost = cost
        self.budget = budget
        self.space = space
        self.name = name
        self.seed = seed
        self.n_jobs = n_jobs

    def fit(
        self,
        X: "History | pd.DataFrame | np.ndarray",
        y: None = None,
        *,
        families: Sequence[str | None] | Mapping[Any, str] | None = None,
        configurations: "Mapping[Any, Mapping[str, Any]] | pd.DataFrame | None" = None,
    ) -> Self:
        """Learn the list.

        Args:
            X: a history, of one search space unless the parameter `space` says which to take the
                configurations from; or scores, tasks × configurations, as a DataFrame or array,
                lower is better, NaN where not measured.
            y: not used.
            families: for a matrix: the family of each task, in row order or by task.
            configurations: for a matrix: the hyperparameter values of each column label, as a
                mapping or a DataFrame with these labels as its index. Without them there is an
                `order_` but no `list_`.

        Returns:
            The learner.

        Raises:
            InvalidValueError: if there is nothing to learn from, or the input or a parameter is not
                as described; the message says where.
            UnknownNameError: if a parameter is not one of the names above.
        """
        self.check_parameters()
        if isinstance(X, History):
            if families is not None or configurations is not None:
                raise InvalidValueError(
                    "A history knows the families of its tasks and the values of its "
                    "configurations; families and configurations are for a matrix of scores."
                )
            matrix, candidates = self.prepare(X)
            learned = X.select(task=matrix.tasks, configuration=matrix.configurations)
            source = {
                "history": X.fingerprint,
                "training_steps": sorted(set(learned.table["training_steps"].to_pylist())),
            }
        else:
            matrix = inputs.matrix_of_scores(X, families)
            candidates = inputs.candidates_of_labels(
                matrix.configurations, configurations, self.space
            )
            source = {"scores": inputs.fingerprint(matrix)}
            matrix, candidates = inputs.canonical(inputs.without_unknown(matrix), candidates)
        self.dropped_ = matrix.dropped
        self._values = None
        if candidates.values is not None:
            self._values = [candidates.values[label] for label in matrix.configurations]
        warn_if_thin(matrix)
        choice = self.choose(matrix, self._values)
        self.missing_ = choice.rule

        self.scores_ = pd.DataFrame(
            choice.scores,
            index=pd.Index(matrix.tasks, name="task"),
            columns=pd.Index(matrix.configurations, name="configuration"),
        )
        self.weights_ = pd.Series(choice.weights, self.scores_.index, name="weight")
        self._positions = choice.selection.order
        self.order_ = self.scores_.columns[self._positions].to_numpy()
        self.gains_, self.passes_ = choice.selection.gains, choice.selection.passes
        how, folds = held_out_folds(matrix.families, self.seed)
        self.held_out_ = follow_folds(self, matrix, self._values, choice, folds)
        self.curve_ = self._quality(choice)
        self._list = None
        if self._values:
            assert candidates.space is not None
            self._list = HyperparameterList(
                [self._values[position] for position in self._positions],
                candidates.space,
                name=self.name,
                gains=self.gains_.tolist(),
                provenance=provenance_of(
                    self, source, float(np.isnan(matrix.values).mean()), how_held_out=how
                ),
            )
        return self

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits to learn on."""
        return (self.split,) if isinstance(self.split, str) else tuple(self.split)

    def check_parameters(self) -> None:
        """Refuse parameters that fit no data; `fit` begins with it.

        Raises:
            InvalidValueError: if the length is below 1, the name of the list is empty, the seed
                is not from 0 to 2³² - 1, or the budget is not from 1 to the length, or goes with a
                cost.
            UnknownNameError: if a name is none of those that the class names.
        """
        length = checked_count("length", self.length, 1)
        if self.name is not None:
            checked_list_name(self.name)
        checked_name("normalization", self.normalization, NORMALIZATIONS)
        checked_name("aggregation", self.aggregation, AGGREGATIONS)
        splits = self.splits if isinstance(self.split, str) else checked_names("split", self.split)
        if not splits:
            raise InvalidValueError("split is empty; name at least one of " + ", ".join(SPLITS))
        for split in splits:
            checked_name("split", split, SPLITS)
        checked_name("reduction over seeds", self.seeds, SEED_REDUCTIONS)
        if isinstance(self.weights, str):
            checked_name("weights", self.weights, WEIGHTS)
        checked_name("scale", self.scale, SCALES)
        checked_name("rule for missing cells", self.missing, ("auto", *RULES))
        checked_count("seed", self.seed, 0, LAST_SEED)
        if self.cost is not None:
            checked_name("cost", self.cost, ("seconds",), "None: do not count cost.")
        if self.budget is not None:
            argument = f"The budget of a list of {length} entries"
            checked_count(argument, self.budget, 1, length, or_else="None")
            if self.cost is not None:
                raise InvalidValueError(
                    f"budget={self.budget} counts trials and cost={self.cost!r} seconds; give one."
                )

    def prepare(self, history: History) -> tuple[ScoreMatrix, inputs.Candidates]:
        """The scores of a history's configurations that may enter a list, and their values.

        Raises:
            InvalidValueError: if the history is empty, or mixes search spaces and the parameter
                `space` does not say which one to take; or nothing in it can be learned from.
        """
        candidates = inputs.candidates_of_history(history, self.space)
        assert candidates.values is not None
        matrix = self.score(history)  # of all spaces: the best known is the best of any
        own = np.array([label in candidates.values for label in matrix.configurations])
        if not own.all():
            matrix = matrix.columns(own)
        return inputs.canonical(inputs.without_unknown(matrix), candidates)

    def score(self, history: History) -> ScoreMatrix:
        """The scores of a history as this learner's parameters define them."""
        return mean_matrix(
            [
                score_matrix(
                    history.curves(split),
                    self.normalization,
                    self.aggregation,
                    self.seeds,
                    self.horizon,
                )
                for split in self.splits
            ]
        )

    def choose(
        self, matrix: ScoreMatrix, values: Sequence[Mapping[str, Any]] | None = None
    ) -> Choice:
        """Order the configurations of a score matrix; `fit` without all that surrounds it.

        Args:
            matrix: scores of at least one task and configuration, none of them wholly unknown.
            values: the hyperparameters of each column; needed by the surrogate.

        Returns:
            The order, and what it was chosen from.

        Raises:
            InvalidValueError: if missing cells are to be estimated from values that are not there,
                or costs are to count that are not known.
        """
        self.check_parameters()
        weights = task_weights(matrix.tasks, matrix.families, self.weights)
        rule, scores = self._completed(matrix, values, weights)
        scaled = scores if self.scale == "linear" else from_median(scores)
        if self.budget is None:
            selection = greedy(scaled, self.length, weights, self._costs(matrix))
        else:
            selection = best_for_budget(scaled, self.budget, self.length, weights)
        if scaled is not scores:
            gains = reductions(scores, selection.order, weights)
            selection = replace(selection, gains=gains)
        return Choice(selection, scores, weights, rule)

    @property
    def list_(self) -> HyperparameterList:
        """The learned list.

        Raises:
            InvalidValueError: if the learner was fitted on a matrix without `configurations`.
        """
        check_is_fitted(self)
        if not self._list:
            raise InvalidValueError(
                "The values of the configurations are not known, so there is an order_ but no "
                "list_. Fit with configurations={label: {hyperparameter: value, …}, …}."
            )
        return self._list

    def explain(self, rank: int) -> Explanation:
        """Why an entry stands where it stands; `print` it, or use its attributes.

        Args:
            rank: of the entry, from 0.

        Raises:
            InvalidValueError: if the list has no such entry.
        """
        check_is_fitted(self)
        rank = checked_count("rank", rank, 0, len(self._positions) - 1)
        values = self._values[self._positions[rank]] if self._values else None
        if self.budget is not None and rank < self.budget:
            reason = f"one of {self.budget} that were chosen together for so many trials"
        else:
            most = "more" if self.cost is None else "more for its seconds"
            scale = "" if self.scale == "linear" else ", on the scale from the median,"
            reason = f"{most}{scale} than any other configuration at this point"
        return explain_entry(
            self.scores_, self.weights_, self._positions, rank, self.passes_, reason, values
        )

    def _completed(
        self,
        matrix: ScoreMatrix,
        values: Sequence[Mapping[str, Any]] | None,
        weights: np.ndarray,
    ) -> tuple[str | None, np.ndarray]:
        known = matrix.values
        if not np.isnan(known).any():
            return None, known
        features = features_of(values) if values else None
        if self.missing == "auto":
            return choose_rule(matrix, features, weights, self.length, self.seed, self.n_jobs)
        if self.missing == "surrogate" and features is None:
            raise InvalidValueError(
                "missing='surrogate' needs the hyperparameter values: fit with configurations=…, "
                "or choose missing='additive'."
            )
        return self.missing, complete(matrix, self.missing, features, self.seed, self.n_jobs)

    def _costs(self, matrix: ScoreMatrix) -> np.ndarray | None:
        if self.cost is None:
            return None
        if matrix.seconds is None:
            raise InvalidValueError(
                "cost='seconds' needs the wall time of runs, and the input has none above 0; use "
                "cost=None."
            )
        return matrix.costs

    def _quality(self, choice: Choice) -> pd.DataFrame:
        """J(k) on the training tasks, and on tasks that were held out of the choice."""
        order, weights = choice.selection.order, choice.weights
        held_out = self.held_out_.get("list")
        return pd.DataFrame(
            {
                "training": weights @ best_after(choice.scores, order),
                "held_out": np.nan if held_out is None else weights @ held_out.to_numpy(),
            },
            index=pd.RangeIndex(1, len(order) + 1, name="k"),
        )
