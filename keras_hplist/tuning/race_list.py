"""The callback that lets the first entries of a list race for the rest of a fit."""

import math
import warnings
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_hplist.checks import checked_count, checked_share
from keras_hplist.errors import InvalidValueError
from keras_hplist.lists.hyperparameter_list import HyperparameterList, ListLike, checked_list
from keras_hplist.optimizers import RuleOptimizer
from keras_hplist.spaces.search_space import FAMILIES
from keras_hplist.tuning.batch_losses import BatchLosses, begin_means
from keras_hplist.tuning.errors import SetupError
from keras_hplist.tuning.model_state import ModelState, inner_optimizer
from keras_hplist.tuning.training_steps import TrainingSteps, optimizer_steps
from keras_hplist.tuning.validation import checked_validation_arguments, evaluate_apart
from keras_hplist.tuning.when_built import when_built


@dataclass
class _Runner:
    rank: int
    state: ModelState
    steps: int = 0
    loss: float = math.inf


def field_sizes(entries: int) -> list[int]:
    """How many entries run in each round of a race: the worse half drops out."""
    sizes = [entries]
    while sizes[-1] > 2:
        sizes.append(math.ceil(sizes[-1] / 2))
    return sizes


def _checked_racers(given: ListLike) -> HyperparameterList:
    hyperparameter_list = checked_list(given)
    space = hyperparameter_list.space
    if space.beyond_family:
        raise InvalidValueError(
            f"The list {hyperparameter_list.name!r} cannot race: of its search space "
            f"{space.name!r}, {', '.join(space.beyond_family)} is not set in an optimizer. A race "
            "changes its optimizer in one model, so it takes a list whose search space has a "
            f"family ({', '.join(FAMILIES)}) and hyperparameters of that alone. Others can be "
            "tried with HyperparameterListTuner, from a space without a family."
        )
    return hyperparameter_list


