"""Adam6p: the family of six hyperparameters."""

from typing import Any

import keras

from keras_hplist.optimizers.base import RuleOptimizer
from keras_hplist.optimizers.rules import Adam6pRule


@keras.saving.register_keras_serializable("keras_hplist")
class Adam6p(RuleOptimizer):
    """Adam with a linear times an exponential decay of the learning rate.

    The formulas stand at `keras_hplist.optimizers.rules.Adam6pRule`.

    Args:
        learning_rate: initial learning rate.
        beta1: decay rate of the average of gradients, in [0, 1).
        beta2: decay rate of the average of squared gradients, in [0, 1).
        epsilon: added to the root of the bias-corrected average of squares (plus 1e-10).
        linear_decay: per step of a run rescaled to 10,000 steps.
        exponential_decay: per step of a run rescaled to 10,000 steps.
        training_steps: number of batches the schedule is planned for; needed before the first
            update, by this argument, by `optimizer.training_steps = n`, or by the callback
            `keras_hplist.callbacks.TrainingSteps`.
        as_published: makes no difference for this family; taken so that all families are alike.
        schedule_start: batch count of this optimizer at which the schedule starts.
        **kwargs: the arguments of `keras.optimizers.Optimizer` except `weight_decay`.

    Raises:
        InvalidValueError: if a value is not in its domain; it names the argument.
    """

    family = "adam6p"
    rule_class = Adam6pRule

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        linear_decay: float = 0.0,
        exponential_decay: float = 0.0,
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
                "linear_decay": linear_decay,
                "exponential_decay": exponential_decay,
            },
            training_steps,
            as_published,
            schedule_start,
            **kwargs,
        )
