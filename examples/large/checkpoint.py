"""A run that is killed goes on where its last epoch ended, with the same curve.

An epoch here is what lies between two evaluations, not a pass over the data. At its end one file is
replaced: the numbers of model and optimizer, random generators among them, and the learning curve
so far. The data need no state: their batches are a function of seed and step.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

import keras_hplist as khl
from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.files import write_atomically
from keras_hplist.tuning.model_state import ModelState


@dataclass(frozen=True)
class Checkpoint:
    """A run at the end of an epoch.

    Attributes:
        epochs: how many are done.
        identity: the settings that make the run what it is, JSON-able.
        record: its learning curve so far, a row of a history.
        state: the numbers of model and optimizer.
    """

    epochs: int
    identity: Mapping[str, Any]
    record: Mapping[str, Any]
    state: ModelState

    def write(self, path: Path) -> None:
        """Replace the file, whole or not at all."""
        told = {"epochs": self.epochs, "identity": self.identity, "record": self.record}
        arrays = {f"model_{i}": array for i, array in enumerate(self.state.model)}
        arrays |= {f"optimizer_{i}": array for i, array in enumerate(self.state.optimizer)}
        text = np.array(json.dumps(told, default=float))
        write_atomically(path, lambda file: np.savez(file, told=text, **arrays))

    @classmethod
    def read(cls, path: Path, identity: Mapping[str, Any]) -> "Checkpoint":
        """Read a file, if it is that of the same run.

        Raises:
            FileFormatError: if it cannot be read.
            InvalidValueError: if its run had other settings; the message names them.
        """
        try:
            with np.load(path) as stored:
                told = json.loads(str(stored["told"]))
                state = ModelState(
                    *(
                        [stored[f"{part}_{i}"] for i in range(_count(stored.files, part))]
                        for part in ("model", "optimizer")
                    )
                )
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise FileFormatError(
                f"{path} is no checkpoint that can be read ({error}). Delete it to start this run "
                "from its beginning."
            ) from error
        differing = [
            f"{key} {told['identity'].get(key)!r} there, {value!r} here"
            for key, value in identity.items()
            if told["identity"].get(key) != value
        ]
        if differing:
            raise InvalidValueError(
                f"{path} is the checkpoint of another run: {'; '.join(differing)}. Give another "
                "--out, or delete the file."
            )
        return cls(told["epochs"], told["identity"], told["record"], state)


def _count(names: list[str], part: str) -> int:
    return sum(name.startswith(f"{part}_") for name in names)


class ContinuedCurve(khl.callbacks.CurveRecorder):
    """Records the curve of a fit that continues an earlier one, as one curve.

    Args:
        path: see `CurveRecorder`.
        earlier: the checkpoint the fit goes on from; None for a fit from the beginning.
        steps_done: how many steps the earlier fit took.
        **settings: of `CurveRecorder`.
    """

    def __init__(
        self, path: Path, *, earlier: Checkpoint | None, steps_done: int, **settings: Any
    ) -> None:
        """Take no second point before training."""
        super().__init__(path, initial=earlier is None, **settings)
        self.earlier, self.steps_done = earlier, steps_done

    def record(self, status: str) -> dict[str, Any]:
        """The curve of both fits as a row of a history."""
        later = super().record(status)
        if self.earlier is None:
            return later
        record = self.earlier.record
        joined = {"steps": [*record["steps"], *(self.steps_done + s for s in later["steps"])]}
        for split in ("train", "valid"):
            if split in record or split in later:
                joined[split] = [
                    *record.get(split, [math.nan] * len(record["steps"])),
                    *later.get(split, [math.nan] * len(later["steps"])),
                ]
        return {**later, **joined, "seconds": record["seconds"] + later["seconds"]}


class SaveCheckpoint(keras.callbacks.Callback):
    """Writes a checkpoint at the end of every epoch whose loss is finite.

    Args:
        path: the file to replace.
        identity: the settings of the run.
        curve: the recorder of the same fit; it stands before this callback in the list.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], curve: ContinuedCurve) -> None:
        """Keep the arguments."""
        super().__init__()
        self.path, self.identity, self.curve = path, identity, curve

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write; a diverged epoch is left out, so that a resumed run diverges in it again."""
        if math.isfinite((logs or {}).get("loss", math.nan)):
            state = ModelState.of(self.model)
            record = self.curve.record("ok")
            Checkpoint(epoch + 1, self.identity, record, state).write(self.path)
