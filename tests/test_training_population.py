"""`train_population`: curves, their independence of companions, and its errors."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from trained_by_fit import STEPS, TOLERANCE, loss_after_model_fit, validation_loss
from training_tasks import model_with_dropout, regression

from keras_hplist import spaces, tasks
from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.training import train_population
from keras_hplist.training.timing import evaluation_steps


@pytest.mark.parametrize(
    "space",
    [
        "nadamw",
        "adam8p",
        # The rest are these with fewer hyperparameters.
        *(pytest.param(f"adam{n}p", marks=pytest.mark.slow) for n in (6, 4, 1)),
    ],
)
def test_training_is_that_of_model_fit(space):
    """Members of a population end where `model.fit` with the Keras optimizer ends."""
    task, configurations = regression(), spaces.get(space).sample(3, 3)
    curves = train_population(task, configurations, STEPS, [STEPS], seed=4)
    for i, values in enumerate(configurations.to_dict("records")):
        expected = loss_after_model_fit(task, spaces.get(space), values, seed=4)
        np.testing.assert_allclose(curves.losses["valid"][i, 0], expected, **TOLERANCE)


# Of every family a cheap task; the second convolutional one is left to TensorFlow's convolutions.
EVERY_FAMILY = [
    "mlp_family_seed30",
    "mlp_ae_family_seed17",
    "conv_fc_family_seed29",
    "conv_fc_family_seed27",
    "conv_pooling_family_seed17",
    "quadratic_family_seed13",
    "losg_tasks_family_seed18",
    "maf_family_seed16",
    "nvp_family_seed38",
    "char_rnn_language_model_family_seed21",
    "word_rnn_language_model_family_seed11",
    "rnn_text_classification_family_seed5",
    "FixedMLP_cifar10_Dropout05_128x128_relu_bs128",
]


@pytest.mark.parametrize(
    "name",
    [
        "mlp_family_seed3",
        "mlp_vae_family_seed1",
        *(pytest.param(name, marks=pytest.mark.slow) for name in EVERY_FAMILY),
    ],
)
def test_suite_task_agrees_with_model_fit(name):
    """A task of the suite trains alone, side by side and through `model.fit` the same way."""
    task, space = tasks.get(name), spaces.get("nadamw")
    configurations = [space.draw(seed) | {"learning_rate": 1e-3} for seed in (1, 2, 3)]
    curves = train_population(task, configurations, STEPS, [STEPS], seed=2, size=3)
    alone = train_population(task, configurations[::-1], STEPS, [STEPS], seed=2, size=1)
    model = task.compile(space.optimizer(configurations[0], STEPS), seed=2)
    model.fit(task.train_data(2), steps_per_epoch=STEPS, verbose=0)
    expected = validation_loss(task, [w.value for w in model.trainable_variables], 2)
    for losses in (curves.losses["valid"][0, 0], alone.losses["valid"][2, 0]):
        np.testing.assert_allclose(losses, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("steps", "largest"), [(10, 1.0), pytest.param(20, 0.1, marks=pytest.mark.slow)]
)
def test_curve_does_not_depend_on_companions(steps, largest):
    """Alone, in any population, order or chunk, a configuration has the same curve.

    One of them has a learning rate of 0.55, which amplifies rounding errors.
    """
    task = regression(build_model=model_with_dropout)
    configurations = spaces.get("nadamw").sample(5)
    configurations["learning_rate"] = configurations["learning_rate"].clip(upper=largest)
    together = train_population(task, configurations, steps, seed=1, size=5)
    in_turn = train_population(task, configurations, steps, seed=1, size=1)
    padded = train_population(task, configurations.iloc[::-1], steps, seed=1, size=2, threads=3)
    for split, losses in together.losses.items():
        np.testing.assert_allclose(in_turn.losses[split], losses, **TOLERANCE)
        np.testing.assert_allclose(padded.losses[split][::-1], losses, **TOLERANCE)


def test_diverged_member_ends_and_leaves_the_others_alone():
    """A diverged member's curve ends in NaN at that step; its companions' curves are unchanged."""
    task, space = regression(), spaces.get("adam1p")
    sound = [{"learning_rate": rate} for rate in (1e-3, 1e-2, 1e-1)]
    lost = [{"learning_rate": 1e38}]
    alone = train_population(task, sound, 20, seed=0, size=3, space=space)
    mixed = train_population(task, lost + sound + lost, 20, seed=0, size=2)
    assert mixed.status == ["diverged", "ok", "ok", "ok", "diverged"]
    for split, losses in alone.losses.items():
        np.testing.assert_allclose(mixed.losses[split][1:4], losses, **TOLERANCE)
    record = mixed.records()[0]
    assert record["steps"][-1] == mixed.diverged[0] > 0
    assert np.isnan(record["valid"][-1]) and np.isfinite(record["valid"][:-1]).all()
    assert len(mixed.history()) == 4  # the two lost ones are one configuration


def test_default_points_are_denser_early():
    """Sixteen points from the first to the last step, with growing distances."""
    steps = evaluation_steps(200)
    assert (steps[0], steps[-1], len(steps)) == (0, 200, 16)
    assert (np.diff(steps, 2) >= -1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"training_steps": 0}, "training_steps"),
        ({"evaluations": [0, 9]}, "beyond"),
        ({"evaluations": [3, 2]}, "increase"),
        ({"evaluations": 1}, "at least 2"),
        ({"configurations": []}, "no configurations"),
        ({"configurations": [{"learning_rate": float("nan")}]}, "learning_rate"),
        ({"configurations": [{"rate": 1.0}]}, "rate"),
        ({"size": 0}, "size"),
        ({"threads": 0}, "threads"),
        ({"size": 2.5}, "size"),
        ({"seed": -1}, "seed"),
        ({"seed": None}, "seed"),
        ({"memory": "4GB"}, "memory"),
        ({"memory": math.nan}, "memory"),
        ({"memory": -1}, "memory"),
        ({"configurations": "nadamw"}, "HyperparameterList.load"),
        ({"configurations": {"learning_rate": 0.1}}, "list of mappings"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    """What is not allowed is named before work starts."""
    defaults = {
        "task": regression(),
        "configurations": [{"learning_rate": 0.1}],
        "training_steps": 5,
    }
    with pytest.raises(InvalidValueError, match=message):
        train_population(**{**defaults, **arguments})


def test_points_beyond_all_steps_cost_nothing():
    """However many are asked for, there is one for each step at most."""
    assert evaluation_steps(5, 10**9).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "use",
    [
        "train_population('any', [], 5)",
        "collect(['mlp_family_seed30'], 'adam1p', 1, 5, folder)",
        "KerasTask('own', None, 'mse', *[(np.ones(4), np.ones(4))] * 3, 4).program",
    ],
)
def test_other_backends_are_refused(use, tmp_path):
    """Before TensorFlow is given what it cannot take, and before anything is written."""
    code = (
        "import sys\nimport numpy as np\n"
        "from keras_hplist.training import KerasTask, collect, train_population\n"
        f"folder = sys.argv[1]\n{use}"
    )
    folder = tmp_path / "runs"
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}
    run = subprocess.run(
        [sys.executable, "-c", code, folder], env=environment, capture_output=True, text=True
    )
    assert (
        "InvalidValueError: Populations train with TensorFlow, and Keras's backend is 'numpy'"
        in (run.stderr)
    )
    assert not folder.exists()


def test_unknown_names_are_refused():
    """Unknown spaces and tasks offer what there is."""
    with pytest.raises(UnknownNameError, match="adam1p"):
        train_population(regression(), [{"learning_rate": 0.1}], 5, space="adam1")
    with pytest.raises(KeyError, match="mlp_family"):
        train_population("mlp_famly_seed1", [{"learning_rate": 0.1}], 5)
