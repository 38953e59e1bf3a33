"""Quadratics and LOSG problems against closed forms in float64 NumPy."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logsumexp

from keras_hplist import tasks
from keras_hplist.tasks.families import losg_tasks, quadratic

INSTANCE = 4321


def evaluate(definition, weights, step=0, batch=None):
    """Losses (P,) and gradients of populations of weights (P, ...), as float64."""
    tensors = [tf.constant(np.asarray(w, np.float32)) for w in weights]
    if batch is None:
        batch = definition.load("embedded").train.batch(step, definition.batch_size, 0)
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        loss = definition.program.loss_value(tensors, batch, tf.constant([0, step]))
        total = tf.reduce_sum(loss)
    gradients = [g.numpy().astype(float) for g in tape.gradient(total, tensors)]
    return loss.numpy().astype(float), gradients


def losg(key, /, **options):
    """A LOSG problem without noise, unless it is among the options."""
    return losg_tasks.build([key, options, INSTANCE])


def differences(function, points, width=1e-5):
    """Gradient (P, d) of a function of points (P, d) by central differences."""
    steps = width * np.eye(points.shape[1])
    columns = [(function(points + s) - function(points - s)) / (2 * width) for s in steps]
    return np.stack(columns, axis=1)


# Functions of two weights.

FUNCTIONS = {
    "ackley": lambda x, y: (
        -20 * np.exp(-0.2 * np.sqrt((x**2 + y**2) / 2))
        - np.exp((np.cos(2 * np.pi * x) + np.cos(2 * np.pi * y)) / 2)
        + np.e
        + 20
    ),
    "beale": lambda x, y: (
        (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2
    ),
    "branin": lambda x, y: (
        (y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6) ** 2
        + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x)
        + 10
    ),
    "logsumexp": lambda x, y: logsumexp(
        [x + 3 * y - 0.1, x - 3 * y - 0.1, -x - 0.1, np.zeros_like(x)], axis=0
    ),
    "matyas": lambda x, y: 0.26 * (x**2 + y**2) - 0.48 * x * y,
    "michalewicz": lambda x, y: (
        2 - np.sin(x) * np.sin(x**2 / np.pi) ** 10 - np.sin(y) * np.sin(2 * y**2 / np.pi) ** 10
    ),
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "StyblinskiTang": lambda x, y: sum(t**4 - 16 * t**2 + 5 * t for t in (x, y)) / 2 + 80,
}
# Name -> box of the start; None for N(0, 1).
BOXES = {
    "ackley": [(-32.768, 32.768)] * 2,
    "beale": [(-4.5, 4.5)] * 2,
    "branin": [(-5, 10), (0, 15)],
    "logsumexp": None,
    "matyas": [(-10, 10)] * 2,
    "michalewicz": [(0, math.pi)] * 2,
    "rosenbrock": [(-5, 10)] * 2,
    "StyblinskiTang": [(-5, 5)] * 2,
}
# From the literature on these functions; those of logsumexp and michalewicz by calculus.
MINIMA = [
    ("ackley", (0.0, 0.0), 0.0),
    ("beale", (3.0, 0.5), 0.0),
    ("branin", (-math.pi, 12.275), 0.397887),
    ("branin", (math.pi, 2.275), 0.397887),
    ("branin", (9.42478, 2.475), 0.397887),
    ("logsumexp", (-math.log(2) / 2, 0.0), math.log(2 * math.sqrt(2) * math.exp(-0.1) + 1)),
    ("matyas", (0.0, 0.0), 0.0),
    # Not the 2.2029 of the literature, where the power is 20: cot x + 20 x / pi cot(x² / pi) = 0.
    ("michalewicz", (2.1853119618, math.pi / 2), 0.19337711),
    ("rosenbrock", (1.0, 1.0), 0.0),
    ("StyblinskiTang", (-2.903534, -2.903534), 80 - 78.332331),
]


def draw_points(name, count=200):
    """Points of the box in which a function's start is drawn."""
    rng = np.random.default_rng(0)
    if BOXES[name] is None:
        return rng.normal(size=(count, 2)).astype(np.float32)
    low, high = np.transpose(BOXES[name])
    return rng.uniform(low, high, (count, 2)).astype(np.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_test_functions_equal_closed_forms(name):
    """Values and gradients over the box of the start."""
    definition = losg("optimization_test_problems", problem=name)
    points = draw_points(name).astype(float)

    def values(points):
        return FUNCTIONS[name](*points.T)

    loss, (gradients,) = evaluate(definition, [points])
    scale = np.abs(values(points)).max()
    np.testing.assert_allclose(loss, values(points), rtol=1e-4, atol=1e-6 * scale)
    slopes = differences(values, points)
    np.testing.assert_allclose(gradients, slopes, rtol=1e-3, atol=1e-5 * np.abs(slopes).max())


@pytest.mark.parametrize(("name", "place", "value"), MINIMA)
def test_minima_of_test_functions(name, place, value):
    """The known minima are where they should be, and nothing in the box lies lower."""
    definition = losg("optimization_test_problems", problem=name)
    around = np.array(place) + np.concatenate(
        [np.zeros((1, 2)), np.random.default_rng(1).normal(size=(200, 2)) * 0.1]
    )
    loss, (gradients,) = evaluate(definition, [np.concatenate([around, draw_points(name)])])
    assert loss[0] == pytest.approx(value, abs=2e-5)
    assert loss.min() >= loss[0] - 2e-5
    if name != "ackley":  # has a cusp
        np.testing.assert_allclose(gradients[0], 0, atol=1e-3)


@pytest.mark.parametrize("name", BOXES)
def test_starts_of_test_functions(name):
    """Starts differ by seed and fill the box of the function."""
    program = losg("optimization_test_problems", problem=name).program
    starts = np.array([program.init(seed)[0] for seed in range(400)])
    low, high = np.transpose(BOXES[name] or [(-5, 5)] * 2)
    assert np.all((starts >= low) & (starts <= high))
    spread = np.ones(2) if BOXES[name] is None else (high - low) / math.sqrt(12)
    np.testing.assert_allclose(starts.std(0), spread, rtol=0.15)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        *((f"TwoD_Bowl{k}", lambda x, y, k=k: (k * x**2 + y**2) / 2) for k in (1, 10, 100, 1000)),
        ("TwoD_Rosenbrock", FUNCTIONS["rosenbrock"]),
        ("TwoD_Ackley", FUNCTIONS["ackley"]),
        ("TwoD_Beale", FUNCTIONS["beale"]),
        ("TwoD_StyblinskiTang", FUNCTIONS["StyblinskiTang"]),
    ],
)
def test_two_d_tasks(name, function):
    """The published start of op seed 123, whatever the seed of the run; values without noise."""
    task = tasks.get(name)
    box = {
        "TwoD_Rosenbrock": (-5.0, 10.0),
        "TwoD_Ackley": (-32.768, 32.768),
        "TwoD_Beale": (-4.5, 4.5),
        "TwoD_StyblinskiTang": (-5.0, 5.0),
    }.get(name)
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        drawn = v1.random_uniform([2], *box, seed=123) if box else v1.random_normal([2], seed=123)
        published = session.run(drawn)
    for seed in (0, 1):
        np.testing.assert_allclose(task.program.init(seed)[0], published, rtol=1e-6)
    points = np.concatenate([[published], np.random.default_rng(0).normal(size=(20, 2))])
    for step in (0, 1):
        loss, _ = evaluate(task.definition, [points], step)
        np.testing.assert_allclose(loss, function(*points.T), rtol=1e-4, atol=1e-5)


