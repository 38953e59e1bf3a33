"""The rules that all readers of other tools share, shown on CSVLogger and CSV files."""

import json
import math
from decimal import Decimal

import numpy as np
import pytest

from keras_hplist.errors import FileFormatError, InvalidValueError, UnknownNameError
from keras_hplist.history import read_csv, read_csv_logger, read_ray_tune, sources
from keras_hplist.history.readers.values import direction_of, parse_value, plain_values


def write(folder, name, points, **document):
    """A run of CSVLogger: rows of epoch, loss, val_loss; its sidecar."""
    lines = [",".join(map(str, point)) for point in points]
    (folder / f"{name}.csv").write_text("\n".join(["epoch,loss,val_loss", *lines, ""]))
    (folder / f"{name}.json").write_text(json.dumps(document or {"lr": 0.1}))


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("val_loss", "min"), ("loss", "min"), ("epoch_loss", "min"), ("validation/MSE", "min"),
        ("val_mean_absolute_error", "min"), ("sparse_categorical_crossentropy", "min"),
        ("val_accuracy", "max"), ("acc", "max"), ("val_auc", "max"), ("test-F1", "max"),
        ("mean_IoU", "max"), ("r2", "max"),
    ],
)  # fmt: skip
def test_a_metrics_name_tells_its_direction(metric, direction):
    """By its words."""
    assert direction_of(metric) == direction


@pytest.mark.parametrize("metric", ["objective", "y", "lossless", "accuracy_error", "map_loss"])
def test_a_name_that_does_not_tell_is_refused(metric):
    """No word, or words of both kinds."""
    with pytest.raises(InvalidValueError, match="direction='min' or direction='max'"):
        direction_of(metric)


def test_values_become_plain():
    """Nested ones are flattened, lists become JSON, numbers of all kinds those of Python."""
    values = {"a": np.float32(0.5), "b": {"c": np.int64(3), "d": {"e": True}}, "f": (1, "x"),
              "g": None, "h": pytest.approx, "i": Decimal("0.10"), "j": Decimal(64)}  # fmt: skip
    plain = plain_values(values)
    assert plain == {
        "a": 0.5, "b/c": 3, "b/d/e": True, "f": '[1, "x"]', "g": None, "h": str(pytest.approx),
        "i": 0.1, "j": 64,
    }  # fmt: skip
    assert [type(plain[name]) for name in ("a", "b/c", "i", "j")] == [float, int, float, int]


def test_text_becomes_values():
    """Numbers, booleans and None; what is none of them stays text."""
    texts = {"1": 1, "-2.5": -2.5, "1e-3": 1e-3, "True": True, "false": False, "None": None,
             "adam": "adam", "1,2": "1,2", "": "", "12e4567": "12e4567", "-1e999": "-1e999",
             "9" * 400: "9" * 400, "inf": math.inf, "-Infinity": -math.inf}  # fmt: skip
    assert math.isnan(parse_value("nan"))
    for text, value in texts.items():
        assert parse_value(text) == value
        assert type(parse_value(text)) is type(value)


@pytest.mark.parametrize("last", ["nan", "inf", "-inf", "1e39"])
@pytest.mark.parametrize("status", ["ok", "failed", "pruned"])
def test_a_run_has_diverged_if_its_last_loss_is_not_finite(tmp_path, last, status):
    """In float32, and whatever its tool calls it."""
    write(tmp_path, "a", [(0, 1, 1), (1, 1, last)], values={"lr": 0.1}, status=status)
    assert read_csv_logger(tmp_path).to_frame()["status"].tolist() == ["diverged"]


def ray_trial(folder, name, losses):
    """A trial as Ray Tune leaves it; one without losses crashed."""
    trial = folder / "exp" / name
    trial.mkdir(parents=True)
    (trial / "params.json").write_text(json.dumps({"lr": 0.1, "name": name}))
    lines = [json.dumps({"val_loss": x, "training_iteration": n}) for n, x in enumerate(losses, 1)]
    (trial / "result.json").write_text("".join(f"{line}\n" for line in lines))
    if not losses:
        (trial / "error.txt").write_text("out of memory")


