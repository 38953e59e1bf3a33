"""What tasks of the suite compute, on whatever backend of Keras; as a script it prints this."""

import json

import keras
import numpy as np
from keras import ops

from keras_hplist import tasks
from keras_hplist.tasks.layers import Draws

# Draws in the network, draws in the loss, recurrence, convolution.
NAMES = (
    "mlp_vae_family_seed10",
    "quadratic_family_seed0",
    "char_rnn_language_model_family_seed21",
    "conv_fc_family_seed29",
)


def drawn():
    """Some numbers of each distribution."""
    draws = Draws(ops.convert_to_tensor(np.array([2**31 - 1, 7], "int32")))
    tensors = [
        draws.uniform((4, 3)),
        draws.normal((5,)),
        draws.bernoulli((9,), 0.3),
        draws.integers((9,), 1000),
    ]
    return [ops.convert_to_numpy(tensor).ravel().tolist() for tensor in tensors]


def losses(name):
    """The mean loss of three steps of `fit`, and the loss before them."""
    task = tasks.get(name)
    model = task.compile(keras.optimizers.SGD(1e-9), seed=1, jit_compile=False)
    batch = task.data.train.batch(0, task.batch_size, 1)
    before = model.evaluate(*batch, batch_size=task.batch_size, verbose=0)
    fitted = model.fit(task.train_data(1), steps_per_epoch=3, verbose=0)
    return [float(before), float(fitted.history["loss"][0])]


def everything():
    """All of it, as what JSON can hold."""
    return {"draws": drawn(), "losses": {name: losses(name) for name in NAMES}}


if __name__ == "__main__":
    print(json.dumps(everything()))
