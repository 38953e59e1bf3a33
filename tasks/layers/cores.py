"""Recurrent cores with their weights, from tokens to states and to the loss of predicted tokens."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from ..initializers import SONNET, ZEROS, Initializer, draw
from ..program import Block, Weight
from .core import add_bias
from .recurrent import gru, lstm, vanilla
from .tokens import lookup, project, token_cross_entropy

GLOROT = ("glorot_uniform", None)
Parts = tuple[tuple[Weight, ...], Callable[..., Any], int]


def _joined(initializers: Sequence[Any], shape: Sequence[int]) -> Initializer:
    """Arrays of one shape side by side, each drawn with an initialiser of its own."""

    def join(rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([draw(one, shape, rng) for one in initializers], axis=-1)

    return join


# Each of the three makes weights, the function that uses them, and says how many states there are.
# `multiplied` is how often inputs are multiplied by their kernel; not at all where it is looked up.


def _vanilla(inputs: int, options: Any, length: int, multiplied: int) -> Parts:
    units, act = options["core_dim"], options.get("act_fn", "tanh")
    weights = (
        Weight("kernel", (inputs, units), options.get("in_to_hidden", SONNET), multiplied),
        Weight("bias", (units,), ZEROS),
        Weight("recurrent", (units, units), options.get("hidden_to_hidden", SONNET), length),
        Weight("recurrent_bias", (units,), ZEROS),
    )

    def run(values: Any, inputs: Callable[[Any], Any], states: Any) -> Any:
        kernel, bias, recurrent, recurrent_bias = values
        x = add_bias(inputs(kernel), bias + recurrent_bias)
        (h,) = states
        return vanilla(x, h, recurrent, act)

    return weights, run, 1


def _gru(inputs: int, options: Any, length: int, multiplied: int) -> Parts:
    units = options["core_dim"]

    def gates(letter: str, rows: int) -> Initializer:
        return _joined([options.get(letter + gate, GLOROT) for gate in "zrh"], (rows, units))

    weights = (
        Weight("kernel", (inputs, 3 * units), gates("w", inputs), multiplied),
        Weight("recurrent", (units, 3 * units), gates("u", units), length),
        Weight("bias", (3 * units,), _joined([GLOROT] * 3, (units,))),
    )

    def run(values: Any, inputs: Callable[[Any], Any], states: Any) -> Any:
        kernel, recurrent, bias = values
        (h,) = states
        return gru(add_bias(inputs(kernel), bias), h, recurrent)

    return weights, run, 1


def _lstm(inputs: int, options: Any, length: int, multiplied: int) -> Parts:
    units = options["core_dim"]
    rows = inputs + units
    default = ("cut_normal", rows**-0.5)
    uses = (multiplied * inputs + length * units) / rows
    weights = (
        Weight("gates", (rows, 4 * units), options.get("w_gates", default), uses),
        Weight("bias", (4 * units,), default),
    )

    def run(values: Any, inputs_of: Callable[[Any], Any], states: Any) -> Any:
        gates, bias = values
        x = add_bias(inputs_of(gates[..., :inputs, :]), bias)
        h, c = states
        return lstm(x, h, c, gates[..., inputs:, :])

    return weights, run, 2


_CORES = {"vrnn": _vanilla, "gru": _gru, "lstm": _lstm}


def recurrent_block(
    core: Sequence[Any],
    vocabulary: int,
    length: int,
    embedding: int | None = None,
    trainable_init: bool = False,
) -> Block:
    """Tokens (B, L) to the states after every token, (L, B, H) or (L, P, B, H).

    Args:
        core: pair [`"vrnn"`, `"gru"` or `"lstm"`, options] as sampled: `core_dim` units and, by
            their published names, initialisers (default Sonnet's) and `act_fn` (default tanh).
        vocabulary: number of ids; larger ones count as the last.
        length: L.
        embedding: width of a trained table of N(0, 1) entries; None (default) feeds the core with
            one-hot vectors.
        trainable_init: whether the first state is trained, from zero; else it is zero.
    """
    kind, options = core
    units = options["core_dim"]
    multiplied = length if embedding else 0
    weights, run, states = _CORES[kind](embedding or vocabulary, options, length, multiplied)
    table: tuple[Weight, ...] = ()
    if embedding:
        table = (Weight("table", (vocabulary, embedding), ("random_normal", 1.0)),)
    firsts = tuple(Weight(f"state{i}", (units,), ZEROS) for i in range(states * trainable_init))

    def apply(values: Sequence[Any], tokens: Any, draws: Any) -> Any:
        ids = ops.minimum(ops.transpose(tokens), vocabulary - 1)
        core_values = values[len(table) : len(table) + len(weights)]

        def inputs(kernel: Any) -> Any:
            return project(values[0], kernel, ids) if table else lookup(kernel, ids)

        member = core_values[0].shape[:-2]
        shape = (*member, ops.shape(tokens)[0], units)
        given = values[len(table) + len(weights) :] or [ops.zeros(units)] * states
        first = [ops.broadcast_to(ops.expand_dims(state, -2), shape) for state in given]
        return run(core_values, inputs, first)

    return Block((*table, *weights, *firsts), apply).named(kind)


def prediction_block(
    core: Sequence[Any],
    vocabulary: int,
    read: slice,
    wanted: slice,
    initializer: Initializer,
    batch_size: int,
    *,
    embedding: int | None = None,
    trainable_init: bool = False,
    masked: bool = False,
) -> Block:
    """Tokens (B, L) to the mean cross-entropy of those that a core predicts, (B,) or (P, B).

    The last states predict, one token each, by a linear layer.

    Args:
        core: see `recurrent_block`.
        vocabulary: number of ids; larger ones count as the last.
        read: which of the L tokens the core reads, with explicit start and stop.
        wanted: which of them it predicts, in the last steps.
        initializer: of the linear layer.
        batch_size: expected B.
        embedding: see `recurrent_block`.
        trainable_init: see `recurrent_block`.
        masked: whether padding (id 0) is left out of the mean over a batch, by weights whose mean
            is 1; else it counts as any token.
    """
    steps, predicted = read.stop - read.start, wanted.stop - wanted.start
    recurrent = recurrent_block(core, vocabulary, steps, embedding, trainable_init)
    head = (
        Weight("logits_kernel", (core[1]["core_dim"], vocabulary), initializer, predicted),
        Weight("logits_bias", (vocabulary,)),
    )

    def apply(weights: Sequence[Any], tokens: Any, draws: Any) -> Any:
        *inner, kernel, bias = weights
        states = recurrent.apply(inner, tokens[:, read], draws)[steps - predicted :]
        targets = ops.transpose(tokens[:, wanted])
        ids = ops.minimum(targets, vocabulary - 1)
        losses = token_cross_entropy(states, kernel, bias, ids, batch_size)
        if masked:
            real = ops.cast(targets > 0, losses.dtype)
            weight = real / ops.maximum(ops.mean(real), 1e-9)
            losses = losses * (weight if len(losses.shape) == 2 else weight[:, None])
        return ops.mean(losses, axis=0)

    return Block((*recurrent.weights, *head), apply)
