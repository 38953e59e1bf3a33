"""Convolutions and pooling against NumPy and Keras layers: values, gradients, populations, XLA."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.lib.stride_tricks import sliding_window_view
from task_contract import assert_close, tensors
from task_numerics import FACTORS, SEED, random_arrays, stacked

from keras_hplist.tasks.families import conv_fc, conv_pooling
from keras_hplist.tasks.layers import conv, conv_block, conv_transpose, pool

BATCH, INPUTS, OUTPUTS = 2, 3, 4


def normal(*shape, seed=0):
    """Independent N(0, 1), float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def numpy_conv(x, kernel, stride, padding):
    """2-D cross-correlation in float64; SAME puts the odd row or column of zeros at the end."""
    x, kernel = x.astype(np.float64), kernel.astype(np.float64)
    if padding == "SAME":
        missing = [max(k - (n % stride or stride), 0) for n, k in zip(x.shape[1:3], kernel.shape)]
        x = np.pad(x, [(0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)])
    windows = sliding_window_view(x, kernel.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("bijchw,hwco->bijo", windows, kernel)


def pulled(f, arrays, upstream):
    """Values of `f`, and the gradients of its product with `upstream`."""
    with tf.GradientTape() as tape:
        arrays = tensors(arrays)
        tape.watch(arrays)
        values = f(*arrays)
        total = tf.reduce_sum(values * upstream)
    return [values, *tape.gradient(total, arrays)]


def check_members(f, layer, x, kernel, jit):
    """`f(x, kernel)` in all its forms has the values and gradients of a Keras layer.

    Args:
        f: function under test.
        layer: Keras layer without bias.
        x: inputs (B, H, W, C) of the first member.
        kernel: kernel of the first member.
        jit: whether XLA compiles `f` and its gradients.
    """
    layer.build(x.shape)
    xs, kernels = stacked([x, kernel])
    upstream = normal(len(FACTORS), *layer.compute_output_shape(x.shape), seed=9)

    @tf.function(jit_compile=jit, autograph=False)
    def all_forms(x, kernel, xs, kernels):
        return (
            pulled(f, [x, kernel], upstream[0]),
            pulled(f, [x, kernels], upstream),
            pulled(f, [xs, kernels], upstream),
        )

    def expected(x, kernel, upstream):
        layer.kernel.assign(kernel)
        with tf.GradientTape() as tape:
            x = tf.convert_to_tensor(x)
            tape.watch(x)
            values = layer(x)
            total = tf.reduce_sum(values * upstream)
        return [a.numpy() for a in (values, *tape.gradient(total, [x, layer.kernel.value]))]

    single, shared, own = all_forms(*tensors([x, kernel, xs, kernels]))
    assert_equal(single, expected(x, kernel, upstream[0]))
    members = [expected(x, *member) for member in zip(kernels, upstream)]
    values, by_x, by_kernel = (np.stack(arrays) for arrays in zip(*members))
    assert_equal(shared, [values, by_x.sum(0), by_kernel])
    members = [expected(*member) for member in zip(xs, kernels, upstream)]
    assert_equal(own, [np.stack(arrays) for arrays in zip(*members)])


def assert_equal(actual, expected, tolerance=3e-6):
    """Same shapes, and the same numbers to single precision."""
    assert [tuple(a.shape) for a in actual] == [e.shape for e in expected]
    assert_close([a.numpy() for a in actual], expected, tolerance)


CONVOLUTIONS = list(
    itertools.product([(7, 8), (6, 5)], [(1, 1), (3, 3), (2, 4)], [1, 2], ["SAME", "VALID"])
)


@pytest.mark.parametrize("size, kernel_size, stride, padding", CONVOLUTIONS)
def test_conv_is_the_sum_over_windows(size, kernel_size, stride, padding):
    """Values against NumPy in float64, of one kernel and of a population."""
    x = normal(BATCH, *size, INPUTS)
    kernel = normal(*kernel_size, INPUTS, OUTPUTS, seed=1)
    expected = numpy_conv(x, kernel, stride, padding)
    assert_equal([conv(*tensors([x, kernel]), stride, padding)], [expected])
    xs, kernels = stacked([x, kernel])
    members = [numpy_conv(x, k, stride, padding) for k in kernels]
    assert_equal([conv(*tensors([x, kernels]), stride, padding)], [np.stack(members)])
    members = [numpy_conv(*member, stride, padding) for member in zip(xs, kernels)]
    assert_equal([conv(*tensors([xs, kernels]), stride, padding)], [np.stack(members)])


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("size, kernel_size, stride, padding", CONVOLUTIONS[::3])
def test_conv_is_the_keras_layer(size, kernel_size, stride, padding, jit):
    """Values and gradients by input and kernel, of one member and of populations."""
    layer = keras.layers.Conv2D(OUTPUTS, kernel_size, stride, padding.lower(), use_bias=False)
    x = normal(BATCH, *size, INPUTS)
    kernel = normal(*kernel_size, INPUTS, OUTPUTS, seed=1)
    check_members(lambda x, k: conv(x, k, stride, padding), layer, x, kernel, jit)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("kernel_size, stride", [(1, 1), (2, 2), (3, 1), (3, 2), (5, 2)])
def test_transpose_is_the_keras_layer(kernel_size, stride, jit):
    """Values and gradients by input and kernel, of one member and of populations."""
    layer = keras.layers.Conv2DTranspose(OUTPUTS, kernel_size, stride, "same", use_bias=False)
    x = normal(BATCH, 3, 4, INPUTS)
    kernel = normal(kernel_size, kernel_size, OUTPUTS, INPUTS, seed=1)
    check_members(lambda x, k: conv_transpose(x, k, stride), layer, x, kernel, jit)


@pytest.mark.parametrize("kernel_size, stride", [(2, 2), (3, 1), (3, 2), (4, 2), (5, 3)])
def test_transpose_is_the_adjoint(kernel_size, stride):
    """<conv(u), v> = <u, conv_transpose(v)> for a strided SAME convolution, with one kernel."""
    v = normal(BATCH, 3, 4, INPUTS)
    kernels = normal(2, kernel_size, kernel_size, OUTPUTS, INPUTS, seed=1)
    u = normal(BATCH, 3 * stride, 4 * stride, OUTPUTS, seed=2)
    for i, transposed in enumerate(conv_transpose(*tensors([v, kernels]), stride).numpy()):
        assert transposed.shape == u.shape
        ahead = numpy_conv(u, kernels[i], stride, "SAME")
        np.testing.assert_allclose(np.vdot(u, transposed), np.vdot(ahead, v), rtol=1e-4, atol=1e-4)
        alone = conv_transpose(*tensors([v, kernels[i]]), stride)
        assert_equal([alone], [transposed])


@pytest.mark.parametrize("population", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
def test_block_adds_its_bias(transpose, population):
    """The bias goes to the channels of each member."""
    bare, block = (
        conv_block(INPUTS, OUTPUTS, 1, stride=2, bias=bias, transpose=transpose)
        for bias in (False, True)
    )
    weights = random_arrays(block.weights)
    weights = stacked(weights) if population else weights
    x = tf.constant(normal(BATCH, 4, 6, INPUTS))
    without = bare.apply(tensors(weights[:1]), x, None).numpy()
    bias = weights[1][:, None, None, None] if population else weights[1]
    np.testing.assert_allclose(
        block.apply(tensors(weights), x, None), without + bias, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("shape", [(BATCH, 5, 4, 3), (3, BATCH, 5, 4, 3)])
@pytest.mark.parametrize("kind", ["mean", "max", "squared_mean"])
def test_pooling_and_its_gradient(kind, shape):
    """Over both spatial axes, against NumPy."""
    x = normal(*shape)
    upstream = normal(*shape[:-3], shape[-1], seed=1)
    reduced = {
        "mean": x.mean((-3, -2)),
        "max": x.max((-3, -2)),
        "squared_mean": (x**2).mean((-3, -2)),
    }
    slopes = {
        "mean": np.full_like(x, 1 / 20),
        "max": x == x.max((-3, -2), keepdims=True),
        "squared_mean": 2 * x / 20,
    }

    @tf.function(jit_compile=True)
    def run(x):
        return pulled(lambda x: pool(kind).apply((), x, None), [x], upstream)

    expected = [reduced[kind], slopes[kind] * upstream[..., None, None, :]]
    assert_equal(run(tf.constant(x)), expected)


def conv_config(**more):
    """A small sampled configuration, with strides and paddings of both kinds."""
    return {
        "strides": [[1, 1], [2, 2]],
        "hidden_units": [5, 4],
        "activation": "elu",
        "w_init": ["he_normal", None],
        "padding": ["VALID", "SAME"],
        "use_bias": True,
        "dataset": ["imagenet_resized/16x16", {"bs": 8, "num_train": None}, None],
        "center_data": True,
    } | more


HEADS = {
    "fc": lambda: [keras.layers.Flatten(), keras.layers.Dense(6, "elu")],
    "mean": lambda: [keras.layers.GlobalAveragePooling2D()],
    "max": lambda: [keras.layers.GlobalMaxPooling2D()],
    "squared_mean": lambda: [
        keras.layers.Lambda(lambda x: x * x),
        keras.layers.GlobalAveragePooling2D(),
    ],
}


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_classifier_is_the_keras_model(head, use_bias):
    """Loss and gradients of both convolutional families: Keras layers with the loss of Keras."""
    family, more = (conv_pooling, {"pool_type": head})
    if head == "fc":
        family, more = conv_fc, {"fc_hidden_units": [6]}
    program = family.build(conv_config(use_bias=use_bias, **more)).program
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(2.0, -1.0),
            keras.layers.Conv2D(5, 3, 1, "valid", activation="elu", use_bias=use_bias),
            keras.layers.Conv2D(4, 3, 2, "same", activation="elu", use_bias=use_bias),
            *HEADS[head](),
            keras.layers.Dense(1000),
        ]
    )
    weights = random_arrays(program.weights)
    x, y = tf.random.stateless_uniform((8, 16, 16, 3), (0, 1)), tf.range(8) * 111
    members = []
    for member in zip(*stacked(weights)):
        model.set_weights(member)
        with tf.GradientTape() as tape:
            losses = keras.losses.sparse_categorical_crossentropy(y, model(x), from_logits=True)
            loss = tf.reduce_mean(losses)
        slopes = tape.gradient(loss, [v.value for v in model.trainable_variables])
        members.append([a.numpy() for a in (loss, *slopes)])

    def loss_of(*weights):
        return program.loss_value(weights, (x, y), SEED)

    assert_equal(pulled(loss_of, weights, 1.0), members[0], 1e-5)
    expected = [np.stack(arrays) for arrays in zip(*members)]
    assert_equal(pulled(loss_of, stacked(weights), 1.0), expected, 1e-5)
