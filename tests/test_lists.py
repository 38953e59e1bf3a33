"""Hyperparameter lists: their content, their files, and import of the published one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hplist import spaces
from keras_hplist.errors import FileFormatError, InvalidValueError, UnknownNameError
from keras_hplist.lists import (
    HyperparameterList,
    available_lists,
    diff,
    get_optimizer,
    to_csv,
)
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Boolean, Choice, Number
from keras_hplist.tuning import HyperparameterListOracle

OWN_SPACE = SearchSpace(
    "mine",
    (
        Hyperparameter("units", Number(1, 512, integer=True)),
        Hyperparameter("rate", Number(1e-300, 1.0, "log")),
        Hyperparameter("activation", Choice(("relu", "tänh"))),
        Hyperparameter("skip", Boolean()),
    ),
)
entries = st.lists(
    st.fixed_dictionaries(
        {
            "units": st.integers(1, 512),
            "rate": st.floats(1e-300, 1.0, allow_subnormal=False),
            "activation": st.sampled_from(["relu", "tänh"]),
            "skip": st.booleans(),
        }
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda entry: tuple(entry.values()),
)


def adam1p(*rates, **options):
    return HyperparameterList([{"learning_rate": rate} for rate in rates], "adam1p", **options)


def document(tmp_path, **changes):
    """A valid list file with some keys changed (None: taken out)."""
    path = tmp_path / "list.json"
    adam1p(1e-3, 1e-2, name="two").save(path)
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return path


def entry(values):
    """The entries of a file with one, whose gain is not known."""
    return [{"values": values, "gain": None}]


def test_it_is_a_sequence_of_plain_dicts():
    """Length, index, negative index, iteration, containment; an entry is a copy."""
    hplist = adam1p(1e-3, 1e-2, 1e-1)
    assert len(hplist) == 3
    assert hplist[0] == {"learning_rate": 1e-3}
    assert hplist[-1] == {"learning_rate": 1e-1}
    assert list(hplist)[1] == {"learning_rate": 1e-2}
    assert {"learning_rate": 1e-2} in hplist
    hplist[0]["learning_rate"] = 5.0
    assert hplist[0] == {"learning_rate": 1e-3}
    with pytest.raises(IndexError, match="3 entries"):
        hplist[3]


def test_what_a_list_hands_out_is_a_copy():
    """So the list, its gains and its provenance stay what they were."""
    given = {"tasks": ["a"]}
    hplist = adam1p(1e-3, 1e-2, gains=[0.5, None], provenance=given)
    given["tasks"].append("b")
    hplist.gains[0] = 0.0
    hplist.provenance["tasks"].append("b")
    hplist.provenance_of([0, 1])["tasks"].append("b")
    hplist.source_ranks[0] = 7
    assert (hplist.gains, hplist.source_ranks) == ([0.5, None], [0, 1])
    assert hplist.provenance == {"tasks": ["a"]}


def test_a_slice_is_a_list_with_its_gains():
    """Slicing keeps space, name and gains, and says which entries of the provenance these are."""
    hplist = adam1p(1e-3, 1e-2, 1e-1, gains=[0.5, 0.25, None], provenance={"tasks": ["a"]})
    part = hplist[1:]
    assert isinstance(part, HyperparameterList)
    assert (len(part), part.gains, part.space) == (2, [0.25, None], hplist.space)
    assert part.provenance == {"tasks": ["a"], "source_ranks": [1, 2]}
    assert part[1:].source_ranks == [2]
    assert hplist[:2].provenance == hplist[::-1][::-1].provenance == {"tasks": ["a"]}


def test_equality_and_fingerprint_follow_the_content_and_the_order():
    """The same values in the same order are equal, whatever the name; another order is not."""
    assert adam1p(1e-3, 1e-2) == adam1p(1e-3, 1e-2, name="other")
    assert adam1p(1e-3, 1e-2) != adam1p(1e-2, 1e-3)
    assert adam1p(1e-3).fingerprint == adam1p(0.001).fingerprint
    assert len({adam1p(1e-3), adam1p(1e-3), adam1p(1e-2)}) == 2


def test_to_frame_has_ranks_columns_of_the_space_and_gains():
    """The table shows entries in order, with NaN for unknown gains."""
    frame = adam1p(1e-3, 1e-2, gains=[0.5, None]).to_frame()
    assert frame.index.name == "rank"
    assert list(frame.columns) == ["learning_rate", "gain"]
    assert frame["learning_rate"].tolist() == [1e-3, 1e-2]
    assert frame["gain"][0] == 0.5
    assert frame["gain"].isna()[1]


def test_a_hyperparameter_may_be_called_as_a_column_of_the_list():
    """The list's own column is then called otherwise, in each table of the list."""
    rows = tuple(Hyperparameter(name, Number(0.0, 1.0)) for name in ("gain", "rank", "move"))
    values = {"gain": 0.25, "rank": 0.5, "move": 1.0}
    hplist = HyperparameterList([values], SearchSpace("mine", rows), gains=[0.125])
    frame = hplist.to_frame().reset_index()
    assert frame.to_dict("records") == [{"rank_": 0} | values | {"gain_": 0.125}]
    assert to_csv(hplist) == "rank_,gain,rank,move,gain_\n0,0.25,0.5,1.0,0.125\n"
    assert diff(hplist, hplist)[["move_", *values]].to_numpy().tolist() == [[0, 0.25, 0.5, 1.0]]


