"""`read_optuna` on storages that Optuna itself wrote."""

import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from damage import check_damaged

from keras_hplist.errors import (
    FileFormatError,
    InvalidValueError,
    MissingExtraError,
    UnknownNameError,
)
from keras_hplist.history import read_optuna
from keras_hplist.learning import ListLearner
from keras_hplist.spaces import SearchSpace
from keras_hplist.spaces.distributions import Boolean, Choice, Number

optuna = pytest.importorskip("optuna", reason="Optuna is an extra")


def storage_of(folder: Path, kind: str):
    """An empty storage and the path of its file."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if kind == "sqlite":
        file = folder / "study.db"
        return optuna.storages.RDBStorage(f"sqlite:///{file}"), file
    from optuna.storages.journal import JournalFileBackend

    file = folder / "journal.log"
    return optuna.storages.JournalStorage(JournalFileBackend(str(file))), file


def digits(trial):
    """An objective that ends in every state, told by the trial's number."""
    rate = trial.suggest_float("learning_rate", 1e-5, 1.0, log=True)
    trial.suggest_categorical("nesterov", [True, False])
    if trial.suggest_int("layers", 1, 3) > 1 and trial.number > 4:
        trial.suggest_float("dropout", 0, 0.5)
    if trial.number == 1:
        raise RuntimeError("out of memory")
    for epoch in range(5):
        loss = rate + 1 / (epoch + 1)
        if trial.number == 2 and epoch >= 3:
            loss = math.nan
        trial.report(loss, epoch)
        if trial.number == 3 and epoch == 1:
            raise optuna.TrialPruned
    return loss


