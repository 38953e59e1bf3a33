"""Names of the task suite and the published configurations, draw for draw."""

import json
import math
import subprocess
import sys

import pytest

from keras_hplist import tasks
from keras_hplist.tasks import registry
from keras_hplist.tasks.errors import (
    InfeasibleTaskError,
    TaskDataError,
    TaskError,
    UnknownTaskError,
)
from keras_hplist.tasks.task import Task

NEITHER = {"num_train": None, "just_train": False}
HE, GLOROT = ["he_normal", None], ["glorot_uniform", None]


def image(name, bs, num_train=None, just_train=False, augmentation=None):
    """A published triple of an image data set."""
    options = {"bs": bs, "num_train": num_train, "just_train": just_train}
    if name in ("mnist", "fashion_mnist"):
        options["num_classes"] = 10
    return [name, options, augmentation]


def augment(crop, left_right, up_down, colour, brightness, saturation, hue, contrast):
    """A published augmentation."""
    return {
        "crop_amount": crop,
        "flip_left_right": left_right,
        "flip_up_down": up_down,
        "do_color_aug": colour,
        "brightness": brightness,
        "saturation": saturation,
        "hue": hue,
        "contrast": contrast,
    }


def gru(units, init):
    """A published GRU core whose six matrices share an initialiser."""
    matrices = ("wh", "wz", "wr", "uh", "uz", "ur")
    return ["gru", {"core_dim": units} | dict.fromkeys(matrices, init)]


def vanilla(units, act, init):
    """A published vanilla core whose two matrices share an initialiser."""
    matrices = dict.fromkeys(("hidden_to_hidden", "in_to_hidden"), init)
    return ["vrnn", matrices | {"act_fn": act, "core_dim": units}]


def language(name, patch, batch):
    """A published corpus of a language model."""
    return [name, NEITHER | {"patch_length": patch, "batch_size": batch}]


