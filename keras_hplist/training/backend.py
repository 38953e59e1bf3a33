"""The backend of Keras on which populations train."""

from keras_hplist.errors import InvalidValueError


def check_backend() -> None:
    """Refuse any backend but TensorFlow, before it is given what it cannot take.

    Raises:
        InvalidValueError: if Keras's backend is another one.
    """
    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise InvalidValueError(
            f"Populations train with TensorFlow, and Keras's backend is {backend!r}. Set "
            "KERAS_BACKEND=tensorflow before Keras is imported."
        )
