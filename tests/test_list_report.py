"""The page about a learned list, and `keras-hplist learn` with its options and its errors."""

import base64
import functools
import html.parser
import json
import re
import sys

import numpy as np
import optuna
import pandas as pd
import populations
import pytest

import keras_hplist as khl
from keras_hplist import lists
from keras_hplist.errors import MissingExtraError
from keras_hplist.figures import page
from keras_hplist.history import ReadReport
from keras_hplist.learning import ListLearner, best_after
from keras_hplist.reports import list_report


@pytest.fixture(scope="module")
def learner() -> ListLearner:
    """A learner of five entries over six tasks, one of which has a hostile name."""
    runs = populations.runs(tasks=6, rates=12)
    for record in runs:
        record["task"] = record["task"].replace("0", "<script>&$^{$0")
    return ListLearner(length=5, name="mine & <b>").fit(khl.History.from_records(runs))


class Tags(html.parser.HTMLParser):
    """Collects the elements of a page, and holds it to closing them in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        """Remember an element."""
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        """An element closes what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Remember what is read."""
        self.words.append(data)

    def all(self, tag):
        """The attributes of the elements of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


def contents(parsed: Tags) -> dict[str, str]:
    """The files that a page offers."""
    return {
        link["download"]: base64.b64decode(link["href"].partition(",")[2]).decode()
        for link in parsed.all("a")
        if "download" in link
    }


def test_the_page_needs_nothing_else_and_escapes_what_it_was_told(learner):
    """No script, no address but its own data and sections, whatever names say."""
    reading = ReadReport(["<img src=x onerror=alert(1)>"], 72, [("</td>", "it's <bad>")], ["a & b"])
    text = list_report.list_report(learner, reading, ['"thin" <task>'])
    parsed = Tags(text)
    assert not parsed.all("script")
    assert all(image["src"].startswith("data:image/svg+xml") for image in parsed.all("img"))
    assert len(parsed.all("img")) == len(parsed.all("source")) == 2
    sections = {section["id"] for section in parsed.all("section")}
    for link in parsed.all("a"):
        assert link["href"].startswith("data:text/csv") or link["href"][1:] in sections
    words = "".join(parsed.words)
    hostile = ("<img src=x onerror=alert(1)>", "<script>&$^{$0")
    for told in ("mine & <b>", "it's <bad>", "a & b", *hostile):
        assert told in words
    assert '"thin" <task>' in words
    policy = [meta for meta in parsed.all("meta") if "http-equiv" in meta]
    assert "default-src 'none'" in policy[0]["content"]


def test_the_page_offers_its_numbers(learner):
    """The entries exactly, the curves, and the tasks as tables."""
    files = contents(Tags(list_report.list_report(learner)))
    assert files["entries.csv"] == lists.to_csv(learner.list_)
    curve = pd.read_csv(pd.io.common.StringIO(files["curve.csv"]), index_col="k")
    np.testing.assert_allclose(curve["training"], learner.curve_["training"])
    np.testing.assert_allclose(curve["list"], learner.curve_["held_out"])
    tasks = pd.read_csv(pd.io.common.StringIO(files["tasks.csv"]), index_col="task")
    assert set(tasks.index) == set(learner.scores_.index)
    assert tasks["list"].is_monotonic_decreasing


def test_the_first_entries_are_explained(learner):
    """Each with its gain, and the tasks for which it is the best of the list."""
    words = "".join(Tags(list_report.list_report(learner, entries=2)).words)
    for rank in (0, 1):
        entry = learner.explain(rank)
        assert f"Entry {rank}: " in words
        assert str(entry) in words
        assert all(str(task) in words for task in entry.serves[:3])
    assert "Entry 2" not in words
    assert "normalisation" in words and learner.list_.provenance["history"] in words


def test_list_and_random_search_are_compared_before_all_is_tried():
    """With four configurations after two trials."""
    values = {c: {"x": c} for c in range(4)}
    scores = pd.DataFrame(np.random.default_rng(0).random((6, 4)))
    fitted = ListLearner().fit(scores, configurations=values)
    words = "".join(Tags(list_report.list_report(fitted)).words)
    assert "the best score after 2 trials of the list is" in words
    assert "on each task left out, after 2 trials; of random search" in words


