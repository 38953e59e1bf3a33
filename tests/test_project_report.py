"""The report on a search: any project of KerasTuner, finished, running, or damaged."""

import html
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pandas as pd
import populations
import pytest
import tiny_search

import keras_hplist as khl
from keras_hplist.errors import FileFormatError, InvalidValueError, UnknownNameError
from keras_hplist.learning.evidence import Evidence
from keras_hplist.reports import project_report
from keras_hplist.reports.advice import what_next
from keras_hplist.reports.findings import find
from keras_hplist.reports.project import read_project

TRIED = 4


@pytest.fixture(scope="module")
def mine() -> khl.HyperparameterList:
    """A list of six learning rates that carries its scores on nine tasks."""
    return populations.learned()[0]


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """Of the list `mine`."""
    return populations.learned()[1]


@pytest.fixture(scope="module")
def followed(mine, tmp_path_factory) -> Path:
    """A project of this package's tuner: four trials of the list `mine`."""
    folder = tmp_path_factory.mktemp("projects")
    arguments = {"max_trials": TRIED, "directory": folder, "project_name": "followed"}
    tiny_search.search(tiny_search.tuner(hyperparameter_list=mine, **arguments), epochs=2)
    return folder / "followed"


@pytest.fixture(scope="module")
def written(followed, mine, tmp_path_factory) -> tuple[dict, Path]:
    """What the report on that project told, and its folder."""
    out = tmp_path_factory.mktemp("report")
    return project_report.write(followed, out, hyperparameter_list=mine), out


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> Path:
    """A project that KerasTuner wrote alone: five random trials, of which one fails."""
    folder = tmp_path_factory.mktemp("foreign")

    builds = []  # the first is to find the hyperparameters

    def build(hp):
        builds.append(hp)
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(hp.Int("units", 1, 64)), keras.layers.Dense(1)]
        )
        if len(builds) == 4:
            raise ValueError("this one fails")
        optimizer = keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1.0, sampling="log"))
        model.compile(optimizer, "mse", metrics=["mae"], run_eagerly=True)
        return model

    objective = keras_tuner.Objective("val_mae", "min")
    places = {"directory": folder, "project_name": "random <b>"}
    tuner = keras_tuner.RandomSearch(build, objective, max_trials=5, seed=0, **places)
    data = {"validation_data": tiny_search.VALID, "batch_size": 40, "verbose": 0}
    tuner.search(*tiny_search.TRAIN, epochs=1, **data)
    return folder / "random <b>"


