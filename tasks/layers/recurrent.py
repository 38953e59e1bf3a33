"""Recurrent layers: a loop over time with nothing in it but what depends on the step before.

The products of inputs with kernels are made for all time steps before the loop. Gradients are
written by hand, so that backwards, too, the loop holds one product per step: derivatives of gates
are recomputed for all steps at once from the stored states, and the gradient of a recurrent kernel
is one product over all steps. Against differentiation of the loop this takes a third to a half of
the time with XLA on CPUs.

Shapes: time is the first axis, a population axis, if any, the second: inputs x (L, B, G·H) or
(L, P, B, G·H), states (B, H) or (P, B, H), recurrent kernels (H, G·H) or (P, H, G·H).
"""

from collections.abc import Callable
from typing import Any

from keras import ops

from .core import ACTIVATIONS
from .loops import scan

DERIVATIVES: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: ops.cast(x > 0, x.dtype),
    "tanh": lambda x: 1.0 - ops.square(ops.tanh(x)),
    "cos": lambda x: -ops.sin(x),
    "elu": lambda x: ops.exp(ops.minimum(x, 0.0)),
    "sigmoid": lambda x: ops.sigmoid(x) * ops.sigmoid(-x),
    "swish": lambda x: ops.sigmoid(x) * (1.0 + x * ops.sigmoid(-x)),
    "leaky_relu4": lambda x: ops.where(x > 0, 1.0, 0.4),
    "leaky_relu2": lambda x: ops.where(x > 0, 1.0, 0.2),
    "leaky_relu1": lambda x: ops.where(x > 0, 1.0, 0.1),
}


def _before(first: Any, states: Any) -> Any:
    """The states that each step started from."""
    return ops.concatenate([ops.expand_dims(first, 0), states[:-1]], axis=0)


def _kernel_gradient(left: Any, right: Any) -> Any:
    """Sum over time and batch of the outer products of (L, ..., B, I) and (L, ..., B, O)."""
    letters = "lpb" if len(left.shape) == 4 else "lb"
    member = letters[1:-1]
    return ops.einsum(f"{letters}i,{letters}o->{member}io", left, right)


def _transpose(kernel: Any) -> Any:
    return ops.swapaxes(kernel, -1, -2)


def vanilla(x: Any, h: Any, u: Any, act: str = "tanh") -> Any:
    """h' = act(x + h u), for x with all biases in it.

    Args:
        x: inputs times their kernel, (L, B, H) or (L, P, B, H).
        h: state before the first step.
        u: recurrent kernel.
        act: name of the activation.

    Returns:
        States after every step, of the shape of x.
    """
    length = x.shape[0]

    @ops.custom_gradient
    def run(x: Any, h: Any, u: Any) -> Any:
        def forward(h: Any, x: Any) -> tuple[Any, Any]:
            h = ACTIVATIONS[act](x + ops.matmul(h, u))
            return h, h

        _, states = scan(forward, h, x, length)

        def grad(*args: Any, upstream: Any = None) -> Any:
            (upstream,) = args if upstream is None else (upstream,)
            before, back = _before(h, states), _transpose(u)
            slope = DERIVATIVES[act](x + ops.matmul(before, u))

            def step(dh: Any, inputs: Any) -> tuple[Any, Any]:
                dy, slope = inputs
                dx = (dy + dh) * slope
                return ops.matmul(dx, back), dx

            dh, dx = scan(step, ops.zeros_like(h), (upstream, slope), length, back=True)
            return dx, dh, _kernel_gradient(before, dx)

        return states, grad

    return run(x, h, u)