def test_quartiles_are_those_of_the_mean_over_drawn_tasks(learner):
    """Against a plain loop over draws of the tasks; the mean lies in its band."""
    frame = list_report.compute(learner, seed=3)
    best = learner.held_out_["list"].to_numpy()
    random = np.random.default_rng(0)
    draws = [best[random.integers(0, len(best), len(best))].mean(axis=0) for _ in range(4000)]
    np.testing.assert_allclose(
        frame["list, lower_quartile"], np.quantile(draws, 0.25, axis=0), atol=0.01
    )
    for method in ("list", "random search"):
        np.testing.assert_allclose(frame[method], learner.held_out_[method].mean())
        assert (frame[f"{method}, lower_quartile"] <= frame[method] + 1e-9).all()
        assert (frame[f"{method}, upper_quartile"] >= frame[method] - 1e-9).all()


def test_many_tasks_and_long_lists_are_drawn_too():
    """More tasks than can be named, more entries than a linear axis takes."""
    scores = np.random.default_rng(0).random((40, 60))
    values = {c: {"x": c / 60} for c in range(60)}
    fitted = ListLearner(length=60).fit(pd.DataFrame(scores), configurations=values)
    assert len(Tags(list_report.list_report(fitted)).all("img")) == 2
    order = [list(fitted.scores_).index(label) for label in fitted.order_]
    expected = best_after(scores, np.array(order)).mean(axis=0)
    np.testing.assert_allclose(list_report.compute(fitted)["training"], expected)


def test_hyperparameters_may_be_called_as_columns_are():
    """The list's own columns are then called otherwise."""
    values = {c: {"gain": c / 4, "rank": 7 + c} for c in range(4)}
    scores = pd.DataFrame(np.random.default_rng(0).random((3, 4)))
    fitted = ListLearner(length=2).fit(scores, configurations=values)
    words = Tags(list_report.list_report(fitted)).words
    assert {"rank_", "gain_", "gain", "rank"} <= set(words)


def test_a_single_task_has_a_page_that_says_so():
    """Nothing can be left out, so there is one curve and no comparison."""
    fitted = ListLearner(length=3).fit(populations.history(tasks=1))
    parsed = Tags(list_report.list_report(fitted))
    assert len(parsed.all("img")) == 1
    assert "a single task" in "".join(parsed.words)


def test_tables_align_numbers_and_keep_digits_near_one():
    """Numbers to the right, nothing for what is missing, decay rates told from 1."""
    frame = pd.DataFrame({"name": ["a", "b"], "rate": [0.99989, None], "n": [1, 20]})
    parsed = Tags(page.table(frame, "Caption"))
    assert [head.get("class") for head in parsed.all("th")] == [None, "number", "number"]
    shown = "name rate n a 0.999890 1 b 20 Caption"
    assert " ".join(parsed.words).split() == shown.split()


def test_without_matplotlib_the_way_to_it_is_told(learner, monkeypatch):
    """The error names the pip line."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'keras_hplist\[figures\]'"):
        list_report.list_report(learner)


@pytest.fixture
def learn(command):
    """Run `keras-hplist learn` in this process; returns status, standard output and error."""

    return functools.partial(command, "learn")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A history of five tasks with three splits, in a file."""
    file = tmp_path_factory.mktemp("runs") / "history.parquet"
    populations.history(tasks=5, rates=10).write(file)
    return file