CONV_0 = {
    "strides": [[1, 1], [2, 2], [1, 1], [2, 2], [1, 1]],
    "hidden_units": [46, 48, 47, 29, 18],
    "activation": "leaky_relu4",
    "w_init": ["glorot_normal", None],
    "padding": ["SAME", "SAME", "VALID", "SAME", "VALID"],
    "use_bias": True,
    "center_data": False,
}
CONV_1 = {
    "strides": [[2, 2]] * 4,
    "hidden_units": [56, 10, 64, 13],
    "activation": "relu",
    "w_init": HE,
    "padding": ["SAME", "SAME", "VALID", "SAME"],
    "use_bias": True,
    "center_data": False,
    "dataset": image("food101_32x32", 16),
}
LANGUAGE_0 = {"embed_dim": 37, "w_init": ["random_normal", 1.60519], "trainable_init": True}
LANGUAGE_1 = {"embed_dim": 25, "w_init": ["random_normal", 0.100053], "trainable_init": False}
# The specification prints these to about five or six digits.
PUBLISHED = {
    "mlp_family_seed0": {
        "layer_sizes": [71],
        "activation": "leaky_relu2",
        "w_init": HE,
        "dataset": image(
            "sun397_32x32",
            32,
            augmentation=augment(0, False, True, False, 0.0029365, 0.43085, 0.19649, 0.036096),
        ),
        "center_data": False,
    },
    "mlp_family_seed117": {
        "layer_sizes": [21, 97],
        "activation": "relu",
        "w_init": GLOROT,
        "dataset": image(
            "food101_32x32",
            11,
            augmentation=augment(0, True, True, False, 0.022924, 0.84198, 0.11528, 0.012834),
        ),
        "center_data": True,
    },
    "mlp_family_seed10": {
        "layer_sizes": [32, 32, 41],
        "activation": "relu",
        "w_init": ["he_uniform", None],
        "dataset": image("cifar10", 8, 34225, True),
        "center_data": False,
    },
    "mlp_ae_family_seed0": {
        "hidden_units": [73, 103, 105, 104, 76],
        "activation": "relu",
        "w_init": GLOROT,
        "dataset": image("mnist", 39, 43753),
        "output_type": "tanh",
        "loss_type": "l2",
        "reduction_type": "reduce_sum",
    },
    "mlp_ae_family_seed1": {
        "hidden_units": [128, 117, 38, 128, 44, 55],
        "activation": "relu",
        "w_init": ["orthogonal", 7.4315],
        "dataset": image("fashion_mnist", 138, 12040),
        "output_type": "linear",
        "loss_type": "l1",
        "reduction_type": "reduce_mean",
    },
    "mlp_vae_family_seed0": {
        "enc_hidden_units": [73],
        "dec_hidden_units": [74],
        "activation": "relu",
        "w_init": HE,
        "dataset": image("food101_32x32", 22, just_train=True),
    },
    "mlp_vae_family_seed1": {
        "enc_hidden_units": [128, 117],
        "dec_hidden_units": [49, 39],
        "activation": "elu",
        "w_init": GLOROT,
        "dataset": image("imagenet_resized/16x16", 150),
    },
    "conv_fc_family_seed0": CONV_0
    | {"fc_hidden_units": [62, 55, 102], "dataset": image("sun397_32x32", 29)},
    "conv_fc_family_seed1": CONV_1 | {"fc_hidden_units": []},
    "conv_pooling_family_seed0": CONV_0
    | {"pool_type": "squared_mean", "dataset": image("cifar100", 10, 5269, True)},
    "conv_pooling_family_seed1": CONV_1 | {"pool_type": "mean"},
    "quadratic_family_seed0": {
        "A_dist": ["normal", {"mean": 1.12279, "std": 1.71589}],
        "initial_dist": ["uniform", {"min": -1.82259, "max": 1.40688}],
        "output_fn": "identity",
        "dims": 18,
        "seed": 48600,
        "loss_scale": 512.038,
        "noise": {"A_noise": ["linspace_eigen", {"min": 1.58553, "max": 6.87448}]},
    },
    "quadratic_family_seed101": {
        "A_dist": ["logspace_eigen", {"min": 1e-5, "max": 552.988}],
        "initial_dist": ["normal", {"mean": 0.90797, "std": 0.61393}],
        "output_fn": "identity",
        "dims": 14,
        "seed": 78556,
        "loss_scale": 3.30759e-4,
        "noise": None,
    },
    "maf_family_seed0": {
        "activation": "relu",
        "w_init": ["random_normal", 0.226853],
        "dataset": image("coil100_32x32", 30),
        "hidden_units": [55],
        "num_bijectors": 2,
    },
    "maf_family_seed1": {
        "activation": "relu",
        "w_init": ["he_uniform", None],
        "dataset": image(
            "coil100_32x32",
            108,
            just_train=True,
            augmentation=augment(0, True, True, True, 0.072467, 0.064634, 0.033102, 0.019256),
        ),
        "hidden_units": [50],
        "num_bijectors": 4,
    },
    "nvp_family_seed0": {
        "activation": "relu",
        "w_init": HE,
        "dataset": image("coil100_32x32", 69),
        "hidden_units": [34, 76],
        "num_bijectors": 3,
    },
    "nvp_family_seed1": {
        "activation": "tanh",
        "w_init": GLOROT,
        "dataset": image("imagenet_resized/32x32", 15, just_train=True),
        "hidden_units": [23],
        "num_bijectors": 3,
    },
    "char_rnn_language_model_family_seed0": LANGUAGE_0
    | {
        "vocab_size": 256,
        "core": gru(78, HE),
        "dataset": language("tokenized_wikipedia/20190301.ja_bytes", 29, 215),
    },
    "char_rnn_language_model_family_seed1": LANGUAGE_1
    | {
        "vocab_size": 256,
        "core": vanilla(81, "relu", HE),
        "dataset": language("tokenized_amazon_reviews/Books_v1_02_bytes", 24, 71),
    },
    "word_rnn_language_model_family_seed0": LANGUAGE_0
    | {
        "vocab_size": 6381,
        "core": gru(78, HE),
        "dataset": language("tokenized_wikipedia/20190301.ja_subwords8k", 35, 215),
    },
    "word_rnn_language_model_family_seed1": LANGUAGE_1
    | {
        "vocab_size": 2796,
        "core": vanilla(81, "relu", HE),
        "dataset": language("tokenized_amazon_reviews/Books_v1_02_subwords8k", 28, 71),
    },
    "rnn_text_classification_family_seed0": LANGUAGE_0
    | {
        "dataset": [
            "tokenized_amazon_reviews/Camera_v1_00_bytes",
            NEITHER | {"bs": 107, "max_token": 8185, "patch_length": 18},
        ],
        "vocab_size": 130,
        "core": vanilla(62, "swish", ["he_uniform", None]),
        "trainable_init": False,
        "loss_compute": "avg",
    },
    "rnn_text_classification_family_seed1": LANGUAGE_1
    | {
        "dataset": [
            "tokenized_amazon_reviews/Home_v1_00_bytes",
            {
                "bs": 17,
                "num_train": 5525,
                "just_train": False,
                "max_token": 8185,
                "patch_length": 24,
            },
        ],
        "vocab_size": 1196,
        "core": ["lstm", {"w_gates": ["he_uniform", None], "core_dim": 59}],
        "trainable_init": True,
        "loss_compute": "avg",
    },
    "losg_tasks_family_seed0": [
        "sparse_softmax_regression",
        {"n_features": 54, "n_classes": 2, "noise_stdev": 0.0, "bs": 29, "n_samples": 18},
        62356,
    ],
    "losg_tasks_family_seed1": ["norm", {"dim": 984, "norm_power": 4.66953}, 12812],
    "losg_tasks_family_seed10": ["quadratic", {"dim": 98, "noise_stdev": 0.213327}, 83191],
    "losg_tasks_family_seed12": [
        "sparse_problems",
        {
            "base": ["bowl", {"cond": 7.84165, "angle": 0.0, "noise_stdev": 5.70481}],
            "zero_probability": 0.981064,
            "noise_stdev": 0.0125969,
        },
        95694,
    ],
    "losg_tasks_family_seed18": [
        "rescale_problems",
        {
            "base": [
                "fully_connected",
                {
                    "n_features": 2,
                    "n_classes": 2,
                    "activation": "tanh",
                    "bs": 3,
                    "n_samples": 1,
                    "hidden_sizes": [10, 10],
                },
            ],
            "scale": 2.59924,
        },
        84962,
    ],
    "losg_tasks_family_seed102": [
        "bowl",
        {"cond": 0.708606, "angle": math.pi / 3, "noise_stdev": 1.55676},
        57873,
    ],
}


