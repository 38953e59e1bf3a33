"""Adam4p: the family of four hyperparameters."""

from typing import Any

import keras

from keras_hplist.optimizers.base import RuleOptimizer
from keras_hplist.optimizers.rules import Rule


@keras.saving.register_keras_serializable("keras_hplist")
class Adam4p(RuleOptimizer):
    """Adam in the "epsilon hat" form, at a constant learning rate.

    The formulas stand at `keras_hplist.optimizers.rules.Rule`.

    Args:
        learning_rate: the learning rate.
        beta1: decay rate of the average of gradients, in [0, 1).
        beta2: decay rate of the average of squared gradients, in [0, 1).
        epsilon: added to the root of the uncorrected average of squares.
        training_steps: not needed, since there is no schedule; kept and saved if given.
        as_published: makes no difference for this family; taken so that all families are alike.
        schedule_start: makes no difference for this family.
        **kwargs: the arguments of `keras.optimizers.Optimizer` except `weight_decay`.

    Raises:
        InvalidValueError: if a value is not in its domain; it names the argument.
    """

    family = "adam4p"
    rule_class = Rule

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        training_steps: int | None = None,
        as_published: bool | str = False,
        schedule_start: int = 0,
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(
            {
                "learning_rate": learning_rate,
                "beta1": beta1,
                "beta2": beta2,
                "epsilon": epsilon,
            },
            training_steps,
            as_published,
            schedule_start,
            **kwargs,
        )