def test_every_option_of_learn_reaches_the_list(runs, tmp_path, learn):
    """The command gives what the estimator gives with the same parameters."""
    output, report = tmp_path / "list.json", tmp_path / "list.html"
    options = {
        "length": 4,
        "normalization": "quantile",
        "aggregation": "last",
        "split": "test",
        "horizon": 30,
        "weights": "equal",
        "seed": 3,
        "space": "adam1p",
        "name": "mine",
    }
    flags = [text for key, value in options.items() for text in (f"--{key}", value)]
    status, out, err = learn(runs, "-o", output, *flags, "--report", report, "--json")
    assert status == 0, err
    summary = json.loads(out)
    assert (summary["entries"], summary["report"]) == (4, str(report))
    learned = khl.HyperparameterList.load(output)
    expected = ListLearner(**options).fit(khl.History.read(runs)).list_
    assert learned == expected
    assert set(summary["curve"][0]) == {"k", "training", "held_out", "random_search"}
    told = ("split", "normalization", "aggregation", "horizon", "weights", "seed")
    assert {key: learned.provenance[key] for key in told} == {key: options[key] for key in told}
    assert "Hyperparameter list mine" in "".join(Tags(report.read_text()).words)


def test_learn_reads_optuna_and_csv(tmp_path, learn):
    """An SQLite storage by its content, a table by a mapping; warnings are notes on the page."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    rows = []
    for number in range(2):
        study = optuna.create_study(storage=storage, study_name=f"s{number}")
        grid = [{"x": x / 5} for x in range(6)]
        for params in grid:
            study.enqueue_trial(params)
            loss = (params["x"] - 0.4) ** 2
            rows.append({"problem": f"s{number}", "x": params["x"], "loss": loss})
        study.optimize(lambda trial: (trial.suggest_float("x", 0, 1) - 0.4) ** 2, len(grid))
    table = tmp_path / "runs.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    output = tmp_path / "list.json"
    mapping = json.dumps({"task": "problem", "valid": "loss"})
    for arguments in (
        [tmp_path / "studies.db"],
        [table, "--from", "csv", "--set", f"columns={mapping}", "--set", 'hyperparameters=["x"]'],
    ):
        status, out, err = learn(
            *arguments, "-o", output, "--length", 2, "--normalization", "last_quantile"
        )
        assert status == 0, err
        assert "12 runs" in re.sub(r"\s+", " ", out)
        assert khl.HyperparameterList.load(output)[0]["x"] == 0.4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUNS", "--normalization", "initiall"], "Did you mean 'initial'"),
        (["RUNS", "--aggregation", "max"], "Unknown aggregation 'max'"),
        (["RUNS", "--split", "validation"], "Unknown split 'validation'"),
        (["RUNS", "--weights", "families"], "Did you mean 'family'"),
        (["RUNS", "--horizon", "5000"], "horizon is 5000, but the runs of task"),
        (["RUNS", "--space", "adam2p"], "Unknown search space in these runs 'adam2p'"),
        (["TMP/nowhere"], "There is no file or folder"),
        (["TMP/empty"], "Name its source"),
        (["TMP/damaged.parquet"], "damaged.parquet is damaged"),
        (["RUNS", "-o", "TMP/x/list.json"], "there is no folder"),
        (["RUNS", "-o", "TMP"], "is a folder; name a file in it"),
        (["RUNS", "--report", "TMP/x/page.html"], "--report"),
        (["RUNS", "--set", "skip=1"], "The reader of 'history'"),
    ],
)
def test_what_learn_cannot_do_is_one_message(arguments, message, runs, tmp_path, learn):
    """Status 1, why, and no file."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged.parquet").write_bytes(runs.read_bytes()[:-40])
    given = [text.replace("TMP", str(tmp_path)).replace("RUNS", str(runs)) for text in arguments]
    output = tmp_path / "list.json"
    if "-o" not in given:
        given += ["-o", str(output)]
    status, _, err = learn(*given)
    assert status == 1
    assert message in err
    assert not output.exists()


def test_wrong_usage_of_learn_has_status_2(runs, learn):
    """No output, no number, no mapping."""
    assert learn(runs)[0] == 2
    assert learn(runs, "-o", "x.json", "--length", "0")[0] == 2
    assert learn(runs, "-o", "x.json", "--set", "task")[0] == 2
    for value in ('{"valid":"loss"', '["lr"', '"mnist'):
        status, _, err = learn(runs, "-o", "x.json", "--set", f"columns={value}")
        assert status == 2
        assert "no JSON" in err
