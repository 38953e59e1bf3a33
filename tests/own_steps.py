"""A model with steps of its own, which report their loss in one way or another."""

import keras
import tensorflow as tf


class OwnSteps(keras.Sequential):
    """Reports the loss of each batch, or its mean in a metric of another name.

    Args:
        layers: of the model.
        name: under which the train step reports its loss.
        tested: under which the test step does.
        mean: whether it is the mean over the epoch so far.

    Attributes:
        true_losses: of the batches it was trained on, where it runs eagerly.
    """

    def __init__(self, layers, name="loss", tested="loss", mean=False):
        super().__init__(layers)
        self.trained, self.tested, self.true_losses = name, tested, []
        self.mean = keras.metrics.Mean("mean_of_all") if mean else None

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self.batch_loss(*data)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        self.true_losses.append(float(loss))
        return {self.trained: self.report(loss)}

    def test_step(self, data):
        return {self.tested: self.report(self.batch_loss(*data))}

    def batch_loss(self, x, y):
        return keras.ops.mean((self(x) - y) ** 2)

    def report(self, loss):
        if self.mean is None:
            return loss
        self.mean.update_state(loss)
        return self.mean.result()
