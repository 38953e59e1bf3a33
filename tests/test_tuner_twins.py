"""Which models are twins, so that one compiled train step serves both."""

import dataclasses
import functools
import threading

import keras
import numpy as np
import pytest
from tiny_search import Scaled

import keras_hplist as khl
from keras_hplist.tuning.compiled_models import CompiledModels


def twins(build, trained=None, exclude=lambda model: {}):
    """Whether a second model of `build`, of another seed, is trained in place of the first."""
    models, built = CompiledModels(), []
    for seed in (1, 2):
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(seed)
        built.append(model := build())
        optimizer = khl.get_optimizer("nadamw", seed, training_steps=10)
        optimizer.exclude_from_weight_decay(**exclude(model))
        model.compile(optimizer, Halved(), metrics=[Hits(), keras.metrics.R2Score()])
        if models.adopt(model) is not model:
            return True
        optimizer.build(model.trainable_variables)
        if trained is not None:
            trained(model)
    return False


@dataclasses.dataclass
class Config:
    units: int = 4
    rate: float = 0.1


class Halved(keras.losses.Loss):
    """A user's loss, with a list of its own."""

    def __init__(self):
        super().__init__()
        self._factors = [0.5]

    def call(self, y, p):
        return self._factors[0] * keras.ops.mean((y - p) ** 2, -1)


class Hits(keras.metrics.Metric):
    """A user's metric, with variables of its own and another metric's."""

    def __init__(self, name="hits"):
        super().__init__(name=name)
        self.hits = self.add_weight(name="hits", initializer="zeros")
        self.inner = keras.metrics.Mean()

    def update_state(self, y, p, sample_weight=None):
        self.hits.assign_add(keras.ops.sum(y * p))

    def result(self):
        return self.hits


class Noise(keras.layers.Layer):
    """As Keras's guides write random layers, with an initializer beside."""

    def __init__(self):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator()
        self._initializer = keras.initializers.Orthogonal()

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x), seed=self.seed_generator)


class Net(keras.Model):
    """What users keep in their models: options, lists of layers, functions, methods, metrics."""

    def __init__(self, config):
        super().__init__()
        self.config, self.kinds, self.none = config, {"a", "b"}, None
        self._blocks = [keras.layers.Dense(config.units) for _ in range(2)]
        self.heads = {"out": keras.layers.Dense(1)}
        self.noise, self.drop = Noise(), keras.layers.Dropout(config.rate)
        self.activation, self.scaling = keras.ops.relu, self.scaled
        self.tracker = keras.metrics.Mean()
        self.scale = self.add_weight(shape=(), name="scale", initializer="ones")

    def scaled(self, x):
        return x * self.scale

    def call(self, x):
        for block in self._blocks:
            x = self.activation(block(x))
        return self.scaling(self.heads["out"](self.drop(self.noise(x))))


def net():
    model = Net(Config())
    model(np.zeros((2, 3)))
    return model


def functional():
    inputs = keras.Input((3,))
    scale = keras.layers.Normalization()
    scale.adapt(np.arange(12.0).reshape(4, 3))
    x = keras.layers.Reshape((3, 1))(keras.layers.GaussianNoise(0.1)(scale(inputs)))
    x = keras.layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(2))(keras.layers.LayerNormalization()(x))
    x = keras.layers.Lambda(lambda x: 2 * x)(x)
    outputs = keras.layers.Dense(1, kernel_regularizer="l2", kernel_constraint="non_neg")(x)
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize("build", [functional, net])
def test_ordinary_models_are_twins(build):
    """They differ in numbers alone, wherever their authors keep what they are made of."""
    assert twins(build)


class Keeper(keras.layers.Layer):
    """Keeps something to itself."""

    def call(self, x):
        return x


def keeper(keep):
    layer = Keeper()
    layer._kept = keep()
    return keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(1)])


class Holder:
    """A user's object, which knows itself."""

    def __init__(self, thing):
        self.thing, self.itself = thing, self


@pytest.mark.parametrize(
    ("keep", "same"),
    [
        (lambda: np.random.rand(3), False),
        (lambda: keras.ops.convert_to_tensor(np.random.rand(3)), False),
        (lambda: [np.random.rand(3)], False),
        (lambda: {"masks": (np.random.rand(3),)}, False),
        (lambda: Holder([np.random.rand()]), False),
        (lambda: Config(rate=np.random.rand()), False),
        (lambda: np.random.default_rng(np.random.randint(9**9)), False),
        (lambda: keras.regularizers.L2(np.random.rand()), False),
        (lambda: Scaled(np.random.rand()), False),
        (lambda: functools.partial(max, np.random.rand()), False),
        (lambda: (lambda factor: lambda x: x * factor)(np.random.rand()), False),
        (lambda: Holder(keras.Variable(1.0)), False),
        (lambda: Holder(keras.layers.Dense(1)), False),
        (lambda: Holder(keras.metrics.Mean()), False),
        (lambda: Holder(keras.optimizers.SGD()), False),
        (lambda: threading.Lock(), False),
        (lambda: Holder([1, "a", {2}, np.arange(3), np.tanh, np.float64, None]), True),
        (lambda: Scaled(0.5), True),
        (lambda: np.random.default_rng(0), True),
    ],
)
def test_whatever_a_layer_keeps_is_compared(keep, same):
    """In private attributes, containers and objects; what cannot be compared is not the same."""
    assert twins(functools.partial(keeper, keep)) == same


@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(model, "_weight", 0.5),
        lambda model: setattr(model.config, "rate", 0.2),
        lambda model: model.kinds.add("c"),
        lambda model: model._blocks.reverse(),
        lambda model: setattr(model.drop, "rate", 0.2),
        lambda model: model.loss._factors.append(1.0),
    ],
)
def test_what_training_changes_beside_numbers_does_not_reach_the_next_trial(change):
    """The next model is as it was built."""
    assert not twins(net, trained=change)


@pytest.mark.parametrize(
    ("exclude", "same"),
    [
        (lambda model: {"var_names": ["bias"]}, True),
        (lambda model: {"var_list": model.trainable_variables[:1]}, True),
        (lambda model: {"var_names": [str(np.random.rand())]}, False),
        (lambda model: {"var_list": [model.weights[np.random.randint(9) % 2]]}, False),
    ],
)
def test_what_is_exempt_from_decay_is_compared(exclude, same):
    """The compiled step knows of each variable whether it decays."""
    assert twins(functools.partial(keeper, list), exclude=exclude) == same
