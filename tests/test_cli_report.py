"""`keras-hplist report`, its files, and its page, also in a browser."""

import base64
import functools
import http.server
import io
import json
import shutil
import subprocess
import threading

import pandas as pd
import populations
import pytest
from test_list_report import Tags, contents

from keras_hplist import figures
from keras_hplist.figures import report
from keras_hplist.history import History
from keras_hplist.reports import project_report

FEW = ("1b", "S7", "S9")


@pytest.fixture
def run(command):
    """Run `keras-hplist report` in this process; returns status, standard output and error."""

    return functools.partial(command, "report")


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A history of eight tasks of two families, in a file; one has a hostile name."""
    runs = populations.runs(tasks=8, rates=10)
    for record in runs:
        record["task"] = record["task"].replace("0", "<script>&0")
    file = tmp_path_factory.mktemp("runs") / "history.parquet"
    History.from_records(runs).write(file)
    return file


def test_figures_asked_for_by_number_are_drawn(history, tmp_path, run):
    """Picture in both formats and table; the table is what the module makes; no page."""
    status, out, err = run(history, "-o", tmp_path, "--figure", "1b", "--figure", "S7", "--json")
    assert status == 0, err
    told = json.loads(out)
    assert set(told["figures"]) == {"1b", "S7"} and told["page"] is None
    material = report.material_of(History.read(history))
    for number, kinds in told["figures"].items():
        expected = report.draw(material, number).frame
        with open(kinds["csv"]) as file:
            assert file.read() == expected.to_csv()
        with open(kinds["png"], "rb") as file:
            assert file.read().startswith(b"\x89PNG")
        with open(kinds["svg"], "rb") as file:
            assert b"<svg" in file.read()
    assert not (tmp_path / "report.html").exists()


def test_a_figure_that_does_not_apply_is_an_error_when_asked_for(tmp_path, run):
    """Status 1 with the reason; an unknown number is wrong usage."""
    status, _, err = run("-o", tmp_path, "--figure", "S7")
    assert status == 1 and "give a history" in err
    status, _, err = run("-o", tmp_path, "--figure", "12")
    assert status == 2 and "1a, 1b" in err
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["TMP/nowhere", "-o", "TMP"], "There is no file or folder"),
        (["TMP/file.parquet", "-o", "TMP"], "damaged"),
        (["-o", "TMP/file.parquet"], "name a folder"),
        (["-o", "TMP/file.parquet/x", "--figure", "1a"], "Not a directory: 'TMP/file.parquet/x'"),
    ],
)
def test_what_cannot_be_read_or_written_is_one_message(arguments, message, tmp_path, run):
    """Status 1, before any work."""
    (tmp_path / "file.parquet").write_bytes(b"PAR1 no")
    status, _, err = run(*(text.replace("TMP", str(tmp_path)) for text in arguments))
    assert status == 1
    assert message.replace("TMP", str(tmp_path)) in " ".join(err.split())


def test_a_tuner_project_has_a_report_of_its_own(tmp_path, run, monkeypatch):
    """Told by its files; options reach the report; of anything else they are wrong usage."""
    calls = []

    def write(*arguments, **options):
        calls.append((arguments, options))
        return {"best": 3}

    monkeypatch.setattr(project_report, "write", write)
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "oracle.json").write_text("{}")
    options = ("--list", "mine.json", "--objective", "val_auc", "--direction", "max")
    status, out, err = run(tmp_path / "search", "-o", tmp_path / "out", *options, "--json")
    assert status == 0, err
    assert json.loads(out) == {"best": 3}
    expected = {"hyperparameter_list": "mine.json", "objective": "val_auc", "direction": "max"}
    assert calls == [((tmp_path / "search", tmp_path / "out"), expected)]
    status, out, _ = run(tmp_path / "search", "-o", tmp_path / "out")
    assert status == 0 and "report.html" in out
    assert set(calls[1][1].values()) == {None}
    status, _, err = run(tmp_path, "-o", tmp_path / "out", *options)  # the folder that it lies in
    assert status == 0, err
    assert calls[2] == ((tmp_path, tmp_path / "out"), expected)
    assert run("-o", tmp_path / "out", "--direction", "max")[0] == 2


@pytest.fixture(scope="module")
def drawn(history):
    """A page of two figures, and of one that does not apply."""
    material = report.material_of(History.read(history))
    made = [report.draw(material, number) for number in ("1b", "S7")]
    return made, report.page(material, made, {"S5": "one <horizon>"})


def test_the_page_holds_figures_tables_and_reasons(drawn, history):
    """Everything inside; names are escaped; the tables are those of the figures."""
    made, text = drawn
    parsed = Tags(text)
    assert not parsed.all("script")
    assert len(parsed.all("img")) == len(parsed.all("source")) == 2
    assert all(image["src"].startswith("data:image/svg+xml") for image in parsed.all("img"))
    files = contents(parsed)
    for figure in made:
        assert files[f"figure_{figure.number.lower()}.csv"] == figure.frame.to_csv()
    words = " ".join("".join(parsed.words).split())
    for figure in made:
        assert f"Figure {figure.number}. {figure.module.TITLE}" in words
        assert figure.caption in words
    assert f"Figure S5, {figures.load('S5').TITLE}: one <horizon>" in words
    assert History.read(history).fingerprint in words
    assert "80 training runs on 8 tasks" in words and "conv 4, mlp 4" in words


@pytest.mark.parametrize("versions", ["keras 3.1", "3.1", '{"keras": "3.1"}'])
def test_versions_are_shown_as_they_were_given(versions):
    """Text or JSON."""
    runs = History.from_records(populations.runs(tasks=2, rates=3, versions=versions))
    words = " ".join(Tags(report.page(report.material_of(runs), [], {})).words)
    assert "keras 3.1" in words if "keras" in versions else versions in words


def test_without_a_path_the_facts_of_the_suite_are_drawn(tmp_path, run):
    """Sizes and times; the other figures are named with what they need."""
    status, out, err = run("-o", tmp_path)
    assert status == 0, err
    written = {file.name for file in tmp_path.glob("*.png")}
    assert written == {"figure_1a.png", "figure_1c.png", "figure_s8.png"}
    words = "".join(Tags((tmp_path / "report.html").read_text()).words)
    assert "facts of 1,162 tasks" in words
    assert "Figure S7, " in words and "give a history" in words
    assert "Not drawn, figure 1b" in out


@pytest.mark.slow
def test_a_history_gives_every_figure_that_applies(history, tmp_path, run):
    """Each drawn one on the page and as files; the second time from the cache, the same bytes."""
    first = None
    for _ in range(2):
        status, out, err = run(history, "-o", tmp_path, "--json")
        assert status == 0, err
        told = json.loads(out)
        assert set(told["figures"]) | set(told["not_applicable"]) == set(figures.NUMBERS)
        assert {"1b", "1c", "3", "S1", "S6", "S7", "S8"} <= set(told["figures"])
        text = (tmp_path / "report.html").read_text()
        parsed = Tags(text)
        assert len(parsed.all("img")) == len(told["figures"])
        for number, kinds in told["figures"].items():
            frame = pd.read_csv(io.StringIO(contents(parsed)[f"figure_{number.lower()}.csv"]))
            pd.testing.assert_frame_equal(frame, pd.read_csv(kinds["csv"]))
        assert first is None or first == text
        first = text


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

# Looks at the page in two frames, as wide as a desk and a telephone, and says what it sees.
WATCHER = """<!DOCTYPE html><iframe id="wide" src="report.html" width="1200" height="900"></iframe>
<iframe id="narrow" src="report.html" width="320" height="640"></iframe><pre id="seen"></pre>
<script>
window.onload = async () => {
  const seen = {};
  for (const id of ["wide", "narrow"]) {
    const page = document.getElementById(id).contentDocument;
    await Promise.all([...page.images].map(image => image.decode()));
    seen[id] = {
      images: [...page.images].map(image => image.naturalWidth),
      sources: [...page.images].map(image => image.currentSrc.length),
      overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
      links: [...page.querySelectorAll("nav a")].every(
        link => page.querySelector(link.getAttribute("href"))),
      focusable: page.querySelectorAll("a[href], summary, [tabindex='0']").length,
    };
  }
  document.getElementById("seen").textContent = btoa(JSON.stringify(seen)) + " end";
};</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_a_browser_shows_the_page(drawn, tmp_path):
    """All pictures are there, nothing else is loaded, no error, and nothing sticks out."""
    (tmp_path / "report.html").write_text(drawn[1])
    (tmp_path / "watch.html").write_text(WATCHER)
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=tmp_path)

        def log_request(self, *_):
            asked.append(self.path)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/watch.html"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
        options += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=10000"]
        done = subprocess.run(
            [BROWSER, *options, "--dump-dom", address], capture_output=True, text=True, timeout=120
        )
        server.shutdown()
    encoded = done.stdout.partition('<pre id="seen">')[2].partition(" end")[0]
    assert encoded, done.stderr
    seen = json.loads(base64.b64decode(encoded))
    for frame in seen.values():
        assert len(frame["images"]) == 2 and all(frame["images"])
        assert frame["overflow"] <= 0
        assert frame["links"] and frame["focusable"] >= 8
    assert seen["wide"]["sources"] != seen["narrow"]["sources"]
    assert set(asked) <= {"/watch.html", "/report.html", "/favicon.ico"}
    assert "CONSOLE" not in done.stderr, done.stderr
