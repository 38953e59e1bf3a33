"""Train many configurations of one search space on one task, side by side."""

import math
import numbers
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import joblib
import numpy as np

from keras_hplist import spaces
from keras_hplist.checks import checked_count
from keras_hplist.errors import InvalidValueError
from keras_hplist.history import SPLITS
from keras_hplist.training import feeds, layouts, timing
from keras_hplist.training.backend import check_backend
from keras_hplist.training.curves import Curves

if TYPE_CHECKING:
    from keras_hplist.spaces import SearchSpace
    from keras_hplist.training.compiled import State

MEMORY = 4 * 2**30
"""Default bound of the memory of one process, in bytes."""

T = TypeVar("T")

_PROCESS_BYTES = 2**30  # TensorFlow itself, the data, and what a compiler takes

_EVALUATED = {"train": "train", "valid": "outer_valid", "test": "test"}
_EVALUATION_BATCHES = 1_000_003  # seed of the order in which a split is evaluated


def train_population(
    task: Any,
    configurations: Any,
    training_steps: int,
    evaluations: int | Sequence[int] = timing.POINTS,
    seed: int = 0,
    *,
    space: "str | SearchSpace | None" = None,
    size: int | None = None,
    threads: int | None = None,
    memory: float = MEMORY,
) -> Curves:
    """Train configurations of one search space on the same initial weights and batches.

    A configuration's curve does not depend on its companions, except for the rounding of sums that
    are taken in another order.

    Args:
        task: name of a task of the suite, a task, or a `KerasTask`.
        configurations: a DataFrame with a column for each hyperparameter, a `HyperparameterList`,
            or a sequence of mappings of hyperparameter to value.
        training_steps: number of optimizer updates.
        evaluations: number of points, denser early; or the steps themselves.
        seed: of weights, batches and the task's own draws.
        space: the search space; by default the one that has these hyperparameters.
        size: members side by side; chosen by a cost model by default.
        threads: groups of members that train at the same time; one for each core by default.
        memory: bytes that the process should stay below.

    Returns:
        The curves, in the order of the configurations.

    Raises:
        UnknownNameError: if there is no such search space.
        InvalidValueError: if a number or a hyperparameter is not allowed, there are no
            configurations, or Keras's backend is not TensorFlow.
        tasks.errors.UnknownTaskError: if there is no such task.
    """
    check_backend()
    began = time.perf_counter()
    training_steps = checked_count("training_steps", training_steps, 1)
    steps = timing.evaluation_steps(training_steps, evaluations)
    chosen, values = resolve_configurations(configurations, space)
    task = resolve_task(task)
    seed = checked_count("seed", seed, 0)
    for argument, given in (("size", size), ("threads", threads)):
        if given is not None:
            checked_count(argument, given, 1)
    check_memory(memory)
    cost = layouts.Cost.of(task)
    free = max(memory - _PROCESS_BYTES, 2**28)
    threads = threads or joblib.cpu_count()
    layout = layouts.choose(cost, len(values), free, threads)
    size = min(size or layout.size, len(values))
    at_once = max(layout.cohort, size)

    losses = {split: np.full((len(values), len(steps)), np.nan, np.float32) for split in SPLITS}
    diverged = np.full(len(values), -1, np.int32)
    with ThreadPoolExecutor(threads) as pool:
        run = _Run(task, chosen, training_steps, steps, seed, pool, cost.xla)
        for first in range(0, len(values), at_once):
            cohort = slice(first, min(first + at_once, len(values)))
            measured, diverged[cohort] = run.cohort(values[cohort], size)
            for split, block in zip(SPLITS, measured):
                losses[split][cohort] = block
    return Curves(
        task=task.name,
        family=task.family,
        space=chosen.name,
        values=values,
        seed=seed,
        training_steps=training_steps,
        batch_size=task.batch_size,
        num_parameters=cost.parameters,
        steps=steps,
        losses=losses,
        diverged=diverged,
        seconds=time.perf_counter() - began,
        evaluation_share=run.evaluation_share,
        size=size,
    )


def check_memory(memory: float) -> None:
    """Refuse what is no bound of the memory of a process.

    Raises:
        InvalidValueError: if it is no positive, finite number.
    """
    if not (isinstance(memory, numbers.Real) and 0 < memory < math.inf):
        raise InvalidValueError(f"memory must be a number of bytes, such as 4e9; got {memory!r}.")


def resolve_task(task: Any) -> Any:
    """A task of the suite by its name; anything else is a task already."""
    if not isinstance(task, str):
        return task
    from keras_hplist import tasks

    return tasks.get(task)


