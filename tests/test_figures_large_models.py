"""Figures 4 and S4: to the digit on small histories, and drawn."""

import numpy as np
import pandas as pd
import pytest

from keras_hplist.figures import figure_4, figure_s4, large_models
from keras_hplist.figures.material import Material, NotApplicable
from keras_hplist.figures.saving import picture
from keras_hplist.history import History

RESNET, TRANSFORMER = large_models.LAPTOP


def run(source, space, values, valid, task=TRANSFORMER, status="ok", seed=0):
    """A row of a history, four evaluations long."""
    return {
        "task": task,
        "source": source,
        "space": space,
        "values": values,
        "seed": seed,
        "training_steps": 300,
        "steps": [0, 100, 200, 300],
        "train": valid,
        "valid": valid,
        "status": status,
        "num_parameters": 1234,
    }


def records(task=TRANSFORMER):
    """A list of three entries, three rates under each of two schedules, two defaults."""
    nan = np.nan
    return [
        run("list nadamw, entry 1", "nadamw", {"a": 1}, [9, 7, 5, 3], task),
        run("list nadamw, entry 0", "nadamw", {"a": 0}, [9, 7, 5, 4], task),
        run("list nadamw, entry 2", "nadamw", {"a": 2}, [9, 9, 9, 9.5], task),
        run("tuned Adam, constant", "adam1p", {"r": 1}, [9, 8, 7, 6], task),
        run("tuned Adam, constant", "adam1p", {"r": 2}, [9, 8, 7, 3.5], task),
        run("tuned Adam, constant", "adam1p", {"r": 3}, [9, nan, nan, nan], task, "diverged"),
        run("tuned Adam, fixed", "adam_fixed", {"r": 1}, [9, 8, 7, 5], task),
        run("tuned Adam, fixed", "adam_fixed", {"r": 2}, [9, 8, 7, 2], task),
        run("Keras default", "adam", {"r": 9}, [9, 8, 7, 4.5], task),
        run("Keras default", "sgd", {"r": 9}, [9, 8.9, 8.8, 8.7], task),
    ]


def history(tasks=(RESNET, TRANSFORMER)):
    """The records of several tasks, and a run of the suite beside them."""
    other = run("collect", "nadamw", {"a": 7}, [3, 2, 1, 0.5], task="mlp_family_seed1")
    return History.from_records([other, *(row for task in tasks for row in records(task))])


def losses(frame, method, task=TRANSFORMER):
    """The values of panel "trials"."""
    return frame.loc[[(task, "trials", method)], "y"].tolist()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("list a, entry b, entry 12", large_models.Source.of_list("a, entry b", 12)),
        ("tuned Adam, cosine", large_models.Source(large_models.COSINE)),
        ("Keras default", large_models.Source(large_models.DEFAULT)),
    ],
)
def test_a_source_reads_as_it_is_written(text, source):
    """Also of a list whose name holds what stands before the rank; others are of no method."""
    assert str(source) == text
    assert large_models.Source.parse(text) == source
    assert large_models.Source.parse(f"{text}!") is None


def test_lists_count_in_their_order_and_rates_in_any():
    """Best so far of a list; of rates the mean over orders; a diverged run ends where it began."""
    frame = figure_4.compute(history().to_frame())
    assert losses(frame, "list nadamw") == [4, 3, 3]
    # Of 6, 3.5 and 9: one draw is their mean; of two draws the pairs' minima are 3.5, 6 and 3.5.
    np.testing.assert_allclose(
        losses(frame, "tuned Adam, constant"), [18.5 / 3, 13 / 3, 3.5], rtol=1e-12
    )
    assert losses(frame, "Keras default adam") == [4.5]
    assert losses(frame, "Keras default sgd") == [np.float32(8.7)]
    assert "tuned Adam, fixed" not in frame.index.unique("method")
    assert list(frame.index.unique("task")) == [RESNET, TRANSFORMER]


def test_curves_are_those_of_the_best_runs_and_the_first_entry():
    """The best of a method by its last loss; the list's first entry beside it."""
    frame = figure_4.compute(history().to_frame())
    curves = large_models.panel(frame, TRANSFORMER, "curve")
    assert curves.loc["list nadamw", "y"].tolist() == [9, 7, 5, 3]
    assert curves.loc["list nadamw, first", "y"].tolist() == [9, 7, 5, 4]
    assert curves.loc["tuned Adam, constant", "y"].tolist() == [9, 8, 7, 3.5]
    assert curves.loc["list nadamw", "x"].tolist() == [0, 100, 200, 300]


def test_s4_compares_schedules_on_the_transformer_alone():
    """Constant and fixed rates; neither the residual network nor defaults."""
    frame = figure_s4.compute(history().to_frame())
    assert list(frame.index.unique("task")) == [TRANSFORMER]
    assert losses(frame, "tuned Adam, fixed") == [3.5, 2]
    assert list(large_models.panel(frame, TRANSFORMER, "curve").index.unique()) == [
        "list nadamw",
        "list nadamw, first",
        "tuned Adam, constant",
        "tuned Adam, fixed",
    ]


def test_captions_give_the_numbers_and_say_that_models_are_small():
    """Every final loss, and that these are not the published models."""
    told = figure_4.caption(figure_4.compute(history().to_frame()))
    for part in ("laptop-size", "not trained here", "4.000", "best of 3 3.000", "3.500", "1,234"):
        assert part in told
    assert "2.000 after all" in figure_s4.caption(figure_s4.compute(history().to_frame()))
    full = records(large_models.TRANSFORMER)
    told = figure_4.caption(figure_4.compute(History.from_records(full).to_frame()))
    assert "laptop-size" not in told


@pytest.mark.parametrize("module", [figure_4, figure_s4])
def test_without_such_runs_the_figures_do_not_apply(module):
    """A history of other tasks, or of one without a baseline, is refused with the reason."""
    few = [records()[0], records(RESNET)[0], run("x", "nadamw", {}, [1, 1, 1, 1], "other")]
    for rows in (few, few[2:]):
        with pytest.raises(NotApplicable, match="compare"):
            module.from_material(Material(history=History.from_records(rows)))
    with pytest.raises(NotApplicable):
        module.from_material(Material())


def test_s4_needs_a_schedule():
    """Without scheduled Adam there is nothing to show."""
    rows = [row for row in records() if row["source"] != "tuned Adam, fixed"]
    material = Material(history=History.from_records(rows))
    assert not figure_4.from_material(material).empty
    with pytest.raises(NotApplicable, match="schedule"):
        figure_s4.from_material(material)


@pytest.mark.parametrize("module", [figure_4, figure_s4])
def test_both_widths_are_drawn(module):
    """The same table at full and at narrow width; every method stands in the legend."""
    frame = module.from_material(Material(history=history()))
    for size in (module.SIZE, module.NARROW):
        drawn = picture(module.draw, frame, "svg", size).decode()
        assert "list nadamw, first entry" in drawn
        assert "Adam, rate tuned, constant" in drawn


def test_the_table_survives_a_file(tmp_path):
    """The table survives the cache's Parquet file."""
    frame = figure_4.compute(history().to_frame())
    frame.to_parquet(tmp_path / "frame.parquet")
    pd.testing.assert_frame_equal(frame, pd.read_parquet(tmp_path / "frame.parquet"))
