"""Augmentation against tf.image, initial values against theory, autoencoders against NumPy."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from task_numerics import (
    ACTIVATIONS,
    SEED,
    check_block,
    draws,
    mlp,
    random_arrays,
)

from keras_hplist import tasks
from keras_hplist.tasks import initializers
from keras_hplist.tasks.families import mlp_ae
from keras_hplist.tasks.layers import Draws, augment
from keras_hplist.tasks.layers import activation as activation_block
from keras_hplist.tasks.program import chain
from keras_hplist.tasks.sampling import INITIALIZERS

NOTHING = {
    "crop_amount": 0,
    "flip_left_right": False,
    "flip_up_down": False,
    "do_color_aug": False,
    "brightness": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
    "contrast": 0.0,
}
COLOURS = {"brightness": 0.25, "saturation": 1.0, "hue": 0.5, "contrast": 1.0}
OPTIONS = {
    "crop": {"crop_amount": 2},
    "left_right": {"flip_left_right": True},
    "up_down": {"flip_up_down": True},
    **{colour: {"do_color_aug": True, colour: most} for colour, most in COLOURS.items()},
    "colours": {"do_color_aug": True, **COLOURS},
    "all": {
        "crop_amount": 1,
        "flip_left_right": True,
        "flip_up_down": True,
        "do_color_aug": True,
        **COLOURS,
    },
}


def images(channels=3, rows=24):
    """Random images in [0, 1]; among them grey, black, white, red and dark ones."""
    x = np.random.default_rng(3).random((rows, 6, 5, channels), np.float32)
    x[0], x[1], x[2] = x[0].mean(-1, keepdims=True), 0.0, 1.0
    x[3] = np.eye(3, dtype=np.float32)[0, :channels]
    x[4:12] *= 0.2
    return x


def expected_augmentation(x, options):
    """Image by image with tf.image, by the factors that `augment` draws."""
    source, shape = draws(), (len(x), 1, 1, 1)
    coloured = options["do_color_aug"] and x.shape[-1] == 3

    def numbers(wanted, draw, *arguments):
        return draw(shape, *arguments).numpy().ravel() if wanted else np.zeros(len(x), int)

    crop = options["crop_amount"]
    top, left = (numbers(crop, source.integers, crop + 1) for _ in range(2))
    flip_lr, flip_ud = (
        numbers(options[flip], source.bernoulli, 0.5)
        for flip in ("flip_left_right", "flip_up_down")
    )
    brightness, saturation, hue, contrast = (
        numbers(coloured, source.uniform, -options[colour], options[colour]) for colour in COLOURS
    )
    out = []
    for i, image in enumerate(x):
        rows, columns = (n - crop for n in image.shape[:2])
        image = image[top[i] : top[i] + rows, left[i] : left[i] + columns]
        image = tf.image.flip_left_right(image) if flip_lr[i] else image
        image = tf.image.flip_up_down(image) if flip_ud[i] else image
        if coloured:
            image = tf.image.adjust_brightness(image, brightness[i])
            image = tf.image.adjust_saturation(image, 1 + saturation[i])
            image = tf.image.adjust_hue(image, hue[i])
            image = tf.image.adjust_contrast(image, 1 + contrast[i])
        out.append(np.asarray(image))
    return np.stack(out)


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_augmentation_is_that_of_tf_image(options, channels):
    """Every step alone and all of them; colours change images of three channels only."""
    options, x = NOTHING | options, images(channels)
    expected = expected_augmentation(x, options)
    actual = augment(options, channels).apply((), tf.constant(x), draws()).numpy()
    np.testing.assert_allclose(actual, expected, atol=2e-6)
    changes = options["crop_amount"] or options["flip_left_right"] or options["flip_up_down"]
    same = actual.shape == x.shape and np.array_equal(actual, x)
    assert same != bool(changes or channels == 3)


def test_augmentation_draws_for_every_image_and_step():
    """Crops take every offset, half of the images turn, another step takes other draws."""
    x = np.tile(np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1), (4000, 1, 1, 1))
    crop = augment(NOTHING | {"crop_amount": 2}).apply((), tf.constant(x), draws()).numpy()
    offsets, counts = np.unique(crop[:, 0, 0, 0], return_counts=True)
    assert np.array_equal(offsets, [0, 1, 2, 5, 6, 7, 10, 11, 12])
    assert stats.chisquare(counts).pvalue > 1e-3
    flip = augment(NOTHING | {"flip_left_right": True})
    one, other = (
        flip.apply((), tf.constant(x), Draws(tf.constant([SEED[0], step]))).numpy()[:, 0, 0, 0] == 4
        for step in (0, 1)
    )
    assert stats.binomtest(int(one.sum()), len(x)).pvalue > 1e-3
    assert stats.binomtest(int((one == other).sum()), len(x)).pvalue > 1e-3


def test_draws_have_their_distributions():
    """Normal, uniform, integer and coin; every call of a source gives other numbers."""
    source = draws()
    normal, uniform = source.normal((100, 300), 2.0), source.uniform((100, 300), -1.0, 3.0)
    assert stats.kstest(np.ravel(normal), stats.norm(0, 2).cdf).pvalue > 1e-3
    assert stats.kstest(np.ravel(uniform), stats.uniform(-1, 4).cdf).pvalue > 1e-3
    _, counts = np.unique(source.integers((30_000,), 7), return_counts=True)
    assert len(counts) == 7
    assert stats.chisquare(counts).pvalue > 1e-3
    heads = int(np.sum(source.bernoulli((30_000,), 0.3)))
    assert stats.binomtest(heads, 30_000, 0.3).pvalue > 1e-3
    ranks = [np.ravel(normal), np.ravel(uniform), np.ravel(source.normal((100, 300)))]
    for one, other in itertools.combinations(ranks, 2):
        assert stats.spearmanr(one, other).pvalue > 1e-3
    lagged = np.ravel(normal)
    assert stats.spearmanr(lagged[1:], lagged[:-1]).pvalue > 1e-3


def cut_normal(variance):
    """A normal cut at two standard deviations, of this variance after the cut."""
    unit = stats.truncnorm(-2, 2)
    scale = np.sqrt(variance / unit.var())
    return stats.truncnorm(-2, 2, scale=scale)


def symmetric(limit):
    """U(-limit, limit)."""
    return stats.uniform(-limit, 2 * limit)


# (argument, distribution of the entries by fan_in and fan_out)
THEORY = {
    "he_normal": (None, lambda i, o: cut_normal(2 / i)),
    "he_uniform": (None, lambda i, o: symmetric(np.sqrt(6 / i))),
    "glorot_normal": (None, lambda i, o: cut_normal(2 / (i + o))),
    "glorot_uniform": (None, lambda i, o: symmetric(np.sqrt(6 / (i + o)))),
    "variance_scaling": (3.0, lambda i, o: cut_normal(3 / i)),
    "random_uniform": (0.7, lambda i, o: symmetric(0.7)),
    "random_normal": (0.7, lambda i, o: stats.norm(0, 0.7)),
    "truncated_normal": (0.7, lambda i, o: stats.norm(0, 0.7)),
    "cut_normal": (0.7, lambda i, o: stats.truncnorm(-2, 2, scale=0.7)),
    "sonnet": (None, lambda i, o: stats.truncnorm(-2, 2, scale=1 / np.sqrt(i))),
}
# Shape, fan_in, fan_out.
SHAPES = [((250, 160), 250, 160), ((3, 3, 40, 100), 360, 900), ((20_000,), 20_000, 20_000)]


@pytest.mark.parametrize("shape, fan_in, fan_out", SHAPES)
@pytest.mark.parametrize("name", THEORY)
def test_initial_values_have_their_distribution(name, shape, fan_in, fan_out):
    """Bounds, two moments, and the whole distribution."""
    argument, distribution = THEORY[name]
    theory = distribution(fan_in, fan_out)
    values = initializers.draw((name, argument), shape, np.random.default_rng(1))
    assert values.shape == shape
    assert values.dtype == np.float32
    low, high = theory.support()
    assert (low * (1 + 1e-6) <= values).all()
    assert (values <= high * (1 + 1e-6)).all()
    assert abs(values.mean()) < 5 * theory.std() / np.sqrt(values.size)
    assert values.var() == pytest.approx(theory.var(), rel=0.05)
    assert stats.kstest(values.ravel(), theory.cdf).pvalue > 1e-3


def test_every_sampled_initializer_is_among_them():
    """No name of the published distribution is left out here."""
    assert set(INITIALIZERS) <= THEORY.keys() | {"orthogonal"}


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (3, 3, 5, 60), (3, 3, 10, 8)])
def test_orthogonal_is_the_gain_times_orthonormal(shape):
    """Rows or columns, whichever are fewer, are orthogonal and as long as the gain."""
    gain = 2.5
    values = initializers.draw(("orthogonal", gain), shape, np.random.default_rng(0))
    assert values.shape == shape
    matrix = values.reshape(-1, shape[-1]).astype(np.float64)
    matrix = matrix if matrix.shape[0] < matrix.shape[1] else matrix.T
    np.testing.assert_allclose(matrix @ matrix.T, gain**2 * np.eye(len(matrix)), atol=1e-5)


def test_orthogonal_prefers_no_direction():
    """Haar: any entry of a 3x3 one is uniform on (-1, 1), the height of a point on a sphere."""
    rng = np.random.default_rng(0)
    entries = np.stack([initializers.draw(("orthogonal", 1.0), (3, 3), rng) for _ in range(2000)])
    for i, j in ((0, 0), (1, 2), (2, 2)):
        assert stats.kstest(entries[:, i, j], stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_constant_and_given_initial_values():
    """Zeros, ones, identity, and a function of the generator."""
    rng = np.random.default_rng(0)
    assert not initializers.draw(initializers.ZEROS, (3,), rng).any()
    assert (initializers.draw(("ones", None), (2, 3), rng) == 1).all()
    assert np.array_equal(initializers.draw(("identity", None), (3, 3), rng), np.eye(3))
    given = initializers.draw(lambda rng: rng.random(4), (4,), np.random.default_rng(5))
    assert np.array_equal(given, np.random.default_rng(5).random(4).astype(np.float32))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_and_its_slope(name):
    """Each of the nine against NumPy."""
    x = np.linspace(-6, 6, 40, dtype=np.float32)
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        y = activation_block(name).apply((), tensor, None)
    np.testing.assert_allclose(y, ACTIVATIONS[name](x.astype(float)), rtol=1e-5, atol=1e-6)
    slopes = ACTIVATIONS[name](x + 1e-30j).imag / 1e-30
    np.testing.assert_allclose(tape.gradient(y, tensor), slopes, rtol=1e-5, atol=1e-6)


KINDS = ["tanh", "sigmoid", "linear_center", "linear"]
VARIANTS = list(itertools.product(KINDS, ["l2", "l1"], ["reduce_mean", "reduce_sum"]))


@pytest.mark.parametrize("population", [False, True])
@pytest.mark.parametrize("kind, loss, reduction", VARIANTS)
def test_autoencoder_loss_is_that_of_numpy(kind, loss, reduction, population):
    """Errors of each image, and gradients of their mean, in all sixteen variants."""
    config = {
        "hidden_units": [5, 3],
        "activation": "tanh",
        "w_init": ["he_normal", None],
        "dataset": ["mnist", {"bs": 4, "num_train": None}, None],
        "output_type": kind,
        "loss_type": loss,
        "reduction_type": reduction,
    }
    program = mlp_ae.build(config).program
    block = chain(program.preparation, program.block)
    x = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)

    def reference(weights):
        target = x.reshape(4, -1).astype(float)
        target = 2 * target - 1 if kind in ("tanh", "linear_center") else target
        output = mlp(weights, target, "tanh")
        output = ACTIVATIONS[kind](output) if kind in ("tanh", "sigmoid") else output
        errors = (output - target) ** 2 if loss == "l2" else np.abs(output - target)
        return errors.mean(-1) if reduction == "reduce_mean" else errors.sum(-1)

    check_block(block, reference, random_arrays(block.weights, 0.1), x, population, jit=False)


@pytest.mark.parametrize("name", ["mlp_vae_family_seed49", "conv_fc_family_seed8"])
def test_a_prepared_batch_gives_the_same_loss(name):
    """Preparation takes its random draws apart from those of the network behind it."""
    task = tasks.get(name)
    assert task.program.preparation.draws > 0
    x, y = task.data.train.batch(0, task.batch_size, 0)
    weights, seed = task.program.init(0), tf.constant([3, 5])
    expected = task.program.loss_value(weights, (x, y), seed)
    prepared = task.program.prepare(tf.constant(x), seed)
    assert float(task.program.loss_value(weights, (prepared, y), seed, prepared=True)) == float(
        expected
    )
    other = task.program.prepare(tf.constant(x), tf.constant([3, 6]))
    assert np.abs(other - prepared).max() > 0
