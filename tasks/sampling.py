"""Published distributions shared by the sampled families, draw for draw.

Every function takes NumPy's legacy `RandomState`, whose streams are frozen for ever, and makes
exactly the draws of the published suite in the published order: inserting or reordering one call
changes every later value. Results are plain Python (JSON) values. No Keras, no TensorFlow.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
Config = dict[str, Any]
Rng = np.random.RandomState

# name -> weight; the published choice runs over the sorted names.
ACTIVATIONS = {
    "cos": 1,
    "elu": 1,
    "leaky_relu1": 1,
    "leaky_relu2": 1,
    "leaky_relu4": 1,
    "relu": 6,
    "sigmoid": 1,
    "swish": 1,
    "tanh": 3,
}
INITIALIZERS = {
    "glorot_normal": 2,
    "glorot_uniform": 2,
    "he_normal": 2,
    "he_uniform": 2,
    "orthogonal": 1,
    "random_normal": 1,
    "random_uniform": 1,
    "truncated_normal": 1,
    "variance_scaling": 1,
}
_WITH_ARGUMENT = {
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "variance_scaling",
}
IMAGE_NAMES = (
    "cifar10",
    "cifar100",
    "coil100_32x32",
    "deep_weeds_32x32",
    "fashion_mnist",
    "food101_32x32",
    "imagenet_resized/16x16",
    "imagenet_resized/32x32",
    "mnist",
    "sun397_32x32",
)
# (largest batch, largest num_train or None when all is taken, probability of just_train)
_IMAGE_OPTIONS = {
    "mnist": (512, 55000, 0.1),
    "fashion_mnist": (512, 55000, 0.1),
    "cifar10": (256, 50000, 0.2),
    "cifar100": (256, 50000, 0.2),
}
_CORPORA = (
    "lm1b/{0}",
    "imdb_reviews/{0}",
    *(
        f"tokenized_wikipedia/20190301.{language}_{{0}}"
        for language in ("zh", "ru", "ja", "hsb", "en")
    ),
)
_REVIEWS = tuple(
    f"tokenized_amazon_reviews/{product}_v1_0{version}_{{0}}"
    for product, version in (("Books", 2), ("Camera", 0), ("Home", 0), ("Video", 0))
)
# The published list lacks a comma, which fuses its first two names into this one.
_FUSED_NAME = "imdb_reviews/subwords8kimdb_reviews/bytes"


def choice(rng: Rng, items: Sequence[T]) -> T:
    """One of `items`, all equally likely."""
    return items[rng.choice(len(items))]


def coin(rng: Rng, p: float) -> bool:
    """True with probability `p`."""
    return bool(rng.uniform(0, 1) < p)


def log_float(rng: Rng, low: float, high: float) -> float:
    """exp(U(ln low, ln high))."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def log_int(rng: Rng, low: int, high: int) -> int:
    """exp(U(ln low, ln high)), rounded half to even."""
    return int(np.round(np.exp(rng.uniform(np.log(low), np.log(high)))))


def lin_int(rng: Rng, low: int, high: int) -> int:
    """U(low, high), rounded half to even."""
    return int(np.round(rng.uniform(low, high)))


def _weighted(rng: Rng, weights: dict[str, int]) -> str:
    names = sorted(weights)
    p = np.array([weights[name] for name in names], float)
    return names[rng.choice(len(names), p=p / p.sum())]


def activation(rng: Rng) -> str:
    """Name of an activation; relu with probability 3/8, tanh 3/16, the others 1/16 each."""
    return _weighted(rng, ACTIVATIONS)


def initializer(rng: Rng) -> list[Any]:
    """Pair [name, argument or None] of a weight initialiser."""
    name = _weighted(rng, INITIALIZERS)
    return [name, log_float(rng, 0.1, 10) if name in _WITH_ARGUMENT else None]


def widths(rng: Rng, counts: Sequence[int], low: int, high: int) -> list[int]:
    """Layer widths: their number uniform over `counts`, each width LogInt(low, high)."""
    return [log_int(rng, low, high) for _ in range(choice(rng, counts))]


