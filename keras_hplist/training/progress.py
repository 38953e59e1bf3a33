"""Progress of a collection: a live line on a terminal, log lines elsewhere."""

import logging
import sys
import time
from collections import Counter
from types import TracebackType
from typing import Self

from keras_hplist.training.plan import Unit

logger = logging.getLogger("keras_hplist.collect")

_LOG_SECONDS = 30.0


class Progress:
    """Counts units and shows rate, remaining time and counts by family.

    Args:
        units: what is to be done.
        training_steps: steps of a configuration.
        enabled: whether to show anything; nothing is shown where nothing is to be done.
    """

    def __init__(self, units: list[Unit], training_steps: int, enabled: bool) -> None:
        self._total = Counter(unit.family for unit in units)
        self._work = sum(unit.seconds for unit in units)
        self._training_steps = training_steps
        self._done: Counter[str] = Counter()
        self._steps, self._worked = 0, 0.0
        self._enabled, self._bar = enabled and bool(units), None
        self._began = self._logged = time.monotonic()
        if self._enabled and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True))

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._bar:
            self._bar.start()
            self._line = self._bar.add_task("collect", total=max(self._work, 1e-9))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state on the screen."""
        if self._bar:
            self._bar.stop()
        elif self._enabled:
            logger.info(self._text())

    def advance(self, unit: Unit) -> None:
        """Count a unit that is finished, well or not."""
        self._done[unit.family] += 1
        self._steps += len(unit.values) * self._training_steps
        self._worked += unit.seconds
        if self._bar:
            self._bar.update(self._line, completed=self._worked, description=self._text())
        elif self._enabled and time.monotonic() - self._logged > _LOG_SECONDS:
            self._logged = time.monotonic()
            logger.info(self._text())

    def _text(self) -> str:
        elapsed = time.monotonic() - self._began
        left = ""  # nobody knows before the first unit
        if self._worked:
            left = f", {elapsed * (self._work / self._worked - 1):.0f} s left"
        families = ", ".join(f"{k} {self._done[k]}/{n}" for k, n in sorted(self._total.items()))
        return f"{self._steps / max(elapsed, 1e-9):.0f} configuration-steps/s{left}; {families}"
