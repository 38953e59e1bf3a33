"""The task suite: training problems by name, with the published names and configurations.

names("mlp_family", max_cost=0.01)      # lists without loading Keras
task = get("mlp_family_seed12")
model = task.compile("adam")
model.fit(task.train_data(), steps_per_epoch=100)
"""

from typing import TYPE_CHECKING

from .measurements import Facts, facts
from .registry import family_names, names

if TYPE_CHECKING:
    from .task import Task

__all__ = ["Facts", "check", "facts", "family_names", "get", "names"]


def get(name: str, source: str = "embedded") -> "Task":
    """The task of a name; see `Task`.

    Args:
        name: one of `names()`, or any `<family>_seed<n>`.
        source: where data come from; see `data.load`.

    Raises:
        UnknownTaskError: nothing has this name; the message offers the nearest ones.
        InfeasibleTaskError: a draw that describes no possible model.
        TaskDataError: there is no such source.
    """
    from .task import Task

    return Task.named(name, source)


def check(name: str) -> Facts:
    """Build a task, train it for three steps, and measure it; see `checking.check`.

    Args:
        name: as for `get`.

    Raises:
        CheckError: the task does not keep the contract of the suite; the message says in what.
    """
    from . import checking

    return checking.check(name)
