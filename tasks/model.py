"""The Keras model of a task."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from .task import Task


@keras.saving.register_keras_serializable(package="keras_hplist")
class TaskModel(keras.Model):
    """A task's program as a Keras model.

    The random draws of a call depend on `seed` and on a counter that every training call advances,
    so that step k of `fit` is the pure function of seed (seed, k). Evaluation draws as training
    does, like the published suite, with the counter at rest.

    Args:
        task: a task, or its `to_config`.
        seed: of the initial weights and of the draws.
        name: of the model; the task's by default.
    """

    def __init__(
        self, task: Task | Mapping[str, Any], seed: int = 0, name: str | None = None
    ) -> None:
        self.task = task if isinstance(task, Task) else Task.from_config(task)
        super().__init__(name=name or self.task.name)
        self.seed = seed
        program = self.task.program
        for weight, value in zip(program.weights, program.init(seed)):
            self.add_weight(
                shape=weight.shape,
                initializer=lambda shape, dtype, value=value: ops.convert_to_tensor(value, dtype),
                name=weight.name,
            )
        self.training_calls = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name="training_calls"
        )
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Outputs of the program for a batch of inputs."""
        seed = ops.stack([ops.full((), self.seed, "int32"), ops.cast(self.training_calls, "int32")])
        # Eagerly, `convert_to_tensor` would leave TensorFlow's variables as they are, which the
        # loops over time steps do not take.
        weights = [ops.copy(variable) for variable in self.trainable_variables]
        outputs = self.task.program.outputs(weights, inputs, seed)
        if training:
            self.training_calls.assign_add(1)
        return outputs

    def get_config(self) -> dict[str, Any]:
        """Task and seed."""
        return {"task": self.task.to_config(), "seed": self.seed, "name": self.name}

    def get_compile_config(self) -> dict[str, Any]:
        """As Keras's, without the task's own loss: a function that Keras would not find again."""
        config = super().get_compile_config()
        if self.compiled and self.loss is self.task.loss:
            config["loss"] = None
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as it was saved; with the task's loss where no other was given."""
        saved = keras.saving.deserialize_keras_object(config)
        self.compile(**{**saved, "loss": saved["loss"] or self.task.loss})
        self.optimizer.build(self.trainable_variables)
