"""The update formulas of the optimizer families, as pure functions over arrays.

The one place where the mathematics stands: the Keras optimizers of this package and the population
trainer both call it. A step has two halves. `Rule.scalars` computes, once per step, all that does
not depend on a variable: the scheduled learning rate, the bias corrections, the coefficients.
`Rule.update` is then called for each variable.

One optimizer or a population of P: parameters of shape () drive variables of any shape; parameters
of shape (P,) drive variables whose first axis is the population's, each member by its own.

Notation: theta is a variable, g the gradient of the training loss, t = 1, 2, ... the number of the
update, T the planned training steps. The formulas are those of Metz et al. 2020, "Using a thousand
optimization tasks to learn hyperparameter search strategies" (arXiv 2002.11887), as published in
google-research/task_set and opt_list; what differs from that code is named at each rule.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_hplist.errors import InvalidValueError
from keras_hplist.optimizers import schedules
from keras_hplist.optimizers.schedules import Array

Arrays = Mapping[str, Array]

# Stands under the root of Adam8p's and Adam6p's denominator, beside the epsilon outside of it.
_INNER_EPSILON = 1e-10


class Rule:
    """Plain Adam, and the frame that the other rules fill.

    m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2
    theta <- theta - learning_rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)

    This is the "epsilon hat" form of Kingma and Ba 2015 (end of section 2): epsilon is added to the
    root of the uncorrected v. Published and right form agree; `as_published` makes no difference.

    Attributes:
        hyperparameters: names of the family's hyperparameters, in the order of its search space.
        variants: the values `as_published` may have; True and "tensorflow" mean the same.
        slots: names of the arrays kept for each variable, each of the variable's shape, 0 at first.
        needs_training_steps: whether the learning rate depends on the planned training steps.
    """

    hyperparameters: ClassVar[tuple[str, ...]] = ("learning_rate", "beta1", "beta2", "epsilon")
    variants: ClassVar[tuple[bool | str, ...]] = (False, True, "tensorflow")
    slots: ClassVar[tuple[str, ...]] = ("momentum", "velocity")
    needs_training_steps: bool = False

    def __init__(self, as_published: bool | str = False) -> None:
        """Choose between the right form and a published one; see the class."""
        if not isinstance(as_published, bool | str) or as_published not in self.variants:
            raise InvalidValueError(
                f"as_published must be one of {', '.join(map(repr, self.variants))} "
                f"for this optimizer; got {as_published!r}."
            )
        self.as_published = as_published

    @staticmethod
    def encode(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Turn hyperparameter values into the parameters that `scalars` reads.

        A decay rate beta becomes 1 - beta. Of the difference between 0.999999 and 1, float32 keeps
        two digits if it is given the rate, seven if it is given the difference.

        Args:
            values: numbers, booleans, or arrays of shape (P,), by hyperparameter name.

        Returns:
            float64 arrays by parameter name, `beta1` as `one_minus_beta1`, the rest as they were.
        """
        parameters = {}
        for name, value in values.items():
            number = np.asarray(value, dtype=np.float64)
            if name in ("beta1", "beta2"):
                name, number = f"one_minus_{name}", 1.0 - number
            parameters[name] = number
        return parameters

    @staticmethod
    def decode(name: str, parameter: float) -> float | bool:
        """The value of the hyperparameter `name` that `encode` turned into `parameter`."""
        if name in ("beta1", "beta2"):
            return 1.0 - parameter
        return bool(parameter) if name == "use_nesterov" else parameter

    def multiplier(self, parameters: Arrays, step: Array, training_steps: Array) -> Array:
        """The factor by which the schedule multiplies the learning rate; here 1.

        Args:
            parameters: as for `scalars`.
            step: steps done before this one, counted from where the schedule starts; () or (P,).
            training_steps: the planned number of steps, () or (P,).
        """
        return 1.0

    def scalars(
        self,
        parameters: Arrays,
        step: Array,
        training_steps: Array = None,
        update: Array = None,
    ) -> dict[str, Array]:
        """All that is the same for every variable in one step.

        Args:
            parameters: floating-point arrays of shape () or (P,), named as `encode` names them.
                The result has the dtype of `learning_rate`.
            step: steps done before this one, counted from where the schedule starts; () or (P,).
            training_steps: the planned number of steps, () or (P,); None only for a rule that does
                not need them.
            update: number of this update, counted from 1, for the bias correction. Defaults to
                `step + 1`; it differs where a schedule starts late or where steps are batches of
                which several make one update.

        Returns:
            Arrays of shape () or (P,), by the name of the term in `update`. A term that is not
            named is not computed.
        """
        parameters, step, training_steps, update = _of_one_dtype(
            parameters, step, training_steps, update
        )
        return self._scalars(parameters, step, training_steps, update)

    def _scalars(
        self, parameters: Arrays, step: Array, training_steps: Array, update: Array
    ) -> dict[str, Array]:
        first, second = parameters["one_minus_beta1"], parameters["one_minus_beta2"]
        learning_rate = parameters["learning_rate"] * self.multiplier(
            parameters, step, training_steps
        )
        correction = ops.sqrt(_bias_correction(second, update)) / _bias_correction(first, update)
        return {
            "one_minus_beta1": first,
            "one_minus_beta2": second,
            "epsilon": parameters["epsilon"],
            "rate": learning_rate * correction,
        }

    @staticmethod
    def update(
        variable: Array,
        gradient: Array,
        slots: Sequence[Array],
        scalars: Arrays,
        decay: bool = True,
    ) -> tuple[Array, tuple[Array, Array]]:
        """One update of one variable; every rule's, each with the terms its scalars name.

        Args:
            variable: shape (...), or (P, ...) where the scalars have shape (P,).
            gradient: of the variable's shape and dtype.
            slots: momentum and velocity, of the variable's shape and dtype.
            scalars: what `scalars` returned for this step, of the variable's dtype.
            decay: False leaves out every term that pulls the variable towards 0.

        Returns:
            The new variable, and the new momentum and velocity.
        """
        scalars = {name: _aligned(scalar, variable) for name, scalar in scalars.items()}
        if decay and "l2" in scalars:
            gradient = gradient + scalars["l2"] * variable
        if decay and "l1" in scalars:
            gradient = gradient + scalars["l1"] * ops.sign(variable)

        momentum, velocity = slots
        innovation = gradient - momentum
        new_momentum = momentum + scalars["one_minus_beta1"] * innovation
        velocity = velocity + scalars["one_minus_beta2"] * (gradient * gradient - velocity)

        if "look_ahead" in scalars:
            ahead = momentum + scalars["look_ahead"] * innovation
        else:
            ahead = new_momentum
        if "velocity_correction" in scalars:
            root = ops.sqrt(velocity * scalars["velocity_correction"] + _INNER_EPSILON)
        else:
            root = ops.sqrt(velocity)
        step = scalars["rate"] * ahead / (root + scalars["epsilon"])
        if decay and "keep" in scalars:
            variable = scalars["keep"] * variable
        return variable - step, (new_momentum, velocity)