def gru(x: Any, h: Any, u: Any) -> Any:
    """z, r = σ(x_zr + h u_zr); n = tanh(x_n + (r h) u_n); h' = (1 - z) h + z n.

    Args:
        x: inputs times their kernels, (L, B, 3H) or (L, P, B, 3H), in the order z, r, n (update,
            reset, candidate), with the biases in it.
        h: state before the first step.
        u: recurrent kernels side by side, in the same order.

    Returns:
        States after every step.
    """
    length, units = x.shape[0], h.shape[-1]

    def gates(x: Any, h: Any, u: Any) -> tuple[Any, Any, Any]:
        both = ops.sigmoid(x[..., : 2 * units] + ops.matmul(h, u[..., : 2 * units]))
        z, r = both[..., :units], both[..., units:]
        n = ops.tanh(x[..., 2 * units :] + ops.matmul(r * h, u[..., 2 * units :]))
        return z, r, n

    @ops.custom_gradient
    def run(x: Any, h: Any, u: Any) -> Any:
        def forward(h: Any, x: Any) -> tuple[Any, Any]:
            z, _, n = gates(x, h, u)
            h = h + z * (n - h)
            return h, h

        _, states = scan(forward, h, x, length)

        def grad(*args: Any, upstream: Any = None) -> Any:
            (upstream,) = args if upstream is None else (upstream,)
            before = _before(h, states)
            z, r, n = gates(x, before, u)
            back_zr = _transpose(u[..., : 2 * units])
            back_n = _transpose(u[..., 2 * units :])

            def step(dh: Any, inputs: Any) -> tuple[Any, Any]:
                dy, before, z, r, n = inputs
                dh = dh + dy
                dn = dh * z * (1.0 - n * n)
                reset = ops.matmul(dn, back_n)
                dz = dh * (n - before) * z * (1.0 - z)
                dr = reset * before * r * (1.0 - r)
                dzr = ops.concatenate([dz, dr], axis=-1)
                dh = dh * (1.0 - z) + reset * r + ops.matmul(dzr, back_zr)
                return dh, ops.concatenate([dzr, dn], axis=-1)

            inputs = (upstream, before, z, r, n)
            dh, dx = scan(step, ops.zeros_like(h), inputs, length, back=True)
            du = ops.concatenate(
                [
                    _kernel_gradient(before, dx[..., : 2 * units]),
                    _kernel_gradient(r * before, dx[..., 2 * units :]),
                ],
                axis=-1,
            )
            return dx, dh, du

        return states, grad

    return run(x, h, u)


def lstm(x: Any, h: Any, c: Any, u: Any) -> Any:
    """i, n, f, o = x + h u; c' = σ(f + 1) c + σ(i) tanh(n); h' = σ(o) tanh(c').

    Args:
        x: inputs times their kernel, (L, B, 4H) or (L, P, B, 4H), in the order i, n, f, o, with the
            bias in it.
        h: hidden state before the first step.
        c: cell state before the first step.
        u: recurrent kernel, its columns in the same order.

    Returns:
        Hidden states after every step.
    """
    length = x.shape[0]

    def gates(x: Any, h: Any, u: Any) -> tuple[Any, ...]:
        i, n, f, o = ops.split(x + ops.matmul(h, u), 4, axis=-1)
        return ops.sigmoid(i), ops.tanh(n), ops.sigmoid(f + 1.0), ops.sigmoid(o)

    @ops.custom_gradient
    def run(x: Any, h: Any, c: Any, u: Any) -> Any:
        def forward(state: Any, x: Any) -> tuple[Any, Any]:
            h, c = state
            i, n, f, o = gates(x, h, u)
            c = f * c + i * n
            state = (o * ops.tanh(c), c)
            return state, state

        _, (states, cells) = scan(forward, (h, c), x, length)

        def grad(*args: Any, upstream: Any = None) -> Any:
            (upstream,) = args if upstream is None else (upstream,)
            before, cells_before, back = _before(h, states), _before(c, cells), _transpose(u)
            squashed = ops.tanh(cells)

            def step(state: Any, inputs: Any) -> tuple[Any, Any]:
                dh, dc = state
                dy, before, squashed, i, n, f, o = inputs
                dh = dh + dy
                dc = dc + dh * o * (1.0 - squashed * squashed)
                di = dc * n * i * (1.0 - i)
                dn = dc * i * (1.0 - n * n)
                df = dc * before * f * (1.0 - f)
                do = dh * squashed * o * (1.0 - o)
                dx = ops.concatenate([di, dn, df, do], axis=-1)
                return (ops.matmul(dx, back), dc * f), dx

            inputs = (upstream, cells_before, squashed, *gates(x, before, u))
            zeros = (ops.zeros_like(h), ops.zeros_like(c))
            (dh, dc), dx = scan(step, zeros, inputs, length, back=True)
            return dx, dh, dc, _kernel_gradient(before, dx)

        return states, grad

    return run(x, h, c, u)