@pytest.fixture(scope="module", params=["sqlite", "journal"])
def original(request, tmp_path_factory):
    """The trials of a study, ten in all states, and the file of its storage."""
    storage, file = storage_of(tmp_path_factory.mktemp("optuna"), request.param)
    study = optuna.create_study(
        storage=storage, study_name="digits", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(digits, n_trials=8, catch=(RuntimeError,))
    study.ask()
    study.enqueue_trial({"learning_rate": 0.1})
    return study.trials, file


@pytest.fixture
def trials(original):
    """The trials of the study."""
    return original[0]


@pytest.fixture
def file(original, tmp_path):
    """A copy of the storage's file, in a folder whose name means something in URLs."""
    folder = tmp_path / "100% of #1 {full}?"
    folder.mkdir()
    return Path(shutil.copy(original[1], folder))


def test_each_trial_becomes_a_row_with_its_curve(trials, file):
    """Parameters, intermediate values and states come over; steps count finished epochs."""
    history = read_optuna(file)
    rows = history.to_frame()
    assert history.tasks == ["digits"]
    assert rows["status"].tolist() == ["ok", "failed", "diverged", "pruned"] + ["ok"] * 4
    for row, trial in zip(rows.to_dict("records"), trials, strict=False):
        assert history.values()[row["configuration"]] == trial.params
        if trial.intermediate_values:
            np.testing.assert_allclose(
                row["valid"], list(trial.intermediate_values.values()), rtol=1e-6
            )
        assert row["training_steps"] == 5
        assert row["seconds"] == pytest.approx(trial.duration.total_seconds())
    assert rows["steps"][0].tolist() == [1, 2, 3, 4, 5]
    assert rows["steps"][3].tolist() == [1, 2]


def test_the_report_names_trials_that_have_not_ended(file):
    """Running and waiting trials are dropped with a reason."""
    report = read_optuna(file).report
    assert report.read == 8
    assert [what for what, _ in report.dropped] == ["digits/8", "digits/9"]
    assert "not ended" in str(report)


def test_reading_does_not_change_the_storage(file):
    """A storage is opened for reading only."""
    before = file.read_bytes()
    file.chmod(0o444)
    read_optuna(file)
    assert file.read_bytes() == before


def test_a_trial_without_intermediate_values_has_its_value_alone(tmp_path):
    """One point, at step 1 of 1; equal configurations become seeds."""
    storage, file = storage_of(tmp_path, "journal")
    study = optuna.create_study(storage=storage, study_name="quadratic")
    for _ in range(2):
        study.enqueue_trial({"x": 2.0})
    study.optimize(lambda trial: trial.suggest_float("x", -3, 3) ** 2, n_trials=2)
    rows = read_optuna(file).to_frame()
    assert [steps.tolist() for steps in rows["steps"]] == [[1], [1]]
    assert [valid.tolist() for valid in rows["valid"]] == [[4.0], [4.0]]
    assert rows["seed"].tolist() == [0, 1]


@pytest.mark.parametrize("value", [math.inf, 1e308])
@pytest.mark.parametrize("reported", [1, 4])
def test_a_trial_whose_value_is_not_finite_has_diverged(tmp_path, value, reported):
    """However well its intermediate values look: the learner does not start with it."""

    def objective(trial):
        rate = trial.suggest_float("rate", 1e-3, 1, log=True)
        for epoch in range(4):
            if rate > 0.5 and epoch == reported:
                return value
            trial.report(1 - rate / 2 if not epoch else 0.6 - rate, epoch)
        return value if rate > 0.5 else 0.6 - rate

    storage, file = storage_of(tmp_path, "journal")
    study = optuna.create_study(storage=storage, study_name="s")
    for rate in (0.1, 0.2, 0.9):
        study.enqueue_trial({"rate": rate})
    study.optimize(objective, n_trials=3)
    history = read_optuna(file)
    assert history.to_frame()["status"].tolist() == ["ok", "ok", "diverged"]
    assert ListLearner(length=1, aggregation="last").fit(history).list_[0] == {"rate": 0.2}


def test_the_search_space_is_that_of_the_distributions(tmp_path):
    """Bounds, scales, steps and choices; studies with other bounds are joined."""
    storage, file = storage_of(tmp_path, "journal")
    for name, high in (("first", 1e-1), ("second", 1.0)):
        study = optuna.create_study(storage=storage, study_name=name)

        def objective(trial, high=high):
            trial.suggest_float("momentum", 0.0, 0.9, step=0.1)
            trial.suggest_int("units", 8, 512, log=True)
            trial.suggest_categorical("nesterov", [False, True])
            trial.suggest_categorical("clip", [None, 1, "norm"])
            trial.suggest_categorical("batch", [16, 32.0])
            return trial.suggest_float("lr", 1e-4, high, log=True)

        study.optimize(objective, n_trials=12)
    history = read_optuna(file)
    space = SearchSpace.from_config(history.space_definitions["custom"])
    assert {row.name: row.distribution for row in space.rows} == {
        "momentum": Number(0.0, 0.9, step=0.1),
        "units": Number(8, 512, "log", integer=True),
        "nesterov": Boolean(),
        "clip": Choice(("None", "1", "norm")),
        "batch": Choice((16.0, 32.0)),
        "lr": Number(1e-4, 1.0, "log"),
    }
    for values in history.values().values():
        assert space.validate(values) == values
    few = read_optuna(file, hyperparameters=["lr", "units"], space="mine")
    assert SearchSpace.from_config(few.space_definitions["mine"]).names == ("units", "lr")


def test_conditional_parameters_leave_the_space_undefined(file):
    """Optuna does not record the condition."""
    assert read_optuna(file).space_definitions == {}


def test_a_maximised_study_is_negated(tmp_path):
    """The history minimises; the report says that values were negated."""
    storage, file = storage_of(tmp_path, "sqlite")
    study = optuna.create_study(storage=storage, study_name="accuracy", direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0.5, 1), n_trials=3)
    history = read_optuna(file)
    expected = [[-np.float32(trial.value)] for trial in study.trials]
    assert [valid.tolist() for valid in history.to_frame()["valid"]] == expected
    assert "maximised" in str(history.report)


