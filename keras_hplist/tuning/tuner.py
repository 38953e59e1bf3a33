"""The KerasTuner tuner that tries a hyperparameter list on a user's model."""

import functools
import gc
import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.engine.tuner import maybe_distribute
from keras_tuner.src.engine.tuner_utils import TunerCallback

from keras_hplist.errors import InvalidValueError
from keras_hplist.history import History
from keras_hplist.history.keras_tuner_project import CURVES, curve_file, curve_files
from keras_hplist.lists import HyperparameterList
from keras_hplist.spaces.bookkeeping import RUN, is_bookkeeping
from keras_hplist.tuning import summaries
from keras_hplist.tuning.arguments import check_tuner_settings, directions
from keras_hplist.tuning.best_epoch import BestEpoch
from keras_hplist.tuning.compiled_models import CompiledModels, build_like
from keras_hplist.tuning.curve_recorder import CurveRecorder
from keras_hplist.tuning.divergence import StopOnDivergence
from keras_hplist.tuning.fit_checks import ReadCheck, check_measured, check_used, check_validated
from keras_hplist.tuning.fit_data import data_told
from keras_hplist.tuning.hypermodel import OptimizerHyperModel
from keras_hplist.tuning.model_state import inner_optimizer
from keras_hplist.tuning.oracle import HyperparameterListOracle
from keras_hplist.tuning.shared_tuner import SharedTuner
from keras_hplist.tuning.trial_store import load_state, save_state

_LARGE = 1_000_000  # parameters of a model whose memory is not left to the garbage collector