# Problems of any dimension.

DIM, MEMBERS = 12, 5


def affine(dim=DIM):
    """W and y of the instance."""
    rng = np.random.RandomState(INSTANCE)
    return rng.normal(size=(dim, dim)), rng.normal(size=dim)


def bowl(points, cond, angle):
    """Half the squared norm of diag(sqrt cond, 1) Rot(angle) x."""
    turn = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    return ((points @ (np.diag([math.sqrt(cond), 1]) @ turn).T) ** 2).sum(1) / 2


def half_square(points):
    """The `quadratic` of the instance."""
    w, y = affine()
    return ((points @ w.T - y) ** 2).sum(1) / 2


def norm(points, power):
    """The `norm` of the instance."""
    w, y = affine()
    return ((np.abs(points @ w.T - y) + 1e-6) ** power).sum(1) ** (1 / power)


def dependency_chain(points):
    """x₀² + xᵢ² / (xᵢ₋₁² + 1e-6), summed over i ≥ 1."""
    return sum(
        points[:, 0] ** 2 + points[:, i] ** 2 / (points[:, i - 1] ** 2 + 1e-6)
        for i in range(1, points.shape[1])
    )


def min_max_well(points):
    """Zero where all entries are 1 or -1."""
    return (points**2).max(1) + 1 / (points**2).min(1) - 2 + 1e-12


