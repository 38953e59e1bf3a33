"""Held-out problems, and the comparison that trains on them."""

import dataclasses
import importlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from keras_hplist import HyperparameterList

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "heldout"
CHEAP = "word_factorization"
METHODS = ["default_adam", "default_sgd_momentum"]


@pytest.fixture(scope="module")
def heldout():
    """Imports a module of the benchmark, whose scripts stand beside each other in a folder."""
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module
    sys.path.remove(str(FOLDER))


def command(script, *arguments):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, str(FOLDER / script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def finish(process):
    output, _ = process.communicate(timeout=280)
    return process.returncode, output


def check_problem(heldout, name, steps=3):
    """Splits share no example; a few steps keep the loss finite; the seed alone decides."""
    problems, training = heldout("problems"), heldout("training")
    problem = problems.get(name)
    marks = [set(problems.fingerprints(part)) for part in problem.data]
    assert all(len(part) >= problem.batch_size for part in marks)
    assert not (marks[0] & marks[1] or marks[0] & marks[2] or marks[1] & marks[2])
    assert math.isfinite(problem.constant_loss) and problem.training_steps % training.POINTS == 0
    model = problem.build()
    assert any("output" in weight.path for weight in model.trainable_variables) or name == CHEAP
    model.compile("adam", loss=problem.loss)
    size = steps * problem.batch_size
    x, y = problems.take(problem.data.train, slice(size))
    history = model.fit(x, y, batch_size=problem.batch_size, verbose=0)
    assert math.isfinite(history.history["loss"][0])


@pytest.mark.parametrize("name", ["word_factorization"])
def test_a_problem_is_whole(heldout, name):
    """A problem builds, trains with plain Keras, and keeps its splits apart."""
    check_problem(heldout, name)


@pytest.mark.slow
def test_every_problem_is_whole(heldout):
    """All problems build, train with plain Keras, and keep their splits apart."""
    for problem in heldout("problems").PROBLEMS.values():
        if problem.is_available:
            check_problem(heldout, problem.name)


def test_problems_are_no_tasks_of_the_suite(heldout):
    """At least twelve problems, and no name of the suite among them."""
    from keras_hplist import tasks

    names = heldout("problems").names()
    assert len(names) >= 12 and not set(names) & set(tasks.names())


def test_an_unknown_problem_is_named_with_the_nearest(heldout):
    """A wrong name offers the right one."""
    from keras_hplist.errors import UnknownNameError

    with pytest.raises(UnknownNameError, match="late_flights"):
        heldout("problems").get("late_flight")


def test_missing_data_name_the_package(heldout):
    """A problem whose data are not installed says what to install."""
    from keras_hplist.errors import MissingExtraError

    problem = dataclasses.replace(heldout("problems").get(CHEAP), package="no_such_package")
    assert not problem.is_available
    with pytest.raises(MissingExtraError, match="no_such_package"):
        _ = problem.data


def test_batches_are_whole_epochs_in_a_new_order(heldout):
    """Every epoch shows each example once; seeds differ; a longer run begins like a shorter."""
    batches = heldout("training").batches
    order = batches(examples=10, batch_size=3, steps=6, seed=0)
    assert order.shape == (6, 3) and order.dtype == np.int32
    for epoch in (order[:3].ravel(), order[3:].ravel()):
        assert len(set(epoch)) == 9
    assert (order == batches(10, 3, 8, 0)[:6]).all() and (order != batches(10, 3, 6, 1)).any()


def test_runs_of_a_seed_start_alike_and_repeat(heldout):
    """Configurations of a seed share the first point; a run again is the same; a prefix too."""
    training, configurations = heldout("training"), heldout("configurations")
    problem = dataclasses.replace(heldout("problems").get(CHEAP), training_steps=24)
    trainer = training.Trainer(problem)
    adam, other = (configurations.Configuration.with_rate("adam", rate) for rate in (1e-2, 1e-3))
    first, slow = trainer.run(adam, seed=0), trainer.run(other, seed=0)
    again, prefix = trainer.run(adam, seed=0), trainer.run(adam, seed=0, stop=first["steps"][2])
    assert first["valid"][0] == slow["valid"][0] and first["valid"][-1] != slow["valid"][-1]
    assert first["valid"] == again["valid"] and first["test"] == again["test"]
    assert prefix["valid"] == first["valid"][:3] and prefix["status"] == "pruned"
    assert trainer.run(adam, seed=1)["valid"][0] != first["valid"][0]
    hot = trainer.run(configurations.Configuration.with_rate("sgd_momentum", 1e30), seed=0)
    assert hot["status"] == "diverged" and hot["steps"][-1] < first["steps"][-1]


def test_schedule_free_is_judged_by_its_average(heldout):
    """The average x of z starts at the weights, is z after one step, and is part of the weights."""
    import keras

    average = heldout("configurations").averaged_weights
    optimizer = keras.optimizers.ScheduleFreeAdamW(learning_rate=0.1)
    weight = keras.Variable(np.float32([1.0, -2.0]))
    optimizer.build([weight])
    assert average(keras.optimizers.Adam()) is None
    np.testing.assert_allclose(average(optimizer)[0], [1.0, -2.0], rtol=1e-6)
    gradient = keras.ops.convert_to_tensor(np.float32([3.0, 3.0]))
    optimizer.apply([gradient], [weight])  # Adam's first step, without momentum: the rate
    np.testing.assert_allclose(average(optimizer)[0], [0.9, -2.1], rtol=1e-5)
    optimizer.apply([gradient], [weight])
    np.testing.assert_allclose(optimizer._momentums[0].numpy(), [0.8, -2.2], rtol=1e-5)
    x, z = np.asarray(average(optimizer)[0]), np.array([0.8, -2.2])
    assert (abs(x - z) > 0.02).all()
    np.testing.assert_allclose(0.1 * z + 0.9 * x, weight.numpy(), rtol=1e-5)


def test_grids_begin_at_the_default_rate(heldout):
    """The first rate of a grid is the half order nearest to Keras's default."""
    methods = heldout("methods").available(["nadamw"], None)
    rates = [dict(c.values)["learning_rate"] for c in methods["tuned_adam"].configurations]
    assert rates[0] == pytest.approx(1e-3) and len(set(rates)) == 10
    assert len(methods["list_nadamw"].configurations) <= 20
    assert "opt_list" not in methods and len(methods["random"].configurations) == 100


def test_published_points_are_places_of_the_published_list(heldout, reference_data):
    """AlgoPerf's five are entries 3, 4, 5, 6 and 8 of opt_list, in the optimizer as published."""
    file = reference_data / "nadamw_opt_list_published.json"
    methods = heldout("methods").available(["nadamw"], file)
    published = json.loads(file.read_text())
    for place, configuration in zip((3, 4, 5, 6, 8), methods["algoperf_five"].configurations):
        assert configuration.kind == "nadamw_as_published"
        assert dict(configuration.values) == published[place]["hyperparameters"]


@pytest.mark.parametrize(
    "method",
    [
        "adaptive_nadamw",
        "keras_tuner_hyperband",
        "optuna_tpe",
        pytest.param(  # seconds for each proposal
            "keras_tuner_bayesian", marks=[pytest.mark.slow, pytest.mark.timeout(1200)]
        ),
    ],
)
def test_a_search_follows_from_its_losses(heldout, method):
    """The same losses give the same trials; whole runs worth of steps; promoted trials go on."""
    search = heldout("searches").search

    def evaluate(configuration, stop):
        rate = dict(configuration.values)["learning_rate"]
        return abs(math.log10(rate) + 3) + 1 / stop

    trials, again = (list(search(method, 0, 120, evaluate)) for _ in range(2))
    assert [t.values for t in trials] == [t.values for t in again]
    spent = sum(trial.stop - trial.start for trial in trials)
    assert 19 * 120 < spent <= 20 * 120
    if method == "keras_tuner_hyperband":
        promoted = [trial for trial in trials if trial.start]
        assert promoted and all(
            any(t.values == p.values and t.stop == p.start for t in trials) for p in promoted
        )
    else:
        assert len(trials) == 20 and all(t.stop == 120 for t in trials)


def test_results_by_hand(heldout):
    """Losses within a budget, means, wins: numbers that can be reckoned on paper."""
    comparison, methods = heldout("comparison"), heldout("methods")
    ours, other = methods.Method("a", "A"), methods.Method("b", "B")
    #                    runs seconds valid test
    of_ours = np.array([[1, 2.0, 0.9, 0.8], [1, 2.0, 0.5, 0.6], [1, 2.0, 0.7, 0.1]])
    of_other = np.array([[1, 9.0, 0.4, 0.6], [1, 1.0, 0.3, 2.0]])
    trials = {("a", "p", 0): [of_ours], ("b", "p", 0): [of_other]}
    compared = comparison.Comparison(("p",), 1, (ours, other), trials, {"p": (0.2, 1.2, 2.0)})
    assert compared.losses(ours, 1).item() == pytest.approx(0.6)
    assert compared.losses(ours, 3).item() == pytest.approx(0.4)  # by valid, not by test
    assert compared.losses(other, 2).item() == 1.0  # worse than a constant counts 1
    assert compared.losses(other, 2, timed=True).item() == 1.0  # nothing has finished yet
    pair = compared.against(ours, 3, other, 1)
    assert pair.win_rate == 0.5 and pair.difference.mean == pytest.approx(0.0)


def test_races_stand_beside_whole_trials(heldout, tmp_path):
    """Normalised on the scale of the trials; a race whose loss is not finite counts 1."""
    comparison, methods, race = (heldout(name) for name in ("comparison", "methods", "race"))
    listed = methods.Method("list_nadamw", "list nadamw", ("entry",) * 3)
    trials = [np.array([[1, 2.0, 0.9, 0.8], [1, 2.0, 0.5, 0.6], [1, 2.0, 0.7, 0.1]])]
    by_seed = {("list_nadamw", CHEAP, seed): trials for seed in range(2)}
    compared = comparison.Comparison((CHEAP,), 2, (listed,), by_seed, {CHEAP: (0.2, 1.2, 2.0)})
    races = [
        race.Race(tmp_path, CHEAP, seed, HyperparameterList.load("nadamw"), 4, 0.2)
        for seed in range(2)
    ]
    for each, test in zip(races, (0.3, None), strict=True):
        assert each.result is None
        each.file.parent.mkdir(parents=True, exist_ok=True)
        each.file.write_text(json.dumps({"winner": 1, "test": test}))
    *rows, last = race.table(compared, races).splitlines()
    assert "| list nadamw: the best of 1 | 0.600 [0.600, 0.600] |" in rows[2]
    assert "| list nadamw: a race of 4 for 0.2 of the steps | 0.550 [0.550, 0.550] |" in last
    assert last.endswith("| 50% |")


@pytest.mark.slow
def test_a_race_is_run_and_kept(heldout, tmp_path, monkeypatch):
    """One fit of the problem's steps, from the seed's weights; the same again gives the same."""
    problems, race = heldout("problems"), heldout("race")
    short = dataclasses.replace(problems.get(CHEAP), training_steps=48)
    monkeypatch.setitem(problems.PROBLEMS, CHEAP, short)
    unit = race.Race(tmp_path, CHEAP, 0, HyperparameterList.load("nadamw"), 2, 0.3)
    assert unit.work() == 1
    first = unit.result
    assert first["winner"] in (0, 1) and math.isfinite(first["test"])
    assert unit.work() == 1 and unit.result == first


@pytest.mark.slow
@pytest.mark.timeout(1200)  # six processes that load TensorFlow, perhaps on a busy machine
def test_run_resumes_and_makes_the_table(tmp_path):
    """A killed comparison goes on: no run is made twice, files stay whole; then the table."""
    arguments = ["--problems", CHEAP, "--methods", *METHODS, "--seeds", "2"]
    started = command("run.py", "--out", tmp_path, *arguments)
    runs = tmp_path / "runs"
    deadline = time.monotonic() + 240
    while not list(runs.rglob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.05)
    started.send_signal(signal.SIGKILL)
    started.communicate()
    time.sleep(2)  # its workers end when it is gone
    kept = {file: file.stat().st_mtime_ns for file in runs.rglob("[!.]*.parquet")}
    assert kept
    status, output = finish(command("run.py", "--out", tmp_path, *arguments))
    assert status == 0, output
    assert f"{4 - len(kept)} runs made" in output
    assert all(file.stat().st_mtime_ns == when for file, when in kept.items())
    status, output = finish(command("run.py", "--out", tmp_path, *arguments, "--pack"))
    assert status == 0 and [f.name for f in runs.rglob("*.parquet")] == ["packed.parquet"], output
    status, output = finish(command("run.py", "--out", tmp_path, *arguments))
    assert status == 0 and "0 runs made" in output
    plot = tmp_path / "plot.png"
    status, output = finish(command("table.py", tmp_path, *arguments, "--plot", plot))
    assert status == 0, output
    assert "| target |" in output and plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_search_resumes(heldout, tmp_path, monkeypatch):
    """A search whose file is gone makes no run again, and ends with the same trials."""
    worker, store, problems = heldout("worker"), heldout("store"), heldout("problems")
    short = dataclasses.replace(problems.get(CHEAP), training_steps=24)
    monkeypatch.setitem(problems.PROBLEMS, CHEAP, short)
    worker._trainer.cache_clear()
    unit = worker.Search(tmp_path, CHEAP, 0, "keras_tuner_hyperband")
    assert unit.work() > 20
    file = store.search_file(tmp_path, CHEAP, "keras_tuner_hyperband", 0)
    trials = [trial.values for trial in store.read_search(file)]
    file.unlink()
    assert unit.work() == 0
    assert [trial.values for trial in store.read_search(file)] == trials


def test_joining_files_loses_no_run_of_another_process(heldout, tmp_path):
    """Runs that were added after the folder was read are joined as well."""
    store = heldout("store")
    runs, others = store.Runs(tmp_path, CHEAP), store.Runs(tmp_path, CHEAP)
    record = {"task": CHEAP, "configuration": "one", "space": "s", "values": {"x": 1.0}}
    record |= {"steps": [0, 8], "valid": [1.0, 0.5], "training_steps": 8, "status": "ok"}
    runs.add(record | {"seed": 0})
    others.add(record | {"seed": 1})
    runs.pack()
    assert [file.name for file in runs.folder.iterdir()] == [store.PACKED]
    assert sorted(store.Runs(tmp_path, CHEAP).records) == [("one", 0), ("one", 1)]


def test_readme_names_every_problem(heldout):
    """The table of problems in the README is that of the registry."""
    text = (FOLDER / "README.md").read_text()
    for problem in heldout("problems").PROBLEMS.values():
        assert f"| `{problem.name}` | {problem.kind} | {problem.source} |" in text
