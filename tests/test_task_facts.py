"""Measured facts of the suite, filters on them, and the check that measures."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest

from keras_hplist import tasks
from keras_hplist.tasks import checking
from keras_hplist.tasks.errors import TaskDataError, UnknownTaskError
from keras_hplist.tasks.measurements import Table, shipped


def test_facts_are_those_of_the_tasks_as_they_are():
    """Every task of the suite has facts, and what can be counted is what the program has."""
    facts = tasks.facts()
    assert list(facts) == tasks.names()
    for name, known in facts.items():
        task = tasks.get(name)
        assert (known.family, known.batch_size) == (task.family, task.batch_size), name
        assert known.num_parameters == task.num_parameters, name
        assert known.flops_per_step == task.flops_per_step, name
        assert known.seconds_per_step > 0 and known.first_step_seconds > 0, name


def test_sizes_span_six_orders_of_magnitude():
    """From two weights to tens of millions."""
    sizes = [known.num_parameters for known in tasks.facts().values()]
    assert min(sizes) == 2
    assert max(sizes) > 1e6 * min(sizes)


def test_only_documented_tasks_start_without_a_finite_loss():
    """The tasks whose first loss overflows are known by name."""
    found = {name for name, known in tasks.facts().items() if math.isnan(known.initial_loss)}
    assert found == checking.NOT_FINITE_AT_START


def test_facts_and_filters_load_no_framework():
    """Reading facts and filtering names import neither Keras nor TensorFlow."""
    code = (
        "import sys; from keras_hplist import tasks;"
        "tasks.facts(); tasks.names(max_parameters=100, max_cost=1, data='synthetic');"
        "print(sorted({'tensorflow', 'keras', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_filters_keep_what_fits():
    """Each filter is a bound on the facts; together they are all of them."""
    facts = tasks.facts()
    small = tasks.names(max_parameters=1000)
    assert small == [n for n in tasks.names() if facts[n].num_parameters <= 1000]
    fast = tasks.names("maf_family", max_cost=0.01)
    assert fast == [n for n in tasks.names("maf_family") if facts[n].seconds_per_step <= 0.01]
    assert 0 < len(fast) < 88
    both = tasks.names(max_parameters=1000, max_cost=0.001)
    assert set(both) == set(small) & set(tasks.names(max_cost=0.001))
    assert tasks.names(max_parameters=1) == []


def test_data_sets_are_found_by_name_and_by_prefix():
    """A whole name finds one data set, the beginning of a name all that begin so."""
    one = tasks.names(data="tokenized_wikipedia/20190301.hsb_bytes")
    assert {tasks.get(n).config["dataset"][0] for n in one} == {
        "tokenized_wikipedia/20190301.hsb_bytes"
    }
    assert {tasks.facts()[name].data_set for name in tasks.names(data="cifar10")} == {"cifar10"}
    both = tasks.names(data="cifar")
    assert {tasks.facts()[name].data_set for name in both} == {"cifar10", "cifar100"}
    many = tasks.names(data="tokenized_wikipedia")
    assert set(one) < set(many)
    synthetic = set(tasks.names(data="synthetic"))
    assert set(tasks.names("quadratic_family")) | set(tasks.names("losg_tasks_family")) < synthetic


def test_unknown_data_set_offers_the_nearest():
    """A misspelt data set is answered with the one that was meant, and all there are."""
    with pytest.raises(UnknownTaskError, match=r"'cifar10'.*Known: .*mnist"):
        tasks.names(data="cifer10")
    for name in (5, "", ["cifar10"]):
        with pytest.raises(UnknownTaskError, match=f"Unknown data set {re.escape(repr(name))}"):
            tasks.names(data=name)


@pytest.mark.parametrize("bound", ["max_parameters", "max_cost"])
@pytest.mark.parametrize("given", ["a", -1, float("nan"), True])
def test_a_bound_is_a_number(bound, given):
    """A filter that means nothing is refused; one that lets everything pass is none."""
    with pytest.raises(TaskDataError, match=rf"{bound} is .*; give a number, at least 0"):
        tasks.names("mlp_family", **{bound: given})
    assert tasks.names("mlp_family", **{bound: float("inf")}) == tasks.names("mlp_family")


def test_table_survives_its_file():
    """What is written is read again, a first loss that is not finite too."""
    again = Table.from_json(shipped().to_json(), "here")
    assert again.reference_seconds == shipped().reference_seconds
    for name, known in again.facts.items():
        np.testing.assert_equal(vars(known), vars(shipped().facts[name]))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "keras-hplist task facts"}'])
def test_damaged_table_is_refused_with_its_name(text):
    """A file that is no table is named, with the command that writes one."""
    with pytest.raises(TaskDataError, match=r"facts\.json.*tasks check --output"):
        Table.from_json(text, "facts.json")


def test_check_measures_a_task(monkeypatch):
    """A sound task gives its facts; its relative cost is in reference products, here of 10 ms."""
    monkeypatch.setattr(checking, "time_reference", lambda: 0.01)
    found, known = tasks.check("TwoD_Bowl10"), tasks.facts()["TwoD_Bowl10"]
    assert found.initial_loss == pytest.approx(known.initial_loss)
    assert found.seconds_per_step > 0
    assert found.relative_step == pytest.approx(found.seconds_per_step / 0.01)
    assert (found.num_parameters, found.data_set) == (2, "synthetic")


def test_check_finds_weights_that_do_not_follow_from_the_seed(monkeypatch):
    """A start drawn anew each time fails."""
    from keras_hplist.tasks.program import Program

    rng = np.random.default_rng()
    monkeypatch.setattr(Program, "init", lambda self, seed: [rng.random(2, np.float32)])
    with pytest.raises(checking.CheckError, match="initial weights differ"):
        tasks.check("TwoD_Bowl10")


def test_check_requires_what_is_documented(monkeypatch):
    """A finite first loss fails where a task is said to have none."""
    monkeypatch.setattr(checking, "NOT_FINITE_AT_START", frozenset({"TwoD_Bowl10"}))
    with pytest.raises(checking.CheckError, match="not finite, as documented"):
        tasks.check("TwoD_Bowl10")
