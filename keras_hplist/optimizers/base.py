"""A Keras optimizer whose mathematics is a `Rule` and whose hyperparameters are live variables."""

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.optimizers import rules

_FRACTIONS = ("warmup_fraction", "min_learning_rate_mult", "constant_fraction")
_LARGEST = float(np.finfo(np.float32).max)  # variables are float32
_LARGEST_COUNT = 2**31 - 1  # what an integer variable holds on every backend


class RuleOptimizer(keras.optimizers.Optimizer):
    """Base of the families' optimizers.

    Hyperparameters, `training_steps` and `schedule_start` are Keras variables of the optimizer: a
    change takes effect in a train step that is already compiled, on every backend, and is saved
    with the optimizer. One step of the schedule is one batch (one call of `apply`): under
    `gradient_accumulation_steps` the schedule moves on with every batch and so ends with the last
    batch of the fit, while the bias correction counts updates. Steps that `LossScaleOptimizer`
    skips are not counted.

    The moments of float16 and bfloat16 variables are kept, and their updates computed, in float32.
    Sparse gradients (of `keras.layers.Embedding` on TensorFlow) are made dense, as in the published
    code: moments and decays act on every row in every step.

    `exclude_from_weight_decay` exempts variables from every decay of the family: decoupled, L1, L2.

    Attributes:
        family: name of the family, which is that of its search space.
        rule: the mathematics, see `keras_hplist.optimizers.rules`.
        hyperparameter_names: in the order of the search space.
    """

    family: ClassVar[str]

    def __init__(
        self,
        hyperparameters: Mapping[str, float | bool],
        training_steps: int | None = None,
        as_published: bool | str = False,
        schedule_start: int = 0,
        **kwargs: Any,
    ) -> None:
        """Make the live variables.

        Args:
            hyperparameters: a value for each hyperparameter of the family.
            training_steps: the number of batches that the schedule is planned for; None if it will
                be set before the first update.
            as_published: see the rule of the family.
            schedule_start: the optimizer's batch count at which its schedule is at step 0.
            **kwargs: the arguments of `keras.optimizers.Optimizer` except `weight_decay`.

        Raises:
            InvalidValueError: if a value is not finite or not in its domain, if `learning_rate` is
                a schedule, or if `weight_decay` is given.
        """
        if kwargs.pop("weight_decay", None) is not None:
            decays = [name for name in hyperparameters if "weight_decay" in name or name == "l2"]
            raise InvalidValueError(
                f"{type(self).__name__} takes no weight_decay: Keras would apply it at the peak "
                f"learning rate, without the schedule. "
                f"Use {' or '.join(decays) if decays else 'NAdamW(adamw_weight_decay=...)'}."
            )
        rule = rules.get(self.family, as_published)
        values = {name: _checked(name, hyperparameters[name]) for name in rule.hyperparameters}
        super().__init__(learning_rate=values["learning_rate"], **kwargs)
        self.rule = rule
        self._values = values
        self._parameters = {"learning_rate": self._learning_rate}
        dtype = "float64" if keras.config.floatx() == "float64" else "float32"
        for name, number in rule.encode(values).items():
            if name != "learning_rate":
                self._parameters[name] = self._add_scalar(name, float(number), dtype)
        # The number 0 stands for "not set" in the variable, which is what is saved.
        self._training_steps_value: int | None = None
        self._training_steps = self._add_scalar("training_steps", 0, "int")
        self._schedule_start_value = 0
        self._schedule_start = self._add_scalar("schedule_start", 0, "int")
        self.training_steps = training_steps
        self.schedule_start = schedule_start

    def _add_scalar(self, name: str, value: float, dtype: str) -> keras.Variable:
        return self.add_variable(
            shape=(),
            initializer=keras.initializers.Constant(value),
            dtype=dtype,
            aggregation="only_first_replica",
            name=name,
        )

    @property
    def hyperparameter_names(self) -> tuple[str, ...]:
        """Names of the family's hyperparameters, in the order of its search space."""
        return self.rule.hyperparameters

    @property
    def hyperparameters(self) -> dict[str, float | bool]:
        """The present value of each hyperparameter, as a plain Python number.

        A value given as a Python number comes back exactly, although its variable is float32; one
        that was assigned to a variable comes back as that variable's.
        """
        values = {}
        for name, given in self._values.items():
            ((parameter, number),) = self.rule.encode({name: given}).items()
            stored = ops.convert_to_numpy(self._parameters[parameter])
            unchanged = number.astype(stored.dtype) == stored
            values[name] = given if unchanged else self.rule.decode(name, float(stored))
        return values

    def set_hyperparameters(self, values: Mapping[str, float | bool]) -> None:
        """Change some or all hyperparameters, without retracing a compiled train step.

        Args:
            values: numbers and booleans by hyperparameter name; the others stay as they are.

        Raises:
            UnknownNameError: if the family has no hyperparameter of that name.
            InvalidValueError: if a value is not finite or not in its domain. Nothing is changed.
        """
        for name in values:
            if name not in self.hyperparameter_names:
                raise UnknownNameError(
                    f"{type(self).__name__} hyperparameter", name, self.hyperparameter_names
                )
        checked = {name: _checked(name, value) for name, value in values.items()}
        for parameter, number in self.rule.encode(checked).items():
            self._parameters[parameter].assign(number)
        self._values.update(checked)

    @property
    def learning_rate(self) -> keras.Variable:
        """The peak learning rate, which the family's schedule multiplies; may be set to a float."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, numbers.Real):
            self.set_hyperparameters({"learning_rate": value})
        elif callable(value):
            _refuse_schedule(value)
        else:  # a tensor, a variable, a 0-d array
            self._learning_rate.assign(value)

    @property
    def scheduled_learning_rate(self) -> float:
        """The learning rate of the next update, after the schedule, before the bias correction.

        Raises:
            InvalidValueError: if the schedule needs `training_steps` and they are not set.
        """
        self._require_training_steps()
        parameters = {name: ops.convert_to_tensor(v) for name, v in self._parameters.items()}
        dtype = parameters["learning_rate"].dtype
        multiplier = self.rule.multiplier(
            parameters,
            ops.cast(self._schedule_step(), dtype),
            ops.cast(self._training_steps, dtype),
        )
        return float(ops.convert_to_numpy(parameters["learning_rate"] * multiplier))

    @property
    def training_steps(self) -> int | None:
        """The number of batches that the schedule is planned for; None if not set yet.

        May be set at any time, also after a train step was compiled.
        """
        return self._training_steps_value

    @training_steps.setter
    def training_steps(self, value: int | None) -> None:
        if value is None and self._training_steps_value is None:
            return
        self._training_steps_value = _checked_count("training_steps", value, smallest=1)
        self._training_steps.assign(self._training_steps_value)

    @property
    def schedule_start(self) -> int:
        """The batch count (`_iterations`) at which the schedule is at its step 0.

        Set to the present count, a further `fit` of the same model gets a schedule of its own.
        """
        return self._schedule_start_value

    @schedule_start.setter
    def schedule_start(self, value: int) -> None:
        self._schedule_start_value = _checked_count("schedule_start", value, smallest=0)
        self._schedule_start.assign(self._schedule_start_value)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make momentum and velocity for each variable, in at least float32."""
        if self.built:
            return
        super().build(variables)
        self._slots = [self._make_slots(variable) for variable in variables]

    def _make_slots(self, variable: keras.Variable) -> list[keras.Variable] | None:
        if self._overwrite_variable_with_gradient(variable):
            return None
        if variable.dtype not in ("float16", "bfloat16"):
            return [self.add_variable_from_reference(variable, name) for name in self.rule.slots]
        return [
            self.add_variable(
                shape=variable.shape,
                dtype="float32",
                layout=getattr(variable, "_layout", None),
                name=f"{variable.path.replace('/', '_')}_{name}",
            )
            for name in self.rule.slots
        ]

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Update the variables; see `keras.optimizers.Optimizer.apply`.

        Raises:
            InvalidValueError: if the schedule needs `training_steps` and they are not set; before
                anything is changed.
        """
        self._require_training_steps()
        grads = [g if g is None else ops.convert_to_tensor(g, sparse=False) for g in grads]
        super().apply(grads, trainable_variables)

    def _require_training_steps(self) -> None:
        if self.rule.needs_training_steps and self._training_steps_value is None:
            name = type(self).__name__
            raise InvalidValueError(
                f"The learning-rate schedule of {name} needs the number of training steps "
                f"(batches), and it is not set. Pass {name}(training_steps=steps_per_epoch * "
                f"epochs), set `optimizer.training_steps`, or give `model.fit` the callback "
                f"keras_hplist.callbacks.TrainingSteps()."
            )

    def _schedule_step(self) -> Any:
        return ops.maximum(self._iterations - self._schedule_start, 0)

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        # Keras carries its argument `learning_rate` to each update_step, on TensorFlow through
        # tf.distribute to each replica. Here it takes along all that is computed once per step.
        scalars = self.rule.scalars(
            self._parameters,
            step=self._schedule_step(),
            training_steps=self._training_steps if self.rule.needs_training_steps else None,
            update=self.iterations + 1,
        )
        super()._backend_update_step(grads, trainable_variables, scalars)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Mapping[str, Any]) -> None:
        """Apply the rule to one variable; `learning_rate` holds the rule's scalars."""
        slots = self._slots[self._get_variable_index(variable)]
        dtype = slots[0].dtype
        scalars = {name: ops.cast(scalar, dtype) for name, scalar in learning_rate.items()}
        value, new_slots = self.rule.update(
            ops.cast(variable, dtype),
            ops.cast(gradient, dtype),
            [ops.convert_to_tensor(slot) for slot in slots],
            scalars,
            decay=self._use_weight_decay(variable),
        )
        for slot, new_slot in zip(slots, new_slots):
            self.assign(slot, new_slot)
        self.assign(variable, ops.cast(value, variable.dtype))

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all variables of the optimizer, `training_steps` and hyperparameters among them."""
        super().set_weights(weights)
        self._read_counts()

    def load_own_variables(self, store: Any) -> None:
        """Read all variables of the optimizer from a file's store."""
        super().load_own_variables(store)
        self._read_counts()

    def _read_counts(self) -> None:
        self._training_steps_value = int(ops.convert_to_numpy(self._training_steps)) or None
        self._schedule_start_value = int(ops.convert_to_numpy(self._schedule_start))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor with their present values."""
        return {
            **super().get_config(),
            **self.hyperparameters,
            "training_steps": self.training_steps,
            "schedule_start": self.schedule_start,
            "as_published": self.rule.as_published,
        }


def _checked(name: str, value: Any) -> float | bool:
    """The value as a plain number, if it is in its hyperparameter's domain.

    Raises:
        InvalidValueError: naming the hyperparameter, what is allowed, and what was given.
    """
    if name == "use_nesterov":
        if isinstance(value, bool | np.bool_):
            return bool(value)
        raise InvalidValueError(f"{name} must be True or False; got {value!r}.")
    if name == "learning_rate" and callable(value):
        _refuse_schedule(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise InvalidValueError(f"{name} must be a number; got {value!r}.")
    number = float(value)
    if name in ("beta1", "beta2"):
        allowed, domain = 0 <= number < 1, "in [0, 1)"
    elif name in _FRACTIONS:
        allowed, domain = 0 <= number <= 1, "in [0, 1]"
    else:
        allowed, domain = 0 <= number <= _LARGEST, "finite and at least 0"
    if not (allowed and math.isfinite(number)):
        raise InvalidValueError(f"{name} must be {domain}; got {value!r}.")
    return number


def _checked_count(name: str, value: Any, smallest: int) -> int:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not smallest <= int(value) <= _LARGEST_COUNT:
        raise InvalidValueError(
            f"{name} must be an integer from {smallest} to {_LARGEST_COUNT}; got {value!r}."
        )
    return int(value)


def _refuse_schedule(value: Any) -> None:
    raise InvalidValueError(
        f"learning_rate must be a float; got {value!r}. These optimizers have a schedule of their "
        "own: pass the peak learning rate, and training_steps for the length of the schedule."
    )
