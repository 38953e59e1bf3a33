"""Fixtures and settings shared by all tests."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

SHARED = Path(os.environ.get("KERAS_HPLIST_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of published data, which lies outside the repository."""
    folder = SHARED / "reference-data"
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}")
    return folder
