"""`read_taskset` on the published data and on files in the published layout."""

import json

import numpy as np
import pytest
from damage import check_damaged

from keras_hplist import spaces
from keras_hplist.errors import FileFormatError, InvalidValueError, UnknownNameError
from keras_hplist.history import read_taskset
from keras_hplist.spaces import configuration_id

NAMES = ["adam8p_wide_grid_seed3", "nadamw_grid_seed7", "adam_lr_-3.50"]
STEPS = np.arange(0, 10_001, 200)


@pytest.fixture
def arrays():
    """Arrays in TaskSet's layout: 3 configurations, 2 replicas, 51 times, 4 splits."""
    random = np.random.default_rng(0)
    losses = random.uniform(size=(3, 2, 51, 4)).astype(np.float32)
    losses[1, 0, 30:] = np.nan
    return {"optimizers": np.array(NAMES), "xs": STEPS, "ys": losses}


@pytest.fixture
def published(tmp_path, arrays):
    """Such a file, in a folder called after the task."""
    file = tmp_path / "mlp_family_seed12" / "nadamw_grid_1k_10000_replica5.npz"
    file.parent.mkdir()
    np.savez(file, **arrays)
    return file


def test_each_replica_becomes_a_row(published, arrays):
    """Outer validation is `valid`; hyperparameters are drawn anew from the names."""
    history = read_taskset(published)
    rows = history.to_frame().set_index(["space", "seed"])
    assert history.tasks == ["mlp_family_seed12"]
    assert set(rows["family"]) == {"mlp"}
    for index, space in enumerate(("adam8p", "nadamw", "adam1p")):
        for seed in range(2):
            row = rows.loc[(space, seed)]
            for split, number in (("train", 0), ("valid", 2), ("test", 3)):
                np.testing.assert_array_equal(row[split], arrays["ys"][index, seed, :, number])
            assert row["steps"].tolist() == STEPS.tolist()
            assert row["status"] == ("diverged" if (index, seed) == (1, 0) else "ok")
    values = {space: rows.loc[(space, 0), "configuration"] for space in ("adam8p", "adam1p")}
    assert values["adam8p"] == configuration_id("adam8p", spaces.get("adam8p").draw(3))
    assert history.values()[values["adam1p"]] == {"learning_rate": 10**-3.5}


def test_the_inner_validation_split_can_be_chosen(published, arrays):
    """And nothing else."""
    rows = read_taskset(published, validation="inner").to_frame().set_index(["space", "seed"])
    np.testing.assert_array_equal(rows.loc[("adam8p", 1), "valid"], arrays["ys"][0, 1, :, 1])
    with pytest.raises(UnknownNameError, match=r"'both'\. Known: inner, outer"):
        read_taskset(published, validation="both")


def test_names_of_other_spaces_need_their_hyperparameters(published, arrays, tmp_path):
    """As a mapping, or as the JSON file that TaskSet publishes."""
    names = ["momentum_grid_seed0", "momentum_grid_seed1", b"momentum_grid_seed2"]
    np.savez(published, **arrays | {"optimizers": np.array(names, dtype="S")})
    with pytest.raises(InvalidValueError, match="'momentum_grid_seed0' are not known"):
        read_taskset(published)
    given = {f"momentum_grid_seed{seed}": {"learning_rate": 0.1 * seed} for seed in range(3)}
    assert read_taskset(published, configurations=given).space_names == ["momentum_grid"]
    config = {name: [values, "momentum_grid"] for name, values in given.items()}
    (tmp_path / "momentum_configs.json").write_text(json.dumps(config))
    history = read_taskset(published, configurations=tmp_path / "momentum_configs.json")
    assert sorted(v["learning_rate"] for v in history.values().values()) == [0.0, 0.1, 0.2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "is not valid JSON"),
        ('{"a": {"x": NaN}}', r"a\.x is nan; it must be a finite number"),
        ('{"a": {}, "a": {}}', "'a' stands twice"),
        ("[1]", "holds no mapping"),
    ],
)
def test_a_damaged_file_of_configurations_is_named(published, tmp_path, text, message):
    """However it is damaged."""
    file = tmp_path / "configs.json"
    file.write_text(text)
    with pytest.raises(FileFormatError, match=rf"configs\.json.*{message}"):
        read_taskset(published, configurations=file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ys": np.zeros((3, 2, 50, 4))}, "'ys' has shape .* expected .*times=51"),
        ({"ys": np.zeros((3, 51, 4))}, "'ys' has shape .*; expected are 4 axes"),
        ({"xs": STEPS[::-1]}, r"\.npz: task .* numbers from 0 that increase"),
        ({"optimizers": np.array([{}, 1, 2])}, "no .npz archive of plain arrays"),
        ({"ys": None}, "expected are those of TaskSet"),
        ({"xs": None}, "has no array 'xs'"),
    ],
)
def test_wrong_arrays_are_named(published, arrays, change, message):
    """Missing ones, wrong shapes, and pickled objects, which are never loaded."""
    changed = {name: value for name, value in (arrays | change).items() if value is not None}
    np.savez(published, **changed)
    with pytest.raises(FileFormatError, match=message):
        read_taskset(published)


