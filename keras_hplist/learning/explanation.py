"""Why an entry of a learned list stands where it stands."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from keras_hplist.learning.selection import best_after, start_scores

_SHOWN = 5


@dataclass(frozen=True)
class Explanation:
    """What one entry of a learned list is there for; `str()` gives it as a paragraph.

    Attributes:
        rank: its place in the list, from 0.
        configuration: its label.
        values: its hyperparameters, or None where not known.
        gain: by how much it lowers J over the training tasks.
        before: J of the entries before it.
        pass_number: in which pass over the tasks it was chosen, from 0.
        reason: why it was chosen before all others that were left.
        improves: DataFrame by task, largest weighted improvement first: `before` (the best score
            among earlier entries), `after` (its own), `weight`.
        serves: the tasks on which no other entry of the list is better, and no earlier one equal.
    """

    rank: int
    configuration: Any
    values: dict[str, Any] | None
    gain: float
    before: float
    pass_number: int
    reason: str
    improves: pd.DataFrame
    serves: list[Any]

    def __str__(self) -> str:
        """A few lines for people."""
        lines = [f"Entry {self.rank}: {self.configuration}"]
        if self.values:
            lines.append(
                "  "
                + ", ".join(
                    f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}"
                    for k, v in self.values.items()
                )
            )
        if self.pass_number:
            lines.append(
                f"  Earlier entries leave nothing to gain on the training tasks. It was chosen in "
                f"pass {self.pass_number + 1}, which covers the tasks anew with what was left."
            )
        else:
            lines.append(
                f"  It lowers the mean score from {self.before:.4f} to "
                f"{self.before - self.gain:.4f}: {self.reason}."
            )
            if len(self.improves):
                lines.append(f"  It improves {len(self.improves)} of the tasks, most of all:")
            for task, row in self.improves.head(_SHOWN).iterrows():
                lines.append(f"    {task}: {row['before']:.4f} -> {row['after']:.4f}")
            if len(self.improves) > _SHOWN:
                lines.append(f"    … and {len(self.improves) - _SHOWN} more")
        if self.serves:
            more = ", …" if len(self.serves) > _SHOWN else ""
            names = ", ".join(map(str, self.serves[:_SHOWN]))
            count = f"{len(self.serves)} task{'s' if len(self.serves) > 1 else ''}"
            lines.append(f"  It is the best entry of the list for {count}: {names}{more}")
        return "\n".join(lines)


def explain_entry(
    scores: pd.DataFrame,
    weights: pd.Series,
    positions: np.ndarray,
    rank: int,
    passes: np.ndarray,
    reason: str,
    values: dict[str, Any] | None,
) -> Explanation:
    """Explain one entry.

    Args:
        scores: tasks × configurations, without holes.
        weights: of the tasks, with sum 1.
        positions: columns of the entries, in list order.
        rank: of the entry, from 0.
        passes: the pass in which each entry was chosen.
        reason: why it was chosen.
        values: its hyperparameters.
    """
    array = scores.to_numpy()
    earlier = np.concatenate(
        [start_scores(array)[:, None], best_after(array, positions[:rank])], axis=1
    )[:, -1]
    own = array[:, positions[rank]]
    improves = pd.DataFrame(
        {"before": earlier, "after": own, "weight": weights}, index=scores.index
    )[own < earlier]
    order = ((improves["after"] - improves["before"]) * improves["weight"]).argsort(kind="stable")
    reached = float(weights @ np.minimum(earlier, own))
    return Explanation(
        rank=rank,
        configuration=scores.columns[positions[rank]],
        values=values,
        gain=float(weights @ earlier) - reached,
        before=float(weights @ earlier),
        pass_number=int(passes[rank]),
        reason=reason,
        improves=improves.iloc[order],
        serves=served_tasks(scores, positions)[rank],
    )


def served_tasks(scores: pd.DataFrame, positions: np.ndarray) -> list[list[Any]]:
    """For each entry the tasks on which it is the best of the list, ties going to the earliest.

    Tasks on which no entry is better than the start belong to none.
    """
    array = scores.to_numpy()[:, positions]
    best = array.argmin(axis=1)
    helped = array.min(axis=1) < start_scores(scores.to_numpy())
    served: list[list[Any]] = [[] for _ in positions]
    for task, entry, better in zip(scores.index, best, helped, strict=True):
        if better:
            served[entry].append(task)
    return served