class RaceList(TrainingSteps):
    """Races the first entries of a list inside one fit, and goes on with the best.

    All start from the model's initial state. In each round every entry that is still in trains for
    a heat, from where it stopped, on the batches that come; then the worse half drops out
    (successive halving, Jamieson and Talwalkar 2016, arXiv 1502.07943). Each round takes the same
    number of steps in all, so heats grow longer as the field shrinks. The winner keeps its state,
    and the rest of the fit is its own. Every entry's schedule is planned for the steps that the
    winner will have had at the end of the fit.

    One train step is compiled for all. The states of the entries wait in host memory. During the
    race Keras's own logs, and a `CurveRecorder`, mix the entries, so let `EarlyStopping` and the
    like start after it, and leave `TerminateOnNaN` out: an entry that diverges only drops out.

    A fit that goes on after its race (`keras.callbacks.BackupAndRestore`, or `initial_epoch` of a
    model that has been trained) trains the winner on in its schedule, at the learning rate that a
    callback such as `ReduceLROnPlateau` has left it. One that was interrupted in the race cannot go
    on, since the states of the other entries are lost with the process.

    What a race gains, and where it does not, stands in `docs/results.md`.

    Args:
        hyperparameter_list: a list, the name of a shipped one, or the path of a list file. Its
            search space has a family, and no hyperparameters but the family's. The model must be
            compiled with an optimizer of it, such as `keras_hplist.get_optimizer("nadamw", 0)`.
        entries: how many entries race, at least 2.
        fraction: the part of the fit's steps that the race takes, above 0 and below 1.
        validation_data: what to give to `model.evaluate` after a heat, whose `loss` then judges it:
            `(x, y)`, `(x, y, sample_weight)` or a dataset that can be iterated repeatedly. None: a
            heat is judged by the mean training loss of its second half.
        validation_arguments: `batch_size`, `steps` or `callbacks` for `model.evaluate`.
        training_steps: the number of steps of the fit, stated by hand; None to work it out.

    Attributes:
        winner: the rank of the best entry; None before the race is over, and if all diverge. In a
            fit that goes on, of entries that differ in their learning rates alone, the one that is
            nearest in it.
        results: after the fit, a dict for each heat: `round`, `rank`, `steps` (of the entry so
            far) and `loss` (inf if it diverged). Empty if the race was in an earlier fit.

    Raises:
        InvalidValueError: if an argument is not allowed.
        SetupError: when training begins, if the optimizer is not of the list's family, the fit is
            too short for the race or goes on from within one, or the model has no variables yet
            and cannot be built for the first batch; later, if the model reports no `loss` to judge
            a heat by.
    """

    def __init__(
        self,
        hyperparameter_list: ListLike,
        entries: int = 4,
        *,
        fraction: float = 0.3,
        validation_data: Any = None,
        validation_arguments: Mapping[str, Any] | None = None,
        training_steps: int | None = None,
    ) -> None:
        """Check the arguments."""
        super().__init__(training_steps)
        hyperparameter_list = _checked_racers(hyperparameter_list)
        entries = checked_count("entries", entries, 2, len(hyperparameter_list))
        self.hyperparameter_list, self.entries = hyperparameter_list, entries
        self.fraction = checked_share("fraction", fraction)
        self.validation_data = validation_data
        self.validation_arguments = checked_validation_arguments(
            validation_arguments, validation_data
        )
        self.winner: int | None = None
        self.results: list[dict[str, Any]] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Check that the model can take the list's hyperparameters."""
        super().on_train_begin(logs)
        family, space = inner_optimizer(self.model).family, self.hyperparameter_list.space
        if family != space.family:
            raise SetupError(
                f"The list {self.hyperparameter_list.name!r} is for optimizers of the family "
                f"{space.family!r}; this model was compiled with one of {family!r}. "
                "Compile it with keras_hplist.get_optimizer(the same list, 0)."
            )
        self.winner, self.results = None, []
        self._field: list[_Runner] = []
        self._race: Generator[None, tuple[int, float, float], None] | None = None
        self._losses = BatchLosses(self.model, self.params)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Plan the fit when its first epoch begins: the race, or the winner of an earlier one."""
        first = not self._planned
        if first and epoch:
            self.winner = self._former_winner(epoch)
            # What is stated is the number of steps of the whole race; the winner has its own.
            self._planned = self.winner is not None and self.training_steps is not None
        super().on_epoch_begin(epoch, logs)
        self._losses.begin_epoch()
        self._means_end = False
        self._due = first and self.winner is None

    def _former_winner(self, epoch: int) -> int | None:
        """The rank of the entry that this fit goes on with; None if there was no race yet."""
        optimizer = inner_optimizer(self.model)
        values = optimizer.hyperparameters
        rank, steps_done = self._rank_of(values), optimizer_steps(optimizer)
        planned = optimizer.training_steps
        if rank is None or not steps_done or planned is None:
            return None
        own = steps_done - optimizer.schedule_start
        fit = self.training_steps or self.params["epochs"] * (self.params.get("steps") or 0)
        # The race was planned for this fit, or for a shorter one that this one extends.
        winners = min(
            sum(heat for _, heat in self._heats(steps)) for steps in (fit, self._fit_of(planned))
        )
        if own < winners:
            raise SetupError(
                f"The fit goes on at epoch {epoch} with entry {rank} after {own} steps of it, from "
                f"within a race in which the winner takes {winners}; the states of the other "
                "entries are lost. Train from the beginning: delete the backup, or leave "
                "initial_epoch out."
            )
        # The exact numbers, of which the saved variables have seven digits.
        optimizer.set_hyperparameters(self._shared(rank, values))
        return rank

    def _rank_of(self, values: Mapping[str, Any]) -> int | None:
        """Whose values an optimizer has, apart from the rate, which a callback may have changed."""
        rate = values["learning_rate"]

        def nearness(rank: int) -> float:
            planned = self.hyperparameter_list[rank]["learning_rate"]
            return min(rate, planned) / (max(rate, planned) or 1.0)

        ranks = (
            rank
            for rank in range(self.entries)
            if self.hyperparameter_list[rank].keys() - self._shared(rank, values).keys()
            <= {"learning_rate"}
        )
        return max(ranks, key=nearness, default=None)

    def _shared(self, rank: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of an entry with which these agree."""
        entry: dict[str, Any] = self.hyperparameter_list[rank]
        return {
            name: value
            for name, value in entry.items()
            if math.isclose(values[name], value, rel_tol=1e-6)
        }

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Begin the race, or Keras's running means anew for the entry that runs next."""
        if self._due:  # now that other callbacks, such as TrainingSteps, have begun the epoch
            self._due = False
            when_built(self.model, self._begin)
        if self._means_end:
            begin_means(self.model, self._losses.batches)
            self._means_end = False

    def _begin(self) -> None:
        self._race = self._run()
        next(self._race)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count the steps and the loss for whoever is running."""
        self._last_logs = logs or {}
        if self._race is None:
            return
        steps, loss, weight = self._losses.after(batch, logs)
        if loss is None and self.validation_data is None:
            raise SetupError(
                f"The train step reports {', '.join(logs or {}) or 'nothing'}, and no 'loss', by "
                "which a heat is judged. Return {'loss': ...} from train_step, or give RaceList "
                "validation_data."
            )
        try:
            # Where only the validation data judge, a heat takes all its steps.
            self._race.send((steps, 0.0 if loss is None else loss, weight))
        except StopIteration:
            self._race = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the means that were reset for a batch which never came: no end was foreseen."""
        if logs is not None and self._losses.means_are_empty:
            logs.update(self._last_logs)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """If the fit ended before the race, go back to the best entry so far, and say so."""
        if self._race is None:
            return
        self._race.close()
        self._race = None
        best = min(self._field, key=lambda runner: runner.loss)
        done = "No entry has a finite loss"
        if math.isfinite(best.loss):
            best.state.put_into(self.model)
            # Keras has just done this to the entry that ran last: it makes averages the weights.
            self.model.optimizer.finalize_variable_values(self.model.trainable_weights)
            self.winner = best.rank
            done = (
                f"The model is that of entry {best.rank}, the best so far, after {best.steps} steps"
            )
        warnings.warn(
            f"The fit ended before the race was over, after {len(self.results)} heats. {done}. Was "
            "training_steps larger than the fit, or did a callback end it?",
            stacklevel=2,
        )

    def _needs_steps(self, optimizer: RuleOptimizer) -> bool:
        return True  # the race takes a part of them

    def _run(self) -> Generator[None, tuple[int, float, float], None]:
        """The race; it is sent the steps done, their mean loss and its weight, again and again."""
        optimizer = inner_optimizer(self.model)
        steps_done = optimizer_steps(optimizer)
        left = optimizer.training_steps - (steps_done - optimizer.schedule_start)
        heats = self._heats(left)
        if not heats[0][1]:
            raise self._too_short(left)
        raced = sum(field * heat for field, heat in heats)
        horizon = left - raced + sum(heat for _, heat in heats)
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        start = ModelState.of(self.model)
        runners = [_Runner(rank, start) for rank in range(self.entries)]
        used = 0
        for number, (field, heat) in enumerate(heats):
            self._field = runners = runners[:field]
            for runner in runners:
                self._start(runner, steps_done, horizon)
                losses: list[tuple[float, float]] = []
                while len(losses) < heat and all(math.isfinite(loss) for loss, _ in losses[-1:]):
                    steps, loss, weight = yield
                    losses += [(loss, weight / steps)] * steps
                used += len(losses)
                self._stop(runner, losses)
                self.results.append(
                    {"round": number, "rank": runner.rank, "steps": runner.steps}
                    | {"loss": runner.loss}
                )
            runners.sort(key=lambda runner: runner.loss)  # stable: of equals the first in the list
        winner = runners[0]
        self._start(winner, steps_done, winner.steps + left - used)
        if math.isfinite(winner.loss):
            self.winner = winner.rank
        else:
            warnings.warn("All entries diverged in the race; the fit ends.", stacklevel=2)
            self.model.stop_training = True

    def _heats(self, left: int) -> list[tuple[int, int]]:
        """How many entries run in each round, and for how many steps each; 0 if it is too short."""
        fields, execution = field_sizes(self.entries), self._execution(left)
        budget = int(self.fraction * left) // len(fields)
        return [(field, budget // field // execution * execution) for field in fields]

    def _execution(self, left: int) -> int:
        """The steps of a whole execution; entries change only between these."""
        return min(self.model.steps_per_execution, self.params.get("steps") or left)

    def _fit_of(self, planned: int) -> int:
        """The steps of the fit whose race has left so many for the winner's schedule."""
        fields = field_sizes(self.entries)
        others = sum(1 - 1 / field for field in fields) / len(fields)
        return round(planned / (1 - self.fraction * others))

    def _too_short(self, left: int) -> SetupError:
        execution = self._execution(left)
        least = math.ceil(self.entries * execution * len(field_sizes(self.entries)) / self.fraction)
        several = f" with steps_per_execution={execution}" if execution > 1 else ""
        return SetupError(
            f"The fit has {left} steps; a race of {self.entries} entries for a fraction of "
            f"{self.fraction} of them needs at least {least}{several}. Train for longer, or "
            "race fewer entries, or for a larger fraction."
        )

    def _start(self, runner: _Runner, schedule_start: int, horizon: int) -> None:
        runner.state.put_into(self.model)
        optimizer = inner_optimizer(self.model)
        optimizer.set_hyperparameters(self.hyperparameter_list[runner.rank])
        optimizer.schedule_start, optimizer.training_steps = schedule_start, horizon
        # Not now: this may be the end of the epoch, when Keras logs the means and resets them.
        self._means_end = self._losses.batches > 0

    def _stop(self, runner: _Runner, losses: list[tuple[float, float]]) -> None:
        runner.state = ModelState.of(self.model)
        runner.steps += len(losses)
        second_half, weights = zip(*losses[len(losses) // 2 :])
        loss = float(np.average(second_half, weights=weights))
        if math.isfinite(loss) and self.validation_data is not None:
            loss = self._valid_loss()
        runner.loss = loss if math.isfinite(loss) else math.inf

    def _valid_loss(self) -> float:
        loss = evaluate_apart(self.model, self.validation_data, self.validation_arguments)
        if loss is None:
            raise SetupError(
                "model.evaluate reports no 'loss' on validation_data, by which a heat is judged. "
                "Return {'loss': ...} from test_step."
            )
        return loss