def assert_same(drawn, published, where="config"):
    """Equal in structure, keys, types of numbers, and values to the digits that are printed."""
    if isinstance(published, dict):
        assert set(drawn) == set(published), where
        for key in published:
            assert_same(drawn[key], published[key], f"{where}.{key}")
    elif isinstance(published, list):
        assert len(drawn) == len(published), where
        for i, (one, other) in enumerate(zip(drawn, published)):
            assert_same(one, other, f"{where}[{i}]")
    elif isinstance(published, float) and published != 0.0:
        assert drawn == pytest.approx(published, rel=3e-5), where
    else:
        assert drawn == published, where
        assert type(drawn) is type(published), where


@pytest.mark.parametrize("name", PUBLISHED)
def test_configuration_is_the_published_one(name):
    """Sampled configurations equal the printed ones of the published suite."""
    family, seed = registry.parse(name)
    assert_same(registry.sample(family, seed), PUBLISHED[name])


@pytest.mark.parametrize("family", list(registry.SIZES))
def test_configurations_are_plain_json_and_repeat(family):
    """A seed always gives the same configuration, which survives JSON unchanged."""
    for seed in range(0, 1000, 37):
        config = registry.sample(family, seed)
        assert json.loads(json.dumps(config)) == config == registry.sample(family, seed)