@given(entries=entries, gain=st.none() | st.floats(-1e9, 1e9))
@settings(max_examples=60)
def test_values_and_gains_survive_the_file_exactly(entries, gain, tmp_path_factory):
    """What is loaded equals what was saved to the last bit, in value and type."""
    path = tmp_path_factory.mktemp("list") / "list.json"
    saved = HyperparameterList(entries, OWN_SPACE, gains=[gain] * len(entries))
    saved.save(path)
    loaded = HyperparameterList.load(path)
    assert loaded == saved
    assert [repr(entry) for entry in loaded] == [repr(entry) for entry in saved]
    assert loaded.gains == saved.gains
    assert loaded.space == OWN_SPACE


def test_the_same_list_gives_the_same_bytes(tmp_path):
    """Files are equal byte for byte, whatever order provenance and values were given in."""
    one = adam1p(1e-3, name="x", provenance={"b": 1, "a": {"d": 2, "c": 3}})
    two = adam1p(1e-3, name="x", provenance={"a": {"c": 3, "d": 2}, "b": 1})
    one.save(tmp_path / "one.json")
    two.save(tmp_path / "two.json")
    HyperparameterList.load(tmp_path / "one.json").save(tmp_path / "three.json")
    contents = {(tmp_path / f"{name}.json").read_bytes() for name in ("one", "two", "three")}
    assert len(contents) == 1


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    """When writing breaks off, the file is as it was and no other is left."""
    path = tmp_path / "list.json"
    adam1p(1e-3).save(path)
    before = path.read_bytes()

    def fail(_):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        adam1p(1e-2).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_any_name_and_the_mode_that_the_umask_gives(tmp_path):
    """The longest name that the file system takes; one that is longer is named in the error."""
    path = tmp_path / ("x" * 250 + ".json")
    plain = tmp_path / "plain"
    umask = os.umask(0o027)
    try:
        adam1p(1e-3).save(path)
        plain.write_text("")
    finally:
        os.umask(umask)
    assert path.stat().st_mode == plain.stat().st_mode
    with pytest.raises(OSError, match=r"x{251}\.json"):
        adam1p(1e-3).save(tmp_path / ("x" * 251 + ".json"))
    assert sorted(tmp_path.iterdir()) == [plain, path]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "'format' must be 'keras-hplist'"),
        ({"version": 2}, r"version is 2, and this release reads version 1.*upgrade"),
        ({"version": True}, "version is True"),
        ({"name": None}, "'name' is a required property"),
        ({"provenance": None}, "'provenance' is a required property"),
        ({"provenance": []}, "provenance"),
        ({"entries": []}, "entries"),
        ({"entries": [{"gain": 1.0}]}, r"entries\[0\].*'values' is a required"),
        ({"entries": entry({"learning_rate": None})}, r"entries\[0\].values.learning_rate"),
        ({"entries": entry({"learning_rate": "x"})}, "entry 0: 'learning_rate'"),
        ({"entries": entry({"learning_rate": True})}, "entry 0: 'learning_rate'"),
        ({"entries": entry({"learning_rate": 99.0})}, r"entry 0: 'learning_rate'.*99\.0"),
        ({"entries": entry({"lr": 1e-3})}, "entry 0: 'lr' is no hyperparameter"),
        ({"entries": [{"values": {"learning_rate": 1e-3}}]}, r"entries\[0\].*'gain' is a required"),
        ({"provenience": {}}, "'provenience' was unexpected"),
        ({"entries": [{"values": {"learning_rate": 1e-3}, "gain": "a"}]}, r"entries\[0\].gain"),
        (
            {"entries": [{"values": {"learning_rate": 1e-3}, "gain": 0, "gian": 0}]},
            r"entries\[0\].*'gian' was unexpected",
        ),
        (
            {"entries": entry({"learning_rate": 1e-3}) * 2},
            "entry 1 repeats entry 0",
        ),
        ({"space": "adam9p"}, "Unknown search space 'adam9p'.*adam8p"),
        ({"space": {"name": "x"}}, "hyperparameters"),
    ],
)
def test_a_malformed_file_is_named_with_entry_and_key(tmp_path, changes, message):
    """Every error says which file, which entry and which key."""
    path = document(tmp_path, **changes)
    with pytest.raises(FileFormatError, match=message) as error:
        HyperparameterList.load(path)
    assert str(path) in str(error.value)


