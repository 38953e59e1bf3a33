"""Fixtures and settings shared by all tests."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# Machines are noisy: how long an example takes says nothing about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

SHARED = Path(os.environ.get("KERAS_HPLIST_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for processes of their own."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of published data, which lies outside the repository."""
    folder = SHARED / "reference-data"
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}")
    return folder


@pytest.fixture
def command(monkeypatch, capsys):
    """Run `keras-hplist` in this process; returns status, standard output and error."""
    from keras_hplist import cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["keras-hplist", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
            raise SystemExit(0)
        streams = capsys.readouterr()
        return int(ended.value.code or 0), streams.out, streams.err

    return run
