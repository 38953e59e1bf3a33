"""What the large training scripts share: options, optimizer, devices, and the resumable fit."""

import argparse
import contextlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from checkpoint import Checkpoint, ContinuedCurve, SaveCheckpoint

import keras_hplist as khl
from keras_hplist.errors import HPListError, InvalidValueError
from keras_hplist.figures.large_models import DEFAULT, DEFAULTS, TUNED, Source
from keras_hplist.tasks.errors import TaskDataError

_WARMUP = 0.05  # fraction of the steps, unless --warmup-steps says otherwise


@dataclass(frozen=True)
class Preset:
    """The size of a training problem.

    Attributes:
        task: its name in histories.
        batch_size: examples per step, over all devices.
        training_steps: number of updates.
        epoch_steps: number of updates between two evaluations, each followed by a checkpoint.
    """

    task: str
    batch_size: int
    training_steps: int
    epoch_steps: int


@dataclass(frozen=True)
class Problem:
    """What is trained on what.

    Attributes:
        build: makes the model, which gives logits.
        num_parameters: how many parameters it has to have, trained or not.
        train: gives the batches of the steps from `start` to before `stop`, always the same ones.
        valid: the batches of an evaluation.
    """

    build: Callable[[], keras.Model]
    num_parameters: int
    train: Callable[[int, int], tf.data.Dataset]
    valid: tf.data.Dataset


# --- options ------------------------------------------------------------------------------------


def parse(
    description: str, presets: Mapping[str, Preset], command: Sequence[str] | None = None
) -> argparse.Namespace:
    """Read and check the options; ends the program with status 2 where they do not fit.

    Args:
        description: what the script does, for `--help`.
        presets: by name.
        command: the options; default: those of the process.

    Returns:
        The options, with those left open filled in from the preset.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", choices=presets, default="laptop", help="default: %(default)s")
    what = parser.add_argument_group("optimizer: an entry of a list (default), or a baseline")
    what.add_argument("--list", help="shipped name or path of a list (default: nadamw)")
    what.add_argument("--entry", type=int, help="rank in the list (default: 0, the first to try)")
    what.add_argument("--baseline", choices=("adam", *DEFAULTS))
    what.add_argument("--learning-rate", type=_positive_float, help="of --baseline adam")
    what.add_argument(
        "--schedule",
        choices=tuple(TUNED),
        help="of --baseline adam: constant (default); warm-up and cosine; or fixed: warm-up, then "
        "the inverse square root of the step",
    )
    what.add_argument("--warmup-steps", type=_positive, help="default: 5 %% of the training steps")
    size = parser.add_argument_group("size, by default that of the preset")
    size.add_argument("--batch-size", type=_positive, help="over all devices")
    size.add_argument("--training-steps", type=_positive)
    size.add_argument("--epoch-steps", type=_positive, help="between evaluations and checkpoints")
    run = parser.add_argument_group("run")
    run.add_argument("--seed", type=int, default=0, help="of model and data (default: 0)")
    run.add_argument("--devices", type=_positive, help="default: every GPU, else one CPU")
    run.add_argument("--mixed-precision", choices=("float16", "bfloat16"))
    run.add_argument(
        "--jit-compile",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compile with XLA (default: yes, but not on several devices with TensorFlow)",
    )
    run.add_argument(
        "--data-dir", type=os.path.expanduser, help="of TensorFlow Datasets, for --preset full"
    )
    run.add_argument("--out", type=Path, default=Path("runs"), help="default: %(default)s")
    arguments = parser.parse_args(command)
    preset = presets[arguments.preset]
    for name in ("batch_size", "training_steps", "epoch_steps"):
        if getattr(arguments, name) is None:
            setattr(arguments, name, getattr(preset, name))
    arguments.task = preset.task
    if problem := _problem_with(arguments):
        parser.error(problem)
    if arguments.baseline is None:
        arguments.list, arguments.entry = arguments.list or "nadamw", arguments.entry or 0
    elif arguments.baseline == "adam":
        arguments.schedule = arguments.schedule or "constant"
    try:
        if arguments.baseline is None:
            khl.HyperparameterList.load(arguments.list)[arguments.entry]
    except (HPListError, FileNotFoundError, IndexError) as error:
        parser.error(str(error))
    return arguments


def _problem_with(arguments: argparse.Namespace) -> str | None:
    """What is wrong with the options taken together."""
    if arguments.baseline and (arguments.list is not None or arguments.entry is not None):
        return "--baseline stands in place of a list: leave out --list and --entry."
    if arguments.baseline == "adam" and arguments.learning_rate is None:
        return "--baseline adam needs --learning-rate, for example 1e-3."
    if arguments.baseline != "adam" and (arguments.learning_rate or arguments.schedule):
        return "--learning-rate and --schedule belong to --baseline adam; lists bring their own."
    if arguments.warmup_steps and arguments.schedule not in ("cosine", "fixed"):
        return "--warmup-steps belongs to --schedule cosine or fixed."
    if arguments.warmup_steps and arguments.warmup_steps >= arguments.training_steps:
        return f"--warmup-steps must be less than the {arguments.training_steps} training steps."
    if arguments.training_steps % arguments.epoch_steps:
        return (
            f"--training-steps {arguments.training_steps} is no multiple of --epoch-steps "
            f"{arguments.epoch_steps}: the last evaluation would be missing."
        )
    if arguments.devices and arguments.batch_size % arguments.devices:
        return f"--batch-size {arguments.batch_size} is no multiple of {arguments.devices} devices."
    return None


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive integer")
    return number


def _positive_float(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


# --- optimizers ---------------------------------------------------------------------------------


class InverseSquareRoot(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to the peak, then falling with the inverse square root of the step.

    The rate of step t, counted from 1, is peak * min(t / warmup, sqrt(warmup / t)): the schedule of
    Vaswani et al. 2017 (arXiv 1706.03762), section 5.3, with its peak in place of its width.

    Args:
        peak: the highest rate.
        warmup_steps: at which step it is reached.
    """

    def __init__(self, peak: float, warmup_steps: int) -> None:
        """Keep the arguments."""
        self.peak, self.warmup_steps = peak, warmup_steps

    def __call__(self, step: Any) -> Any:
        """The rate after `step` steps."""
        ratio = (keras.ops.cast(step, "float32") + 1.0) / self.warmup_steps
        return self.peak * keras.ops.minimum(ratio, keras.ops.rsqrt(ratio))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"peak": self.peak, "warmup_steps": self.warmup_steps}