@pytest.mark.parametrize("text", ["null", "nan", "NaN", "inf", "Infinity", "-inf"])
def test_texts_for_numbers_that_json_lacks_are_read(tmp_path, text):
    """Ray Tune writes the NaN of NumPy as "null"; a `null` without quotes is no measurement."""
    ray_trial(tmp_path, "a", [2, text])
    ray_trial(tmp_path, "b", [2, None, 1])
    history = read_ray_tune(tmp_path)
    assert history.to_frame()["status"].tolist() == ["diverged", "ok"]
    assert history.table["steps"].to_pylist() == [[1, 2], [1, 3]]
    ray_trial(tmp_path, "c", [2, "low"])
    with pytest.raises(FileFormatError, match="line 2: 'val_loss' is 'low', not a number"):
        read_ray_tune(tmp_path)


def test_a_time_that_no_training_takes_is_not_known(tmp_path):
    """As where a clock was set back; the run itself counts."""
    text = "lr,loss,took\n0.1,1,-5\n0.2,1,inf\n0.3,1,7.5\n"
    (tmp_path / "runs.csv").write_text(text)
    history = read_csv(tmp_path / "runs.csv", {"valid": "loss", "seconds": "took"})
    assert history.to_frame()["seconds"].dropna().tolist() == [7.5]
    assert len(history) == 3


def test_a_metric_that_no_run_has_is_refused_though_one_crashed(tmp_path):
    """A misspelt name would else leave nothing but the crashed run."""
    ray_trial(tmp_path, "a", [2, 1])
    ray_trial(tmp_path, "b", [])
    assert read_ray_tune(tmp_path).to_frame()["status"].tolist() == ["ok", "failed"]
    with pytest.raises(InvalidValueError, match="'valid_loss'; logged: training_iteration, val_l"):
        read_ray_tune(tmp_path, "valid_loss")


def test_failed_runs_are_kept_also_where_no_run_logged_anything(tmp_path):
    """No choice of a metric would help: what is not failed is dropped."""
    ray_trial(tmp_path, "a", [])
    ray_trial(tmp_path, "b", [])
    (tmp_path / "exp" / "b" / "error.txt").unlink()
    history = read_ray_tune(tmp_path)
    assert history.to_frame()["status"].tolist() == ["failed"]
    assert history.report.dropped == [("b", "no values of 'val_loss'")]


def test_a_failed_run_without_losses_is_kept(tmp_path):
    """It counts as failed; one that is said to be ok is dropped."""
    write(tmp_path, "a", [], values={"lr": 0.1}, status="failed")
    write(tmp_path, "b", [], values={"lr": 0.2}, status="ok")
    write(tmp_path, "c", [(0, 1, 1)])
    history = read_csv_logger(tmp_path)
    assert history.to_frame()["status"].tolist() == ["failed", "ok"]
    assert history.report.dropped == [("b", "no values of 'val_loss'")]


def test_the_training_steps_are_those_of_the_longest_run_of_the_task(tmp_path):
    """So that a pruned run is known to have been cut off."""
    write(tmp_path, "a", [(0, 1, 1), (1, 1, 1), (2, 1, 1)])
    write(tmp_path, "b", [(0, 1, 1)], values={"lr": 0.2}, status="pruned")
    assert read_csv_logger(tmp_path).to_frame()["training_steps"].tolist() == [3, 3]


def test_repeated_runs_of_a_configuration_become_seeds(tmp_path):
    """Numbered in their order; the report says so."""
    for name in "abc":
        write(tmp_path, name, [(0, 1, 1)], lr=0.1 if name < "c" else 0.2)
    history = read_csv_logger(tmp_path)
    assert history.to_frame()["seed"].tolist() == [0, 1, 0]
    assert "numbered as its seeds" in str(history.report)


def test_a_run_whose_hyperparameters_say_nothing_is_dropped(tmp_path):
    """None at all, or one that is not finite."""
    write(tmp_path, "a", [(0, 1, 1)], lr=float("nan"))
    write(tmp_path, "b", [(0, 1, 1)], values={})
    write(tmp_path, "c", [(0, 1, 1)])
    report = read_csv_logger(tmp_path).report
    assert report.dropped == [("a", "hyperparameter 'lr' is not finite"), ("b", "no values")]


