"""From tokens to vectors, and from states to the probability of tokens, time first."""

from typing import Any

from keras import ops

from .core import add_bias, dense
from .loops import scan

# Logits are made for so many (token, class) pairs at once, 128 MiB, whatever the vocabulary.
_LOGITS = 2**25


def lookup(table: Any, ids: Any) -> Any:
    """Rows of a table.

    Its gradient is a dense array, summed by segments, on every backend.

    Args:
        table: (V, E) or (P, V, E).
        ids: (L, B), each in 0 … V - 1.

    Returns:
        (L, B, E) or (L, P, B, E).
    """
    population = len(table.shape) == 3
    rows = table.shape[-2]

    @ops.custom_gradient
    def run(table: Any) -> Any:
        found = ops.take(table, ids, axis=-2)

        def grad(*args: Any, upstream: Any = None) -> Any:
            (upstream,) = args if upstream is None else (upstream,)
            if population:
                upstream = ops.transpose(upstream, (0, 2, 1, 3))
            flat = ops.reshape(upstream, (-1, *upstream.shape[2:]))
            total = ops.segment_sum(flat, ops.reshape(ids, (-1,)), num_segments=rows)
            return ops.swapaxes(total, 0, 1) if population else total

        return ops.swapaxes(found, 0, 1) if population else found, grad

    return run(table)


def project(table: Any, kernel: Any, ids: Any) -> Any:
    """Rows of a table times a kernel, in the cheaper order of the two.

    Args:
        table: (V, E) or (P, V, E).
        kernel: (E, G) or (P, E, G).
        ids: (L, B).

    Returns:
        (L, B, G) or (L, P, B, G).
    """
    batch = ids.shape[1]
    if batch is not None and table.shape[-2] <= ids.shape[0] * batch:
        return lookup(ops.matmul(table, kernel), ids)
    return ops.matmul(lookup(table, ids), kernel)


def token_cross_entropy(states: Any, kernel: Any, bias: Any, targets: Any, batch: int) -> Any:
    """Cross-entropy of every token under a linear layer on the states, in nats.

    The logits of all tokens never exist at once: they are made for some steps at a time, and again
    for the gradient. Large vocabularies would otherwise need gigabytes.

    Args:
        states: (L, B, H) or (L, P, B, H).
        kernel: (H, V) or (P, H, V).
        bias: (V,) or (P, V).
        targets: ids (L, B).
        batch: expected B, from which the number of steps at a time is chosen.

    Returns:
        (L, B) or (L, P, B).
    """
    population = kernel.shape[0] if len(kernel.shape) == 3 else 1
    length, vocabulary = states.shape[0], kernel.shape[-1]
    steps = max(1, min(length, _LOGITS // (population * vocabulary * batch)))
    chunks = -(-length // steps)
    tail = [(0, chunks * steps - length)]

    def cut(x: Any) -> Any:
        """Zeros at the end, then (chunks, steps, ...)."""
        x = ops.pad(x, tail + [(0, 0)] * (len(x.shape) - 1))
        return ops.reshape(x, (chunks, steps, *ops.shape(x)[1:]))

    def rows(x: Any) -> Any:
        """(steps, [P,] B, ...) to ([P,] steps·B, ...)."""
        if len(kernel.shape) == 3:
            x = ops.swapaxes(x, 0, 1)
            return ops.reshape(x, (population, -1, *x.shape[3:]))
        return ops.reshape(x, (-1, *x.shape[2:]))

    def steps_first(x: Any, like: Any) -> Any:
        """The inverse of `rows`, for arrays with the axes of `like`."""
        shape = ops.shape(like)
        if len(kernel.shape) == 3:
            x = ops.reshape(x, (population, steps, shape[2], *x.shape[2:]))
            return ops.swapaxes(x, 0, 1)
        return ops.reshape(x, (steps, shape[1], *x.shape[1:]))

    def logits(states: Any, kernel: Any, bias: Any) -> Any:
        return add_bias(dense(rows(states), kernel), bias)

    def chosen(targets: Any) -> Any:
        """One row of zeros and a one per token: (steps·B, V)."""
        return ops.one_hot(ops.reshape(targets, (-1,)), vocabulary, dtype="float32")

    ids = cut(targets)

    @ops.custom_gradient
    def run(states: Any, kernel: Any, bias: Any) -> Any:
        pieces = cut(states)

        def forward(nothing: Any, inputs: Any) -> tuple[Any, Any]:
            states, targets = inputs
            scores = logits(states, kernel, bias)
            norm = ops.logsumexp(scores, axis=-1)
            loss = norm - ops.sum(scores * chosen(targets), axis=-1)
            return nothing, (steps_first(loss, states), steps_first(norm, states))

        _, (losses, norms) = scan(forward, ops.zeros(()), (pieces, ids), chunks)

        def grad(*args: Any, upstream: Any = None) -> Any:
            (upstream,) = args if upstream is None else (upstream,)

            def step(total: Any, inputs: Any) -> tuple[Any, Any]:
                states, targets, norm, weight = inputs
                scores = logits(states, kernel, bias)
                p = ops.exp(scores - ops.expand_dims(rows(norm), -1))
                slope = (p - chosen(targets)) * ops.expand_dims(rows(weight), -1)
                to_kernel, to_bias = total
                to_kernel = to_kernel + ops.matmul(ops.swapaxes(rows(states), -1, -2), slope)
                to_bias = to_bias + ops.sum(slope, axis=-2)
                back = ops.matmul(slope, ops.swapaxes(kernel, -1, -2))
                return (to_kernel, to_bias), steps_first(back, states)

            zeros = (ops.zeros_like(kernel), ops.zeros_like(bias))
            total, back = scan(step, zeros, (pieces, ids, norms, cut(upstream)), chunks)
            back = ops.reshape(back, (chunks * steps, *ops.shape(states)[1:]))
            return back[:length], *total

        flat = ops.reshape(losses, (chunks * steps, *ops.shape(losses)[2:]))
        return flat[:length], grad

    return run(states, kernel, bias)