def test_suite_has_1162_names():
    """109 hand-designed and 1053 sampled names, none twice."""
    names = tasks.names()
    assert len(names) == len(set(names)) == 1162
    assert len(tasks.names("fixed")) == 109
    for family, size in registry.SIZES.items():
        assert len(tasks.names(family)) == size
    assert set(registry.SIZES.values()) == {87, 88}


def test_infeasible_draws_are_left_out():
    """The published draws whose images shrink to nothing are known and skipped."""
    for family, seeds in {
        "conv_fc_family": [25, 33, 43, 56, 66],
        "conv_pooling_family": [33, 42, 43, 56, 66],
    }.items():
        found = [seed for seed in range(100) if registry.infeasible(family, seed)]
        assert found == seeds
        assert not {f"{family}_seed{seed}" for seed in seeds} & set(tasks.names(family))
    assert "conv_fc_family_seed91" in tasks.names()


def test_infeasible_seed_names_the_layer():
    """Asking for an impossible model says which layer does not fit."""
    with pytest.raises(InfeasibleTaskError, match=r"layer \d of \d, a VALID 3x3"):
        registry.configuration("conv_pooling_family_seed56")


@pytest.mark.parametrize(
    ("name", "near"),
    [("mlp_famly_seed3", "mlp_family_seed3"), ("TwoD_Bowl2", "TwoD_Bowl1")],
)
def test_unknown_name_offers_the_nearest(name, near):
    """A misspelt name gets an answer with the name that was meant."""
    with pytest.raises(UnknownTaskError, match=near):
        registry.parse(name)


@pytest.mark.parametrize(
    "name", ["mlp_family_seed-1", "mlp_family_seed01", "fixed", "", None, ["a"]]
)
def test_malformed_names_are_unknown(name):
    """Only whole seeds without leading zeros make names."""
    with pytest.raises(UnknownTaskError):
        registry.parse(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "maf_family"}, "mlp_family_seed3 is not that of the suite.*KerasTask"),
        ({"config": None}, "mlp_family_seed3 is not that of the suite"),
        ({"further": 1}, "mlp_family_seed3 is not that of the suite"),
        ({"name": "zzz"}, "Unknown task 'zzz'"),
        ({"source": "bad"}, "bad"),
    ],
)
def test_a_description_that_contradicts_its_name_is_refused(change, message):
    """The suite's tasks are told by name; another configuration would be another task."""
    with pytest.raises(TaskError, match=message):
        Task.from_config(tasks.get("mlp_family_seed3").to_config() | change)


@pytest.mark.parametrize("given", [None, {}, "mlp_family_seed3"])
def test_what_is_no_description_is_refused(given):
    """With where to get one."""
    with pytest.raises(TaskDataError, match="describes no task; give what"):
        Task.from_config(given)


def test_unknown_family_lists_the_families():
    """A misspelt family is answered with all families."""
    with pytest.raises(UnknownTaskError, match="mlp_vae_family"):
        tasks.names("mlp")


def test_seeds_beyond_the_suite_work():
    """Any seed names a task, in the suite or not."""
    assert registry.parse("mlp_family_seed999") == ("mlp_family", 999)


def test_listing_loads_no_framework():
    """Names and configurations come without TensorFlow or Keras."""
    code = (
        "import sys; from keras_hplist import tasks; from keras_hplist.tasks import registry;"
        "tasks.names(); tasks.facts();"
        "[registry.sample(f, 3) for f in registry.SIZES];"
        "print(sorted({'tensorflow', 'keras', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_family_names_stay_after_a_task_was_drawn():
    """The function is not hidden by the subpackage of the families' modules."""
    tasks.get("mlp_family_seed0")
    assert len(tasks.family_names()) == 13
    assert all(tasks.names(family) for family in tasks.family_names())