VECTORS = [
    ("quadratic", {"dim": DIM}, half_square, DIM),
    ("bowl", {"cond": 7.0, "angle": 0.0}, lambda x: bowl(x, 7.0, 0.0), 2),
    ("bowl", {"cond": 0.2, "angle": math.pi / 3}, lambda x: bowl(x, 0.2, math.pi / 3), 2),
    ("norm", {"dim": DIM, "norm_power": 0.7}, lambda x: norm(x, 0.7), DIM),
    ("norm", {"dim": DIM, "norm_power": 3.3}, lambda x: norm(x, 3.3), DIM),
    ("dependency_chain", {"dim": DIM, "bs": 3, "n_samples": 9}, dependency_chain, DIM + 1),
    ("min_max_well", {"dim": DIM}, min_max_well, DIM),
]


@pytest.mark.parametrize(("problem", "options", "function", "dim"), VECTORS)
def test_objectives_without_data(problem, options, function, dim):
    """Values and gradients of functions of one vector."""
    points = np.random.default_rng(2).normal(size=(MEMBERS, dim)).astype(np.float32).astype(float)
    loss, (gradients,) = evaluate(losg(problem, **options), [points])
    np.testing.assert_allclose(loss, function(points), rtol=1e-4)
    slopes = differences(function, points, 1e-6)
    np.testing.assert_allclose(gradients, slopes, rtol=1e-3, atol=1e-4 * np.abs(slopes).max())


def test_min_max_well_is_zero_at_ones():
    """The well's floor is where the largest and the smallest square are 1."""
    loss, _ = evaluate(losg("min_max_well", dim=DIM), [np.ones((1, DIM))])
    assert loss[0] == pytest.approx(0, abs=1e-6)


DATA = {"dim": DIM, "bs": 7, "n_samples": 100}


def outward_snake(x, data):
    """Along the path x_i = pi cos x_{i-1}, pushed by the first column of the data."""
    path = x[1:] - np.pi * np.cos(x[:-1])
    push = data[:, 0] / (np.linalg.norm(x) + 1e-6)
    return push.sum() + ((path * data[:, 1:]) ** 2).sum()


def sum_of_quadratics(x, data):
    """Squared distances to the data, less what they are at 0."""
    return ((x - data) ** 2).sum() - (data**2).sum() + 1e-12


def projection_quadratic(x, data):
    """Squares of coordinates as the data weigh them."""
    return ((x * data) ** 2).sum()


@pytest.mark.parametrize(
    ("problem", "function"),
    [
        ("outward_snake", outward_snake),
        ("sum_of_quadratics", sum_of_quadratics),
        ("projection_quadratic", projection_quadratic),
    ],
)
def test_objectives_with_data(problem, function):
    """Values and gradients on a batch of the problem's own data."""
    definition = losg(problem, **DATA)
    batch = definition.load("embedded").train.batch(3, 7, 0)
    data = batch[0][:, :-1].astype(float)
    points = np.random.default_rng(3).normal(size=(MEMBERS, DIM)).astype(np.float32).astype(float)

    def values(points):
        return np.array([function(x, data) for x in points])

    loss, (gradients,) = evaluate(definition, [points], batch=batch)
    np.testing.assert_allclose(loss, values(points), rtol=1e-4, atol=1e-4)
    slopes = differences(values, points, 1e-6)
    np.testing.assert_allclose(gradients, slopes, rtol=1e-3, atol=1e-4 * np.abs(slopes).max())