class Adam1pRule(Rule):
    """Adam with beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8."""

    hyperparameters = ("learning_rate",)
    fixed: ClassVar[Arrays] = Rule.encode({"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8})

    def scalars(
        self,
        parameters: Arrays,
        step: Array,
        training_steps: Array = None,
        update: Array = None,
    ) -> dict[str, Array]:
        """As `Rule.scalars`, at the fixed decay rates and epsilon."""
        return super().scalars({**self.fixed, **parameters}, step, training_steps, update)


class Adam6pRule(Rule):
    """Adam with bias-corrected moments, and a linear times an exponential decay.

    m and v as in `Rule`;  u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t) + 1e-10) + epsilon)
    theta <- theta - learning_rate max(0, 1 - linear_decay s) exp(-exponential_decay s) u

    with s = (t - 1) 10000 / T, the step of a run rescaled to 10,000 steps. Published and right form
    agree; `as_published` makes no difference.
    """

    hyperparameters = (*Rule.hyperparameters, "linear_decay", "exponential_decay")
    needs_training_steps = True

    def multiplier(self, parameters: Arrays, step: Array, training_steps: Array) -> Array:
        """max(0, 1 - linear_decay s) exp(-exponential_decay s)."""
        return schedules.linear_exponential_decay(
            step, training_steps, parameters["linear_decay"], parameters["exponential_decay"]
        )

    def _scalars(
        self, parameters: Arrays, step: Array, training_steps: Array, update: Array
    ) -> dict[str, Array]:
        first, second = parameters["one_minus_beta1"], parameters["one_minus_beta2"]
        learning_rate = parameters["learning_rate"] * self.multiplier(
            parameters, step, training_steps
        )
        return {
            "one_minus_beta1": first,
            "one_minus_beta2": second,
            "epsilon": parameters["epsilon"],
            "rate": learning_rate / _bias_correction(first, update),
            "velocity_correction": 1.0 / _bias_correction(second, update),
        }


class Adam8pRule(Adam6pRule):
    """Adam6p on the loss plus l2 sum(theta^2) + l1 sum(|theta|).

    g <- g + 2 l2 theta + l1 sign(theta), then as `Adam6pRule`: both terms go through the moments.

    With `as_published` the schedule is that of a 10,000-step run whatever the planned training
    steps are: the published getter of this family does not pass them on.
    """

    hyperparameters = (
        *Rule.hyperparameters,
        "l1",
        "l2",
        "linear_decay",
        "exponential_decay",
    )

    def __init__(self, as_published: bool | str = False) -> None:
        """Choose between the right form and a published one; see the class."""
        super().__init__(as_published)
        self.needs_training_steps = not as_published

    def multiplier(self, parameters: Arrays, step: Array, training_steps: Array) -> Array:
        """As Adam6p's, with `as_published` at a horizon of 10,000 steps."""
        if self.as_published:
            training_steps = schedules.REFERENCE_STEPS
        return super().multiplier(parameters, step, training_steps)

    def _scalars(
        self, parameters: Arrays, step: Array, training_steps: Array, update: Array
    ) -> dict[str, Array]:
        scalars = super()._scalars(parameters, step, training_steps, update)
        return {**scalars, "l1": parameters["l1"], "l2": 2.0 * parameters["l2"]}


class NAdamWRule(Rule):
    """Adam with simplified Nesterov momentum, two weight decays and a warm-up/cosine schedule.

    g <- g + l2_weight_decay theta;  m and v as in `Rule`
    n = beta1 m + (1 - beta1) g with Nesterov, else m
    a = lr(s) sqrt(1 - beta2^t) / (1 - beta1^t)
    theta <- theta - a (n / (sqrt(v) + epsilon) + adamw_weight_decay theta)

    lr(s), s = t - 1: learning_rate until step constant_fraction T, then half a cosine down to
    min_learning_rate_mult learning_rate at T; over this a linear warm-up from 0 that lasts
    T min(warmup_fraction, constant_fraction) steps. The decoupled decay is multiplied by a, not by
    the learning rate alone as in Keras's AdamW.

    `as_published` selects what the published code does instead:

    | as_published | L2 term | Nesterov flag | warm-up lasts |
    | --- | --- | --- | --- |
    | False | g + l2 theta | honoured | T min(warmup, constant) |
    | True, "tensorflow" | g - l2 theta | ignored: always off | T min(warmup, constant) |
    | "torch", "jax" | g - l2 theta | honoured | T max(warmup, constant), if warmup > 0 |

    "tensorflow" is the code that the published curves and list come from.
    """

    hyperparameters = (
        *Rule.hyperparameters,
        "use_nesterov",
        "adamw_weight_decay",
        "l2_weight_decay",
        "warmup_fraction",
        "min_learning_rate_mult",
        "constant_fraction",
    )
    variants = (*Rule.variants, "torch", "jax")
    needs_training_steps = True

    def multiplier(self, parameters: Arrays, step: Array, training_steps: Array) -> Array:
        """Linear warm-up, hold, and half a cosine."""
        warmup, constant = parameters["warmup_fraction"], parameters["constant_fraction"]
        if self.as_published in ("torch", "jax"):
            warmup = ops.where(warmup > 0, ops.maximum(warmup, constant), warmup)
        else:
            warmup = ops.minimum(warmup, constant)
        hold_cosine = schedules.hold_cosine(
            step, training_steps, constant, parameters["min_learning_rate_mult"]
        )
        return schedules.linear_warmup(step, warmup * training_steps, hold_cosine)

    def _scalars(
        self, parameters: Arrays, step: Array, training_steps: Array, update: Array
    ) -> dict[str, Array]:
        scalars = super()._scalars(parameters, step, training_steps, update)
        l2 = parameters["l2_weight_decay"]
        scalars["l2"] = -l2 if self.as_published else l2
        scalars["keep"] = 1.0 - scalars["rate"] * parameters["adamw_weight_decay"]
        if self.as_published not in (True, "tensorflow"):
            # beta1 m + (1 - beta1) g = m_old + (1 - beta1) (1 + beta1) (g - m_old), and without
            # Nesterov m = m_old + (1 - beta1) (g - m_old): one form, so that the flag can be live.
            first = parameters["one_minus_beta1"]
            scalars["look_ahead"] = first + parameters["use_nesterov"] * (first * (1.0 - first))
        return scalars


def _of_one_dtype(
    parameters: Arrays, step: Array, training_steps: Array, update: Array
) -> tuple[dict[str, Array], Array, Array, Array]:
    """Cast all to the dtype of the learning rate, so that counters and parameters mix freely."""
    dtype = keras.backend.standardize_dtype(parameters["learning_rate"].dtype)
    update = step + 1 if update is None else update
    return (
        {name: ops.cast(parameter, dtype) for name, parameter in parameters.items()},
        ops.cast(step, dtype),
        None if training_steps is None else ops.cast(training_steps, dtype),
        ops.cast(update, dtype),
    )


def _bias_correction(one_minus_beta: Array, update: Array) -> Array:
    """1 - beta^update, with all digits also where beta is close to 1."""
    return -ops.expm1(update * ops.log1p(-one_minus_beta))


def _aligned(scalar: Array, variable: Array) -> Array:
    """Give a scalar of shape (P,) the axes it needs against a variable of shape (P, ...)."""
    if len(scalar.shape) == 0:
        return scalar
    return ops.reshape(scalar, (-1,) + (1,) * (len(variable.shape) - 1))
