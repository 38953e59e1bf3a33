"""The callback that shows trials in TensorBoard: rank, learning rate, best so far, HParams."""

import copy
import math
import os
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import keras_tuner
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from keras_hplist.checks import checked_count
from keras_hplist.errors import InvalidValueError
from keras_hplist.lists import HyperparameterList
from keras_hplist.lists.hyperparameter_list import checked_list
from keras_hplist.optimizers import RuleOptimizer
from keras_hplist.spaces.bookkeeping import INDEX, LIST_RANK, own_values
from keras_hplist.tuning.arguments import checked_objective
from keras_hplist.tuning.curve_recorder import hyperparameters_of
from keras_hplist.tuning.model_state import inner_optimizer, synchronize

TAGS = {
    "rank": "trial/list_rank",
    "rate": "trial/learning_rate",
    "objective": "trial/objective",
    "best": "trial/best_objective_so_far",
}
"""The scalars' names in TensorBoard."""


class TensorBoardTrial(keras.callbacks.Callback):
    """Writes what `keras.callbacks.TensorBoard` cannot know of a trial or of a plain fit.

    Scalars, over the number of batches that the optimizer has seen:

    - `trial/list_rank`: the rank of the entry in the list, -1 where it is not from the list;
    - `trial/learning_rate`: what the next update takes, after the schedule;
    - `trial/objective`: the best value of the objective in this fit so far, which is a trial's
      result;
    - `trial/best_objective_so_far`: the best of this fit and all trials before.

    For TensorBoard's HParams page each fit is a session with its hyperparameters, its rank
    (`list_rank`), and `trial/objective` as the metric; one that diverged has the status "failure".
    The event files are made with TensorBoard's own writer and summaries, on every backend of Keras.

    Args:
        log_dir: folder of the logs. A plain fit writes into it; a trial, into
            `<log_dir>/<trial id>/execution<n>`, where KerasTuner has `TensorBoard` write too.
        tuner: the KerasTuner tuner, this package's or any other, to whose `search` the callback is
            given; None for a plain fit. A worker of a parallel search is not told the ids of its
            trials: its fits are `<log_dir>/<tuner id>/execution<n>`.
        hyperparameter_list: in which to look up the rank of a plain fit's optimizer, a list, a
            name or a path; None: no rank. A tuner's trials know their rank.
        objective: of a plain fit, a name in its logs or a `keras_tuner.Objective`; default:
            "val_loss". A tuner knows its own.
        every: "epoch", or a number of batches after which the learning rate is written besides.

    Raises:
        InvalidValueError: if `every` or the objective is not allowed, or one is given for a tuner.
        UnknownNameError: if there is no such list.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        tuner: keras_tuner.Tuner | None = None,
        *,
        hyperparameter_list: str | os.PathLike[str] | HyperparameterList | None = None,
        objective: Any = None,
        every: Literal["epoch"] | int = "epoch",
    ) -> None:
        """Check the arguments; nothing is written yet."""
        super().__init__()
        if every != "epoch":
            every = checked_count("every", every, 1, or_else="'epoch'")
        if tuner is not None and objective is not None:
            raise InvalidValueError(
                f"objective is {objective!r}, and a tuner is given, which has its own; leave out "
                "one of the two."
            )
        self.log_dir, self.tuner, self.every = Path(log_dir), tuner, every
        if tuner is None:
            self.objective = checked_objective(objective or "val_loss")
        else:
            self.objective = tuner.oracle.objective
            hyperparameter_list = hyperparameter_list or getattr(tuner, "hyperparameter_list", None)
        self.list_ = None if hyperparameter_list is None else checked_list(hyperparameter_list)
        self._sign = 1 if self.objective.direction == "min" else -1
        self._fits: Counter[str] = Counter()  # of each trial, over all copies of the callback
        self._before = math.inf  # the best result before this fit, times the sign
        self._writer: _Events | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> "TensorBoardTrial":
        """A copy for one execution of a trial, as KerasTuner makes; it shares the tuner."""
        return copy.copy(self)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Begin a session: its hyperparameters and its rank."""
        trial = self._running()
        values = (
            hyperparameters_of(inner_optimizer(self.model))
            if trial is None
            # Past what notes in a fit which values the model reads.
            else dict(dict.items(trial.hyperparameters.values))
        )
        rank = values.get(INDEX, self._looked_up(values))
        values = _shown(values, rank)
        folder, group = self.log_dir, os.fspath(self.log_dir)
        if self.tuner is not None:
            self._before = self._best_of_trials()
            group = self.tuner.tuner_id if trial is None else trial.trial_id
            folder = self.log_dir / group / f"execution{self._fits[group]}"
        if not self._fits:
            _Events(self.log_dir).write(_experiment(self._all(values), self.objective.name)).close()
        self._fits[group] += 1
        self._here = math.inf
        self._finite, self._begun = True, False
        self._written = 0  # batches of the epoch at the last point
        self._writer = _Events(folder).write(_session_start(values, group))
        if rank is not None:
            self._writer.scalar(TAGS["rank"], rank, self._step())

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Write the learning rate of the first update, when its schedule is planned."""
        if not self._begun:
            self._begun = True
            self._write_rate()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Write the learning rate where it falls due."""
        self._finite = math.isfinite((logs or {}).get("loss", 0.0))
        if self.every != "epoch" and (batch + 1) // self.every > self._written // self.every:
            self._write_rate()
            self._written = batch + 1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the learning rate and the objective."""
        self._written = 0
        writer, step = self._write_rate()
        try:
            value = float(self.objective.get_value(logs or {}))
        except KeyError:  # measured in some epochs only
            value = math.nan
        if math.isfinite(value):
            self._here = min(self._here, self._sign * value)
        for tag, best in (("objective", self._here), ("best", min(self._here, self._before))):
            if math.isfinite(best):
                writer.scalar(TAGS[tag], self._sign * best, step)
        writer.flush()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """End the session."""
        if self._writer is not None:
            self._writer.write(_session_end(self._finite)).close()
            self._writer = None
        if self.tuner is None:  # the next fit of the same callback goes on from here
            self._before = min(self._before, self._here)

    def _write_rate(self) -> "tuple[_Events, int]":
        assert self._writer is not None
        synchronize(self.model)
        optimizer, step = inner_optimizer(self.model), self._step()
        if isinstance(optimizer, RuleOptimizer):
            rate = optimizer.scheduled_learning_rate
        else:
            rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        self._writer.scalar(TAGS["rate"], rate, step)
        return self._writer, step

    def _step(self) -> int:
        """The number of batches that the optimizer has seen."""
        return int(keras.ops.convert_to_numpy(inner_optimizer(self.model)._iterations))

    def _running(self) -> Any:
        """The trial that is running; None for a plain fit and on a worker, which is not told."""
        ongoing = getattr(getattr(self.tuner, "oracle", None), "ongoing_trials", {})
        return ongoing.get(getattr(self.tuner, "tuner_id", None))

    def _all(self, values: dict[str, Any]) -> dict[str, Any]:
        """An example of each hyperparameter that this fit or another trial may have."""
        space = [] if self.tuner is None else self.tuner.oracle.get_space().space
        return _shown({hp.name: hp.default for hp in space}, None) | values

    def _best_of_trials(self) -> float:
        """The best result of the trials that have ended, times the sign; inf if there is none."""
        assert self.tuner is not None
        best = self.tuner.oracle.get_best_trials(1)
        score = best[0].score if best else None
        return self._sign * score if score is not None and math.isfinite(score) else math.inf

    def _looked_up(self, values: Mapping[str, Any]) -> int | None:
        if self.list_ is None:
            return None
        names = self.list_.space.names
        own = {name: values[name] for name in names if name in values}
        for rank, entry in enumerate(self.list_):
            if {name: entry[name] for name in names if name in entry} == own:
                return rank
        return -1


def _shown(values: Mapping[str, Any], rank: int | None) -> dict[str, Any]:
    """The values without bookkeeping, and the rank."""
    return own_values(values) | ({} if rank is None else {LIST_RANK: rank})


class _Events:
    """One event file."""

    def __init__(self, folder: Path) -> None:
        self._file = EventFileWriter(os.fspath(folder))

    def write(self, summary: Any, step: int = 0) -> "_Events":
        self._file.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        return self

    def scalar(self, tag: str, value: float, step: int) -> None:
        self.write(scalar_pb(tag, value), step)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _experiment(values: Mapping[str, Any], objective: str) -> Any:
    """Which hyperparameters and which metric the HParams page shows."""
    kinds = {bool: api_pb2.DATA_TYPE_BOOL, str: api_pb2.DATA_TYPE_STRING}
    experiment = api_pb2.Experiment(
        hparam_infos=[
            api_pb2.HParamInfo(name=name, type=kinds.get(type(value), api_pb2.DATA_TYPE_FLOAT64))
            for name, value in sorted(values.items())
        ],
        metric_infos=[
            api_pb2.MetricInfo(
                name=api_pb2.MetricName(tag=TAGS["objective"]), display_name=objective
            )
        ],
        time_created_secs=time.time(),
    )
    data = plugin_data_pb2.HParamsPluginData(experiment=experiment)
    return _summary(metadata.EXPERIMENT_TAG, data)


def _session_start(values: Mapping[str, Any], group: str) -> Any:
    return hparams_pb(dict(values), trial_id=group)


def _session_end(finite: bool) -> Any:
    end = plugin_data_pb2.SessionEndInfo(
        status=api_pb2.STATUS_SUCCESS if finite else api_pb2.STATUS_FAILURE,
        end_time_secs=time.time(),
    )
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    return _summary(metadata.SESSION_END_INFO_TAG, data)


def _summary(tag: str, data: Any) -> Any:
    """What the HParams plugin looks for; TensorBoard's own function for it imports TensorFlow."""
    value = Summary.Value(
        tag=tag, metadata=metadata.create_summary_metadata(data), tensor=metadata.NULL_TENSOR
    )
    return Summary(value=[value])
