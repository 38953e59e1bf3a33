"""How many members train side by side: a cost model with constants measured on this machine."""

import functools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

_SIZES = (0.5, 2.0, 8.0, 32.0)  # working sets in MiB at which bandwidth is measured
_MEBIBYTE = 2**20
_MEASURED_SECONDS = 0.02  # for which each operation is repeated
_COMPILE_SECONDS = 1.0  # of a program without weights
_COMPILE_SECONDS_PER_WEIGHT = 0.1

# The constants below are fitted to the times of 12 tasks of 9 families at sizes 1 to 16, so that
# the chosen size takes at most 3 % longer than the best one, in the geometric mean.
# Passes over a member's weights in one step: reading weights, moments and gradients in the update
# and in the products, and writing them; over its activations likewise.
_PASSES = 12
_ACTIVATION_PASSES = 2
# A member's share of the working set: weights, two moments, gradient.
_ARRAYS = 4
# Products of the sizes at hand reach about this part of the peak.
_EFFICIENCY = 0.8
_SECONDS_PER_STEP = 2e-4
_SECONDS_PER_STEP_AND_WEIGHT = 1.2e-5
# What members side by side share: reading the batch, and the matrices of quadratic objectives.
_SECONDS_PER_INPUT = 3e-10
_SECONDS_PER_MATRIX_BYTE = 7e-11
# Convolutions with more operations in a step are left to TensorFlow's own code, which reaches a
# larger part of the peak, but starts every operation of a graph anew.
_GRAPH_FLOPS = 6e7
_GRAPH_EFFICIENCY = 0.6
_GRAPH_SECONDS_PER_STEP = 1e-3
# Sizes whose expected cost differs by less are taken for equal, and the smallest wins: it wastes
# least when members diverge, and stays in cache where the model is too kind to large ones.
_TOLERANCE = 0.05


@dataclass(frozen=True)
class Machine:
    """Speeds of one core.

    Attributes:
        flops: float32 operations per second of a large matrix product.
        bandwidths: bytes per second read and written, at working sets of `_SIZES`.
    """

    flops: float
    bandwidths: tuple[float, ...]

    def bandwidth(self, working_set: float) -> float:
        """Bytes per second at a working set of so many bytes."""
        sizes = np.log([size * _MEBIBYTE for size in _SIZES])
        return float(np.interp(np.log(max(working_set, 1.0)), sizes, self.bandwidths))


@functools.cache
def measure() -> Machine:
    """Measure this machine, once in a process; takes about a tenth of a second."""
    from threadpoolctl import threadpool_limits

    matrix = np.ones((512, 512), np.float32)
    with threadpool_limits(1):
        flops = 2 * 512**3 / _best(lambda: matrix @ matrix)
    bandwidths = []
    for size in _SIZES:
        count = int(size * _MEBIBYTE / 12)
        a, b, c = (np.ones(count, np.float32) for _ in range(3))
        bandwidths.append(12 * count / _best(lambda a=a, b=b, c=c: np.add(a, b, out=c)))
    return Machine(flops, tuple(bandwidths))


def _best(work: Any) -> float:
    work()
    best, end = float("inf"), time.perf_counter() + _MEASURED_SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