def run_name(arguments: argparse.Namespace) -> str:
    """What the files of the run are called."""
    if arguments.baseline is None:
        name = f"{list_name(arguments)}-entry{arguments.entry}"
    elif arguments.baseline == "adam":
        name = f"adam-{arguments.schedule}-{arguments.learning_rate:.3g}"
    else:
        name = arguments.baseline
    return f"{name}-seed{arguments.seed}"


def list_name(arguments: argparse.Namespace) -> str:
    """The list without folder and ending."""
    return Path(arguments.list).stem


def make_optimizer(
    arguments: argparse.Namespace,
) -> tuple[keras.optimizers.Optimizer, dict[str, Any]]:
    """The optimizer that the options ask for.

    Returns:
        The optimizer, and how it stands in a history: arguments of `CurveRecorder`.
    """
    steps = arguments.training_steps
    if arguments.baseline is None:
        optimizer = khl.get_optimizer(arguments.list, arguments.entry, steps)
        return optimizer, {"source": str(Source.of_list(list_name(arguments), arguments.entry))}
    if arguments.baseline in DEFAULTS:
        optimizer = keras.optimizers.get(arguments.baseline.removeprefix("default-"))
        return optimizer, {"source": str(Source(DEFAULT))}
    rate, schedule = arguments.learning_rate, arguments.schedule
    source = str(Source(TUNED[schedule]))
    if schedule == "constant":
        return khl.optimizers.Adam1p(rate), {"source": source}
    warmup = arguments.warmup_steps or max(round(_WARMUP * steps), 1)
    rates: keras.optimizers.schedules.LearningRateSchedule = (
        InverseSquareRoot(rate, warmup)
        if schedule == "fixed"
        else keras.optimizers.schedules.CosineDecay(
            0.0, steps - warmup, warmup_target=rate, warmup_steps=warmup
        )
    )
    optimizer = keras.optimizers.Adam(rates, epsilon=1e-8)  # the epsilon of Adam1p
    values = {"learning_rate": rate, "warmup_steps": warmup}
    return optimizer, {"source": source, "space": f"adam_{schedule}", "values": values}


# --- the run ------------------------------------------------------------------------------------


