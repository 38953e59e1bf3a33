"""How a search stands beside the tasks of its list, and what further trials would bring."""

import json

import numpy as np
import pandas as pd
import populations
import pytest

import keras_hplist as khl
from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.learning.evidence import Evidence
from keras_hplist.lists import drop
from keras_hplist.reports import standing
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Number


@pytest.fixture(scope="module")
def mine() -> khl.HyperparameterList:
    """A list of six learning rates that carries its scores on nine tasks."""
    return populations.learned()[0]


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """Of the list `mine`."""
    return populations.learned()[1]


def test_hyperparameters_may_be_called_as_columns_of_the_next_entries():
    """The list's own columns are then called otherwise; evidence gives them gains."""
    rows = (Hyperparameter("gain", Number(0.0, 1.0)), Hyperparameter("rank", Number(0, 9)))
    space = SearchSpace("mine", rows)
    hplist = khl.HyperparameterList([{"gain": 0.5, "rank": rank} for rank in (1, 2)], space)
    scores = pd.DataFrame([[0.5, 0.25]], index=["t"])
    families = pd.Series([None], index=["t"])
    evidence = Evidence(scores, scores, scores, families)
    coming = standing.next_entries(hplist, [0], evidence).reset_index()
    assert coming.to_dict("records") == [{"rank_": 1, "gain_": 0.25, "gain": 0.5, "rank": 2.0}]


def test_evidence_is_what_the_learner_held_out_and_travels_with_the_list(mine, evidence, tmp_path):
    """To four digits, under the same fingerprint; what is malformed is an error."""
    history = populations.history(tasks=9, rates=9)
    learner = khl.ListLearner(length=6).fit(history)
    np.testing.assert_allclose(evidence.held_out, learner.held_out_["list"])
    np.testing.assert_allclose(evidence.entries, learner.scores_[learner.order_])
    assert (evidence.lowest.to_numpy() <= evidence.held_out.to_numpy() + 1e-6).all()
    assert mine.fingerprint == learner.list_.fingerprint
    mine.save(tmp_path / "mine.json")
    carried = Evidence.carried_by(khl.HyperparameterList.load(tmp_path / "mine.json"))
    assert carried is not None
    for name in ("entries", "held_out", "lowest"):
        np.testing.assert_allclose(getattr(carried, name), getattr(evidence, name), atol=6e-5)
    assert list(carried.families) == [name.split("_")[0] for name in carried.entries.index]
    assert Evidence.carried_by(learner.list_) is None
    document = json.loads((tmp_path / "mine.json").read_text())
    document["provenance"]["evidence"]["lowest"][0] += " 1"
    (tmp_path / "mine.json").write_text(json.dumps(document))
    with pytest.raises(FileFormatError, match=r"evidence .* of list 'mine' is malformed"):
        Evidence.carried_by(khl.HyperparameterList.load(tmp_path / "mine.json"))
    with pytest.raises(InvalidValueError, match="quantile"):
        Evidence.of(khl.ListLearner(normalization="quantile").fit(history), history)


def test_without_evidence_the_list_tells_its_mean_only():
    """J(k) of the provenance, and straight lines between."""
    shipped = khl.HyperparameterList.load("nadamw")
    bare = khl.HyperparameterList(
        shipped, "nadamw", provenance={"J": {"held_out": {"1": 0.5, "3": 0.3, "5": 0.2}}}
    )
    assert standing.expected(None, bare, 2)["mean"].to_dict() == {1: 0.5, 3: 0.3, 5: 0.2}
    gains = standing.further_gains(None, bare, 2, span=2.0)
    np.testing.assert_allclose(gains["score"], [0.1, 0.15, 0.2])
    np.testing.assert_allclose(gains["loss"], [0.2, 0.3, 0.4])
    nothing = khl.HyperparameterList(shipped, "nadamw")
    assert standing.expected(None, nothing, 2).empty
    assert standing.further_gains(None, nothing, 2).empty


def test_a_part_of_a_list_tells_what_holds_of_its_own_entries(mine, evidence):
    """Scores go with their entries; what the first k reach holds as far as these are the first."""
    tail = mine[2:]
    carried = Evidence.carried_by(tail)
    np.testing.assert_allclose(carried.entries, evidence.entries[[2, 3, 4, 5]], atol=6e-5)
    assert list(carried.entries) == [0, 1, 2, 3] and carried.held_out.empty
    for known in (carried, None):
        assert standing.expected(known, tail, 3).empty
        assert standing.further_gains(known, tail, 1).empty
    gapped = drop(mine, [3])
    carried = Evidence.carried_by(gapped)
    assert list(carried.held_out) == list(carried.lowest) == [1, 2, 3]
    assert list(standing.expected(carried, gapped, 4).index) == [1, 2, 3]
    assert list(standing.expected(None, gapped, 4).index) == [1, 2, 3]
    assert list(standing.further_gains(carried, gapped, 1).index) == [1, 2]


def test_the_nearest_task_is_the_one_with_the_same_scores(evidence):
    """A problem on which entries do as on a task is at distance 0 from it, in any unit of loss."""
    for task in evidence.entries.index[:3]:
        best = evidence.entries.loc[task].min()
        other = 1 - 0.6 * (1 - evidence.entries.loc[task]) / (1 - best)  # another best known
        frame = pd.DataFrame(
            {"entry": range(6), "score": other, "best": np.minimum.accumulate(other)}
        )
        nearest = standing.nearest_tasks(evidence, standing.Scores(frame, 1.0, "valid"))
        assert nearest.index[0] == task
        assert nearest["distance"].iloc[0] == pytest.approx(0, abs=1e-6)
        assert (nearest["usual"] > 0).all()
    few = standing.Scores(frame.head(2), 1.0, "valid")
    with pytest.raises(InvalidValueError, match=r"at least 3 entries .* 2 were tried"):
        standing.nearest_tasks(evidence, few)
