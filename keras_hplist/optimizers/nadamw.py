"""NAdamW: the family of ten hyperparameters."""

from typing import Any

import keras

from keras_hplist.optimizers.base import RuleOptimizer
from keras_hplist.optimizers.rules import NAdamWRule


@keras.saving.register_keras_serializable("keras_hplist")
class NAdamW(RuleOptimizer):
    """Adam with Nesterov momentum, two weight decays, and a schedule of warm-up, hold and cosine.

    The formulas stand at `keras_hplist.optimizers.rules.NAdamWRule`.

    Args:
        learning_rate: peak learning rate, after warm-up and before decay.
        beta1: decay rate of the average of gradients, in [0, 1).
        beta2: decay rate of the average of squared gradients, in [0, 1).
        epsilon: added to the root of the uncorrected average of squares.
        use_nesterov: whether the step looks one gradient ahead.
        adamw_weight_decay: decoupled decay, multiplied by the bias-corrected, scheduled rate.
        l2_weight_decay: coefficient of the variable in its gradient.
        warmup_fraction: fraction of `training_steps` in which the rate rises from 0; at most
            `constant_fraction` counts.
        min_learning_rate_mult: final over peak learning rate.
        constant_fraction: fraction of `training_steps`, warm-up included, before the cosine begins.
        training_steps: number of batches the schedule is planned for; needed before the first
            update, by this argument, by `optimizer.training_steps = n`, or by the callback
            `keras_hplist.callbacks.TrainingSteps`.
        as_published: False, or True, "tensorflow", "torch", "jax" for what those published front
            ends compute: the L2 term with a minus sign, "tensorflow" (and True) never with
            Nesterov, the other two with a longer warm-up.
        schedule_start: batch count of this optimizer at which the schedule starts.
        **kwargs: the arguments of `keras.optimizers.Optimizer` except `weight_decay`.

    Raises:
        InvalidValueError: if a value is not in its domain; it names the argument.
    """

    family = "nadamw"
    rule_class = NAdamWRule

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        use_nesterov: bool = False,
        adamw_weight_decay: float = 0.0,
        l2_weight_decay: float = 0.0,
        warmup_fraction: float = 0.0,
        min_learning_rate_mult: float = 0.0,
        constant_fraction: float = 0.0,
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
                "use_nesterov": use_nesterov,
                "adamw_weight_decay": adamw_weight_decay,
                "l2_weight_decay": l2_weight_decay,
                "warmup_fraction": warmup_fraction,
                "min_learning_rate_mult": min_learning_rate_mult,
                "constant_fraction": constant_fraction,
            },
            training_steps,
            as_published,
            schedule_start,
            **kwargs,
        )