@pytest.mark.parametrize("splits", [["train", "val"], ["train", "test"]])
def test_stacked_arrays_hold_texts_or_bytes(tmp_path, splits):
    """Names of splits are those of a history, with `valid` among them."""
    stacked = {"loss": np.ones((1, 2, 3, 2)), "hp": np.array([[0.1], [0.2]]), "steps": np.arange(3)}
    names = {"tasks": ["task"], "splits": ["valid", "test"], "hp_names": ["learning_rate"]}
    as_bytes = {name: np.array(each, dtype="S") for name, each in names.items()}
    np.savez(tmp_path / "stacked.npz", **stacked, **as_bytes)
    history = read_taskset(tmp_path / "stacked.npz")
    assert (history.tasks, len(history)) == (["task"], 2)
    np.savez(tmp_path / "stacked.npz", **stacked, **names | {"splits": splits})
    with pytest.raises(FileFormatError, match=r"stacked\.npz: 'splits' holds .* with 'valid'"):
        read_taskset(tmp_path / "stacked.npz")


def test_damaged_files_are_named(published, tmp_path):
    """Truncated and scrambled archives and documents."""
    assert check_damaged(published, lambda: read_taskset(published)) > 10
    curves = {split: {"loss": [2.0, 1.0]} for split in ("train", "valid", "test")}
    file = tmp_path / "task.json"
    file.write_text(json.dumps([{"hp": {"learning_rate": 0.1}, **curves}] * 3))
    assert read_taskset(file).to_frame()["steps"][0].tolist() == [0, 200]
    assert check_damaged(file, lambda: read_taskset(file)) > 10
    file.write_text(json.dumps([{"hp": {"learning_rate": 0.1}, **curves}, {"hp": {}}]))
    with pytest.raises(FileFormatError, match=r"task\.json, entry 1: expected is"):
        read_taskset(file)
    with pytest.raises(FileNotFoundError):
        read_taskset(tmp_path / "nothing.npz")


def test_the_published_curves_of_twelve_tasks(reference_data):
    """All 12,000, the same in both packagings, with the published hyperparameters."""
    folder = reference_data / "trials" / "taskset-dpl"
    history = read_taskset(folder / "taskset_adam8p_12tasks.npz")
    assert (len(history), len(history.tasks)) == (12_000, 12)
    assert history.space_names == ["adam8p"]
    array = history.curves("valid")
    assert array.values.shape == (12, 1000, 1, 51)
    drawn = {configuration_id("adam8p", spaces.get("adam8p").draw(seed)) for seed in range(1000)}
    assert set(array.configurations) == drawn

    name = "FixedTextRNNClassification_imdb_patch128_LSTM128_bs64"
    document = json.loads((folder / f"{name}.json").read_bytes())
    single = read_taskset(folder / f"{name}.json").to_frame()
    same = history.select(task=name).to_frame()
    assert single["configuration"].tolist() == same["configuration"].tolist()
    for row, entry, other in zip(
        single.to_dict("records"), document, same.to_dict("records"), strict=True
    ):
        for split in ("train", "valid", "test"):
            np.testing.assert_array_equal(row[split], np.float32(entry[split]["loss"]))
            np.testing.assert_array_equal(row[split], other[split])
        assert row["status"] == ("ok" if np.isfinite(row["valid"][-1]) else "diverged")