ROW = {"name": "x", "type": "number", "low": 0.0, "high": 1.0}
CHOICE = {"name": "x", "type": "choice", "values": ["a", "b"]}


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"hyperparameters": "x"}, "'hyperparameters' must be a list; got 'x'"),
        ({"hyperparameters": ["x"]}, "a hyperparameter must be an object; got 'x'"),
        ({"hyperparameters": [[1]]}, r"a hyperparameter must be an object; got \[1\]"),
        ({"hyperparameters": [ROW | {"name": None}]}, "name .* not empty; got None"),
        ({"hyperparameters": [ROW | {"name": ""}]}, "name .* not empty; got ''"),
        ({"hyperparameters": [ROW | {"integer": "no"}]}, "integer must be True or False"),
        ({"hyperparameters": [ROW | {"step": "x"}]}, "step must be a number above 0"),
        ({"hyperparameters": [ROW | {"hidden": 1}]}, "hidden must be True or False; got 1"),
        ({"hyperparameters": [ROW | {"default": []}]}, r"default must be .*; got \[\]"),
        ({"hyperparameters": [ROW | {"when": [["y", "ab"]]}]}, "must be a list; got 'ab'"),
        ({"hyperparameters": [ROW | {"when": [[1, ["a"]]]}]}, "name .* not empty; got 1"),
        ({"hyperparameters": [ROW | {"when": [["y", [None]]]}]}, "'y' in 'when' must be"),
        ({"hyperparameters": [CHOICE | {"values": "ab"}]}, "values must be several"),
        ({"hyperparameters": [CHOICE | {"ordered": None}]}, "ordered must be True or False"),
        ({"hyperparameters": [CHOICE | {"thresholds": []}]}, "thresholds must be 1 rising"),
        ({"hyperparameters": [{"name": "x", "type": "fixed", "value": [1]}]}, "value must be"),
        ({"hyperparameters": [{"name": "x", "type": []}]}, "unhashable"),
        ({"seed_offset": "1"}, "seed_offset .* is '1'; give a whole number from 0 to 4294967295"),
        ({"index_name": 1}, "index_name .* must be a text; got 1"),
        ({"family": ["nadamw"]}, "family .* must be one of nadamw"),
    ],
)
def test_a_malformed_space_is_named(tmp_path, space, message):
    """Whatever its file holds there; no error of Python itself comes through."""
    path = document(
        tmp_path,
        space={"name": "mine", "hyperparameters": [ROW]} | space,
        entries=entry({"x": 0.5}),
    )
    with pytest.raises(FileFormatError, match=message) as error:
        HyperparameterList.load(path)
    assert str(path) in str(error.value)