def resolve_configurations(
    configurations: Any, space: "str | SearchSpace | None" = None
) -> "tuple[SearchSpace, list[dict[str, Any]]]":
    """The search space of configurations, and their checked values.

    Raises:
        InvalidValueError: if there are none, their space cannot be told, it has no optimizer, or a
            value is not allowed.
    """
    if isinstance(configurations, str | Mapping):
        raise InvalidValueError(
            f"configurations is {configurations!r}; give several: a DataFrame, a "
            "HyperparameterList (HyperparameterList.load('nadamw')), or a list of mappings."
        )
    if space is None:
        space = getattr(configurations, "space", None)
    if hasattr(configurations, "to_dict") and hasattr(configurations, "columns"):
        rows: list[Mapping[str, Any]] = configurations.to_dict("records")
    else:
        rows = [dict(row) for row in configurations]
    if not rows:
        raise InvalidValueError("There are no configurations; give at least one.")
    chosen = spaces.get(space) if space is not None else _space_of(rows[0])
    if not chosen.family:
        raise InvalidValueError(
            f"Search space {chosen.name!r} describes no optimizer of this package, so there is no "
            f"update rule to train with. Use one of {', '.join(spaces.names())}."
        )
    return chosen, [chosen.optimizer(row).hyperparameters for row in rows]


def _space_of(values: Mapping[str, Any]) -> "SearchSpace":
    for name in spaces.names():
        if set(spaces.get(name).names) == set(values):
            return spaces.get(name)
    raise InvalidValueError(
        f"No published search space has exactly the hyperparameters {sorted(values)}. "
        f"Name it: space=..., one of {', '.join(spaces.names())}."
    )


