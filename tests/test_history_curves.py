"""Histories as dense arrays of curves."""

import math
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from history_records import history, run
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hplist.errors import InvalidValueError
from keras_hplist.history import History
from keras_hplist.spaces import configuration_id

NAN, INF = math.nan, math.inf


def test_curves_are_a_dense_array_of_the_losses():
    """Every loss stands at its task, configuration, seed and time; what was not run is NaN."""
    rows = [
        run("a", 0.1, (3, 2, 1), seed=0),
        run("a", 0.2, (3, 1, 0), seed=1, seconds=5.0),
        run("b", 0.1, (9, 8, 7), seed=0, family="f"),
    ]
    curves = history(*rows).curves("valid")
    assert curves.values.dtype == np.float32
    assert curves.tasks == ("a", "b")
    assert curves.families == (None, "f")
    assert curves.seeds.tolist() == [0, 1]
    assert curves.times.tolist() == [0, 0.5, 1]
    assert curves.initial.tolist() == [3, 9]
    ids = {c: i for i, c in enumerate(curves.configurations)}
    for row in rows:
        cell = (
            curves.tasks.index(row["task"]),
            ids[configuration_id("adam1p", row["values"])],
            row["seed"],
        )
        assert curves.values[cell].tolist() == row["valid"]
    assert np.isnan(curves.values).sum() == 5 * 3
    assert np.nansum(curves.seconds) == 5.0


def test_diverged_pruned_failed_and_missing_are_told_apart():
    """+inf after the last finite loss; NaN after a prune; NaN throughout if failed."""
    rows = [
        run("a", 0.1, (3, 2, NAN, NAN)),
        run("a", 0.2, (3, 2), training_steps=30, status="pruned"),
        run("a", 0.3, (3, 2, 1), training_steps=30, status="ok"),
        run("a", 0.4, (), status="failed", training_steps=30),
        run("a", 0.5, (), status="diverged", training_steps=30),
        run("a", 0.6, (3, NAN, 1, 1), status="ok"),
        run("a", 0.7, status="diverged", training_steps=30) | {"steps": [5], "valid": None},
    ]
    curves = history(*rows).curves(times=[0, 1 / 3, 2 / 3, 1])
    ids = [configuration_id("adam1p", row["values"]) for row in rows]
    got = {
        i: curves.values[0, curves.configurations.index(i), 0].tolist()
        for i in ids
        if i in (curves.configurations)
    }
    assert got[ids[0]] == [3, 2, INF, INF]
    assert got[ids[1]][:2] == [3, 2]
    assert np.isnan(got[ids[1]][2:]).all()
    assert got[ids[2]] == [3, 2, 1, 1]
    assert ids[3] not in got
    assert got[ids[4]] == got[ids[6]] == [INF] * 4
    assert got[ids[5]] == [3, 2, 1, 1]


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_families_of_a_task_the_first_by_name_counts(order):
    """Whatever the order of rows; a run that names none does not take it away."""
    rows = [run("t", 0.1 * (n + 1), family=f) for n, f in enumerate(("b", "a", None))]
    both = history(*[*rows, run("s", 0.1)][::order])
    assert list(both.families.items()) == [("s", None), ("t", "a")]
    assert both.curves().families == (None, "a")


@pytest.mark.parametrize("times", [None, [0.5, 1.0]], ids=["shared", "given"])
def test_a_status_counts_though_all_losses_are_finite(times):
    """A diverged run ends in +inf; of a pruned one, losses measured up to the end are known."""
    rows = [run("a", rate, (3, 2, 1), status=status)
            for rate, status in ((0.1, "ok"), (0.2, "diverged"), (0.3, "pruned"))]  # fmt: skip
    curves = history(*rows).curves(times=times)
    ends = {
        id_: curves.values[0, n, 0, -2:].tolist() for n, id_ in enumerate(curves.configurations)
    }
    assert [ends[configuration_id("adam1p", row["values"])] for row in rows] == [
        [2, 1], [2, INF], [2, 1]
    ]  # fmt: skip
    early = history(*rows).curves(times=[0, 0.5])
    assert np.isfinite(early.values).all()  # it diverged later


