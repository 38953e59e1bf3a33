"""The hand-designed image tasks: their rows, sizes, and the layers that only they use."""

import json
import math
import re

import fixed_designs
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from task_contract import assert_close, seed_pair, tensors

from keras_hplist import tasks
from keras_hplist.tasks import fixed, layers
from keras_hplist.tasks.fixed import conv_ae, conv_pooling, conv_vae, maf, mlp, mlp_vae
from keras_hplist.tasks.fixed_images import autoencoder_row, convolutional_row

KINDS = {
    "conv_pooling": 13,
    "conv_fc": 10,
    "conv_ae": 5,
    "conv_vae": 7,
    "maf": 3,
    "mlp": 13,
    "mlp_ae": 3,
    "mlp_vae": 7,
    "nvp": 5,
}
# Names that tell the data set or the batch size wrongly, as published.
MISNAMED = {
    "FixedImageConvVAE_mnist_32x64x32x64x32_bs128": ("cifar10", 128),
    "Imagenet32x30_FC_VAE_128x64x32x64x128_relu_bs256": ("food101_32x32", 256),
    "FixedNVP_mnist_9layer_thin_bs16": ("mnist", 64),
}
LABELS = {
    "cifar101": "cifar10",
    "food101": "food101_32x32",
    "food10132x32": "food101_32x32",
    "food10164x64": "food101_64x64",
    "coil10032x32": "coil100_32x32",
    "sun39732x32": "sun397_32x32",
    "colorectalhistology32x32": "colorectal_histology_32x32",
}
PARAMETERS = {
    "FixedImageConv_cifar10_32x64x64_bs128": (27 + 1) * 32 + 289 * 64 + 577 * 64 + 65 * 10,
    "FixedImageConv_sun39732x32_bn_32x64x128x128_bs128": (
        28 * 32 + 289 * 64 + 577 * 128 + 1153 * 128 + (32 + 64 + 128 + 128) + 129 * 397
    ),
    # Stride 2 makes 28 pixels 14; two layers of stride 1 keep them.
    "Mnist_Conv_32x16x64_flatten_FC32_tanh_bs32": (
        10 * 32 + 289 * 16 + 145 * 64 + (14 * 14 * 64 + 1) * 32 + 33 * 10
    ),
    "FixedImageConv_food10164x64_Conv_32x64x64_flatten_bs64": (
        28 * 32 + 289 * 64 + 577 * 64 + (32 * 32 * 64 + 1) * 101
    ),
    # Twice 64 in the decoder, whatever the name says.
    "FixedImageConvAE_mnist_32x64x32x64x32_bs512": (
        10 * 32 + 289 * 64 + (49 * 64 + 1) * 32 + 33 * 1568 + 289 * 64 + 577 * 64 + 65
    ),
    "FixedImageConvVAE_cifar10_64x128x256x128x256x128x64_bs128": (
        (28 * 64 + 577 * 128 + 1153 * 256 + (16 * 256 + 1) * 256)
        + (129 * 512 + 289 * 256 + (9 * 256 + 1) * 128 + 1153 * 64 + 65 * 6)
    ),
    "FixedMAF_mnist_2layer_bs64": 2 * (785 * 2048 + 2049 * 2048 + 2049 * 1568),
    "FixedMLP_cifar10_Dropout05_128x128_relu_bs128": 3073 * 128 + 129 * 128 + 129 * 10,
    "FixedMLP_cifar10_LayerNorm_128x128x128_tanh_bs128": (
        3073 * 128 + 2 * 129 * 128 + 129 * 10 + 3 * 256
    ),
    "FixedMLP_cifar10_BatchNorm_64x64x64x64x64_relu_bs128": (
        3073 * 64 + 4 * 65 * 64 + 65 * 10 + 5 * 64
    ),
    "FixedMLPAE_mnist_128x32x128_bs128": 785 * 128 + 129 * 32 + 33 * 128 + 129 * 784,
    "FixedMLPVAE_mnist_128x64x32x64x128_bs64": (
        (785 * 128 + 129 * 64 + 65 * 64) + (33 * 64 + 65 * 128 + 129 * 1568)
    ),
    "FixedNVP_mnist_9layer_thin_bs16": 9 * (393 * 128 + 129 * 128 + 129 * 784),
}
NAMES = [name for kind in KINDS for name in fixed_designs.NAMES[kind]]