class HyperparameterListTuner(SharedTuner):
    """Tries the entries of a hyperparameter list on a user's model.

    The model stays as the user builds and compiles it; each trial swaps in the optimizer of its
    entry (see `OptimizerHyperModel`). All else is KerasTuner's: `search(...)` takes the arguments
    of `model.fit`, then `get_best_models()`, `get_best_hyperparameters()`, `results_summary()`.

    **Your own space.** The values of a list over a space of the user's own reach the model only as
    far as `build_model` or `HyperModel.fit` read them. If they read none, `search` ends with a
    `SetupError` after the first trial; if some, it warns of the others. A tuner with a `run_trial`
    of the user's own is not checked.

    **Seeds.** Each execution of a trial sets the seeds of Python, NumPy and the backend with
    `keras.utils.set_random_seed`, to a number made of the tuner's seed, the trial id, the execution
    and, in a retry, how often the trial ran before. Two searches with one seed give the same
    scores, as far as the user's data and the device are deterministic.

    **Compiled once.** Where the trials' models differ in numbers only, all are trained with the
    train step that the first one compiled; the results are those of a model built anew (see
    `CompiledModels`). Where they do not, each model is compiled.

    **Curves.** The learning curve of each execution is a row of the history in
    `<directory>/<project_name>/curves`; read it with `History.read`.

    **Divergence.** A trial whose training loss is no longer finite ends early. Its score is its
    best epoch before that; if there is none, it is a result (diverged, ranked last), not a failure.
    An epoch whose objective is not finite, such as a precision of 0/0, is passed over.

    Args:
        hypermodel: a function `build_model(hp)` that returns a compiled Keras model, or a
            `keras_tuner.HyperModel`. The optimizer it compiles with is replaced.
        objective: what to minimize or maximize, as in KerasTuner.
        max_trials: how many trials to run at most; None: the whole list.
        hyperparameter_list: a `HyperparameterList`, the name of a shipped one, or the path of a
            list file.
        after_list: "stop", "sample" or "bayesian", see `HyperparameterListOracle`.
        architecture: "default" or "random": what to do with hyperparameters of the model that the
            list does not set, see `HyperparameterListOracle`.
        seed: a whole number from 0; None: a random one.
        hyperparameters: definitions that take the place of those in `build_model`.
        tune_new_entries: as in KerasTuner.
        allow_new_entries: as in KerasTuner.
        max_retries_per_trial: how often a trial that crashed or diverged runs again, each time from
            other weights and with other draws.
        max_consecutive_failed_trials: so many failed trials in a row end the search.
        order: "list" or "adaptive": whether the trials so far change the order of the entries, see
            `HyperparameterListOracle`.
        task: name of the problem in the history of learning curves; default: the project's name.
        initial_loss: whether to evaluate the validation data of `model.fit` once before training,
            as the first point of each curve; scores that are normalised by the initial loss need
            it. There is none where this would use the data up (a generator), and where a
            `HyperModel.fit` trains without `model.fit`.
        stop_on_divergence: whether to end a fit whose loss is not finite.
        reuse_compiled: whether to train with one compiled train step where that gives the results
            of a new one. Needs the memory of two models while it copies. No matter on PyTorch.
        **kwargs: of `keras_tuner.Tuner`: `directory`, `project_name`, `overwrite`,
            `executions_per_trial`, `max_model_size`, `distribution_strategy`, `tuner_id`.

    Attributes:
        hyperparameter_list: the list.
        curves: path of the folder of learning curves.

    Raises:
        SetupError: if `hypermodel` does not build a compiled Keras model.
        InvalidValueError: if an argument is not allowed. These and the errors of
            `HyperparameterListOracle` come before anything is changed on disk.
    """

    def __init__(
        self,
        hypermodel: keras_tuner.HyperModel | Callable[[keras_tuner.HyperParameters], keras.Model],
        objective: Any = "val_loss",
        max_trials: int | None = 10,
        hyperparameter_list: str | os.PathLike[str] | HyperparameterList = "nadamw",
        after_list: str = "stop",
        architecture: str = "default",
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        order: str = "list",
        task: str | None = None,
        initial_loss: bool = True,
        stop_on_divergence: bool = True,
        reuse_compiled: bool = True,
        **kwargs: Any,
    ) -> None:
        """Check everything, then open or make the project."""
        if kwargs.get("optimizer") is not None:
            raise InvalidValueError(
                f"optimizer is {kwargs['optimizer']!r}; the list decides on the optimizer. Leave "
                "the argument out, or use keras_tuner.RandomSearch."
            )
        check_tuner_settings({**kwargs, "task": task})
        oracle = HyperparameterListOracle(
            objective=objective,
            max_trials=max_trials,
            hyperparameter_list=hyperparameter_list,
            after_list=after_list,
            architecture=architecture,
            seed=seed,
            hyperparameters=hyperparameters,
            allow_new_entries=allow_new_entries,
            tune_new_entries=tune_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
            order=order,
        )
        self.hyperparameter_list = oracle.hyperparameter_list
        wrapped = OptimizerHyperModel(hypermodel, self.hyperparameter_list.space)
        # KerasTuner makes the project folder, or deletes the old one, before it builds a model.
        wrapped.build(oracle.get_space())
        self.initial_loss = initial_loss
        self.stop_on_divergence = stop_on_divergence
        # PyTorch runs step by step, or compiles a step for the model that it has seen.
        self.reuse_compiled = reuse_compiled and keras.backend.backend() != "torch"
        self._models = CompiledModels()
        self._read_check = ReadCheck(self.hyperparameter_list)
        super().__init__(oracle, wrapped, **kwargs)
        self.task = task or self.project_name
        # While a worker searches, its `oracle` is a proxy of the chief's that knows no seed.
        self._seed, self._architecture = oracle.seed, oracle.architecture
        self._order, self._after_list = oracle.order, oracle.after_list

    @property
    def curves(self) -> Path:
        """The folder of learning curves; made with the first curve."""
        return Path(self.project_dir) / CURVES

    # Running trials.

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> list[Any]:
        """Train one trial, `executions_per_trial` times.

        Args:
            trial: whose values to train with.
            *args: of `search()`.
            **kwargs: of `search()`.

        Returns:
            What `HyperModel.fit` returned, for each execution.
        """
        if any(name.startswith("val_") for name in directions(self.oracle.objective)):
            check_validated(kwargs.get("validation_freq", 1))
        checkpoint = BestEpoch(self.oracle.objective, self._get_checkpoint_fname(trial.trial_id))
        users_callbacks = kwargs.pop("callbacks", None) or []
        results = []
        for execution in range(self.executions_per_trial):
            callbacks = self._deepcopy_callbacks(users_callbacks)
            self._configure_tensorboard_dir(callbacks, trial, execution)
            callbacks += [TunerCallback(self, trial), checkpoint]
            results.append(
                self._execute(trial, execution, args, {**kwargs, "callbacks": callbacks})
            )
            checkpoint.write()
        return results

    def _execute(self, trial: Trial, execution: int, args: tuple, kwargs: dict[str, Any]) -> Any:
        hp = trial.hyperparameters
        seed = _execution_seed(self._seed, trial.trial_id, execution, hp.values.get(RUN, 0))
        # Each time anew, so that what building a model draws makes no difference to training.
        set_seed = functools.partial(keras.utils.set_random_seed, seed)
        set_seed()
        model = self._try_build(hp)
        set_seed()
        if self.reuse_compiled:
            with maybe_distribute(self.distribution_strategy):
                model = self._models.adopt(model, context=self._decisive_values(hp))
        recorder = self._recorder(trial, execution, seed)
        objectives = list(directions(self.oracle.objective))
        kwargs["callbacks"] = [
            keras.callbacks.LambdaCallback(on_train_begin=lambda logs: set_seed()),
            recorder,
            # Before the checkpoint, which must see what this makes of the objective.
            StopOnDivergence(objectives, self.stop_on_divergence),
            *kwargs["callbacks"],
        ]
        try:
            with data_told(model, recorder):
                results = self.hypermodel.fit(hp, model, *args, **kwargs)
        except Exception as error:
            self._models.forget()
            if not isinstance(error, keras_tuner.errors.FatalError):
                recorder.write("failed")
            raise
        if self.hypermodel.swaps_optimizer:
            check_used(inner_optimizer(model))
        elif type(self).run_trial is HyperparameterListTuner.run_trial:  # another may read some
            self._read_check.check(self.hypermodel.configuration(hp), self.hypermodel.names_read)
        check_measured(results, objectives)
        save_state(self._get_build_config_fname(trial.trial_id), model.get_build_config() or {})
        return results

    def _try_build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build a model as the first of a new Keras session, whose names count from the start."""
        _clear_session()
        model = self._build_hypermodel(hp)
        size = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        if self.max_model_size and size > self.max_model_size:
            raise keras_tuner.errors.FailedTrialError(
                f"The model has {size} parameters; max_model_size allows {self.max_model_size}."
            )
        if size > _LARGE or not self.reuse_compiled:
            gc.collect()  # of models that lie in reference cycles; takes a tenth of a second
        return model

    def _decisive_values(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """The values on which the model depends: the user's, and what its build uses of others."""
        used = {name: hp.values.get(name) for name in self.hypermodel.names_used}
        return self._model_values(hp) | used

    def _model_values(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """The values of the user's hyperparameters, which the list does not set."""
        listed = self.hyperparameter_list.space.names if self.hypermodel.swaps_optimizer else ()
        return {
            name: value
            for name, value in hp.values.items()
            if name not in listed and not is_bookkeeping(name)
        }

    def _recorder(self, trial: Trial, execution: int, seed: int) -> CurveRecorder:
        space = self.hyperparameter_list.space
        return CurveRecorder(
            self.curves / curve_file(trial.trial_id, execution),
            task=self.task,
            initial=self.initial_loss,
            values=self.hypermodel.configuration(trial.hyperparameters),
            space=space,
            seed=seed,
            source="keras_hplist tuner",
        )

    def on_search_end(self) -> None:
        """Let go of the model that was trained last."""
        self._models.forget()

    # What was found.

    def load_model(self, trial: Trial) -> keras.Model:
        """The model of a trial at its best epoch, with its optimizer's state.

        Args:
            trial: a completed one.

        Returns:
            A compiled model of its own, built anew.

        Raises:
            FileNotFoundError: if no model was saved in the trial, as in a `run_trial` of the user's
                own.
        """
        checkpoint = self._get_checkpoint_fname(trial.trial_id)
        if not Path(checkpoint).exists():
            raise FileNotFoundError(
                f"Trial {trial.trial_id} has no saved model: there is no {checkpoint}. The best "
                "epoch is saved where HyperModel.fit hands its callbacks on to model.fit; in a "
                "run_trial of your own, save the weights under this name with model.save_weights. "
                "For the model untrained: hypermodel.build(get_best_hyperparameters()[0])."
            )
        model = self._try_build(trial.hyperparameters)
        build_like(model, load_state(self._get_build_config_fname(trial.trial_id)))
        with maybe_distribute(self.distribution_strategy):
            if model.optimizer is not None:
                model.optimizer.build(model.trainable_variables)
            model.load_weights(checkpoint)
        return model

    def get_best_models(self, num_models: int = 1) -> list[keras.Model]:
        """The models of the best trials, best first, each at its best epoch.

        Args:
            num_models: how many at most; trials that diverged or failed have no model.

        Returns:
            Compiled models.

        Raises:
            InvalidValueError: if no trial has a model.
            FileNotFoundError: if a trial has a score, but no saved model; see `load_model`.
        """
        trials = self.oracle.get_best_trials(num_models)
        models = [self.load_model(trial) for trial in trials if summaries.has_result(trial)]
        if not models:
            raise InvalidValueError(
                f"No trial in {self.project_dir} has a model: all failed or diverged, or none ran. "
                "results_summary() tells them apart."
            )
        return models

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best trials: rank in the list, score, how they ended; and the best values.

        Args:
            num_trials: how many trials.
        """
        known = self.oracle.get_best_trials(self.oracle.max_trials)
        trials = known[:num_trials]
        print("Results summary")
        print(f"Results in {self.project_dir}")
        if running := sum(trial.status == TrialStatus.RUNNING for trial in known):
            print(f"{running} of {len(known)} trials have not ended yet.")
        print(f"{self._list_line()} Best {len(trials)} trials:")
        objective, diverged = self.oracle.objective.name, self._diverged_trials()
        for line in summaries.trial_lines(trials, objective, diverged):
            print(line)
        if trials and summaries.has_result(trials[0]):
            print(f"Hyperparameters of the best trial, {trials[0].trial_id}:")
            trials[0].display_hyperparameters()

    def _diverged_trials(self) -> set[str]:
        """Ids of the trials of which an execution diverged, from the curves."""
        diverged = set()
        for file in curve_files(Path(self.project_dir)):
            if len(History.read(file.path, skip_damaged=True).select(status="diverged")):
                diverged.add(file.trial)
        return diverged

    def search_space_summary(self, extended: bool = False) -> None:
        """Print which list entries are tried, and which hyperparameters stand beside them.

        Args:
            extended: whether to print KerasTuner's definition of each hyperparameter too.
        """
        print("Search space summary")
        print(self._list_line())
        print(f"The list sets {', '.join(self.hyperparameter_list.space.names)}.")
        own = self._model_values(self.oracle.get_space())
        if own:
            treatment = {"default": "held at", "random": "drawn at random for each trial, not"}
            print(f"Of the model, {treatment[self._architecture]} their defaults:")
            for name, value in own.items():
                print(f"  {name} = {value!r}")
        if extended:
            super().search_space_summary()

    def _list_line(self) -> str:
        return summaries.list_line(
            self.hyperparameter_list, self.oracle.max_trials, self._order, self._after_list
        )


def _execution_seed(seed: int, trial_id: str, execution: int, run: int) -> int:
    """A seed from 0 to 2**31 - 1 that differs between trials, their executions and their runs."""
    again = f"/{run}" if run else ""
    return zlib.crc32(f"{seed}/{int(trial_id)}/{execution}{again}".encode()) >> 1


def _clear_session() -> None:
    """Start Keras's counters of names anew, keeping the settings that KerasTuner would lose."""
    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)
    if distribution is not None:
        keras.distribution.set_distribution(distribution)