def test_symmetric_data_cancel():
    """Every row comes with its negative, and an odd number of samples is rounded down."""
    definition = losg("sum_of_quadratics", dim=DIM, bs=7, n_samples=31)
    rows = definition.load("embedded").train.arrays["x"]
    assert rows.shape == (30, DIM + 1)
    assert np.array_equal(rows[:15, :-1], -rows[15:, :-1])
    assert not rows[:, -1].any()


def classifier_loss(arrays, logits, labels):
    """Sigmoid cross-entropy of the first logit, and the mean squared norm of arrays."""
    p = expit(logits[:, 0])
    entropy = -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))
    return entropy + 1e-3 * np.mean([(a**2).sum() for a in arrays])


def test_fully_connected_by_hand():
    """A small network: two hidden layers, two logits of which one counts, decay in the loss."""
    options = {"n_features": 3, "n_classes": 2, "activation": "tanh", "hidden_sizes": [5, 4]}
    definition = losg("fully_connected", bs=8, n_samples=11, **options)
    assert [w.shape for w in definition.program.weights] == [
        (3, 5),
        (5,),
        (5, 4),
        (4,),
        (4, 2),
        (2,),
    ]
    batch = definition.load("embedded").train.batch(0, 8, 0)
    members = [definition.program.init(seed) for seed in range(2)]
    loss, _ = evaluate(definition, [np.stack(arrays) for arrays in zip(*members)], batch=batch)
    for value, member in zip(loss, members):
        w0, b0, w1, b1, w2, b2 = arrays = [a.astype(float) for a in member]
        hidden = np.tanh(np.tanh(batch[0][:, :-1] @ w0 + b0) @ w1 + b1)
        assert value == pytest.approx(classifier_loss(arrays, hidden @ w2 + b2, batch[1]), rel=1e-5)


def test_sparse_softmax_regression_by_hand():
    """The sum of five looked-up rows, a linear layer; parity that is wrong once in four."""
    options = {"n_features": 6, "n_classes": 2, "bs": 8, "n_samples": 4000}
    definition = losg("sparse_softmax_regression", **options)
    split = definition.load("embedded").train
    rows = split.arrays["x"]
    wrong = rows[:, :5].sum(1) % 2 != rows[:, 5]
    assert wrong.mean() == pytest.approx(0.25, abs=0.03)
    batch = split.batch(0, 8, 0)
    table, kernel, bias = arrays = [a.astype(float) for a in definition.program.init(0)]
    logits = table[batch[0][:, :5].astype(int)].sum(1) @ kernel + bias
    loss, _ = evaluate(definition, [a[None] for a in arrays], batch=batch)
    assert loss[0] == pytest.approx(classifier_loss(arrays, logits, batch[1]), rel=1e-5)


# Wrappers and disturbed gradients.