def normal(*shape, seed=0):
    """Random numbers, float32."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype("float32")


def members(block, count=3):
    """Random weights of a block for a population."""
    return [0.3 * normal(count, *w.shape, seed=i) + 0.1 for i, w in enumerate(block.weights)]


def check_members(block, x, expected):
    """A block gives `expected(weights)` for one member, and for three on shared or own inputs."""
    stacked = members(block)

    def run(weights, x):
        draws = layers.Draws(seed_pair(0, 0))
        return block.apply(tensors(weights), tf.constant(x), draws).numpy()

    shared, own = run(stacked, x), run(stacked, np.stack([x] * 3))
    for i in range(3):
        weights = [w[i] for w in stacked]
        assert_close([run(weights, x), shared[i], own[i]], [expected(weights)] * 3, 2e-6)


# --- rows ---------------------------------------------------------------------------------------


def test_every_published_name_is_a_row_of_its_kind():
    """66 names, each built by the module of its kind, each configuration plain JSON."""
    rows = fixed.rows()
    for kind, count in KINDS.items():
        assert len(fixed_designs.NAMES[kind]) == count
        for name in fixed_designs.NAMES[kind]:
            module, config = rows[name]
            assert module.__name__.endswith(f".{kind}")
            assert json.loads(json.dumps(config)) == config


def test_names_tell_data_set_and_batch_size():
    """But for three that are wrong as published."""
    for name in NAMES:
        data_set, options, augmentation = fixed.rows()[name][1]["dataset"]
        assert augmentation is None
        if name in MISNAMED:
            assert (data_set, options["bs"]) == MISNAMED[name]
            continue
        (batch_size,) = re.findall(r"bs(\d+)$", name)
        label = name.split("_")[1 if name.startswith("Fixed") else 0].lower()
        assert (data_set, options["bs"]) == (LABELS.get(label, label), int(batch_size))


def test_validation_splits_have_the_published_sizes():
    """3000 examples, but 800 of COIL-100 and 700 of the histology images."""
    for name in NAMES:
        data_set, options, _ = fixed.rows()[name][1]["dataset"]
        small = {"coil100_32x32": 800, "colorectal_histology_32x32": 700}
        assert options["valid_size"] == small.get(data_set, 3000)
    task = tasks.get("FixedImageConv_coil10032x32_bn_32x64x128x128_bs128")
    assert len(task.data.inner_valid) == len(task.data.outer_valid) == 800


@pytest.mark.parametrize("name", PARAMETERS)
def test_number_of_parameters(name):
    """As computed by hand from the published design."""
    assert tasks.get(name).num_parameters == PARAMETERS[name]


def test_initial_weights_have_the_published_scales():
    """Of a default kernel 1/sqrt(inputs) before it is cut, where transposed ones count alike."""
    cut = 0.8796
    program = tasks.get("FixedImageConvVAE_cifar10_64x128x256x128x256x128x64_bs128").program
    stddevs = {w.name: a.std() for w, a in zip(program.weights, program.init(0))}
    assert stddevs["encoder_conv2_kernel"] == pytest.approx(cut / math.sqrt(9 * 128), rel=0.01)
    assert stddevs["decoder_first_kernel"] == pytest.approx(cut / math.sqrt(128), rel=0.01)
    assert stddevs["decoder_transposed1_kernel"] == pytest.approx(cut / math.sqrt(2304), rel=0.01)
    program = tasks.get("FixedImageConv_cifar10_32x64x128_smallnormal_bs64").program
    stddevs = {w.name: a.std() for w, a in zip(program.weights, program.init(0))}
    assert stddevs["conv2_kernel"] == pytest.approx(0.002, rel=0.02)
    assert stddevs["logits_kernel"] == pytest.approx(cut / math.sqrt(128), rel=0.1)


TINY = {
    "pooling": (
        conv_pooling,
        convolutional_row("mnist", 4, (3, 2), "relu", pool_type="mean", batch_norm=True),
    ),
    "max_pooling": (
        conv_pooling,
        convolutional_row("mnist", 4, (3, 2), "tanh", pool_type="max", batch_norm=False),
    ),
    "conv_ae": (conv_ae, autoencoder_row("mnist", 4, [2, 3], 2, [3, 2])),
    "conv_vae": (conv_vae, autoencoder_row("cifar10", 4, [2, 2, 3], 2, [3, 2, 2])),
    "mlp_vae": (mlp_vae, autoencoder_row("mnist", 4, [5], 2, [6])),
    "dropout": (mlp, mlp.ROWS["FixedMLP_cifar10_Dropout02_128x128_relu_bs128"] | {"hidden": [9]}),
    "layer": (mlp, mlp.ROWS["FixedMLP_cifar10_LayerNorm_128x128x128_relu_bs128"]),
    "frozen": (mlp, mlp.ROWS["FixedMLP_cifar10_BatchNorm_128x128x128_relu_bs128"]),
    "mse": (mlp, mlp.ROWS["FixedMLP_mnist_mse_128x128x128_relu_bs128"] | {"hidden": [7]}),
    "maf": (maf, maf.ROWS["FixedMAF_mnist_2layer_bs64"] | {"hidden_units": [8, 5]}),
}


@pytest.mark.parametrize("kind", TINY)
def test_small_design_compiles_and_has_no_cross_talk(kind):
    """Compiled by XLA, members of a population have the losses and gradients they have alone."""
    module, config = TINY[kind]
    program = module.build(config).program
    shape = tasks.data.describe(config["dataset"][0]).shape
    batch = tensors([np.abs(np.tanh(normal(4, *shape))), np.arange(4) % 3])
    start = program.init(1)
    population = [[a * np.float32(f) for a in start] for f in (1.0, 0.8, 1.2)]

    @tf.function(jit_compile=True)
    def run(weights):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = program.loss_value(weights, batch, seed_pair(3, 5))
            total = ops.sum(loss)
        return loss, tape.gradient(total, weights)

    together, slopes = run(tensors([np.stack(arrays) for arrays in zip(*population)]))
    assert together.shape == (3,)
    for i, weights in enumerate(population):
        loss, gradients = run(tensors(weights))
        assert np.isfinite(float(loss))
        np.testing.assert_allclose(together[i], loss, rtol=1e-5)
        # A bias before batch normalisation has no gradient but rounding errors.
        floor = 1e-2 if kind == "pooling" else 1e-7
        assert_close([s[i].numpy() for s in slopes], [g.numpy() for g in gradients], 1e-4, floor)


# --- layers -------------------------------------------------------------------------------------


def test_batch_norm_is_keras_in_training():
    """Over batch and space, epsilon 1e-3, offset without scale."""
    x = 3.0 * normal(5, 4, 6, 3) + 1.0

    def expected(weights):
        layer = keras.layers.BatchNormalization(scale=False, epsilon=1e-3)
        layer.build(x.shape)
        layer.beta.assign(weights[0])
        return ops.convert_to_numpy(layer(x, training=True))

    check_members(layers.batch_norm(3), x, expected)


def test_frozen_batch_norm_is_keras_that_never_trained():
    """Mean 0, variance 1, epsilon 1e-3, offset without scale."""
    x = normal(5, 7)

    def expected(weights):
        layer = keras.layers.BatchNormalization(scale=False, epsilon=1e-3)
        layer.build(x.shape)
        layer.beta.assign(weights[0])
        return ops.convert_to_numpy(layer(x, training=False))

    check_members(layers.frozen_batch_norm(7), x, expected)


def test_layer_norm_is_keras():
    """Over the units of a row, epsilon 1e-5, with scale and offset."""
    x = 2.0 * normal(5, 7) - 1.0

    def expected(weights):
        layer = keras.layers.LayerNormalization(epsilon=1e-5)
        layer.build(x.shape)
        layer.set_weights(weights)
        return ops.convert_to_numpy(layer(x))

    check_members(layers.layer_norm(7), x, expected)


def test_dropout_keeps_scaled_entries_and_members_share_them():
    """Each entry is x / keep with probability keep, else 0; another step drops others."""
    x = normal(400, 50) + 10.0
    block = layers.dropout(0.2)

    def drop(x, step):
        return block.apply([], tf.constant(x), layers.Draws(seed_pair(0, step))).numpy()

    y = drop(x, 0)
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / 0.2, rtol=1e-6)
    # Standard error 0.0028.
    assert kept.mean() == pytest.approx(0.2, abs=0.012)
    assert np.array_equal(drop(np.stack([x, x]), 0)[1], y)
    assert ((drop(x, 1) != 0) != kept).mean() > 0.2


@pytest.mark.parametrize(
    ("size", "stride", "shape"),
    [
        (3, 2, (4, 5)),
        (3, 1, (4, 3)),
        (2, 2, (3, 3)),
        (4, 2, (3, 2)),
        (5, 3, (2, 3)),
        (5, 2, (1, 4)),
    ],
)
def test_transposed_convolution_is_keras(size, stride, shape):
    """SAME, even and odd kernels, with and without population axis."""
    x = normal(2, *shape, 3)
    block = layers.conv_block(3, 4, 1, stride, size=size, transpose=True)

    def expected(weights):
        layer = keras.layers.Conv2DTranspose(4, size, stride, "same")
        layer.build(x.shape)
        layer.set_weights(weights)
        return ops.convert_to_numpy(layer(x))

    check_members(block, x, expected)


def predict(network, weights, x):
    """Output of Keras layers with the given weights."""
    model = keras.Sequential([keras.Input(x.shape[1:]), *network])
    model.set_weights(weights)
    return model.predict(x, verbose=0)


def test_conv_encoder_is_a_keras_network():
    """Strided convolutions with relu, flattened, a linear layer."""
    x = normal(2, 12 * 8 * 3)

    def expected(weights):
        network = [
            keras.layers.Reshape((12, 8, 3)),
            keras.layers.Conv2D(4, 3, 2, "same", activation="relu"),
            keras.layers.Conv2D(5, 3, 2, "same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(6),
        ]
        return predict(network, weights, x)

    check_members(layers.conv_encoder((12, 8, 3), (4, 5), "relu", 6), x, expected)


def test_conv_decoder_gives_the_images_one_after_the_other():
    """The Keras network has both on the channel axis: first all channels of the first."""
    x = normal(2, 6)

    def expected(weights):
        network = [
            keras.layers.Dense(3 * 2 * 32),
            keras.layers.Reshape((3, 2, 32)),
            keras.layers.Conv2DTranspose(5, 3, 2, "same", activation="relu"),
            keras.layers.Conv2DTranspose(4, 3, 2, "same", activation="relu"),
            keras.layers.Conv2D(6, 1),
        ]
        maps = predict(network, weights, x)
        return np.concatenate([m.reshape(2, -1) for m in np.split(maps, 2, axis=-1)], axis=-1)

    check_members(layers.conv_decoder(6, (12, 8, 3), (5, 4), "relu", images=2), x, expected)


def test_sigmoid_squared_error_is_its_formula():
    """Mean over classes and batch of (one-hot - sigmoid)²."""
    logits = 2.0 * normal(3, 6, 4)
    labels = np.array([0, 3, 1, 1, 2, 0])
    errors = (np.eye(4)[labels] - 1 / (1 + np.exp(-logits.astype(float)))) ** 2
    loss = layers.sigmoid_squared_error(tf.constant(labels), tf.constant(logits))
    np.testing.assert_allclose(loss, errors.mean(axis=(1, 2)), rtol=1e-6)
    alone = layers.sigmoid_squared_error(tf.constant(labels), tf.constant(logits[1]))
    np.testing.assert_allclose(alone, errors[1].mean(), rtol=1e-6)


def test_masks_of_wide_flows_are_autoregressive():
    """2048 units serve 784 dimensions: each gets units, and sees only dimensions before it."""
    from keras_hplist.tasks.layers.flows import made_degrees

    inputs, *hidden, outputs = made_degrees(784, [2048, 2048], np.arange(784))
    reach = np.eye(784)
    for before, after in zip([inputs, *hidden], [*hidden, outputs]):
        reach = (reach @ (before[:, None] <= after[None, :]).astype(float) > 0).astype(float)
    assert np.array_equal(reach[:, :784], np.triu(np.ones((784, 784)), 1))
    assert all(len(np.unique(degrees)) == 783 for degrees in hidden)
