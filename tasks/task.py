"""A named training problem: configuration, data, pure program, and Keras model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import registry
from .checks import checked_whole
from .data import Splits, checked_source
from .errors import TaskDataError

if TYPE_CHECKING:
    import keras

    from .definition import Definition
    from .program import Program


@dataclass(frozen=True)
class Task:
    """One training problem of the suite.

    Everything heavy is made when first asked for: a task costs nothing until its program is built,
    which imports Keras, or its data are loaded.

    Attributes:
        name: for example `"mlp_family_seed12"`.
        family: for example `"mlp_family"`; `"fixed"` for a hand-designed task.
        config: JSON-able configuration, as published for sampled tasks.
        source: where data come from, see `data.load`.
    """

    name: str
    family: str
    config: Any
    source: str = "embedded"

    @classmethod
    def named(cls, name: str, source: str = "embedded") -> "Task":
        """The task of a name; see `keras_hplist.tasks.get`."""
        configuration = registry.configuration(name)
        return cls(name, registry.parse(name)[0], configuration, checked_source(source))

    @cached_property
    def definition(self) -> "Definition":
        """Program, batch size and loader of data."""
        return registry.builder(self.name)(self.config)

    @property
    def summary(self) -> str:
        """What is computed and which loss it has, in one line."""
        return (registry.builder(self.name).__doc__ or "").partition("\n")[0]

    @property
    def program(self) -> "Program":
        """Weights, network and loss as pure functions."""
        return self.definition.program

    @property
    def batch_size(self) -> int:
        """Examples per batch."""
        return self.definition.batch_size

    @property
    def loss(self) -> Callable[[Any, Any], Any]:
        """Loss function of (y_true, outputs), reduced over the batch."""
        return self.program.loss

    @property
    def num_parameters(self) -> int:
        """Number of trainable numbers."""
        return self.program.num_parameters

    @property
    def flops_per_step(self) -> float:
        """Multiplications and additions of a training step, counted as three forward passes.

        Products of matrices only, which is nearly all; element-wise work is left out.
        """
        return 3 * self.program.forward_flops(self.batch_size)

    @cached_property
    def data(self) -> Splits:
        """The four splits.

        Raises:
            TaskDataError: a batch is larger than the training data.
        """
        splits = self.definition.load(self.source)
        if len(splits.train) < self.batch_size:
            raise TaskDataError(
                f"{self.name} has batches of {self.batch_size}, but {splits.train.name} has only "
                f"{len(splits.train)} examples in source {self.source!r}. Use a source with more."
            )
        return splits

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where the data come from: data set, source, substitution, licence, sizes."""
        return self.data.provenance

    def train_data(self, seed: int = 0) -> Iterator[tuple[Any, Any]]:
        """Training batches (x, y) without end; batch k is a function of (seed, k).

        Raises:
            TaskDataError: `seed` is no whole number, at least 0.
        """
        return self.data.train.batches(self.batch_size, checked_whole("seed", seed))

    def build(self, seed: int = 0) -> "keras.Model":
        """A Keras model, its initial weights and its random draws set by `seed`.

        Raises:
            TaskDataError: `seed` is no whole number, at least 0.
        """
        from .model import TaskModel

        return TaskModel(self, checked_whole("seed", seed))

    def compile(self, optimizer: Any, seed: int = 0, **options: Any) -> "keras.Model":
        """A compiled model, ready for `model.fit(task.train_data(), steps_per_epoch=...)`.

        Args:
            optimizer: a Keras optimizer, or the name of one.
            seed: see `build`.
            options: further arguments of `keras.Model.compile`.
        """
        model = self.build(seed)
        model.compile(optimizer=optimizer, loss=self.loss, **options)
        # A first step that makes the optimizer's variables is traced and compiled twice.
        model.optimizer.build(model.trainable_variables)
        return model

    def to_config(self) -> dict[str, Any]:
        """JSON-able description, from which `from_config` makes the same task."""
        return {
            "name": self.name,
            "family": self.family,
            "config": self.config,
            "source": self.source,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Task":
        """The task of a `to_config`.

        Raises:
            UnknownTaskError: nothing has this name.
            TaskDataError: the description is none, or not that of the task of its name.
        """
        if not isinstance(config, Mapping) or not {"name", "source"} <= config.keys():
            raise TaskDataError(f"{config!r} describes no task; give what Task.to_config returns.")
        task = cls.named(config["name"], config["source"])
        if task.to_config() != config:
            raise TaskDataError(
                f"The description of {task.name} is not that of the suite, which is "
                f"{task.to_config()}; got {dict(config)}. A problem of your own is a "
                "keras_hplist.training.KerasTask."
            )
        return task

    def __hash__(self) -> int:
        """By name and source; a configuration is a dict, which has no hash."""
        return hash((self.name, self.source))

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: programs hold functions, so each builds its own."""
        return self.to_config()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the description of `__getstate__`."""
        self.__dict__.update(state)