def test_a_space_has_a_name():
    """Its lists and histories bear it."""
    with pytest.raises(InvalidValueError, match="not empty; got ''"):
        SearchSpace("", OWN_SPACE.rows)


def test_a_changed_published_space_needs_a_name_of_its_own(tmp_path):
    """Files keep only the name of a published one; renamed, it is kept whole, optimizer and all."""
    config = spaces.get("adam1p").to_config()
    config["hyperparameters"][0]["high"] = 100.0
    with pytest.raises(InvalidValueError, match="'adam1p' is the name of a published"):
        SearchSpace.from_config(config)
    with pytest.raises(FileFormatError, match=r"list\.json: 'adam1p' is the name of a published"):
        HyperparameterList.load(document(tmp_path, space=config))
    wider = SearchSpace.from_config(config | {"name": "wider"})
    saved = HyperparameterList([{"learning_rate": 50.0}], wider)
    saved.save(tmp_path / "list.json")
    loaded = HyperparameterList.load(tmp_path / "list.json")
    assert loaded == saved and loaded.space == wider
    assert get_optimizer(loaded).hyperparameters == {"learning_rate": 50.0}


def test_an_integer_too_long_for_a_float_is_located(tmp_path):
    """JSON allows any number of digits."""
    path = document(tmp_path, entries=[{"values": {"learning_rate": 1e-3}, "gain": 10**400}])
    with pytest.raises(FileFormatError, match=r"entries\[0\]\.gain is 1000"):
        HyperparameterList.load(path)


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_located(tmp_path, token):
    """JSON's unofficial NaN and overflowing numbers are refused with their place."""
    path = document(tmp_path)
    path.write_text(path.read_text().replace("0.01", token))
    place = r"entries\[1\]\.values\.learning_rate is -?(nan|inf)"
    with pytest.raises(FileFormatError, match=place):
        HyperparameterList.load(path)


def test_a_key_that_stands_twice_is_refused(tmp_path):
    """JSON readers keep the last of two equal keys; that would hide a mistake."""
    path = document(tmp_path)
    path.write_text(path.read_text().replace('"name"', '"version": 1, "name"'))
    with pytest.raises(FileFormatError, match="'version' stands twice"):
        HyperparameterList.load(path)


def test_half_of_a_pair_of_surrogates_is_refused(tmp_path):
    """JSON can write what no file and no terminal can be given; a whole pair is a character."""
    path = document(tmp_path)
    text = path.read_text()
    path.write_text(text.replace('"two"', r'"\ud83d\ude00"'))
    assert HyperparameterList.load(path).name == "\N{GRINNING FACE}"
    path.write_text(text.replace('"two"', r'"\ud83d"'))
    with pytest.raises(FileFormatError, match=r"list\.json is not valid JSON.*surrogates"):
        HyperparameterList.load(path)