class _Run:
    """One task at one horizon, compiled once for each population size."""

    def __init__(
        self,
        task: Any,
        space: "SearchSpace",
        training_steps: int,
        steps: np.ndarray,
        seed: int,
        pool: ThreadPoolExecutor,
        xla: bool,
    ) -> None:
        from keras_hplist import optimizers
        from keras_hplist.training.compiled import CompiledPopulation

        self._rule = optimizers.get(space.family).rule_class()
        self._steps = steps
        initial, count = task.program.init(seed), len(task.program.weights)
        self._initial, self._statistics = initial[:count], initial[count:]
        self._source = feeds.feed(task.data.train, task.batch_size, seed)
        self._compiled: CompiledPopulation = CompiledPopulation(
            task.program, self._rule, self._source, training_steps, seed, xla
        )
        longest = int(np.diff(steps, prepend=0).max())
        self._length = feeds.chunk_length(task.data.train, task.batch_size, longest)
        x, y, self._counts = _evaluation_batches(task, training_steps, int(np.count_nonzero(steps)))
        self._batches = self._compiled.evaluation_batches(x, y)
        self._seconds = {"train": 0.0, "evaluate": 0.0}
        self._at_start: np.ndarray | None = None
        self._pool = pool

    @property
    def evaluation_share(self) -> float:
        """Part of the running time spent on evaluation, compilation left out."""
        return self._seconds["evaluate"] / max(sum(self._seconds.values()), 1e-9)

    def cohort(
        self, values: Sequence[Mapping[str, Any]], size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Train members that are in memory together.

        Returns:
            Losses float32 (split, n, E), NaN where a member had diverged; and the steps at which
            members diverged, int32 (n,), -1 for those that did not.
        """
        from keras_hplist.training.compiled import NEVER, State

        losses = np.full((len(SPLITS), len(values), len(self._steps)), np.nan, np.float32)
        diverged = np.full(len(values), NEVER, np.int64)
        parameters = self._encode(values)
        groups = [
            _Group(members, State.initial(self._initial, size, self._rule, self._statistics))
            for members in _cut(np.arange(len(values)), size)
        ]
        if self._at_start is None:
            self._at_start = self._compile(groups[0], parameters)
        now = 0
        for point, step in enumerate(self._steps):
            self._train(groups, parameters, now, step, diverged)
            found = self._each(self._evaluate, groups) if step else [self._at_start] * len(groups)
            now = step
            for group, block in zip(groups, found):
                members = group.members
                measured = block[:, : len(members)]  # (split, member)
                losses[:, members, point] = measured
                gone = ~np.isfinite(measured).all(axis=0)
                diverged[members[gone]] = np.minimum(diverged[members[gone]], step)
            groups = _without(groups, diverged < NEVER, size)
            if not groups:
                break
        losses[:, diverged[:, None] <= self._steps] = np.nan
        return losses, np.where(diverged < NEVER, diverged, -1).astype(np.int32)

    def _compile(self, group: "_Group", parameters: Mapping[str, np.ndarray]) -> np.ndarray:
        """Compile both loops, at the same time; returns the losses of the initial weights."""
        rows = feeds.rows(self._source, 0, 1, self._length)
        batches, own = self._compiled.batches(rows, 0), group.own(parameters)
        with ThreadPoolExecutor(1) as beside:
            training = beside.submit(self._compiled.train, group.state, own, batches, 0, 0)
            losses = self._evaluate(group)
            training.result()
        self._seconds["evaluate"] = 0.0
        return losses

    def _each(self, f: "Callable[[_Group], T]", groups: "list[_Group]") -> "list[T]":
        """f of each group, several at a time."""
        return list(self._pool.map(f, groups))

    def _encode(self, values: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        columns = {name: [row[name] for row in values] for name in self._rule.hyperparameters}
        return {k: v.astype(np.float32) for k, v in self._rule.encode(columns).items()}

    def _train(
        self,
        groups: "list[_Group]",
        parameters: Mapping[str, np.ndarray],
        start: int,
        stop: int,
        diverged: np.ndarray,
    ) -> None:
        """Take the steps from `start` to `stop`; batches are made once, for all groups."""
        for first in range(start, stop, self._length):
            last = min(first + self._length, stop)
            made = feeds.rows(self._source, first, last, self._length)
            batches = self._compiled.batches(made, first)

            def advance(
                group: "_Group", batches: Any = batches, first: int = first, last: int = last
            ) -> None:
                members, own = group.members, group.own(parameters)
                with _Stopwatch(self._seconds, "train"):
                    group.state, bad = self._compiled.train(group.state, own, batches, first, last)
                diverged[members] = np.minimum(diverged[members], bad[: len(members)])

            self._each(advance, groups)

    def _evaluate(self, group: "_Group") -> np.ndarray:
        """Mean loss of each split and member, float32 (split, P)."""
        with _Stopwatch(self._seconds, "evaluate"):
            losses = self._compiled.evaluate(group.state, self._batches)
        with np.errstate(over="ignore", invalid="ignore"):
            return losses.reshape(len(SPLITS), self._counts, -1).mean(axis=1)


@dataclass
class _Group:
    """Members that train side by side; the state is replaced in place, so that none is kept."""

    members: np.ndarray
    state: "State"

    def own(self, parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The parameters of these members, as many as there are in the state."""
        chosen = _padded(self.members, self.state.weights[0].shape[0])
        return {name: values[chosen] for name, values in parameters.items()}


class _Stopwatch:
    """Adds the time spent inside a `with` to an entry of a dict that threads share."""

    _lock = threading.Lock()

    def __init__(self, seconds: dict[str, float], what: str) -> None:
        self._seconds, self._what = seconds, what

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        taken = time.perf_counter() - self._start
        with self._lock:
            self._seconds[self._what] += taken


def _evaluation_batches(
    task: Any, training_steps: int, points: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """The batches of all splits, x and y with one leading axis; and how many there are of each.

    They are fixed: the same at every point and for every member.
    """
    splits = [getattr(task.data, name) for name in _EVALUATED.values()]
    smallest = min(len(split) for split in splits)
    batch_size = max(1, min(task.batch_size, smallest))
    count = timing.evaluation_batches(training_steps, points, batch_size)
    pairs = [
        split.batch(k, batch_size, _EVALUATION_BATCHES) for split in splits for k in range(count)
    ]
    x, y = (np.stack(arrays) for arrays in zip(*pairs))
    return x, y, count


def _cut(members: np.ndarray, size: int) -> Iterable[np.ndarray]:
    return (members[i : i + size] for i in range(0, len(members), size))


def _padded(members: np.ndarray, size: int) -> np.ndarray:
    """Indices that fill a population of `size`: what is missing repeats the last member."""
    return np.pad(members, (0, size - len(members)), mode="edge")


def _without(groups: list[_Group], gone: np.ndarray, size: int) -> list[_Group]:
    """The groups without diverged members, packed anew where that saves a group.

    Groups keep their size, so that nothing is compiled anew.
    """
    from keras_hplist.training.compiled import State

    groups = [group for group in groups if not gone[group.members].all()]
    alive = [np.flatnonzero(~gone[group.members]) for group in groups]
    total = sum(map(len, alive))
    if -(-total // size) == len(groups):
        return groups
    members = np.concatenate([group.members[a] for group, a in zip(groups, alive)])
    pool = State.join([group.state.take(a) for group, a in zip(groups, alive)])
    return [
        _Group(members[chosen], pool.take(_padded(chosen, size)))
        for chosen in _cut(np.arange(total), size)
    ]
