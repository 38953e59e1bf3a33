"""Data sets that TensorFlow Datasets has prepared already."""

from typing import Any

from keras_hplist.errors import InvalidValueError, MissingExtraError

try:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.read_only_builder import builder_from_files
except ImportError as error:
    raise MissingExtraError("tensorflow-datasets", "tfds", "--preset full") from error


def prepared_builder(name: str, data_dir: str | None) -> Any:
    """The builder of a prepared data set; never downloads.

    Args:
        name: in TensorFlow Datasets.
        data_dir: folder of prepared data; None: the default one of TensorFlow Datasets.

    Raises:
        InvalidValueError: if it is not prepared there; the message says how to prepare it.
    """
    try:
        return builder_from_files(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        folder = data_dir or str(tfds.core.constants.DATA_DIR)
        raise InvalidValueError(
            f"{name} is not prepared in {folder}. Give --data-dir, or prepare it with "
            f"tensorflow_datasets.load({name!r}, data_dir={folder!r}); docs/large.md says what "
            "that needs."
        ) from error
