"""The optimizers in plain float64 NumPy, written from their description, for one configuration."""

import math

import numpy as np

GRADIENT_SEED = 7


def trajectory(family, values, start, gradients, training_steps, as_published=False):
    """Variables after each step.

    Args:
        family: name of the search space.
        values: the configuration.
        start: initial variable, any shape.
        gradients: shape (steps, *start.shape), those of the unregularised loss.
        training_steps: the planned number of steps.
        as_published: as the optimizers'.

    Returns:
        float64 array of shape (steps, *start.shape).
    """
    step_function = {"nadamw": _nadamw, "adam8p": _adam8p, "adam6p": _adam8p}.get(family, _adam)
    theta = np.array(start, np.float64)
    m = np.zeros_like(theta)
    v = np.zeros_like(theta)
    path = []
    for t, g in enumerate(np.asarray(gradients, np.float64), start=1):
        theta, m, v = step_function(values, theta, g, m, v, t, training_steps, as_published)
        path.append(theta)
    return np.stack(path)


def learning_rate(values, step, training_steps, as_published=False):
    """NAdamW's learning rate at a 0-based step, as written in the specification."""
    T, P = training_steps, values["learning_rate"]
    s = min(step, T)
    C = values["constant_fraction"] * T
    F = values["min_learning_rate_mult"] * P
    if T == C:
        rate = P
    else:
        rate = F + (P - F) * (0.5 + 0.5 * math.cos(math.pi * (max(s, C) - C) / (T - C)))
    if values["warmup_fraction"] > 0:
        longer = as_published in ("torch", "jax")
        choose = max if longer else min
        W = T * choose(values["warmup_fraction"], values["constant_fraction"])
        if s < W:
            rate = P * s / W
    return rate


def _moments(values, g, m, v):
    b1, b2 = values.get("beta1", 0.9), values.get("beta2", 0.999)
    return b1, b2, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2


def _nadamw(values, theta, g, m, v, t, T, as_published):
    g = g + (-1 if as_published else 1) * values["l2_weight_decay"] * theta
    b1, b2, m, v = _moments(values, g, m, v)
    a = learning_rate(values, t - 1, T, as_published) * math.sqrt(1 - b2**t) / (1 - b1**t)
    nesterov = values["use_nesterov"] and as_published not in (True, "tensorflow")
    numerator = b1 * m + (1 - b1) * g if nesterov else m
    d = a * numerator / (np.sqrt(v) + values["epsilon"]) + a * values["adamw_weight_decay"] * theta
    return theta - d, m, v


def _adam8p(values, theta, g, m, v, t, T, as_published):
    # Adam6p is Adam8p with l1 = l2 = 0. The gradient is that of l2 sum theta^2 + l1 sum |theta|.
    g = g + 2 * values.get("l2", 0.0) * theta + values.get("l1", 0.0) * np.sign(theta)
    b1, b2, m, v = _moments(values, g, m, v)
    m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
    published_8p = as_published and "l1" in values
    s = (t - 1) * 10_000 / (10_000 if published_8p else T)
    linear = max(0.0, 1 - values["linear_decay"] * s)
    rate = values["learning_rate"] * linear * math.exp(-values["exponential_decay"] * s)
    return theta - rate * m_hat / (np.sqrt(v_hat + 1e-10) + values["epsilon"]), m, v


def _adam(values, theta, g, m, v, t, T, as_published):
    b1, b2, m, v = _moments(values, g, m, v)
    rate = values["learning_rate"] * math.sqrt(1 - b2**t) / (1 - b1**t)
    return theta - rate * m / (np.sqrt(v) + values.get("epsilon", 1e-8)), m, v