def recurrent_core(rng: Rng) -> list[Any]:
    """Pair [type, options] of a recurrent core: vrnn, gru or lstm with 32 to 128 units."""
    kind = choice(rng, ["vrnn", "gru", "lstm"])
    linked = choice(rng, [True, True, True, True, False])

    def matrices(*names: str) -> Config:
        shared = initializer(rng) if linked else None
        return {name: shared or initializer(rng) for name in names}

    options: Config
    if kind == "vrnn":
        options = matrices("hidden_to_hidden", "in_to_hidden")
        options["act_fn"] = activation(rng)
        options["core_dim"] = log_int(rng, 32, 128)
    elif kind == "gru":
        options = {"core_dim": log_int(rng, 32, 128)}
        options |= matrices("wh", "wz", "wr", "uh", "uz", "ur")
    else:
        options = {"w_gates": initializer(rng), "core_dim": log_int(rng, 32, 128)}
    return [kind, options]


def augmentation(rng: Rng) -> Config:
    """Random cropping, flipping and colour changes of training images."""
    return {
        "crop_amount": choice(rng, [0, 0, 0, 1, 2]),
        "flip_left_right": choice(rng, [False, True]),
        "flip_up_down": choice(rng, [False, True]),
        "do_color_aug": choice(rng, [False, True]),
        "brightness": log_float(rng, 0.001, 64.0 / 255.0),
        "saturation": log_float(rng, 0.01, 1.0),
        "hue": log_float(rng, 0.01, 0.5),
        "contrast": log_float(rng, 0.01, 1.0),
    }


def image_dataset(rng: Rng) -> list[Any]:
    """Triple [name, options, augmentation or None] of an image data set."""
    name = choice(rng, IMAGE_NAMES)
    augment = augmentation(rng) if coin(rng, 0.3) else None
    batch, train, just_train = _IMAGE_OPTIONS.get(name, (256, None, 0.2))
    options: Config = {
        "bs": log_int(rng, 8, batch),
        "num_train": lin_int(rng, 1000, train) if train else None,
        "just_train": coin(rng, just_train),
    }
    if name in ("mnist", "fashion_mnist"):
        options["num_classes"] = 10
    return [name, options, augment]


def conv_stack(rng: Rng) -> Config:
    """The convolutions of both convolutional families: one to five layers of 3x3 kernels."""
    count = choice(rng, [1, 2, 3, 4, 5])
    pattern = choice(rng, [(2, 2), (1, 2), (2, 1)])
    strides = [pattern[i % 2] for i in range(count)]
    return {
        "strides": [[s, s] for s in strides],
        "hidden_units": [log_int(rng, 8, 64) for _ in strides],
        "activation": activation(rng),
        "w_init": initializer(rng),
        "padding": [choice(rng, ["SAME", "VALID"]) for _ in strides],
    }


def flow(seed: int) -> Config:
    """Configuration of a normalising flow, for an already offset `seed`."""
    rng = Rng(seed)
    return {
        "activation": activation(rng),
        "w_init": initializer(rng),
        "dataset": image_dataset(rng),
        "hidden_units": widths(rng, [1, 2], 16, 128),
        "num_bijectors": choice(rng, [1, 2, 3, 4]),
    }


def _some_of_train(rng: Rng) -> int | None:
    return lin_int(rng, 1000, 50000) if coin(rng, 0.2) else None


def text_dataset(rng: Rng) -> list[Any]:
    """Pair [name, options] of a text-classification data set."""
    names = [_FUSED_NAME] + [
        name.format(encoding) for name in _REVIEWS for encoding in ("bytes", "subwords8k")
    ]
    return [
        choice(rng, sorted(names)),
        {
            "num_train": _some_of_train(rng),
            "bs": log_int(rng, 8, 512),
            "max_token": 8185,
            "just_train": coin(rng, 0.2),
            "patch_length": log_int(rng, 8, 128),
        },
    ]


def language_dataset(rng: Rng, encoding: str, longest: int) -> list[Any]:
    """Pair [name, options] of a language-model corpus in bytes or 8k subwords."""
    names = [name.format(encoding) for name in _CORPORA + _REVIEWS]
    return [
        choice(rng, sorted(names)),
        {
            "num_train": _some_of_train(rng),
            "patch_length": log_int(rng, 10, longest),
            "batch_size": log_int(rng, 8, 512),
            "just_train": coin(rng, 0.2),
        },
    ]