def test_values_of_several_types_are_written_as_texts(tmp_path):
    """A hyperparameter is a number, a boolean or a text; the report says what was changed."""
    write(tmp_path, "a", [(0, 1, 1)], lr=0.1, decay=None, depth=1)
    write(tmp_path, "b", [(0, 1, 1)], lr=0.2, decay=0.5, depth=1.5)
    history = read_csv_logger(tmp_path)
    assert sorted(history.values().values(), key=lambda values: values["lr"]) == [
        {"lr": 0.1, "decay": "None", "depth": 1},
        {"lr": 0.2, "decay": "0.5", "depth": 1.5},
    ]
    assert "the values of 'decay' are of several types" in str(history.report)


def test_a_runs_points_are_those_of_its_objective(tmp_path):
    """Of another metric the value there, else the last before."""
    write(tmp_path, "a", [(0, 9, ""), (1, 8, 2), (2, 7, ""), (3, "", 1)])
    row = read_csv_logger(tmp_path).to_frame().iloc[0]
    assert row["steps"].tolist() == [2, 4]
    assert row["valid"].tolist() == [2, 1]
    assert row["train"].tolist() == [8, 7]


def test_steps_are_counted_from_the_end_of_the_first_epoch(tmp_path):
    """0, 1, 2, … are finished epochs; other steps stay, unless `first_epoch` says otherwise."""
    for steps, first, expected in (
        ([0, 1, 2], None, [1, 2, 3]), ([0, 1, 2], 1, [0, 1, 2]), ([1, 2, 3], None, [1, 2, 3]),
        ([0, 50, 100], None, [0, 50, 100]), ([1, 2, 3], 0, [2, 3, 4]),
    ):  # fmt: skip
        history = _logged_by_ray(tmp_path, steps, first)
        assert history.to_frame()["steps"][0].tolist() == expected


@pytest.mark.parametrize("other", [[1, 2, 3], [0, 50, 100]])
def test_whether_epochs_are_counted_from_0_is_told_of_each_task_for_itself(tmp_path, other):
    """What else is read changes nothing; the report says of which task."""
    for name, steps in (("a", [0, 1, 2]), ("b", other)):
        _logged_by_ray(tmp_path / name, steps, None)
    history = read_ray_tune(tmp_path, step="n")
    both = history.to_frame().set_index("task")["steps"].map(list)
    assert both["a/experiment"] == [1, 2, 3]
    assert both["b/experiment"] == other
    assert "from 0: one was added to each in a/experiment" in str(history.report)
    assert str(read_ray_tune(tmp_path / "a", step="n").report).endswith("one was added to each")


def test_a_task_only_some_of_whose_runs_count_from_0_is_noted(tmp_path):
    """Their step 0 is not known to be before training."""
    for name, steps in (("a", [0, 1, 2]), ("b", [1, 2, 3])):
        _logged_by_ray(tmp_path / name, steps, None)
    told, given = (read_ray_tune(tmp_path, step="n", task="m", first_epoch=f) for f in (None, 1))
    assert "only some runs of m count 0, 1, 2, …" in str(told.report)
    assert "only some runs" not in str(given.report)


def _logged_by_ray(folder, steps, first):
    """A trial of Ray Tune, whose steps are a user's own."""
    trial = folder / "experiment" / "trial"
    trial.mkdir(parents=True, exist_ok=True)
    (trial / "params.json").write_text('{"lr": 0.1}')
    lines = [json.dumps({"n": step, "val_loss": 1.0}) + "\n" for step in steps]
    (trial / "result.json").write_text("".join(lines))
    return read_ray_tune(folder, step="n", first_epoch=first)


def test_fractions_of_epochs_need_the_updates_in_an_epoch(tmp_path):
    """Half epochs of 10 updates are 5 updates."""
    file = tmp_path / "runs.csv"
    file.write_text("lr,epoch,loss\n0.1,0.5,2\n0.1,1.0,1\n")
    columns, names = {"steps": "epoch", "valid": "loss"}, ["lr"]
    with pytest.raises(FileFormatError, match=r"steps of 'loss' are 0\.5, 1; .* steps_per_epoch"):
        read_csv(file, columns, hyperparameters=names)
    rows = read_csv(file, columns, hyperparameters=names, steps_per_epoch=10).to_frame()
    assert rows["steps"][0].tolist() == [5, 10]