@dataclass(frozen=True)
class Cost:
    """What one step of a task takes.

    Attributes:
        parameters: trainable numbers of one member.
        flops: operations of one member in one step, gradient included.
        activation_bytes: what one member's batch takes on its way through the network.
        weights: number of weight arrays.
        inputs: numbers in a batch.
        matrix_bytes: constant matrices that the objective reads.
        convolution_flops: the part of `flops` in convolutions; infinite for those of a Keras model,
            and for all that TensorFlow cannot vectorise over members.
    """

    parameters: int
    flops: float
    activation_bytes: float
    weights: int
    inputs: float
    matrix_bytes: float
    convolution_flops: float

    @classmethod
    def of(cls, task: Any) -> "Cost":
        """The cost of a task, from its program, without loading its data."""
        program = task.program
        sizes = [int(np.prod(w.shape)) for w in program.weights]
        uses = [getattr(w, "uses", 1.0) for w in program.weights]
        forward = getattr(program, "forward_flops", None)
        flops = forward(task.batch_size) if forward else 2.0 * task.batch_size * float(sum(sizes))
        # One product per use reads a row of inputs and writes a row of outputs.
        rows = [
            use * (w.shape[-1] + size // max(w.shape[-1], 1))
            for use, size, w in zip(uses, sizes, program.weights)
            if len(w.shape) > 1
        ]
        # Before the data are loaded, the rows of the first weight tell the size of an example,
        # unless they are looked up: tokens are few.
        first = program.weights[0]
        example = float(np.prod(first.shape[:-1])) if rows and uses[0] else 1.0
        # A vector that is multiplied more than once meets a matrix of constants.
        matrix = sum(
            4.0 * u * size
            for u, size, w in zip(uses, sizes, program.weights)
            if len(w.shape) == 1 and u > 1
        )
        vectorizable = getattr(program, "is_vectorizable", True)
        convolutions = sum(
            6.0 * task.batch_size * w.size * w.uses if hasattr(w, "uses") else float("inf")
            for w in program.weights
            if len(w.shape) == 4
        )
        return cls(
            parameters=sum(sizes),
            flops=3 * flops,
            activation_bytes=8.0 * task.batch_size * sum(rows),
            weights=len(sizes),
            inputs=task.batch_size * example,
            matrix_bytes=matrix,
            convolution_flops=convolutions if vectorizable else float("inf"),
        )

    @property
    def xla(self) -> bool:
        """Whether all of a step should be compiled by XLA."""
        return self.convolution_flops <= _GRAPH_FLOPS

    @property
    def compile_seconds(self) -> float:
        """A guess of the time to compile the loops."""
        return _COMPILE_SECONDS + _COMPILE_SECONDS_PER_WEIGHT * self.weights

    def step_seconds(self, size: int, machine: Machine) -> float:
        """A guess of the time of one step of `size` members."""
        if not self.xla:
            arithmetic = self.flops / (_GRAPH_EFFICIENCY * machine.flops)
            return size * (_GRAPH_SECONDS_PER_STEP + arithmetic)
        state = 4.0 * self.parameters * size
        memory = _PASSES * state / machine.bandwidth(_ARRAYS * state)
        activations = size * self.activation_bytes
        memory += _ACTIVATION_PASSES * activations / machine.bandwidth(activations)
        arithmetic = size * self.flops / (_EFFICIENCY * machine.flops)
        fixed = _SECONDS_PER_STEP + _SECONDS_PER_STEP_AND_WEIGHT * self.weights
        fixed += _SECONDS_PER_INPUT * self.inputs + _SECONDS_PER_MATRIX_BYTE * self.matrix_bytes
        return fixed + arithmetic + memory

    def bytes_in_step(self, size: int) -> float:
        """Memory that a step of `size` members needs beside the members at rest."""
        return size * (2 * 4.0 * _ARRAYS * self.parameters + 4 * self.activation_bytes)

    def bytes_at_rest(self, members: int) -> float:
        """Memory of members that wait: weights and moments, twice where they are packed anew."""
        return 2 * 3 * 4.0 * self.parameters * members


@dataclass(frozen=True)
class Layout:
    """How the configurations of one task are trained.

    Attributes:
        size: members that train side by side in one compiled loop; 1 means one after the other.
        cohort: members that are in memory at the same time.
        seconds: expected time of one step of all configurations.
    """

    size: int
    cohort: int
    seconds: float


def choose(
    cost: Cost, members: int, memory: float, threads: int = 1, machine: Machine | None = None
) -> Layout:
    """The cheapest layout that fits into memory.

    Side by side, members share the batch and the overhead of a step; one after the other, each
    stays in the cache, and several cores train several at a time.

    Args:
        cost: of the task.
        members: number of configurations.
        memory: bytes that training may take.
        threads: groups that may train at the same time.
        machine: this one by default.
    """
    machine = machine or measure()
    largest = members if cost.xla else 1
    sizes = [min(2**k, largest) for k in range(8) if 2**k < 2 * largest]
    sizes = [n for n in sizes if threads * cost.bytes_in_step(n) <= memory / 2] or [1]

    def rounds(size: int) -> int:
        return -(-members // (size * threads))

    seconds = {size: rounds(size) * cost.step_seconds(size, machine) for size in sizes}
    best = min(seconds.values())
    size = next(size for size in sizes if seconds[size] <= (1 + _TOLERANCE) * best)
    groups = max(1, int((memory / 2) // max(1.0, cost.bytes_at_rest(size))))
    return Layout(size, min(members, groups * size), seconds[size])