def test_log_objective():
    """ln(base + 1e-6) - ln(1e-6)."""
    points = np.random.default_rng(4).normal(size=(MEMBERS, DIM)).astype(np.float32).astype(float)
    definition = losg("log_objective", base=["quadratic", {"dim": DIM, "noise_stdev": 3.0}])
    loss, (gradients,) = evaluate(definition, [points])

    def values(points):
        return np.log(half_square(points) + 1e-6) - math.log(1e-6)

    np.testing.assert_allclose(loss, values(points), rtol=1e-5)
    np.testing.assert_allclose(gradients, differences(values, points), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("scale", [0.01, 300.0])
def test_rescale_problems(scale):
    """Weights are the base's times a scale, at the start and in the objective."""
    definition = losg("rescale_problems", base=["quadratic", {"dim": DIM}], scale=scale)
    base = losg("quadratic", dim=DIM)
    (start,), (plain,) = definition.program.init(5), base.program.init(5)
    np.testing.assert_allclose(start, scale * plain, rtol=1e-6)
    loss, (gradients,) = evaluate(definition, [start[None]])
    assert loss[0] == pytest.approx(half_square(start[None] / scale)[0], rel=1e-4)
    _, (slopes,) = evaluate(base, [plain[None]])
    np.testing.assert_allclose(gradients, slopes / scale, rtol=1e-4, atol=1e-4 / scale)


def test_sparse_gradients():
    """The share of zeros is the one asked for; what is left is the base's gradient; fresh masks."""
    points = np.random.default_rng(5).normal(size=(2, 500)).astype(np.float32)
    base = ["quadratic", {"dim": 500, "noise_stdev": 5.0}]
    definition = losg("sparse_problems", base=base, zero_probability=0.95, noise_stdev=0.0)
    value, (slopes,) = evaluate(losg("quadratic", dim=500), [points])
    masks = []
    for step in range(8):
        loss, (gradients,) = evaluate(definition, [points], step)
        np.testing.assert_allclose(loss, value, rtol=1e-6)
        kept = gradients != 0
        assert np.array_equal(kept[0], kept[1])
        np.testing.assert_allclose(gradients[kept], slopes[kept], rtol=1e-5)
        masks.append(kept[0])
    # 4000 draws: three standard deviations are 0.010.
    assert 1 - np.mean(masks) == pytest.approx(0.95, abs=0.0105)
    assert len({mask.tobytes() for mask in masks}) == 8


@pytest.mark.parametrize("zero_probability", [0.0, 0.9])
def test_gradient_noise_leaves_the_value(zero_probability):
    """Noise of the asked spread on all entries that are not cut; the loss stays what it was."""
    points = np.random.default_rng(6).normal(size=(2, 1000)).astype(np.float32)
    if zero_probability:
        base = ["quadratic", {"dim": 1000}]
        noisy = losg("sparse_problems", base=base, zero_probability=0.9, noise_stdev=2e4)
    else:
        noisy = losg("quadratic", dim=1000, noise_stdev=2e4)
    value, (slopes,) = evaluate(losg("quadratic", dim=1000), [points])
    pushes = []
    for step in range(5):
        loss, (gradients,) = evaluate(noisy, [points], step)
        np.testing.assert_allclose(loss, value, rtol=1e-6)
        kept = gradients[0] != 0
        push = (gradients - slopes)[:, kept]
        np.testing.assert_allclose(push[0], push[1], atol=2.0)
        pushes.append(push[0])
    everything = np.concatenate(pushes)
    assert len(everything) == pytest.approx(5000 * (1 - zero_probability), rel=0.15)
    assert everything.std() == pytest.approx(2e4, rel=0.1)
    assert abs(everything.mean()) < 5 * 2e4 / math.sqrt(len(everything))
    if not zero_probability:
        assert abs(np.corrcoef(pushes[0], pushes[1])[0, 1]) < 0.15


# The family of quadratics.

DIMS, SEED, SCALE = 15, 77, 3.5
MATRICES = [
    ["normal", {"mean": 0.3, "std": 1.2}],
    ["uniform", {"min": -0.5, "max": 1.5}],
    ["linspace_eigen", {"min": 2.0, "max": 9.0}],
    ["logspace_eigen", {"min": 1e-5, "max": 100.0}],
]
# Random matrices without randomness, and what they are.
NOISES = [
    (None, np.zeros((DIMS, DIMS))),
    (["normal", {"mean": 0.4, "std": 0.0}], np.full((DIMS, DIMS), 0.4)),
    (["uniform", {"min": -0.2, "max": -0.2}], np.full((DIMS, DIMS), -0.2)),
    (["linspace_eigen", {"min": 1.5, "max": 1.5}], 1.5 * np.eye(DIMS)),
]


def quadratic_task(matrix, output="identity", noise=None):
    """A task of the family."""
    return quadratic.build(
        {
            "A_dist": matrix,
            "initial_dist": ["uniform", {"min": -1.0, "max": 4.0}],
            "output_fn": output,
            "dims": DIMS,
            "seed": SEED,
            "loss_scale": SCALE,
            "noise": {"A_noise": noise} if noise else None,
        }
    )


@pytest.mark.parametrize(("noise", "added"), NOISES)
@pytest.mark.parametrize("output", ["identity", "log"])
@pytest.mark.parametrize("matrix", MATRICES, ids=lambda m: m[0])
def test_quadratics(matrix, output, noise, added):
    """s |(A + E) x|² and its gradient 2 s (A + E)ᵀ(A + E) x, or s ln of it."""
    definition = quadratic_task(matrix, output, noise)
    a = quadratic.matrix(matrix, DIMS, SEED + 2).astype(float) + added
    x = np.random.default_rng(7).normal(size=(MEMBERS, DIMS)).astype(np.float32).astype(float)
    squares = ((x @ a.T) ** 2).sum(1)
    slopes = 2 * x @ a.T @ a
    if output == "log":
        slopes = slopes / (squares + 1e-8)[:, None]
        squares = np.log(squares + 1e-8)
    loss, (gradients,) = evaluate(definition, [x])
    np.testing.assert_allclose(loss, SCALE * squares, rtol=1e-4, atol=1e-4)
    scale = np.abs(slopes).max()
    np.testing.assert_allclose(gradients / scale, SCALE * slopes / scale, atol=1e-4)


def test_matrices_of_entries():
    """Independent entries of the configured distribution, fixed by the seed."""
    rng = np.random.RandomState(SEED)
    expected = rng.normal(0.3, 1.2, (DIMS, DIMS))
    np.testing.assert_allclose(quadratic.matrix(MATRICES[0], DIMS, SEED), expected, rtol=1e-6)
    entries = quadratic.matrix(MATRICES[1], 300, SEED)
    assert entries.min() >= -0.5
    assert entries.max() <= 1.5
    assert entries.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("matrix", "eigenvalues"),
    [(MATRICES[2], np.linspace(2, 9, DIMS)), (MATRICES[3], np.geomspace(1e-5, 100, DIMS))],
)
def test_matrices_of_eigenvalues(matrix, eigenvalues):
    """Symmetric matrices with the configured eigenvalues, in a basis that is no axis."""
    a = quadratic.matrix(matrix, DIMS, SEED).astype(float)
    np.testing.assert_allclose(a, a.T, atol=1e-5)
    np.testing.assert_allclose(np.linalg.eigvalsh(a), eigenvalues, rtol=1e-5, atol=1e-4)
    assert np.count_nonzero(np.abs(a) > 1e-3) > DIMS**2 / 2