def data_parallel(devices: int | None) -> contextlib.AbstractContextManager[Any]:
    """Where to make and train a model on several devices, each with its part of every batch.

    On TensorFlow a `tf.distribute.MirroredStrategy`, on JAX a `keras.distribution.DataParallel`.
    Without GPUs the CPU is divided into as many logical devices, to try the mechanism; on
    TensorFlow that has to come before anything else is done.

    Args:
        devices: how many; None: every GPU, or one CPU.

    Raises:
        InvalidValueError: if there are fewer GPUs, or the backend is neither of the two.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        gpus = len(tf.config.list_physical_devices("GPU"))
    elif backend == "jax":
        gpus = sum(name.startswith("gpu") for name in keras.distribution.list_devices())
    else:
        gpus = 0
    count = devices or max(gpus, 1)
    if count == 1:
        return contextlib.nullcontext()
    if backend not in ("tensorflow", "jax"):
        raise InvalidValueError(
            f"--devices {count} needs the backend tensorflow or jax; this is {backend}."
        )
    if gpus and count > gpus:
        raise InvalidValueError(f"--devices {count}: this machine has {gpus} GPUs.")
    if backend == "tensorflow":
        if not gpus:
            (cpu,) = tf.config.list_physical_devices("CPU")
            parts = [tf.config.LogicalDeviceConfiguration()] * count
            tf.config.set_logical_device_configuration(cpu, parts)
        kind = "GPU" if gpus else "CPU"
        return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(count)]).scope()
    found = keras.distribution.list_devices()
    if len(found) < count:
        raise InvalidValueError(
            f"--devices {count}: JAX sees {len(found)}. For logical CPU devices set "
            f"XLA_FLAGS=--xla_force_host_platform_device_count={count} before the start."
        )
    return keras.distribution.DataParallel(devices=found[:count]).scope()


def run(
    make_problem: Callable[[argparse.Namespace], Problem], arguments: argparse.Namespace
) -> None:
    """Train, or go on where an earlier call was stopped, and write the learning curve.

    Nothing is done if the history of the run is there already. What a user can mend ends the
    program with status 1 and a message.

    Args:
        make_problem: makes what is to be trained.
        arguments: from `parse`.
    """
    history = arguments.out / "histories" / f"{run_name(arguments)}.parquet"
    if history.exists():
        print(f"{history} is there already; nothing to do.")
        return
    try:
        with data_parallel(arguments.devices):
            _train(make_problem(arguments), arguments, history)
    except (HPListError, TaskDataError) as error:
        raise SystemExit(f"error: {error}") from error
    print(f"wrote {history}")


def _train(problem: Problem, arguments: argparse.Namespace, history: Path) -> None:
    precision = arguments.mixed_precision
    keras.config.set_dtype_policy(f"mixed_{precision}" if precision else "float32")
    keras.utils.set_random_seed(arguments.seed)
    optimizer, labels = make_optimizer(arguments)
    identity = _identity(arguments, optimizer)
    model = problem.build()
    check_parameters(model, problem.num_parameters)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # XLA finds no variables of a MirroredStrategy on devices other than the first.
        jit_compile=arguments.jit_compile and not tf.distribute.has_strategy(),
    )
    model.optimizer.build(model.trainable_variables)
    checkpoint = arguments.out / "checkpoints" / f"{history.stem}.npz"
    earlier = Checkpoint.read(checkpoint, identity) if checkpoint.exists() else None
    epochs, epochs_done = arguments.training_steps // arguments.epoch_steps, 0
    if earlier is not None:
        if earlier.epochs == epochs:  # stopped between the last checkpoint and the history
            khl.History.from_records([earlier.record]).write(history)
            return
        earlier.state.put_into(model)
        epochs_done = earlier.epochs
    start, stop = epochs_done * arguments.epoch_steps, arguments.training_steps
    print(
        f"{history.stem}: {model.count_params():,} parameters, steps {start} to {stop}", flush=True
    )
    curve = ContinuedCurve(
        history,
        earlier=earlier,
        steps_done=start,
        task=arguments.task,
        validation_data=problem.valid,
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        **labels,
    )
    model.fit(
        problem.train(start, stop),
        initial_epoch=epochs_done,
        epochs=epochs,
        steps_per_epoch=arguments.epoch_steps,
        validation_data=problem.valid,
        callbacks=[
            khl.callbacks.StopOnDivergence(),
            curve,
            SaveCheckpoint(checkpoint, identity, curve),
        ],
        shuffle=False,  # the data bring their order
        verbose=2,
    )


def check_parameters(model: keras.Model, expected: int) -> None:
    """See that a model is of the size it is meant to be.

    Raises:
        InvalidValueError: if it is not.
    """
    if (found := model.count_params()) != expected:
        raise InvalidValueError(f"The model has {found:,} parameters instead of {expected:,}.")


def _identity(
    arguments: argparse.Namespace, optimizer: keras.optimizers.Optimizer
) -> dict[str, Any]:
    """What two runs must share for one to go on where the other stopped, JSON-able."""
    config = optimizer.get_config()
    if isinstance(schedule := config["learning_rate"], Mapping):
        config |= schedule["config"]
    kept = ("task", "batch_size", "training_steps", "epoch_steps", "seed", "mixed_precision")
    return {
        **{name: getattr(arguments, name) for name in kept},
        "optimizer": type(optimizer).__name__,
        "hyperparameters": {
            name: value
            for name, value in config.items()
            if name != "name" and isinstance(value, bool | int | float | str)
        },
    }