def test_studies_of_both_directions_must_be_read_apart(tmp_path):
    """Losses and scores do not go into one history by accident."""
    storage, file = storage_of(tmp_path, "journal")
    for name, direction in (("loss", "minimize"), ("score", "maximize")):
        study = optuna.create_study(storage=storage, study_name=name, direction=direction)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(InvalidValueError, match="studies="):
        read_optuna(file)
    assert read_optuna(file, ["score"]).tasks == ["score"]
    with pytest.raises(UnknownNameError, match="Did you mean 'score'"):
        read_optuna(file, ["scores"])


def test_one_of_several_objectives_is_chosen(tmp_path):
    """A study with two objectives asks which."""
    storage, file = storage_of(tmp_path, "journal")
    study = optuna.create_study(
        storage=storage, study_name="two", directions=["minimize", "maximize"]
    )
    study.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 5.0), n_trials=1)
    with pytest.raises(InvalidValueError, match="objective=0 to 1"):
        read_optuna(file)
    for wrong in (2, "1"):
        with pytest.raises(
            InvalidValueError, match=r"'two' is .*; give a whole number from 0 to 1"
        ):
            read_optuna(file, objective=wrong)
    assert read_optuna(file, objective=1).to_frame()["valid"][0].tolist() == [-5.0]


def test_options_name_task_and_steps(file):
    """Steps become optimizer updates, the task gets another name."""
    history = read_optuna(file, task="mnist", steps_per_epoch=100, training_steps=1000)
    rows = history.to_frame()
    assert history.tasks == ["mnist"]
    assert rows["steps"][0].tolist() == [100, 200, 300, 400, 500]
    assert set(rows["training_steps"]) == {1000}


def test_an_open_storage_and_a_url_are_read_too(file):
    """What Optuna has open needs no file."""
    if file.suffix == ".db":
        assert len(read_optuna(f"sqlite:///{file}")) == 8
    else:
        assert len(read_optuna(storage_of(file.parent, "journal")[0])) == 8


@pytest.mark.parametrize("url", ["postgresql://me:secret@nowhere/db", "no://me:secret@host:x/db"])
def test_a_password_is_not_told(url):
    """The name of a database stands in messages, reports and histories."""
    with pytest.raises(FileFormatError) as raised:
        read_optuna(url)
    assert str(raised.value).startswith(url.partition("://")[0])
    assert "secret" not in str(raised.value)


def test_damaged_storages_are_named(file):
    """Truncated and scrambled storages read, or raise an error that names the file."""
    assert check_damaged(file, lambda: read_optuna(file)) > 5


def test_a_journal_that_was_cut_in_its_last_line_is_read(tmp_path):
    """A process killed while it wrote costs no more than that line."""
    storage, file = storage_of(tmp_path, "journal")
    study = optuna.create_study(storage=storage, study_name="cut")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    file.write_bytes(file.read_bytes()[:-9])
    report = read_optuna(file).report
    assert report.read == 2
    assert "last line" in str(report)


def test_a_damaged_line_of_a_journal_is_named(tmp_path):
    """The message gives the line number."""
    storage, file = storage_of(tmp_path, "journal")
    study = optuna.create_study(storage=storage, study_name="scratched")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    lines = file.read_bytes().split(b"\n")
    lines[6] = b'{"op_code": '
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(FileFormatError, match="line 7"):
        read_optuna(file)


def test_what_is_no_storage_is_refused(tmp_path):
    """Missing files, other files and empty databases."""
    with pytest.raises(FileNotFoundError):
        read_optuna(tmp_path / "nothing.db")
    with pytest.raises(FileFormatError, match="is a folder; give the SQLite file or the journal"):
        read_optuna(tmp_path)
    (tmp_path / "other.txt").write_text("hello")
    with pytest.raises(FileFormatError, match="neither"):
        read_optuna(tmp_path / "other.txt")
    with pytest.raises(FileFormatError, match="holds no runs"):
        read_optuna(storage_of(tmp_path, "sqlite")[1])


def test_without_optuna_the_extra_is_named(monkeypatch, tmp_path):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'keras_hplist\[optuna\]'"):
        read_optuna(tmp_path / "study.db")
