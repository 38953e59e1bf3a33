"""The shipped lists are what the committed histories teach."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from keras_hplist.lists import HyperparameterList, available_lists

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "keras_hplist" / "lists" / "shipped"


def test_every_list_is_rebuilt_byte_for_byte(tmp_path):
    """`histories/learn_lists.py` makes the shipped files, and no others."""
    for name in available_lists():
        for package, version in HyperparameterList.load(name).provenance["versions"].items():
            if importlib.metadata.version(package) != version:
                pytest.skip(f"{name} was learned with {package} {version}")
    script = ROOT / "histories" / "learn_lists.py"
    subprocess.run([sys.executable, script, "--output", tmp_path], check=True, timeout=300)
    made = {file.name: file.read_bytes() for file in tmp_path.glob("*.json")}
    shipped = {file.name: file.read_bytes() for file in SHIPPED.glob("*.json")}
    assert made.keys() == shipped.keys()
    assert [name for name in made if made[name] != shipped[name]] == []


def test_every_list_says_what_it_is_worth_and_gives_advice():
    """On tasks left out, with quartiles that are in order and fall with the number of trials."""
    for name in available_lists():
        provenance = HyperparameterList.load(name).provenance
        resampled = provenance["resampled"]["list"]
        first, fifth = (f"{resampled['median'][k]:.3f}" for k in ("1", "5"))  # as `lists` shows
        assert f"reaches {first}, the best of 5 {fifth} (" in provenance["advice"]
        assert provenance["advice"].endswith("trials for as much.")
        for k, median in resampled["median"].items():
            assert resampled["lower_quartile"][k] <= median <= resampled["upper_quartile"][k]
        assert resampled["median"]["5"] < resampled["median"]["1"]
        assert resampled["median"]["5"] < provenance["resampled"]["random search"]["median"]["5"]
