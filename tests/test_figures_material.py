"""What figures are made from: comparable runs, scores of a search space, and cached tables."""

import numpy as np
import pandas as pd
import populations
import pytest

import keras_hplist as khl
from keras_hplist.errors import UnknownNameError
from keras_hplist.figures import figure_1a, figure_1c, report
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.learning import score_matrix


@pytest.fixture(scope="module")
def history():
    """Six tasks; twelve rates planned for 50 steps, four of them also for 500, in two spaces."""
    short = populations.runs(tasks=6, rates=12, training_steps=50, num_parameters=7)
    other = populations.runs(tasks=4, rates=3, seed=5, training_steps=50, space="mine")
    long = populations.runs(tasks=6, rates=4, training_steps=500)
    return khl.History.from_records([*short, *other, *long])


def test_spaces_and_families_are_told(history):
    """Most runs first; tasks with their families."""
    material = Material(history=history)
    assert material.spaces == ("adam1p", "mine")
    assert material.families.to_dict() == history.families
    assert material.split == "valid"
    assert (material.tasks["num_parameters"] == 7).all()
    assert material.timed_tasks()["family"].tolist() == list(history.families.values())


def test_runs_of_one_number_of_steps_are_compared(history):
    """That of most runs, or the one asked for; of every search space."""
    material = Material(history=history)
    assert set(material.runs().table["training_steps"].to_pylist()) == {50}
    assert len(material.runs()) == 6 * 12 + 4 * 3
    assert len(material.runs(training_steps=500)) == 6 * 4
    assert len(material.runs("mine")) == 4 * 12 + 4 * 3


def test_scores_have_the_scale_of_all_spaces_and_the_columns_of_one(history):
    """The same numbers as of all runs, without what was not run."""
    material = Material(history=history)
    runs = history.select(training_steps=50)
    whole = score_matrix(runs.curves("valid"), "initial", "min").to_frame()
    found = material.scores("mine", aggregation="min").to_frame()
    own = sorted(runs.select(space="mine").values())
    assert list(found) == own and len(found) == 4
    pd.testing.assert_frame_equal(found, whole.loc[found.index, own])
    assert material.scores("mine", aggregation="min") is material.scores("mine", aggregation="min")
    with pytest.raises(UnknownNameError, match="adam1p"):
        material.scores("adam2p")


def test_tables_come_from_the_cache_until_something_changes(history, tmp_path):
    """Another table, another history or a damaged file: made anew."""
    calls = []

    def compute():
        calls.append(1)
        return pd.DataFrame({0.5: [1.0, np.nan]}, index=pd.Index(["a", "b"], name="task"))

    material = Material(history=history, cache=tmp_path / "new")
    for _ in range(2):
        pd.testing.assert_frame_equal(material.cached("t", compute), compute())
    assert len(calls) == 3  # two of them by this test
    again = Material(history=khl.History(history.table), cache=tmp_path / "new")
    again.cached("t", compute)
    assert len(calls) == 3
    again.cached("u", compute)
    other = history.select(space="mine")
    Material(history=other, cache=tmp_path / "new").cached("t", compute)
    assert len(calls) == 5
    for file in (tmp_path / "new").iterdir():
        file.write_bytes(file.read_bytes()[:-9])
    material.cached("t", compute)
    assert len(calls) == 6


def test_what_is_missing_is_told():
    """Without a history, without times, sizes or losses."""
    with pytest.raises(NotApplicable, match="give a history"):
        Material().scores()
    bare = [{"task": "t", "values": {"x": x}, "steps": [0, 1], "valid": [1, x]} for x in (0.1, 0.2)]
    material = report.material_of(khl.History.from_records(bare))
    assert material.facts is None
    with pytest.raises(NotApplicable, match="how many parameters"):
        figure_1a.from_material(material)
    with pytest.raises(NotApplicable, match="how long"):
        figure_1c.from_material(material)
    lost = [{"task": "t", "values": {}, "status": "failed"}]
    with pytest.raises(NotApplicable, match="has losses"):
        Material(history=khl.History.from_records(lost)).scores()


def test_tasks_of_the_suite_bring_their_facts():
    """A history of the suite's tasks has the facts beside it, a user's own has not."""
    records = populations.runs(tasks=2)
    assert report.material_of(khl.History.from_records(records)).facts is None
    for record in records:
        record["task"] = f"mlp_family_seed{record['task'][-1]}"
    facts = report.material_of(khl.History.from_records(records)).facts
    assert facts is not None and len(facts) == 1162
    assert facts.loc["mlp_family_seed0", "num_parameters"] == 246767
