"""The error that ends a whole search."""

import keras_tuner

from keras_hplist.errors import InvalidValueError


class SetupError(InvalidValueError, keras_tuner.errors.FatalError):
    """A mistake in the set-up that every trial would repeat.

    KerasTuner lets a `FatalError` out of `search()` at once, where any other exception only fails
    the trial.
    """
