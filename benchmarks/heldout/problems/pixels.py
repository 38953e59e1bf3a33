"""Images to images: segmentation, super-resolution, denoising diffusion."""

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from . import sources
from .blocks import DepthToSpace, FeatureWiseModulation
from .problem import CROSS_ENTROPY, Data, Problem, cross_entropy_of_frequencies, mean_target, take


def digits_on_photographs() -> Data:
    """Two handwritten digits of half size on a photograph; every pixel's class is asked for.

    Class 0 is the photograph, class 1 + d the ink of digit d. Digits and photographs come from
    separate splits.
    """
    scenes = sources.images("cifar10", 2000, 512)
    written = sources.images("mnist", 2000, 1000)
    parts = {}
    for number, part in enumerate(sources.PARTS):
        rng = np.random.default_rng(number)
        images, labels = scenes[part][0].copy(), written[part][1]
        ink = written[part][0].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
        classes = np.zeros(images.shape[:3], np.int32)
        for image, target in zip(images, classes):
            for side in (0, 16):
                chosen, row, shift = rng.integers((len(ink), 19, 3))
                place = slice(row, row + 14), slice(side + shift, side + shift + 14)
                drawn = ink[chosen]
                image[place] += (rng.uniform(0.6, 1.0) - image[place]) * drawn[..., None]
                target[place][drawn > 0.4] = 1 + labels[chosen]
        parts[part] = images, classes
    return Data(**parts)


def u_net() -> keras.Model:
    """Three scales, joined by skip connections (Ronneberger et al. 2015)."""
    image = keras.Input((32, 32, 3))
    x, skips = image, []
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    for filters in (16, 8):
        x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
        x = layers.Concatenate()([x, skips.pop()])
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Conv2D(11, 1, name="output")(x))


def halved_photographs() -> Data:
    """Photographs at half size, and what is missing from them enlarged: the detail."""
    found = sources.images("food101_64x64", 2500, 384)
    inputs, detail = {}, {}
    for part, (images, _) in found.items():
        whole = images[:, 16:48, 16:48]
        inputs[part] = whole.reshape(-1, 16, 2, 16, 2, 3).mean(axis=(2, 4))
        detail[part] = whole - inputs[part].repeat(2, axis=1).repeat(2, axis=2)
    scaled = sources.standardized(detail, axis=(0, 1, 2, 3))
    return Data(**{part: (inputs[part], scaled[part]) for part in found})


def super_resolution_network() -> keras.Model:
    """Residual blocks at low resolution, then sub-pixel convolution (arXiv 1609.05158)."""
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(16, 3, padding="same")(image)
    for _ in range(2):
        y = layers.Conv2D(16, 3, padding="same")(x)
        x = layers.Add()([x, layers.Conv2D(16, 3, padding="same")(layers.PReLU()(y))])
    return keras.Model(
        image, DepthToSpace()(layers.Conv2D(12, 3, padding="same", name="output")(x))
    )


def noisy_digits() -> Data:
    """Digits with noise of known strength; the noise is asked for (arXiv 2006.11239)."""
    images = load_digits().images.astype(np.float32)[..., None] / np.float32(8) - np.float32(1)
    order = np.random.default_rng(8).permutation(len(images))
    chosen = {"train": order[600:], "valid": order[:300], "test": order[300:600]}
    noised = {p: _noised(images[rows], n) for n, (p, rows) in enumerate(chosen.items())}
    return Data(noised["train"], *(take(noised[p], slice(768)) for p in ("valid", "test")))


def _noised(images: NDArray[np.float32], seed: int) -> tuple[dict[str, NDArray], NDArray]:
    """Every image at eight strengths, by the cosine schedule of arXiv 2102.09672."""
    rng = np.random.default_rng(seed)
    clean = images.repeat(8, axis=0)
    time = rng.random((len(clean), 1), np.float32)
    angle = (time * np.pi / 2)[..., None, None]
    noise = rng.standard_normal(clean.shape, np.float32)
    order = rng.permutation(len(clean))
    mixed = (np.cos(angle) * clean + np.sin(angle) * noise).astype(np.float32)
    return {"image": mixed[order], "time": time[order]}, noise[order]


def diffusion_network() -> keras.Model:
    """Convolutions whose features are scaled and shifted by the time."""
    image, time = keras.Input((8, 8, 1), name="image"), keras.Input((1,), name="time")
    waves = layers.Lambda(
        lambda t: ops.concatenate(
            [f(t * np.pi * 2.0**k) for k in range(3) for f in (ops.sin, ops.cos)], axis=-1
        ),
        output_shape=(6,),
    )(time)
    vector = layers.Dense(32, activation="swish")(waves)
    x = layers.Conv2D(24, 3, padding="same")(image)
    for _ in range(2):
        y = FeatureWiseModulation()(layers.GroupNormalization(4)(x), vector)
        y = layers.Conv2D(24, 3, padding="same")(layers.Activation("swish")(y))
        x = layers.Add()([x, y])
    x = layers.Activation("swish")(layers.GroupNormalization(4)(x))
    noise = layers.Conv2D(1, 3, padding="same", name="output")(x)
    return keras.Model({"image": image, "time": time}, noise)


PROBLEMS = (
    Problem(
        "u_net_digits",
        "U-Net, image segmentation",
        "digits of MNIST on photographs; masks are the digits' ink",
        digits_on_photographs,
        u_net,
        CROSS_ENTROPY,
        lambda data: cross_entropy_of_frequencies(data.train[1], data.test[1]),
        batch_size=16,
        training_steps=300,
    ),
    Problem(
        "super_resolution_photographs",
        "residual sub-pixel convolution, super-resolution",
        "photographs, at half size and whole",
        halved_photographs,
        super_resolution_network,
        "mse",
        mean_target,
        batch_size=16,
        training_steps=360,
    ),
    Problem(
        "diffusion_digits",
        "denoising diffusion, modulated convolutions",
        "scikit-learn digits with noise",
        noisy_digits,
        diffusion_network,
        "mse",
        mean_target,
        batch_size=64,
        training_steps=300,
    ),
)