@pytest.mark.parametrize("path", ["", ".", "folder", None])
def test_a_list_is_saved_to_the_path_of_a_file(tmp_path, monkeypatch, path):
    """Not to that of a folder; nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidValueError, match=r"is a folder; name a file in it|path is None"):
        adam1p(1e-3).save(path)
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("cut", [0, 1, 30, 100, -2])
def test_a_truncated_file_is_named(tmp_path, cut):
    """A file cut off anywhere gives an error with its name."""
    path = document(tmp_path)
    path.write_text(path.read_text()[:cut])
    with pytest.raises(FileFormatError, match=r"list\.json"):
        HyperparameterList.load(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"entries": []}, "at least one entry"),
        ({"name": ""}, "name of a list is ''; give a text that is not empty"),
        ({"gains": [0.1]}, "1 gains were given for 2 entries"),
        ({"gains": [0.1, float("nan")]}, "entry 1: gain is nan"),
        ({"gains": [0.1, "a"]}, "entry 1: gain is 'a'; give a finite number or None"),
        ({"gains": [True, 0.1]}, "entry 0: gain is True"),
        ({"gains": [10**400, 0.1]}, "entry 0: gain is 1000"),
        ({"gains": 3}, "gains is 3; give a number or None for each entry"),
        ({"name": "\ud800"}, r"name of a list is '\\ud800'; give text of UTF-8"),
        ({"provenance": [1]}, r"provenance is \[1\]; give a dict, or None"),
        ({"provenance": "me"}, "provenance is 'me'"),
        ({"provenance": {"x": "\udfff"}}, "provenance cannot be written as JSON.*surrogates"),
        ({"entries": None}, "entries is None; give several configurations"),
        ({"entries": 5}, "entries is 5; give several configurations"),
        ({"provenance": {"x": float("inf")}}, "provenance cannot be written as JSON"),
        ({"provenance": {"x": object()}}, "provenance cannot be written as JSON"),
        ({"provenance": {"source_ranks": [0, 1, 2]}}, "source_ranks is .* each of the 2 entries"),
        ({"provenance": {"source_ranks": [0, True]}}, "source_ranks is .* number from 0, or None"),
        ({"entries": [{"learning_rate": float("nan")}]}, "entry 0: 'learning_rate'"),
        ({"entries": [{"learning_rate": 1e-3}] * 2}, "entry 1 repeats entry 0"),
        ({"entries": [{}]}, "entry 0: 'learning_rate' is missing"),
    ],
)
def test_the_constructor_checks(arguments, message):
    """What a file may not hold, a list in memory may not either."""
    given_entries = [{"learning_rate": 1e-3}, {"learning_rate": 1e-2}]
    with pytest.raises(InvalidValueError, match=message):
        HyperparameterList(**({"entries": given_entries, "space": "adam1p"} | arguments))


def test_a_table_of_configurations_gives_a_list():
    """As the search space samples them: a row is an entry."""
    space = spaces.get("nadamw")
    hplist = HyperparameterList(space.sample(3), "nadamw")
    assert list(hplist) == [space.draw(seed) for seed in range(3)]


def test_load_by_name_offers_the_nearest_and_by_path_wants_the_file(tmp_path):
    """A bare word is a name; anything that looks like a path is one."""
    with pytest.raises(UnknownNameError, match=r"Unknown hyperparameter list 'nadam_w'.*\.json"):
        HyperparameterList.load("nadam_w")
    with pytest.raises(FileNotFoundError):
        HyperparameterList.load(tmp_path / "missing.json")
    with pytest.raises(FileNotFoundError):
        HyperparameterList.load("missing.json")


def test_every_shipped_list_loads_and_says_where_it_comes_from():
    """Shipped lists pass their own check, bear their file's name, and have a provenance."""
    for name in available_lists():
        shipped = HyperparameterList.load(name)
        assert shipped.name == name
        assert shipped.provenance["tasks"]


def test_both_layouts_of_the_published_list_give_the_same_list(reference_data):
    """The 1000 published NAdamW entries come in order, exactly, from either file."""
    ranked = HyperparameterList.from_opt_list(reference_data / "nadamw_opt_list_published.json")
    bare = HyperparameterList.from_opt_list(reference_data / "trials/opt-list/opt_list.json")
    assert len(ranked) == 1000
    assert ranked == bare
    assert ranked.space.name == "nadamw"
    assert ranked[0]["learning_rate"] == 0.0011948335721160095
    assert ranked.provenance["configurations"][0] == "nadamw_grid_seed251"
    assert "Apache-2.0" in ranked.provenance["source"]
    published = json.loads((reference_data / "nadamw_opt_list_published.json").read_text())
    assert [dict(entry) for entry in ranked] == [row["hyperparameters"] for row in published]
    drawn = spaces.get("nadamw").draw(seed=251)
    assert dict(drawn) == ranked[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "JSON array"),
        ([], "at least one"),
        ([1], "entry 0 is 1"),
        ([{"hyperparameters": {}, "rank": 0}], "entry 0 lacks the key 'name'"),
        ([{"hyperparameters": 3, "rank": 0, "name": "a"}], "must be an object"),
        ([{"hyperparameters": {}, "rank": 1, "name": "a"}], "ranks must be 0 to 0"),
        ([{"hyperparameters": {}, "rank": "a", "name": "a"}], "entry 0: rank must .* got 'a'"),
        ([{"hyperparameters": {}, "rank": False, "name": "a"}], "rank must be a whole number"),
        ([{"hyperparameters": {}, "rank": 0.0, "name": "a"}], "rank must be a whole number"),
        ([{"hyperparameters": {}, "rank": 0, "name": [1]}], r"name a text; got 0 and \[1\]"),
        ([{"learning_rate": 1e-3}], "entry 0: 'beta1' is missing"),
    ],
)
def test_a_malformed_published_list_is_named(tmp_path, content, message):
    """Neither layout: the file and the entry are named."""
    path = tmp_path / "opt_list.json"
    path.write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=message) as error:
        HyperparameterList.from_opt_list(path)
    assert "opt_list.json" in str(error.value)


