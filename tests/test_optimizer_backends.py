"""Rules and optimizers on TensorFlow, JAX and torch: what holds, and by how much."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import optimizer_checks
import pytest

FOLDER = Path(__file__).parent
names = pytest.mark.parametrize("name", optimizer_checks.CHECKS)


def run_on(backend):
    """Error text by check name, from a process with another backend."""
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")]),
    }
    process = subprocess.run(
        [sys.executable, str(FOLDER / "optimizer_checks.py")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def jax_results():
    """All checks in one JAX process."""
    return run_on("jax")


@names
def test_on_tensorflow(name):
    """The check of this name holds on TensorFlow."""
    optimizer_checks.CHECKS[name]()


@names
def test_on_jax(name, jax_results):
    """The check of this name holds on JAX."""
    assert jax_results[name] == ""


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_on_torch():
    """Every check holds on torch, where torch is installed."""
    assert {name: error for name, error in run_on("torch").items() if error} == {}
