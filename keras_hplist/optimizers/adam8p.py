"""Adam8p: the family of eight hyperparameters."""

from typing import Any

import keras

from keras_hplist.optimizers.base import RuleOptimizer
from keras_hplist.optimizers.rules import Adam8pRule


@keras.saving.register_keras_serializable("keras_hplist")
class Adam8p(RuleOptimizer):
    """Adam with an L1 and an L2 term in the loss, and a linear times an exponential decay.

    The formulas stand at `keras_hplist.optimizers.rules.Adam8pRule`.

    Args:
        learning_rate: initial learning rate.
        beta1: decay rate of the average of gradients, in [0, 1).
        beta2: decay rate of the average of squared gradients, in [0, 1).
        epsilon: added to the root of the bias-corrected average of squares (plus 1e-10).
        l1: coefficient of the sum of absolute values in the loss.
        l2: coefficient of the sum of squares (without 1/2) in the loss.
        linear_decay: per step of a run rescaled to 10,000 steps.
        exponential_decay: per step of a run rescaled to 10,000 steps.
        training_steps: number of batches the schedule is planned for; needed before the first
            update, by this argument, by `optimizer.training_steps = n`, or by the callback
            `keras_hplist.callbacks.TrainingSteps`.
        as_published: True or "tensorflow" for the published schedule, which is that of a
            10,000-step run whatever `training_steps` says.
        schedule_start: batch count of this optimizer at which the schedule starts.
        **kwargs: the arguments of `keras.optimizers.Optimizer` except `weight_decay`.

    Raises:
        InvalidValueError: if a value is not in its domain; it names the argument.
    """

    family = "adam8p"
    rule_class = Adam8pRule

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        l1: float = 1e-7,
        l2: float = 1e-7,
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
                "l1": l1,
                "l2": l2,
                "linear_decay": linear_decay,
                "exponential_decay": exponential_decay,
            },
            training_steps,
            as_published,
            schedule_start,
            **kwargs,
        )