def test_get_optimizer_gives_the_entry_with_its_steps(tmp_path):
    """From a list, a path, with further arguments; the optimizer has the entry's values."""
    hplist = adam1p(1e-3, 1e-2)
    hplist.save(tmp_path / "list.json")
    for source in (hplist, tmp_path / "list.json", str(tmp_path / "list.json")):
        optimizer = get_optimizer(source, 1, training_steps=100, clipnorm=1.0)
        assert float(optimizer.hyperparameters["learning_rate"]) == pytest.approx(1e-2)
        assert optimizer.training_steps == 100
        assert optimizer.clipnorm == 1.0


@pytest.mark.parametrize("index", [2, -1, True, 1.5, "0"])
def test_get_optimizer_wants_a_rank_of_the_list(index):
    """An index outside the list, or none at all, is refused with the allowed range."""
    with pytest.raises(InvalidValueError, match=r"'adam1p' is .*; give a whole number from 0 to 1"):
        get_optimizer(adam1p(1e-3, 1e-2), index)


@pytest.mark.parametrize(
    "load",
    [
        HyperparameterList.load,
        get_optimizer,
        lambda given: HyperparameterListOracle(hyperparameter_list=given),
    ],
)
@pytest.mark.parametrize("given", [None, 3, b"nadamw", ["nadamw"]])
def test_what_is_no_name_or_path_is_refused(load, given):
    """With what was given and what may be."""
    with pytest.raises(InvalidValueError, match=r"The list to load is .*; give a name such as"):
        load(given)


def test_an_entry_has_its_own_hyperparameters():
    """An argument that would change one is refused; the message says how to change it."""
    with pytest.raises(InvalidValueError, match=r"learning_rate is 0.1, .* own, 0.001") as error:
        get_optimizer(adam1p(1e-3), 0, learning_rate=0.1)
    optimizer = get_optimizer(adam1p(1e-3), 0)
    change = "optimizer.set_hyperparameters({'learning_rate': 0.1})"
    anew = "spaces.get('adam1p').optimizer(entry | {'learning_rate': 0.1})"
    assert change in str(error.value) and anew in str(error.value)
    known = {"optimizer": optimizer, "spaces": spaces, "entry": adam1p(1e-3)[0]}
    eval(change, known)
    assert optimizer.hyperparameters == eval(anew, known).hyperparameters


def test_lists_history_and_learning_load_no_tensorflow():
    """Working with lists and logs must not cost the start of a deep learning framework."""
    code = (
        "import sys, keras_hplist.lists, keras_hplist.history, keras_hplist.learning;"
        "sys.exit(', '.join({'tensorflow', 'keras', 'jax', 'keras_tuner'} & set(sys.modules)) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_schema_is_shipped_with_the_package():
    """The schema stands beside the code and names every key of a file."""
    import keras_hplist.lists

    schema = json.loads((Path(keras_hplist.lists.__file__).parent / "schema.json").read_text())
    assert set(schema["required"]) == {
        "format",
        "version",
        "name",
        "space",
        "entries",
        "provenance",
    }
