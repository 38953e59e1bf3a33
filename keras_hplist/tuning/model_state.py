"""The numbers of a model and its optimizer: taken out, put back, moved to another model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from keras_hplist.optimizers import RuleOptimizer


def inner_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    """The optimizer of a model, without the `LossScaleOptimizer` of mixed precision around it."""
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def rnn_states(model: keras.Model) -> list[keras.Variable]:
    """What stateful recurrent layers keep from batch to batch; not among the model's variables."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]
    return keras.tree.flatten([layer.states for layer in layers if layer.states is not None])


def torch_buffers(model: keras.Model) -> list[Any]:
    """What PyTorch modules in a model keep apart from weights, such as the running means of
    `torch.nn.BatchNorm1d`; not among the model's variables."""
    if keras.backend.backend() != "torch":
        return []
    found = {id(each): each for layer in model._flatten_layers() for each in layer.buffers()}
    return list(found.values())


def model_variables(model: keras.Model) -> list[Any]:
    """All variables of a model, then the states of its recurrent layers and PyTorch modules."""
    return [*model.variables, *rnn_states(model), *torch_buffers(model)]


def optimizer_variables(model: keras.Model) -> list[keras.Variable]:
    """All variables of a model's optimizer; none if it has no optimizer."""
    return [] if model.optimizer is None else list(model.optimizer.variables)


def synchronize(model: keras.Model) -> None:
    """Bring the variables up to date; JAX keeps the state of a running epoch outside of them."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


def metric_values(model: keras.Model, variables: Sequence[keras.Variable]) -> list[Any]:
    """An array for each of some of the metrics' variables, without the cost of `synchronize`."""
    values: list[Any] = list(variables)
    if keras.backend.backend() == "jax" and model._jax_state and not model._jax_state_synced:
        running = model._jax_state["metrics_variables"]
        known = dict(zip(map(id, model.metrics_variables), running))
        values = [known[id(variable)] for variable in variables]
    return [keras.ops.convert_to_numpy(value) for value in values]


def assign(model: keras.Model, values: Iterable[Any], optimizer_values: Iterable[Any]) -> None:
    """Give a model the numbers of a model with the same variables.

    Args:
        model: built, as its optimizer is; may be in the middle of an epoch.
        values: an array or a variable for each of `model_variables`.
        optimizer_values: the same for its optimizer's.
    """
    synchronize(model)
    for variables, new in (
        (model_variables(model), values),
        (optimizer_variables(model), optimizer_values),
    ):
        for variable, value in zip(variables, new, strict=True):
            if isinstance(variable, keras.Variable):
                variable.assign(value)
            else:  # a tensor: a buffer of PyTorch's
                variable.copy_(keras.ops.convert_to_tensor(value))
    inner = inner_optimizer(model)
    # It also remembers its numbers outside its variables.
    if isinstance(inner, RuleOptimizer) and inner.built:
        inner.set_weights(inner.variables)


@dataclass(frozen=True)
class ModelState:
    """A copy, on the host, of all numbers that a model has apart from its running metrics.

    Attributes:
        model: an array for each of `model_variables`: weights, other states, random generators.
        optimizer: an array for each of the optimizer's, hyperparameters among them.
    """

    model: list[Any]
    optimizer: list[Any]

    @classmethod
    def of(cls, model: keras.Model) -> "ModelState":
        """Copy the numbers of a built model, also in the middle of an epoch."""
        synchronize(model)
        return cls(
            [keras.ops.convert_to_numpy(variable) for variable in model_variables(model)],
            [keras.ops.convert_to_numpy(variable) for variable in optimizer_variables(model)],
        )

    def put_into(self, model: keras.Model) -> None:
        """Give the numbers to a model with the same variables; see `assign`."""
        assign(model, self.model, self.optimizer)