@pytest.mark.parametrize("times", [None, [0.5, 1.0]], ids=["shared", "given"])
def test_a_status_counts_for_a_final_loss_alone(times):
    """The loss of a pruned run is not that of the end, which is unknown."""
    rows = [run("a", rate, (1,), steps=[9], training_steps=9, status=status)
            for rate, status in ((0.1, "ok"), (0.2, "diverged"), (0.3, "pruned"))]  # fmt: skip
    curves = history(*rows).curves(times=times)
    last = dict(zip(curves.configurations, curves.values[0, :, 0, -1], strict=True))
    np.testing.assert_array_equal(
        [last[configuration_id("adam1p", row["values"])] for row in rows], [1, INF, NAN]
    )


@given(
    steps=st.lists(st.integers(0, 100), min_size=2, max_size=8, unique=True).map(sorted),
    data=st.data(),
)
@settings(max_examples=60)
def test_curves_are_interpolated_as_stated(steps, data):
    """On another time axis: straight lines, the first loss before, the last one after."""
    losses = data.draw(st.lists(st.floats(-10, 10), min_size=len(steps), max_size=len(steps)))
    grid = np.linspace(0, 1, 11)
    curves = history(run(losses=losses, steps=steps, training_steps=100)).curves(times=grid)
    expected = np.interp(grid * 100, steps, np.float32(losses))
    np.testing.assert_allclose(curves.values[0, 0, 0], expected, rtol=1e-5, atol=1e-5)


def test_runs_of_different_lengths_meet_on_a_common_axis():
    """Tasks planned for different steps share the axis of fractions; other grids are resampled."""
    same = history(
        run("a", losses=(3, 2, 1)), run("b", losses=(3, 2, 1), steps=[0, 500, 1000])
    ).curves()
    assert same.times.tolist() == [0, 0.5, 1]
    assert same.training_steps.tolist() == [20, 1000]
    other = history(run("a", losses=(3, 2, 1)), run("b", losses=(3, 1))).curves()
    assert len(other.times) == 51
    assert other.values[1, 0, 0, 25] == pytest.approx(2.0)


def test_curves_refuse_what_cannot_be_compared():
    """Two horizons in one task, a split that nobody measured, times that are none."""
    with pytest.raises(InvalidValueError, match=r"task 'a'.*several numbers of training steps"):
        history(run(), run(rate=0.2, training_steps=40)).curves()
    with pytest.raises(InvalidValueError, match=r"No run.*'test'"):
        history(run()).curves("test")
    with pytest.raises(InvalidValueError, match="fractions"):
        history(run()).curves(times=[0.5, 0.2])


def test_a_large_history_becomes_an_array_with_one_copy():
    """The dense array costs its own size, not several times that."""
    rows, points = 20_000, 51
    table = pa.table(
        {
            "task": pa.array([f"t{i % 20}" for i in range(rows)]),
            "family": pa.nulls(rows, pa.string()),
            "configuration": pa.array([f"c{i // 20:04d}" for i in range(rows)]),
            "space": pa.array(["adam1p"] * rows),
            "values": pa.array(["{}"] * rows),
            "seed": pa.array(np.zeros(rows, np.int32)),
            "training_steps": pa.array(np.full(rows, 50, np.int32)),
            "batch_size": pa.nulls(rows, pa.int32()),
            "steps": _lists(np.tile(np.arange(points, dtype=np.int32), rows), points),
            "train": pa.nulls(rows, pa.list_(pa.float32())),
            "valid": _lists(np.random.default_rng(0).random(rows * points, np.float32), points),
            "test": pa.nulls(rows, pa.list_(pa.float32())),
            "status": pa.array(["ok"] * rows),
            "seconds": pa.nulls(rows, pa.float64()),
            "num_parameters": pa.nulls(rows, pa.int64()),
            "source": pa.nulls(rows, pa.string()),
            "versions": pa.nulls(rows, pa.string()),
        }
    )
    large = History(table)
    large.curves()  # warm up
    tracemalloc.start()
    curves = large.curves()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * curves.values.nbytes


def _lists(flat, length):
    return pa.ListArray.from_arrays(np.arange(0, len(flat) + 1, length, dtype=np.int32), flat)
