"""The loss on validation data, in the middle of a fit."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from keras_hplist.errors import InvalidValueError
from keras_hplist.tuning.batch_losses import is_running_mean
from keras_hplist.tuning.model_state import rnn_states, synchronize

# Of model.evaluate; the others say what the data are, or how the loss comes back.
_ARGUMENTS = ("batch_size", "steps", "callbacks")


def checked_validation_arguments(given: Any, data: Any) -> dict[str, Any]:
    """The arguments of `model.evaluate` that were given; none for None.

    Args:
        given: as a user gave them.
        data: the validation data that they are for.

    Raises:
        InvalidValueError: if it is no mapping or has other names than `batch_size`, `steps` and
            `callbacks`, or if the data are an iterator and there is no `steps`.
    """
    if not isinstance(given, Mapping | None):
        raise InvalidValueError(
            f"validation_arguments is {given!r}; give a dict of arguments of model.evaluate, such "
            "as {'batch_size': 128}."
        )
    arguments = dict(given or {})
    for name in arguments:
        if name not in _ARGUMENTS:
            raise InvalidValueError(
                f"validation_arguments has {name!r}; it takes those of model.evaluate that are "
                f"named {', '.join(_ARGUMENTS)}. Sample weights are a part of the data: "
                "validation_data=(x, y, sample_weight)."
            )
    if isinstance(data, Iterator) and arguments.get("steps") is None:
        raise InvalidValueError(
            f"validation_data is {data!r}, which can be iterated only once, and it is evaluated "
            "again and again. Give arrays, a tf.data.Dataset or a keras.utils.PyDataset or, if it "
            "never ends, validation_arguments={'steps': ...}."
        )
    return arguments


def evaluate_apart(model: keras.Model, data: Any, arguments: Mapping[str, Any]) -> float | None:
    """The loss on some data, leaving the metrics, states and draws of a fit as they are.

    Args:
        model: compiled; may be in the middle of an epoch.
        data: a tuple `(x, y)` or `(x, y, sample_weight)`, or a dataset.
        arguments: further ones of `model.evaluate`.

    Returns:
        The loss; None if the model does not report any.
    """
    synchronize(model)
    running = [*model.metrics_variables, *rnn_states(model)]
    values = [keras.ops.convert_to_numpy(variable) for variable in running]
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    reports = None if type(model).test_step is keras.Model.test_step else _Reports()
    if reports:
        arguments = {**arguments, "callbacks": [*(arguments.get("callbacks") or []), reports]}
    with _modes_and_draws_kept(model):
        logs = model.evaluate(
            x, y, sample_weight=sample_weight, verbose=0, return_dict=True, **arguments
        )
    loss = reports.mean() if reports else logs.get("loss")
    for variable, value in zip(running, values):
        variable.assign(value)
    return loss


@contextlib.contextmanager
def _modes_and_draws_kept(model: keras.Model) -> Iterator[None]:
    """On PyTorch, keep whether the model is in training mode, and the generator of shuffling."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    training = model.training
    # An evaluation's DataLoader draws from the CPU's generator, as the next shuffle of a fit will.
    with torch.random.fork_rng(devices=[]):
        yield
    model.train(training)


class _Reports(keras.callbacks.Callback):
    """The losses that a test step of the user's own reports; `evaluate` may give 0 for them."""

    def __init__(self) -> None:
        super().__init__()
        self._losses: list[float] = []

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if logs and "loss" in logs:
            self._losses.append(logs["loss"])

    def mean(self) -> float | None:
        """Over all batches; None if none was reported."""
        if not self._losses:
            return None
        if is_running_mean(self.model, self._losses[-1]):
            return self._losses[-1]
        return sum(self._losses) / len(self._losses)
