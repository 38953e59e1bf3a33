"""The reference of the population trainer: `model.fit` on the same batches."""

import keras
import numpy as np
import tensorflow as tf

from keras_hplist.training import KerasTask
from keras_hplist.training.timing import evaluation_batches

STEPS = 8
# Sums taken in another order differ in the last digits; the steps amplify that.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-6}


def validation_loss(task, weights, seed, statistics=()):
    """The loss of given weights on the batches that the trainer evaluates on."""
    program = task.program

    def loss_value(weights, batch, seed):
        if isinstance(task, KerasTask):
            return program.evaluation_loss(weights, statistics, batch, seed)
        return program.loss_value(weights, batch, seed)

    count = evaluation_batches(STEPS, 1, task.batch_size)
    split = task.data.outer_valid
    size = min(
        task.batch_size, *(len(getattr(task.data, s)) for s in ("train", "outer_valid", "test"))
    )
    # Compiled, because TensorFlow's compiled draws are others than its uncompiled ones.
    loss = tf.function(loss_value, jit_compile=True)
    return np.mean(
        [
            # Batches of the validation split come after those of the training split.
            loss(weights, split.batch(k, size, 1_000_003), np.int32([seed ^ 0x5EED, count + k]))
            for k in range(count)
        ]
    )


def model_after_fit(task, space, values, seed):
    """The Keras model that `model.fit` trained on the same batches."""
    batches = [task.data.train.batch(k, task.batch_size, seed) for k in range(STEPS)]
    x, y = (np.concatenate(arrays) for arrays in zip(*batches))
    keras.utils.set_random_seed(seed)
    model = task.build_model()
    model.compile(space.optimizer(values, STEPS), loss=task.loss)
    model.fit(x, y, batch_size=task.batch_size, shuffle=False, verbose=0)
    return model


def loss_after_model_fit(task, space, values, seed):
    """The validation loss of that model."""
    model = model_after_fit(task, space, values, seed)
    statistics = [v.value for v in model.non_trainable_variables if "moving" in v.path]
    return validation_loss(task, [w.value for w in model.trainable_variables], seed, statistics)
