"""Adam1p: the family of one hyperparameter."""

from typing import Any

import keras

from keras_hplist.optimizers.base import RuleOptimizer
from keras_hplist.optimizers.rules import Adam1pRule


@keras.saving.register_keras_serializable("keras_hplist")
class Adam1p(RuleOptimizer):
    """Adam of which only the learning rate is tuned: beta1 0.9, beta2 0.999, epsilon 1e-8.

    The formulas stand at `keras_hplist.optimizers.rules.Rule`.

    Args:
        learning_rate: the learning rate.
        training_steps: not needed, since there is no schedule; kept and saved if given.
        as_published: makes no difference for this family; taken so that all families are alike.
        schedule_start: makes no difference for this family.
        **kwargs: the arguments of `keras.optimizers.Optimizer` except `weight_decay`.

    Raises:
        InvalidValueError: if a value is not in its domain; it names the argument.
    """

    family = "adam1p"
    rule_class = Adam1pRule

    def __init__(
        self,
        learning_rate: float = 1e-3,
        training_steps: int | None = None,
        as_published: bool | str = False,
        schedule_start: int = 0,
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(
            {"learning_rate": learning_rate}, training_steps, as_published, schedule_start, **kwargs
        )
