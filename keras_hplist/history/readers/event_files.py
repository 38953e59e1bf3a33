"""TensorBoard's event files: records with checksums, each an `Event` protocol buffer.

They are read here, not through TensorBoard's own loader, which imports TensorFlow, skips damage
without a word, and thins out long curves.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from keras_hplist.errors import FileFormatError
from keras_hplist.history.report import ReadReport

if TYPE_CHECKING:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

_LARGEST = 1 << 16
"""Bytes; a record with a scalar or hyperparameters is smaller, larger ones hold graphs, images."""


class Scalar(NamedTuple):
    """A value of a tag."""

    tag: str
    step: int
    value: float


def read_events(file: Path, report: ReadReport) -> "Iterator[Scalar | HParamsPluginData]":
    """The scalars and hyperparameters of an event file, in the order they were written.

    Args:
        file: the file.
        report: gets a note if the last record is incomplete, as a killed process leaves it.

    Yields:
        A `Scalar`, or the protocol buffer of TensorBoard's plugin for hyperparameters.

    Raises:
        FileFormatError: naming file and record, if one is damaged.
    """
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from tensorboard.util.tensor_util import make_ndarray

    for number, record in enumerate(_records(file, report), start=1):
        try:
            event = Event.FromString(record)
            for value in event.summary.value:
                plugin = value.metadata.plugin_data
                kind = value.WhichOneof("value")
                if plugin.plugin_name == "hparams":
                    yield HParamsPluginData.FromString(plugin.content)
                elif kind == "simple_value":
                    yield Scalar(value.tag, event.step, value.simple_value)
                elif kind == "tensor" and plugin.plugin_name == "scalars":
                    yield Scalar(value.tag, event.step, float(make_ndarray(value.tensor)))
        except (DecodeError, TypeError, ValueError) as error:
            raise FileFormatError(f"{file}, record {number} is damaged: {error}") from error


def _records(file: Path, report: ReadReport) -> Iterator[bytes]:
    """Split a file into records: length, its checksum, data, its checksum (TFRecord)."""
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    content = file.read_bytes()
    start, number = 0, 0
    while start < len(content):
        number += 1
        header = content[start : start + 12]
        length = int.from_bytes(header[:8], "little")
        end = start + 16 + length
        if len(header) == 12 and masked_crc32c(header[:8]) != struct.unpack("<I", header[8:])[0]:
            raise FileFormatError(
                f"{file}, record {number} is damaged: the checksum of its length is wrong."
            )
        if len(header) < 12 or end > len(content):
            report.note(f"{file}: the last record is incomplete and was left out")
            return
        data = content[start + 12 : end - 4]
        start = end
        if length > _LARGEST:
            continue
        if masked_crc32c(data) != struct.unpack("<I", content[end - 4 : end])[0]:
            raise FileFormatError(f"{file}, record {number} is damaged: its checksum is wrong.")
        yield data