def test_missing_keys_of_task_and_seed_drop_the_run(tmp_path):
    """The report says which; a seed is a whole number."""
    write(tmp_path, "a", [(0, 1, 1)], lr=0.1, seed=1)
    write(tmp_path, "b", [(0, 1, 1)], lr=0.1)
    report = read_csv_logger(tmp_path, seed_key="seed").report
    assert report.dropped == [("b", "no hyperparameter 'seed', which is to tell its seed")]
    with pytest.raises(FileFormatError, match=r"seed is 0\.1, not a whole number"):
        read_csv_logger(tmp_path, seed_key="lr")


def test_hyperparameters_can_be_chosen(tmp_path):
    """Others that were recorded are left out."""
    write(tmp_path, "a", [(0, 1, 1)], lr=0.1, host="vm")
    history = read_csv_logger(tmp_path, hyperparameters=["lr", "decay"], space="mine")
    assert list(history.values().values()) == [{"lr": 0.1}]
    assert history.space_names == ["mine"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "up"}, "Unknown direction 'up'. Known: max, min"),
        ({"direction": ["min"]}, "Unknown direction ['min']"),
        ({"first_epoch": 2}, "first_epoch is 2; give a whole number from 0 to 1"),
        ({"steps_per_epoch": 0}, "steps_per_epoch is 0; it must be a number above 0"),
        ({"training_steps": "many"}, "training_steps is 'many'; give a whole number from 1"),
        ({"training_steps": 1.5}, "training_steps is 1.5; give a whole number from 1"),
        ({"hyperparameters": "lr"}, "hyperparameters is 'lr'; give a sequence of names"),
        ({"hyperparameters": [1]}, "each of hyperparameters is 1; give a text"),
        ({"task_key": ["dataset"]}, "task_key is ['dataset']; give a text"),
        ({"space": 5}, "space is 5; give a text"),
        ({"valid": ["loss"]}, "split 'valid' is ['loss']; give a text"),
        ({"sidecar": 5}, "sidecar is 5; give a text"),
        ({"step_per_epoch": 3}, "Unknown option 'step_per_epoch'. Did you mean 'steps_per_epoch'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(options, message):
    """The folder does not even exist."""
    with pytest.raises((InvalidValueError, UnknownNameError)) as error:
        read_csv_logger("nowhere", **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("csv", {}, "'csv' needs 'columns': give columns=…, .* --set 'columns=…'"),
        ("csv", {"columns": 5}, "columns is 5; give a mapping"),
        ("csv", {"columns": {"valid": ["loss"]}}, r"'valid' is mapped to is \['loss'\]"),
        ("csv", {"columns": {"valid": "loss"}, "delimiter": ";;"}, "delimiter is ';;'; give one"),
        (
            "history",
            {"task": "a"},
            "'history' .* unexpected keyword argument 'task'.* skip_damaged",
        ),
        ("keras-tuner", {"metric": 5}, "metric is 5; give a text"),
        ("mlflow", {"experiments": "digits"}, "experiments is 'digits'; give a sequence"),
        ("optuna", {"studies": "mine"}, "studies is 'mine'; give a sequence"),
        ("ray-tune", {"step": 5}, "step is 5; give a text"),
        ("taskset", {"configurations": 5}, "configurations is 5; give a path .*, or a mapping"),
        ("taskset", {"validation": ["outer"]}, "Unknown validation split of .*mean 'outer'"),
        ("wandb", {"curves": 5}, "curves is 5; give a path"),
        ("wandb", {"step": None}, "step is None; give a text"),
    ],
)
def test_wrong_options_of_a_source_are_one_message(source, options, message, tmp_path):
    """As `keras-hplist import --set columns=5` gives them."""
    file = tmp_path / "runs.csv"
    file.write_text("lr,loss\n0.1,1.0\n")
    with pytest.raises((InvalidValueError, UnknownNameError), match=message):
        sources.read_logs(file, source, **options)


def test_an_error_of_a_reader_is_not_taken_for_the_users(monkeypatch):
    """Its traceback leads to the fault."""

    def faulty(path, unit=1):
        return len(unit)

    monkeypatch.setitem(sources.SOURCES, "csv", faulty)
    with pytest.raises(TypeError, match=r"has no len\(\)"):
        sources.read_logs("runs.csv", "csv", unit=2)