def text_of(report: Path) -> str:
    """What a reader of the page reads, in one line."""
    page = re.sub(r"<style>.*?</style>", "", report.read_text(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def code_of(report: Path) -> str:
    """The lines that the page offers."""
    code = re.findall(r"<pre>(.*?)</pre>", report.read_text(), flags=re.DOTALL)[-1]
    return html.unescape(code)


def own_scores(folder: Path) -> np.ndarray:
    """Scores of the trials from the files, by the definition, in float64."""
    axis, curves = np.linspace(0, 1, 51), []
    for file in sorted((folder / "curves").glob("*.parquet")):
        row = khl.History.read(file).to_frame().iloc[0]
        times = np.array(row["steps"]) / row["training_steps"]
        curves.append(np.interp(axis, times, np.array(row["valid"], float)))
    curves = np.stack(curves)
    best, initial = curves.min(), curves[:, 0].mean()
    return np.clip((curves - best) / (initial - best), 0, 1).mean(axis=1)


def test_a_search_by_a_list_is_held_against_its_tasks(followed, written, mine, evidence):
    """Scores, the share of tasks behind, the next entries and gains, all by plain NumPy."""
    told, out = written
    scores = own_scores(followed)
    assert told["score"] == pytest.approx(scores.min(), abs=1e-6)

    held_out, lowest = (getattr(evidence, name).to_numpy() for name in ("held_out", "lowest"))
    low = lowest[:, [TRIED - 1]]
    seen = (held_out - low) / (1 - low)
    assert told["ahead"] == np.mean(seen[:, TRIED - 1] > scores.min())
    gains = {row["further trials"]: row["score"] for row in told["gains"]}
    assert set(gains) == {1, 2}
    for further, gain in gains.items():
        expected = (seen[:, TRIED - 1] - seen[:, TRIED - 1 + further]).mean()
        assert gain == pytest.approx(expected, abs=1e-4)
    assert [entry["rank"] for entry in told["next"]] == [4, 5]
    assert told["next"][0]["values"] == mine[4]
    assert len(told["nearest"]) == 5 and set(told["nearest"]) <= set(evidence.entries.index)
    trials = [json.loads(file.read_text()) for file in followed.glob("trial_*/trial.json")]
    best = min(trials, key=lambda trial: trial["score"])
    assert told["best"]["trial"] == best["trial_id"]
    assert told["best"]["objective"] == best["score"]
    assert told["trials"] == {"completed": TRIED}
    assert json.loads(json.dumps(told)) == told

    text = text_of(out / "report.html")
    assert f"you are ahead of {told['ahead']:.0%} of tasks" in text
    assert text.count("A score counts the mean loss over the training") == 2
    assert f"{told['nearest'][0]}, at a distance of" in text
    code = code_of(out / "report.html")
    assert "max_trials=6" in code and "project_name='followed'" in code


@pytest.mark.parametrize(
    ("aggregation", "counted"),
    [("min", "the lowest loss of the training"), ("last", "the loss at the end of the training")],
)
def test_scores_that_are_0_by_construction_put_nobody_ahead(
    aggregation, counted, followed, mine, tmp_path
):
    """The page says why, and shows how soon the best was reached; what is further told stays."""
    provenance = {**mine.provenance, "aggregation": aggregation}
    hplist = khl.HyperparameterList(mine, mine.space, name="mine", provenance=provenance)
    told = project_report.write(followed, tmp_path, hyperparameter_list=hplist)
    assert told["ahead"] is None
    if aggregation == "min":
        assert told["score"] == 0
    assert len(told["gains"]) == 2 and len(told["nearest"]) == 5
    text = text_of(tmp_path / "report.html")
    assert "How many tasks you are ahead of, such scores cannot tell" in text
    assert text.count(f"A score counts {counted}") == 2
    picture = pd.read_csv(tmp_path / "expectation.csv")
    assert {"best", "lower_quartile", "median", "upper_quartile"} <= set(picture)
    assert picture["best"].count() == TRIED


def test_what_to_try_next_depends_on_the_search_alone(followed, mine, written):
    """The nearest tasks count whether or not the section about them was written before."""
    findings = find(read_project(followed), mine)
    assert "gain on the nearest tasks" in findings.coming
    assert what_next(findings)[0] in (written[1] / "report.html").read_text()


def test_the_page_needs_nothing_else_and_its_numbers_lie_beside_it(written, mine):
    """Pictures inside, no script, and each picture as PNG, SVG and CSV."""
    told, out = written
    page = (out / "report.html").read_text()
    assert "<script" not in page and "http://" not in page and "https://" not in page
    assert len(re.findall(r'<img src="data:image/svg', page)) == 4
    for name in ("best_so_far", "expectation", "curves", "tasks"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (out / f"{name}.svg").read_text()
        assert f'download="{name}.csv"' in page
    assert sorted(told["files"]) == sorted(
        str(file) for file in out.iterdir() if file.name != "report.html"
    )
    table = pd.read_csv(out / "trials.csv", dtype={"trial": str})
    assert list(table["rank"]) == [1, 2, 3, 4]
    rates = [mine[entry]["learning_rate"] for entry in table["list entry"]]
    assert list(table["learning_rate"]) == rates
    curves = pd.read_csv(out / "curves.csv", dtype={"trial": str})
    assert sorted(curves["step"].unique()) == [0, 4, 8]


def test_a_project_of_kerastuner_alone_is_reported_too(foreign, tmp_path):
    """Without a list: what there is, what there is not, and lines that start a list."""
    told = project_report.write(foreign, tmp_path)
    assert (told["objective"], told["direction"], told["list"]) == ("val_mae", "min", None)
    assert told["trials"] == {"completed": 4, "failed": 1}
    assert told["ahead"] is told["score"] is None
    text = text_of(tmp_path / "report.html")
    assert "did not follow a list of this package" in text
    assert "one value for each trial, that of its best epoch" in text
    assert f"{1 / 5:.0%} for 1 more, {5 / 9:.0%} for 5 more" in text
    assert "random <b>" in text
    code = code_of(tmp_path / "report.html")
    compile(code.replace("…", "0"), "code", "exec")
    assert "keras_tuner.Objective('val_mae', 'min')" in code
    assert f"best.Fixed('units', {told['best']['values']['units']})" in code
    assert "best.Fixed('learning_rate'" not in code
    assert "The list sets learning_rate, which this search has tuned" in text


def write_trial(project: Path, number: int, status="COMPLETED", values=None, **metrics) -> None:
    """A trial.json as KerasTuner writes it; a metric is a list of values or (step, value)."""
    observed = {
        name: {
            "direction": "min",
            "observations": [
                {"value": [point[1]], "step": point[0]}
                if isinstance(point, tuple)
                else {"value": [point], "step": step}
                for step, point in enumerate(points)
            ],
        }
        for name, points in metrics.items()
    }
    document = {
        "trial_id": f"{number:02d}",
        "hyperparameters": {"space": [], "values": values or {"x": number}},
        "metrics": {"metrics": observed},
        "score": min((p for p in metrics.get("val_loss", ()) if p is not None), default=None),
        "best_step": 0,
        "status": status,
        "message": None,
    }
    folder = project / f"trial_{number:02d}"
    folder.mkdir(parents=True)
    (folder / "trial.json").write_text(json.dumps(document))


def test_hyperparameters_may_be_called_as_columns_are(tmp_path):
    """Their columns say that they hold values."""
    project = tmp_path / "project"
    for number in range(2):
        write_trial(project, number, values={"trial": number, "rank": 5}, val_loss=[2.0 + number])
    project_report.write(project, tmp_path / "report")
    header = (tmp_path / "report" / "trials.csv").read_text().splitlines()[0].split(",")
    assert {"trial", "trial (value)", "rank", "rank (value)"} <= set(header)


def test_values_of_several_epochs_are_curves(tmp_path):
    """A tuner that reports every epoch, and the rungs of Hyperband, which continue each other."""
    project = tmp_path / "project"
    write_trial(project, 0, val_loss=[3.0, 2.0, 2.5])
    rung = {"x": 1, "tuner/epochs": 2, "tuner/initial_epoch": 0}
    write_trial(project, 1, values=rung, val_loss=[4.0])
    above = {"x": 1, "tuner/epochs": 6, "tuner/trial_id": "01"}
    write_trial(project, 2, values=above, val_loss=[1.0])
    searched = read_project(project)
    points = searched.curves.groupby("trial")[["step", "loss"]].apply(
        lambda run: run.to_numpy().tolist()
    )
    assert points["00"] == [[0, 3], [1, 2], [2, 2.5]]
    assert points["02"] == [[2, 4], [6, 1]]
    assert list(searched.trials["rank"]) == [2, 3, 1]
    assert "x" in searched.values["02"] and "tuner/epochs" not in searched.values["02"]
    project_report.write(project, tmp_path / "report")
    assert (tmp_path / "report" / "curves.png").exists()


def test_a_running_search_is_reported_as_far_as_it_is(followed, mine, tmp_path):
    """Half-written files are left out and named; the project is not touched."""
    project = tmp_path / "live"
    shutil.copytree(followed, project)
    (project / "trial_0000" / "trial.json").write_text('{"trial_id": "0000", "hyper')
    running = json.loads((project / "trial_0003" / "trial.json").read_text())
    running |= {"status": "RUNNING", "score": None, "metrics": {"metrics": {}}}
    (project / "trial_0003" / "trial.json").write_text(json.dumps(running))
    (project / "trial_0004").mkdir()
    curve = project / "curves" / "trial_0002_execution0.parquet"
    curve.write_bytes(curve.read_bytes()[:100])
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    told = project_report.write(project, tmp_path / "out", hyperparameter_list=mine)
    assert told["trials"] == {"completed": 2, "running": 1}
    assert told["left_out"] == [
        "live/trial_0000: trial.json is damaged",
        "live/trial_0004: it has no trial.json yet",
        "live/curves/trial_0002_execution0.parquet: it is damaged",
    ]
    text = text_of(tmp_path / "out" / "report.html")
    assert "The search has not ended" in text and "trial.json is damaged" in text
    assert before == {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    (project / "oracle.json").write_text("{")
    told = project_report.write(project, tmp_path / "again", hyperparameter_list=mine)
    assert any("oracle.json" in left for left in told["left_out"])
    assert told["list"] == "mine"


def test_diverged_trials_have_no_result(tmp_path):
    """NaN as KerasTuner writes it and null as this package does; other metrics may be NaN too."""
    project = tmp_path / "project"
    write_trial(project, 0, val_loss=[1.0], val_mae=[None])
    write_trial(project, 1, val_loss=[None], values={"x": 1, "hplist/index": 0})
    write_trial(project, 2, status="FAILED", val_loss=[math.nan])
    write_trial(project, 3, status="FAILED")
    searched = read_project(project)
    assert list(searched.trials["status"]) == ["completed", "diverged", "diverged", "failed"]
    assert searched.trials["rank"].tolist()[0] == 1
    assert searched.trials["rank"].isna().sum() == 3


@pytest.mark.parametrize(
    ("case", "error", "message"),
    [
        ("missing", FileNotFoundError, "is not there; give the project folder"),
        ("empty", FileFormatError, "not a project folder of KerasTuner .* it is empty"),
        ("other", FileFormatError, r"it holds a\.txt, b/\."),
        ("two", FileFormatError, "it holds several: first, second"),
        ("running", InvalidValueError, r"has finished with a result \(2 RUNNING\)"),
        ("undirected", InvalidValueError, "Give direction='min' or direction='max'"),
    ],
)
def test_what_cannot_be_reported_is_one_message(case, error, message, tmp_path):
    """What was found, what is expected, and nothing is written."""
    project = tmp_path / "project"
    if case != "missing":
        project.mkdir()
    if case == "other":
        (project / "a.txt").touch()
        (project / "b").mkdir()
    if case == "two":
        write_trial(project / "first", 0, val_loss=[1.0])
        write_trial(project / "second", 0, val_loss=[1.0])
    if case == "running":
        write_trial(project, 0, status="RUNNING")
        write_trial(project, 1, status="RUNNING")
    if case == "undirected":
        write_trial(project, 0, val_loss=[1.0])
        file = project / "trial_00" / "trial.json"
        file.write_text(file.read_text().replace('"min"', "null"))
    with pytest.raises(error, match=message):
        project_report.write(project, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    if case == "undirected":
        assert read_project(project, direction="max").direction == "max"


def test_arguments_are_checked(followed, tmp_path):
    """An objective that was not measured, a third direction, and a list that was not followed."""
    for arguments, error, message in (
        ({"objective": "val_los"}, UnknownNameError, "Did you mean 'val_loss'"),
        ({"direction": "down"}, UnknownNameError, "Unknown direction 'down'"),
        ({"hyperparameter_list": "nadamw"}, InvalidValueError, "followed the list 'mine'"),
    ):
        with pytest.raises(error, match=message):
            project_report.write(followed, tmp_path / "out", **arguments)
    told = project_report.write(followed, tmp_path / "out", objective="val_mae")
    assert told["objective"] == "val_mae"
    assert "give its file (hyperparameter_list=…)" in text_of(tmp_path / "out" / "report.html")


@pytest.mark.slow
def test_the_page_shows_in_a_browser_wide_and_narrow(followed, mine, tmp_path):
    """Headless Chromium loads it without network and without an error in its console."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this computer")
    told = project_report.write(followed, tmp_path, hyperparameter_list=mine)
    for width in (1200, 380):
        done = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--enable-logging=stderr",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                f"--window-size={width},5000",
                f"--screenshot={tmp_path / f'{width}.png'}",
                Path(told["report"]).as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert "CONSOLE" not in done.stderr
        assert (tmp_path / f"{width}.png").stat().st_size > 50_000


@pytest.mark.slow
def test_the_example_searches_and_reports(tmp_path):
    """Two trials on digits, a page, and what further trials may bring."""
    script = Path(__file__).resolve().parents[1] / "examples" / "report_a_search.py"
    done = subprocess.run(
        [sys.executable, str(script), "--trials", "2", "--epochs", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert "best trial: 000" in done.stdout
    assert (tmp_path / "report" / "report.html").exists()
    assert list((tmp_path / "logs").rglob("*tfevents*"))
