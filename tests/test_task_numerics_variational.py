"""The evidence lower bound of the variational autoencoders against SciPy and closed forms."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.integrate import quad
from scipy.stats import norm
from task_numerics import (
    check_block,
    draws,
    mlp,
    random_arrays,
    values_and_gradients,
)

from keras_hplist.tasks.layers import dense_block, flatten, mlp_blocks, negative_elbo, variational
from keras_hplist.tasks.program import chain, function

PIXELS, LATENT = 6, 3


def images(rows):
    """Flat images of 256 levels in [0, 1]."""
    levels = np.random.default_rng(2).integers(0, 256, (rows, PIXELS))
    return (levels / 255).astype(np.float32)


def reference_elbo(weights, x, act, encoder_layers):
    """Minus (log p(x|z) - KL) of each image, with the draws that a block gets."""
    source = draws()
    mean, log_stddev = np.split(mlp(weights[: 2 * encoder_layers], x, act), 2, axis=-1)
    z = mean + np.exp(log_stddev) * source.normal(mean.shape).numpy()
    outputs = np.clip(mlp(weights[2 * encoder_layers :], z, act), -10, 10)
    pixel_mean, pixel_log_stddev = np.split(outputs, 2, axis=-1)
    smooth = x + source.uniform(x.shape, -1 / 510, 1 / 510).numpy()
    log_p = norm.logpdf(smooth, pixel_mean, np.exp(pixel_log_stddev)) + np.log(1 / 255)
    entropy = 0.5 * np.log(2 * np.pi * np.e) + log_stddev
    cross_entropy = -norm.logpdf(mean) + np.exp(2 * log_stddev) / 2
    return (cross_entropy - entropy).sum(-1) - log_p.sum(-1)


@pytest.mark.parametrize("population, jit", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("act, hidden", [("tanh", [5]), ("swish", [])])
def test_elbo_is_log_p_of_quantised_pixels_minus_kl(act, hidden, population, jit):
    """Values, and gradients through the reparameterised draw."""
    encoder = chain(*mlp_blocks([PIXELS, *hidden, 2 * LATENT], act))
    decoder = chain(*mlp_blocks([LATENT, 4, 2 * PIXELS], act))
    block = negative_elbo(encoder, decoder)
    x = images(5)

    def reference(weights):
        return reference_elbo(weights, x.astype(float), act, len(hidden) + 1)

    check_block(block, reference, random_arrays(block.weights), x, population, jit)


def test_images_may_have_any_rank():
    """Images (B, H, W, C) are compared with the flat output of the decoder."""
    encoder, decoder = dense_block(PIXELS, 2 * LATENT), dense_block(LATENT, 2 * PIXELS)
    flat, square = (
        negative_elbo(first, decoder) for first in (encoder, chain(function(flatten), encoder))
    )
    weights = [tf.constant(w) for w in random_arrays(flat.weights)]
    x = tf.constant(images(4))
    expected = flat.apply(weights, x, draws())
    assert np.array_equal(square.apply(weights, tf.reshape(x, (4, 1, 2, 3)), draws()), expected)


def test_kl_is_the_integral():
    """Against the integral of q log(q / p), dimension by dimension."""
    mean = np.array([[0.0, -1.5, 2.0], [0.3, 4.0, -0.1]])
    log_stddev = np.array([[0.0, -2.0, 0.7], [-3.0, 0.1, 1.2]])

    def one(m, s):
        q = norm(m, np.exp(s))
        low, high = q.ppf([1e-16, 1 - 1e-16])
        return quad(lambda z: q.pdf(z) * (q.logpdf(z) - norm.logpdf(z)), low, high, limit=200)[0]

    expected = np.vectorize(one)(mean, log_stddev).sum(-1)
    actual = variational.kl_to_standard_normal(tf.constant(mean), tf.constant(log_stddev))
    np.testing.assert_allclose(actual, expected, rtol=1e-8)


def test_log_density_is_normal():
    """Against SciPy, in float64, from narrow to wide."""
    x, mean = np.random.default_rng(0).standard_normal((2, 50))
    log_stddev = np.linspace(-4, 4, 50)
    actual = variational.gaussian_log_density(*map(tf.constant, (x, mean, log_stddev)))
    np.testing.assert_allclose(actual, norm.logpdf(x, mean, np.exp(log_stddev)), rtol=1e-12)


def linear_model(rows):
    """A block whose encoder is a bias and whose decoder is linear, its weights, and an image."""
    rng = np.random.default_rng(4)
    block = negative_elbo(dense_block(PIXELS, 2 * LATENT), dense_block(LATENT, 2 * PIXELS))
    posterior = np.array([0.5, -1.0, 0.2, -0.3, 0.1, -1.0], np.float32)
    factors = 0.5 * rng.standard_normal((LATENT, PIXELS)).astype(np.float32)
    decoder_bias = np.concatenate([np.full(PIXELS, 0.3), np.full(PIXELS, -0.5)]).astype(np.float32)
    weights = [
        np.zeros((PIXELS, 2 * LATENT), np.float32),
        posterior,
        np.concatenate([factors, np.zeros_like(factors)], axis=1),
        decoder_bias,
    ]
    return block, weights, np.repeat(images(1), rows, axis=0)


def test_mean_over_draws_is_the_closed_form():
    """Of a linear decoder, whose bound and whose gradients have a closed form."""
    block, weights, x = linear_model(rows=200_000)
    values, gradients = values_and_gradients(
        lambda *w: block.apply(w, tf.constant(x), draws()), weights, jit=True
    )
    mean, log_stddev = np.split(weights[1].astype(float), 2)
    factors = weights[2][:, :PIXELS].astype(float)
    pixel_variance, error = np.exp(-1.0), x[0] - 0.3 - mean @ factors
    spread = np.exp(2 * log_stddev)
    squares = error**2 + spread @ factors**2 + (1 / 255) ** 2 / 12
    log_p = -squares / (2 * pixel_variance) + 0.5 - 0.5 * np.log(2 * np.pi) - np.log(255)
    kl = 0.5 * (spread + mean**2 - 1) - log_stddev
    standard_error = values.std() / np.sqrt(len(values))
    assert values.mean() == pytest.approx(kl.sum() - log_p.sum(), abs=5 * standard_error)

    by_mean = mean - factors @ error / pixel_variance
    by_log_stddev = spread * (1 + (factors**2).sum(1) / pixel_variance) - 1
    # So many draws leave a standard error below 0.01.
    np.testing.assert_allclose(gradients[1], [*by_mean, *by_log_stddev], atol=0.05)


def test_decoder_output_is_clipped():
    """Beyond ±10, mean and log of the standard deviation stay there and get no gradient."""
    block, weights, x = linear_model(rows=3)
    weights[2] *= 0
    weights[3] = np.array([-20, -10.5, 0, 1, 10.5, 30, -12, -10.5, 0, 1, 11, 40], np.float32)
    values, gradients = values_and_gradients(
        lambda *w: block.apply(w, tf.constant(x), draws()), weights
    )
    expected = reference_elbo([w.astype(float) for w in weights], x.astype(float), "tanh", 1)
    np.testing.assert_allclose(values, expected, rtol=1e-4)
    inside = np.abs(weights[3]) < 10
    assert np.array_equal(gradients[3] != 0, inside)
