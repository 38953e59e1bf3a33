"""Tasks of the suite are the same on TensorFlow, JAX and torch: weights, batches, draws, losses."""

import backend_tasks
import pytest
from other_backends import FOLDER, needs_torch, run_on


@pytest.fixture(scope="module")
def on_tensorflow():
    """What TensorFlow computes."""
    return backend_tasks.everything()


@pytest.mark.parametrize("backend", ["jax", pytest.param("torch", marks=needs_torch)])
def test_tasks_are_the_same_on_every_backend(backend, on_tensorflow):
    """From the same seed."""
    found = run_on(backend, FOLDER / "backend_tasks.py")
    for one, other in zip(found["draws"], on_tensorflow["draws"], strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    for name, expected in on_tensorflow["losses"].items():
        assert found["losses"][name] == pytest.approx(expected, rel=1e-4), name
