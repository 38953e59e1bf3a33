"""Rules and optimizers on TensorFlow, JAX and torch: what holds, and by how much."""

import optimizer_checks
import pytest
from other_backends import FOLDER, needs_torch, run_on

SCRIPT = FOLDER / "optimizer_checks.py"
names = pytest.mark.parametrize("name", optimizer_checks.CHECKS)


@pytest.fixture(scope="module")
def jax_results():
    """All checks in one JAX process."""
    return run_on("jax", SCRIPT)


@names
def test_on_tensorflow(name):
    """The check of this name holds on TensorFlow."""
    optimizer_checks.CHECKS[name]()


@names
def test_on_jax(name, jax_results):
    """The check of this name holds on JAX."""
    assert jax_results[name] == ""


@needs_torch
def test_on_torch():
    """Every check holds on torch, where torch is installed."""
    results = run_on("torch", SCRIPT)
    assert {name: error for name, error in results.items() if error} == {}
