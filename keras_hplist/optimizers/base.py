"""A Keras optimizer whose mathematics is a `Rule` and whose hyperparameters are live variables."""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_hplist.checks import checked_count, checked_name
from keras_hplist.errors import InvalidValueError
from keras_hplist.optimizers.domains import checked, refuse_schedule
from keras_hplist.optimizers.rules import Rule


class RuleOptimizer(keras.optimizers.Optimizer):
    """Base of the families' optimizers.

    Hyperparameters, `training_steps` and `schedule_start` are Keras variables of the optimizer: a
    change takes effect in a train step that is already compiled, on every backend, and is saved
    with the optimizer. One step of the schedule is one batch (one call of `apply`): under
    `gradient_accumulation_steps` the schedule moves on with every batch and so ends with the last
    batch of the fit, while the bias correction counts updates. Steps that `LossScaleOptimizer`
    skips are not counted.

    The moments of float16 and bfloat16 variables are kept, and their updates computed, in float32,
    also where one of these is Keras's `floatx`.
    Sparse gradients (of `keras.layers.Embedding` on TensorFlow) are made dense, as in the published
    code: moments and decays act on every row in every step.

    `exclude_from_weight_decay` exempts variables from every decay of the family: decoupled, L1, L2.

    Attributes:
        family: name of the family, which is that of its search space.
        rule_class: the mathematics, see `keras_hplist.optimizers.rules`.
        rule: the one in use, as published or not.
        hyperparameter_names: in the order of the search space.
    """

    family: ClassVar[str]
    rule_class: ClassVar[type[Rule]]

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
        rule = self.rule_class(as_published)
        values = {name: checked(name, hyperparameters[name]) for name in rule.hyperparameters}
        super().__init__(learning_rate=values["learning_rate"], **kwargs)
        self.rule = rule
        # The plain numbers behind the variables. 0 training steps stand for "not set".
        self._values: dict[str, Any] = {**values, "training_steps": 0, "schedule_start": 0}
        # One vector for all but the learning rate, which Keras wants by itself: each further
        # variable would cost the train step of a small model some 3 percent.
        self._packed_names = [name for name in rule.encode(self._values) if name != "learning_rate"]
        self._packed = self.add_variable(
            shape=(len(self._packed_names),),
            dtype=_at_least_float32(keras.config.floatx()),
            aggregation="only_first_replica",
            name="hyperparameters",
        )
        counts = {"schedule_start": checked_count("schedule_start", schedule_start, smallest=0)}
        if training_steps is not None:
            counts["training_steps"] = checked_count("training_steps", training_steps, smallest=1)
        self._set(counts)

    def _set(self, values: Mapping[str, float | bool]) -> None:
        """Take over checked values, and assign the variables whose numbers are among them."""
        self._values.update(values)
        if "learning_rate" in values:
            self._learning_rate.assign(values["learning_rate"])
        if set(values) != {"learning_rate"}:
            self._packed.assign(self._packed_numbers())

    def _packed_numbers(self) -> np.ndarray:
        encoded = self.rule.encode(self._values)
        return np.asarray([encoded[name] for name in self._packed_names], self._packed.dtype)

    def _parameters(self) -> dict[str, Any]:
        """The rule's parameters and the two counts, as tensors of shape (), in at least float32."""
        packed = ops.unstack(_tensor(self._packed), len(self._packed_names))
        return {
            # Its variable is Keras's, in the default dtype of new variables.
            "learning_rate": ops.cast(_tensor(self._learning_rate), self._packed.dtype),
            **dict(zip(self._packed_names, packed)),
        }

    @property
    def hyperparameter_names(self) -> tuple[str, ...]:
        """Names of the family's hyperparameters, in the order of its search space."""
        return self.rule.hyperparameters

    @property
    def hyperparameters(self) -> dict[str, float | bool]:
        """The present value of each hyperparameter, as a plain Python number, as it was given."""
        values = {name: self._values[name] for name in self.hyperparameter_names}
        rate = _numpy(self._learning_rate)
        if np.asarray(values["learning_rate"], rate.dtype) != rate:  # assigned to the variable
            values["learning_rate"] = float(rate)
        return values

    def set_hyperparameters(self, values: Mapping[str, float | bool]) -> None:
        """Change some or all hyperparameters, without retracing a compiled train step.

        Args:
            values: numbers and booleans by hyperparameter name, a dict or a pandas Series; the
                others stay as they are.

        Raises:
            UnknownNameError: if the family has no hyperparameter of that name.
            InvalidValueError: if a value is not finite or not in its domain, or `values` has no
                names. Nothing is changed.
        """
        try:
            values = dict(values)  # a Series iterates over its values
        except (TypeError, ValueError):
            raise InvalidValueError(
                f"values is {values!r}; give a dict of new values by hyperparameter name, such as "
                "{'learning_rate': 0.01}."
            ) from None
        for name in values:
            kind = f"{type(self).__name__} hyperparameter"
            checked_name(kind, name, self.hyperparameter_names)
        self._set({name: checked(name, value) for name, value in values.items()})

    @property
    def learning_rate(self) -> keras.Variable:
        """The peak learning rate, which the family's schedule multiplies; may be set to a float."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, np.ndarray):
            value = value[()]  # of an array of shape () the number
        if isinstance(value, numbers.Real):
            self.set_hyperparameters({"learning_rate": float(value)})
        elif callable(value):
            refuse_schedule(value)
        else:  # a tensor, a variable
            self._learning_rate.assign(value)

    @property
    def scheduled_learning_rate(self) -> float:
        """The learning rate of the next update, after the schedule, before the bias correction.

        Raises:
            InvalidValueError: if the schedule needs `training_steps` and they are not set.
        """
        self._require_training_steps()
        parameters = self._parameters()
        multiplier = self.rule.multiplier(
            parameters, self._schedule_step(parameters), parameters["training_steps"]
        )
        return float(ops.convert_to_numpy(parameters["learning_rate"] * multiplier))

    @property
    def training_steps(self) -> int | None:
        """The number of batches that the schedule is planned for; None if not set yet.

        May be set at any time, also after a train step was compiled.
        """
        return self._values["training_steps"] or None

    @training_steps.setter
    def training_steps(self, value: int) -> None:
        self._set({"training_steps": checked_count("training_steps", value, smallest=1)})

    @property
    def schedule_start(self) -> int:
        """The batch count (`_iterations`) at which the schedule is at its step 0.

        Set to the present count, a further `fit` of the same model gets a schedule of its own.
        """
        return self._values["schedule_start"]

    @schedule_start.setter
    def schedule_start(self, value: int) -> None:
        self._set({"schedule_start": checked_count("schedule_start", value, smallest=0)})

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make momentum and velocity for each variable, in at least float32."""
        if self.built:
            return
        super().build(variables)
        self._slots = [self._make_slots(variable) for variable in variables]

    def _make_slots(self, variable: keras.Variable) -> list[keras.Variable] | None:
        if self._overwrite_variable_with_gradient(variable):
            return None
        dtype = _at_least_float32(variable.dtype)
        if variable.dtype == dtype:
            return [self.add_variable_from_reference(variable, name) for name in self.rule.slots]
        return [
            self.add_variable(
                shape=variable.shape,
                dtype=dtype,
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
        grads = [g if g is None else _tensor(g) for g in grads]
        super().apply(grads, trainable_variables)

    def _require_training_steps(self) -> None:
        if self.rule.needs_training_steps and self.training_steps is None:
            name = type(self).__name__
            raise InvalidValueError(
                f"The learning-rate schedule of {name} needs the number of training steps "
                f"(batches), and it is not set. Pass {name}(training_steps=steps_per_epoch * "
                f"epochs), set `optimizer.training_steps`, or give `model.fit` the callback "
                f"keras_hplist.callbacks.TrainingSteps(). (A tuner gives it; a HyperModel's fit "
                f"has to hand `callbacks` on to model.fit.)"
            )

    def _schedule_step(self, parameters: Mapping[str, Any]) -> Any:
        batches = ops.cast(_tensor(self._iterations), parameters["schedule_start"].dtype)
        return ops.maximum(batches - parameters["schedule_start"], 0.0)

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        # Keras carries its argument `learning_rate` to each update_step, on TensorFlow through
        # tf.distribute to each replica. Here it takes along all that is computed once per step.
        parameters = self._parameters()
        scalars = self.rule.scalars(
            parameters,
            self._schedule_step(parameters),
            parameters["training_steps"],
            update=ops.cast(_tensor(self.iterations), "float32") + 1.0,
        )
        super()._backend_update_step(grads, trainable_variables, scalars)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Mapping[str, Any]) -> None:
        """Apply the rule to one variable; `learning_rate` holds the rule's scalars."""
        slots = self._slots[self._get_variable_index(variable)]
        dtype = slots[0].dtype
        scalars = {name: ops.cast(scalar, dtype) for name, scalar in learning_rate.items()}
        value, new_slots = self.rule.update(
            ops.cast(_tensor(variable), dtype),
            ops.cast(gradient, dtype),
            [_tensor(slot) for slot in slots],
            scalars,
            decay=self._use_weight_decay(variable),
        )
        for slot, new_slot in zip(slots, new_slots):
            self.assign(slot, new_slot)
        self.assign(variable, ops.cast(value, variable.dtype))

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all variables of the optimizer, its hyperparameters and counts among them."""
        super().set_weights(weights)
        self._read_variables()

    def load_own_variables(self, store: Any) -> None:
        """Read all variables of the optimizer from a file's store."""
        super().load_own_variables(store)
        self._read_variables()

    def _read_variables(self) -> None:
        """Bring the plain numbers in line with the variables; they stay exact where they agree."""
        stored, given = _numpy(self._packed), self._packed_numbers()
        names = [name for name in self._values if name != "learning_rate"]
        for name, number, expected in zip(names, stored, given, strict=True):
            if number != expected:
                counts = name in ("training_steps", "schedule_start")
                self._values[name] = (
                    int(number) if counts else self.rule.decode(name, float(number))
                )
        self._values.update(self.hyperparameters)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor with their present values."""
        return {
            **super().get_config(),
            **self.hyperparameters,
            "training_steps": self.training_steps,
            "schedule_start": self.schedule_start,
            "as_published": self.rule.as_published,
        }


def _tensor(value: Any) -> Any:
    """The dense tensor of a variable or gradient.

    On TensorFlow, `ops.convert_to_tensor` returns variables and sparse gradients as they are; each
    use of a variable then is a read of its own.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.convert_to_tensor(value)
    return ops.convert_to_tensor(value, sparse=False)


def _numpy(variable: keras.Variable) -> np.ndarray:
    return np.asarray(variable.numpy())  # a 0-d tensor of bfloat16 has no array on TensorFlow


def _at_least_float32(dtype: str) -> str:
    return dtype if dtype == "float64" else "float32"
