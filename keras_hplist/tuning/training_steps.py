"""The callback that tells a schedule how long the run will be."""

import keras

from keras_hplist.checks import checked_count
from keras_hplist.optimizers import RuleOptimizer
from keras_hplist.tuning.errors import SetupError
from keras_hplist.tuning.model_state import inner_optimizer


def optimizer_steps(optimizer: RuleOptimizer) -> int:
    """The batches that an optimizer has seen, as its schedule counts them."""
    return int(keras.ops.convert_to_numpy(optimizer._iterations))


class TrainingSteps(keras.callbacks.Callback):
    """Tells the optimizer for how many steps (batches) this fit will run.

    Schedules of this package's optimizers are functions of the number of training steps. This
    callback works it out when a fit begins: batches per epoch times the epochs that are left. A
    second `fit` of the same model starts a new schedule; with `initial_epoch` (set by the user, or
    by `keras.callbacks.BackupAndRestore`) it goes on in the schedule of the whole run.

    A fit that ends early, for example by `EarlyStopping`, keeps the schedule it was planned with.
    Where the steps cannot be known, an optimizer without a schedule trains all the same.

    Args:
        training_steps: the number of steps, stated by hand; None to work it out.

    Raises:
        InvalidValueError: if `training_steps` is not a positive integer.
        SetupError: when training begins, if the model's optimizer is not one of this package, or
            it has a schedule and the number of batches per epoch cannot be known.
    """

    def __init__(self, training_steps: int | None = None) -> None:
        """Check the number."""
        super().__init__()
        if training_steps is not None:
            training_steps = checked_count("training_steps", training_steps, 1, or_else="None")
        self.training_steps = training_steps

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Check, before anything is trained, that the steps can be known."""
        optimizer, name = inner_optimizer(self.model), type(self).__name__
        if not isinstance(optimizer, RuleOptimizer):
            raise SetupError(
                f"{name} needs an optimizer of keras_hplist; this model was compiled with "
                f"{type(optimizer).__name__}. Compile it with keras_hplist.get_optimizer(...), or "
                "leave the callback out."
            )
        if self._needs_steps(optimizer) and not self._knows_steps():
            raise SetupError(
                "The number of batches per epoch cannot be known from this data (a generator, or a "
                "dataset of unknown or infinite cardinality). Give fit() or search() "
                "steps_per_epoch=..., or apply tf.data.experimental.assert_cardinality to the "
                f"dataset, or state the total with {name}(training_steps=...)."
            )
        self._planned = False

    def _needs_steps(self, optimizer: RuleOptimizer) -> bool:
        return optimizer.rule.needs_training_steps

    def _knows_steps(self) -> bool:
        return self.training_steps is not None or bool(self.params.get("steps"))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Plan the schedule when the first epoch begins: no parameter tells its number before."""
        if self._planned or not self._knows_steps():
            return
        self._planned = True
        optimizer = inner_optimizer(self.model)
        steps_done = optimizer_steps(optimizer)
        if epoch and steps_done and self._goes_on(optimizer, epoch, steps_done):
            return
        if self.training_steps is not None:
            start, planned = steps_done, self.training_steps
        else:
            per_epoch = self.params["steps"]
            # In the earlier epochs the optimizer may have been there, though after a race for fewer
            # steps than these have.
            start = max(steps_done - epoch * per_epoch, 0)
            planned = steps_done - start + (self.params["epochs"] - epoch) * per_epoch
        optimizer.schedule_start = start
        optimizer.training_steps = planned

    def _goes_on(self, optimizer: RuleOptimizer, epoch: int, steps_done: int) -> bool:
        """Whether the optimizer has this fit's own plan from before an interruption."""
        start, planned = optimizer.schedule_start, optimizer.training_steps or 0
        remaining = start + planned - steps_done
        if self.training_steps is not None:
            return planned == self.training_steps and remaining > 0
        per_epoch, epochs = self.params["steps"], self.params["epochs"]
        # `LossScaleOptimizer` skips steps, of which more then remain than the epochs have.
        whole = (start, planned) == (0, epochs * per_epoch)
        return whole or remaining == (epochs - epoch) * per_epoch