def test_quadratic_start_and_noise():
    """The start belongs to the instance, not to the run; noise in A is fresh at every step."""
    definition = quadratic_task(MATRICES[0], noise=["normal", {"mean": 0.0, "std": 0.05}])
    start, again = (definition.program.init(seed)[0] for seed in (0, 9))
    assert np.array_equal(start, again)
    expected = np.random.RandomState(SEED + 1).uniform(-1, 4, DIMS)
    np.testing.assert_allclose(start, expected, rtol=1e-6)
    losses = [evaluate(definition, [start[None]], step)[0][0] for step in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]


def test_quadratic_noise_in_expectation():
    """E of independent N(0, s²) adds d s² |x|² to the value, in the mean."""
    definition = quadratic_task(MATRICES[2], noise=["normal", {"mean": 0.0, "std": 0.5}])
    (start,) = definition.program.init(0)
    losses = [evaluate(definition, [start[None]], step)[0][0] / SCALE for step in range(120)]
    a = quadratic.matrix(MATRICES[2], DIMS, SEED + 2).astype(float)
    expected = ((a @ start) ** 2).sum() + DIMS * 0.25 * (start**2).sum()
    error = np.std(losses) / math.sqrt(len(losses))
    assert abs(np.mean(losses) - expected) < 4 * error
