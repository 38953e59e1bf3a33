"""Time of one optimizer step: NAdamW against keras.optimizers.AdamW with a cosine schedule.

Both update the same model of 2, 20 or 60 variables with the same gradients, inside a compiled
function, with XLA and without, in turns within one run. Printed is the median of the ratios of
neighbouring turns, so that whatever else the machine does meets both alike.

    python benchmarks/optimizer_step.py [--width 128] [--turns 60] [--steps 20]
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from keras_hplist.optimizers import NAdamW

TRAINING_STEPS = 10_000


def make_adamw() -> keras.optimizers.Optimizer:
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, TRAINING_STEPS)
    return keras.optimizers.AdamW(schedule, weight_decay=1e-3)


def make_nadamw() -> keras.optimizers.Optimizer:
    return NAdamW(
        1e-3,
        use_nesterov=True,
        adamw_weight_decay=1e-3,
        l2_weight_decay=1e-4,
        warmup_fraction=0.05,
        constant_fraction=0.1,
        min_learning_rate_mult=0.01,
        training_steps=TRAINING_STEPS,
    )


def make_model(variables: int, width: int) -> keras.Model:
    layers = [keras.layers.Dense(width, activation="tanh") for _ in range(variables // 2)]
    return keras.Sequential([keras.Input((width,)), *layers])


def update_function(
    make_optimizer: Callable[[], keras.optimizers.Optimizer], variables: int, width: int, jit: bool
) -> Callable[[], None]:
    """A compiled function that applies fixed gradients once."""
    weights = make_model(variables, width).trainable_variables
    optimizer = make_optimizer()
    optimizer.build(weights)
    random = np.random.default_rng(0)
    gradients = [tf.constant(random.normal(size=w.shape), tf.float32) for w in weights]

    @tf.function(jit_compile=jit)
    def update() -> None:
        optimizer.apply(gradients)

    return update


def train_function(
    make_optimizer: Callable[[], keras.optimizers.Optimizer], variables: int, width: int, jit: bool
) -> Callable[[], None]:
    """The compiled train step of `model.fit`, on one batch of 32."""
    model = make_model(variables, width)
    model.compile(make_optimizer(), "mse", jit_compile=jit)
    random = np.random.default_rng(0)
    x, y = (tf.constant(random.normal(size=(32, width)), tf.float32) for _ in range(2))
    model.make_train_function()
    model.optimizer.build(model.trainable_variables)

    def batches():  # type: ignore[no-untyped-def]
        while True:
            yield x, y

    endless = batches()
    return lambda: model.train_function(endless)


def seconds(function: Callable[[], None], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        function()
    return (time.perf_counter() - start) / steps


def compare(
    make_function: Callable[..., Callable[[], None]],
    variables: int,
    width: int,
    jit: bool,
    turns: int,
    steps: int,
) -> tuple[float, float, float]:
    """Median seconds of a step of AdamW and of NAdamW, and the median ratio of neighbours."""
    adamw = make_function(make_adamw, variables, width, jit)
    nadamw = make_function(make_nadamw, variables, width, jit)
    for function in (adamw, nadamw):
        seconds(function, 3)  # compiles
    pairs = []
    for turn in range(turns):
        if turn % 2:  # neither is always the second
            b, a = seconds(nadamw, steps), seconds(adamw, steps)
        else:
            a, b = seconds(adamw, steps), seconds(nadamw, steps)
        pairs.append((a, b))
    baseline = statistics.median(a for a, _ in pairs)
    ours = statistics.median(b for _, b in pairs)
    return baseline, ours, statistics.median(b / a for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--width", type=int, default=128, help="units of each dense layer")
    parser.add_argument("--turns", type=int, default=60, help="turns of each optimizer")
    parser.add_argument("--steps", type=int, default=20, help="steps of a turn")
    arguments = parser.parse_args()
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, width {arguments.width}")
    print(
        f"{'measured':<12}{'variables':>10}{'jit':>7}{'AdamW us':>11}{'NAdamW us':>11}{'ratio':>8}"
    )
    for name, make_function in (("update", update_function), ("train step", train_function)):
        for jit in (False, True):
            for variables in (2, 20, 60):
                a, b, ratio = compare(
                    make_function, variables, arguments.width, jit, arguments.turns, arguments.steps
                )
                print(
                    f"{name:<12}{variables:>10}{jit!s:>7}{a * 1e6:>11.0f}{b * 1e6:>11.0f}"
                    f"{ratio:>8.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
