"""Recurrent tasks against Keras layers, and their data and losses against plain NumPy."""

import re

import fixed_designs
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_hplist import tasks
from keras_hplist.tasks import fixed
from keras_hplist.tasks.families import rnn_text_classification
from keras_hplist.tasks.layers import ACTIVATIONS, recurrent_block
from keras_hplist.tasks.layers.random import Draws
from keras_hplist.tasks.texts import Texts, language_model

UNITS, VOCABULARY, EMBEDDING, LENGTH, BATCH, MEMBERS = 5, 7, 4, 6, 3, 2
SEED = tf.constant([0, 0])
KINDS = ("two_d", "language_model", "text_classification", "associative", "copy")


def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


def numpy_states(kind, weights, x, act=np.tanh):
    """States (L, B, H) of a core on inputs x (L, B, I), from its published equations.

    Args:
        kind: `"vrnn"`, `"gru"` or `"lstm"`.
        weights: name without the core's prefix to float64 array.
        x: the inputs.
        act: activation of the vanilla core.
    """
    w, states = weights, []
    units = (w["gates"] if kind == "lstm" else w["recurrent"]).shape[1]
    units //= {"vrnn": 1, "gru": 3, "lstm": 4}[kind]
    h, c = (np.tile(w.get(f"state{i}", np.zeros(units)), (x.shape[1], 1)) for i in range(2))
    for now in x:
        if kind == "vrnn":
            h = act(now @ w["kernel"] + w["bias"] + h @ w["recurrent"] + w["recurrent_bias"])
        elif kind == "gru":
            wz, wr, wh = np.split(w["kernel"], 3, axis=1)
            uz, ur, uh = np.split(w["recurrent"], 3, axis=1)
            bz, br, bh = np.split(w["bias"], 3)
            z = sigmoid(now @ wz + h @ uz + bz)
            r = sigmoid(now @ wr + h @ ur + br)
            h = (1 - z) * h + z * np.tanh(now @ wh + (r * h) @ uh + bh)
        else:
            gates = np.concatenate([now, h], axis=1) @ w["gates"] + w["bias"]
            i, j, f, o = np.split(gates, 4, axis=1)
            c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
            h = np.tanh(c) * sigmoid(o)
        states.append(h)
    return np.stack(states)


def numpy_cross_entropy(logits, targets):
    """Cross-entropy in nats of each row of logits."""
    shifted = logits - logits.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -np.take_along_axis(log_p, targets[..., None], -1)[..., 0]


def float64(program, weights, kind):
    """Weights by name, without the prefix of the core."""
    return {
        w.name.removeprefix(f"{kind}_"): np.asarray(a, np.float64)
        for w, a in zip(program.weights, weights)
    }


def disturbed_start(program, seed=0):
    """Initial weights, moved so that none is zero: biases and states take part."""
    rng = np.random.default_rng(seed)
    return [(a + 0.1 * rng.normal(size=a.shape)).astype(np.float32) for a in program.init(seed)]


# Cells against Keras.


def keras_states(kind, weights, x, act):
    """What the Keras layer gives for our weights, and states (B, L, H) as a function of them.

    Keras's update gate keeps where the suite's replaces, so its sign turns; its LSTM has the gates
    in another order and no 1 in the forget gate.
    """
    first = [weights.get(f"state{i}", ops.zeros(UNITS)) for i in range(1 + (kind == "lstm"))]
    first = [tf.tile(state[None], (BATCH, 1)) for state in first]
    if kind == "vrnn":
        layer = keras.layers.SimpleRNN(UNITS, activation=act, return_sequences=True, unroll=True)
        own = [weights["kernel"], weights["recurrent"], weights["bias"] + weights["recurrent_bias"]]
    elif kind == "gru":
        layer = keras.layers.GRU(UNITS, reset_after=False, return_sequences=True, unroll=True)
        sign = np.repeat(np.float32([-1, 1, 1]), UNITS)
        own = [weights[name] * sign for name in ("kernel", "recurrent", "bias")]
    else:
        layer = keras.layers.LSTM(UNITS, return_sequences=True, unroll=True)

        def reorder(array):
            i, j, f, o = tf.split(array, 4, axis=-1)
            return tf.concat([i, f, j, o], axis=-1)

        forget = np.repeat(np.float32([0, 1, 0, 0]), UNITS)
        gates = reorder(weights["gates"])
        inputs = x.shape[-1]
        own = [gates[:inputs], gates[inputs:], reorder(weights["bias"]) + forget]
    layer.build(x.shape)
    first = first if kind == "lstm" else first[0]
    rest = [variable.value for variable in layer.non_trainable_variables]
    states, _ = layer.stateless_call(own, rest, x, initial_state=first)
    return states


CELLS = [("gru", {}), ("lstm", {})] + [("vrnn", {"act_fn": act}) for act in ACTIVATIONS]


@pytest.mark.parametrize("embedding", [None, EMBEDDING])
@pytest.mark.parametrize(("kind", "options"), CELLS)
def test_cores_equal_keras_layers(kind, options, embedding):
    """States and the gradients of all weights are Keras's, alone and within a population."""
    core = [kind, {"core_dim": UNITS, **options}]
    block = recurrent_block(core, VOCABULARY, LENGTH, embedding, trainable_init=True)
    rng = np.random.default_rng(1)
    tokens = rng.integers(VOCABULARY, size=(BATCH, LENGTH)).astype(np.int32)
    slope = rng.normal(size=(LENGTH, BATCH, UNITS)).astype(np.float32)
    members = [
        [(0.5 * rng.normal(size=w.shape)).astype(np.float32) for w in block.weights]
        for _ in range(MEMBERS)
    ]

    def ours(weights):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            states = block.apply(weights, tokens, Draws(SEED))
            weighted = states * (slope[:, None] if len(states.shape) == 4 else slope)
            total = tf.reduce_sum(weighted)
        return states.numpy(), [g.numpy() for g in tape.gradient(total, weights)]

    stacked = [tf.constant(np.stack(arrays)) for arrays in zip(*members)]
    together, slopes = ours(stacked)
    for i, member in enumerate(members):
        weights = [tf.constant(a) for a in member]
        named = {w.name.removeprefix(f"{kind}_"): t for w, t in zip(block.weights, weights)}
        with tf.GradientTape() as tape:
            tape.watch(weights)
            x = tf.gather(named["table"], tokens) if embedding else tf.one_hot(tokens, VOCABULARY)
            act = ACTIVATIONS[options.get("act_fn", "tanh")]
            states = tf.transpose(keras_states(kind, named, x, act), (1, 0, 2))
            total = tf.reduce_sum(states * slope)
        expected = [tf.convert_to_tensor(g).numpy() for g in tape.gradient(total, weights)]
        alone, own = ours(weights)
        for states_of in (alone, together[:, i]):
            np.testing.assert_allclose(states_of, states, rtol=1e-4, atol=1e-5)
        for weight, *gradients in zip(block.weights, expected, own, [s[i] for s in slopes]):
            scale = np.abs(gradients[0]).max()
            assert scale > 0, weight.name
            for gradient in gradients[1:]:
                np.testing.assert_allclose(gradient / scale, gradients[0] / scale, atol=2e-5)


# Language models by hand.


def numpy_language_loss(weights, kind, tokens, vocabulary, masked):
    """Cross-entropy in nats per token of a batch (B, L)."""
    ids = np.minimum(tokens, vocabulary - 1)
    states = numpy_states(kind, weights, weights["table"][ids[:, :-1].T])
    logits = states @ weights["logits_kernel"] + weights["logits_bias"]
    losses = numpy_cross_entropy(logits, ids[:, 1:].T)
    return losses[tokens[:, 1:].T > 0].mean() if masked else losses.mean()


@pytest.mark.parametrize("kind", ["vrnn", "gru", "lstm"])
@pytest.mark.parametrize("masked", [True, False])
def test_language_loss_by_hand(kind, masked):
    """Padding weighs nothing when masked, else counts as a token; large ids are the last one."""
    tokens = np.int32([[3, 9, 2, 5, 1], [4, 6, 0, 0, 0], [2, 0, 0, 0, 0]])
    texts = Texts("lm1b/bytes", batch_size=3, patch_length=5, valid_size=9)
    core = [kind, {"core_dim": 6}]
    definition = language_model(
        texts, core, 7, 4, ("random_normal", 1.0), trainable_init=True, masked=masked
    )
    program = definition.program
    start = disturbed_start(program)
    loss = program.loss_value([tf.constant(a) for a in start], (tokens, tokens), SEED)
    weights = float64(program, start, kind)
    np.testing.assert_allclose(
        loss, numpy_language_loss(weights, kind, tokens, 7, masked), rtol=1e-5
    )


@pytest.mark.parametrize("core", ["GRU64", "LSTM128"])
def test_fixed_language_models_leave_padding_out(core):
    """A published language model on sentences of which one is mostly padding."""
    program = tasks.get(f"FixedLM_lm1b_patch128_{core}_embed64_avg_bs128").program
    tokens = np.random.default_rng(0).integers(1, 257, size=(2, 128)).astype(np.int32)
    tokens[1, 20:] = 0
    start = disturbed_start(program)
    loss = program.loss_value([tf.constant(a) for a in start], (tokens, tokens), SEED)
    kind = core.rstrip("0123456789").lower()
    expected = numpy_language_loss(float64(program, start, kind), kind, tokens, 256, masked=True)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


# Text classifiers by hand.

REDUCTIONS = {
    "last": lambda states: states[-1],
    "avg": lambda states: states.mean(0),
    "max": lambda states: states.max(0),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_text_loss_by_hand(reduction):
    """The last, mean or largest state over all steps decides, padding included."""
    config = rnn_text_classification.sample(0) | {
        "core": ["lstm", {"core_dim": 6}],
        "trainable_init": True,
        "loss_compute": reduction,
    }
    program = rnn_text_classification.build(config).program
    tokens = np.random.default_rng(0).integers(0, 400, size=(4, 18)).astype(np.int32)
    tokens[1, 5:] = 0
    labels = np.int32([0, 1, 1, 0])
    start = disturbed_start(program)
    loss = program.loss_value([tf.constant(a) for a in start], (tokens, labels), SEED)
    w = float64(program, start, "lstm")
    ids = np.minimum(tokens, config["vocab_size"] - 1)
    final = REDUCTIONS[reduction](numpy_states("lstm", w, w["table"][ids.T]))
    losses = numpy_cross_entropy(final @ w["logits_kernel"] + w["logits_bias"], labels)
    np.testing.assert_allclose(loss, losses.mean(), rtol=1e-5)


@pytest.mark.parametrize("reduction", ["avg", "last"])
def test_identity_networks_start_as_the_identity(reduction):
    """The relu core of an IRNN keeps its state at the start, and its loss is right by hand."""
    name = f"FixedTextRNNClassification_imdb_patch32_IRNN64_relu_{reduction}_bs128"
    program = tasks.get(name).program
    w = float64(program, program.init(0), "vrnn")
    assert np.array_equal(w["recurrent"], np.eye(64))
    assert not w["state0"].any()
    tokens = np.random.default_rng(0).integers(0, 8185, size=(3, 32)).astype(np.int32)
    labels = np.int32([0, 1, 1])
    loss = program.loss_value([tf.constant(a) for a in program.init(0)], (tokens, labels), SEED)
    states = numpy_states("vrnn", w, w["table"][tokens.T], lambda x: np.maximum(x, 0))
    logits = REDUCTIONS[reduction](states) @ w["logits_kernel"] + w["logits_bias"]
    np.testing.assert_allclose(loss, numpy_cross_entropy(logits, labels).mean(), rtol=1e-5)


# Associative retrieval and copying.


def test_associative_examples():
    """Different keys, values of any token, the query symbol, and a key whose value is asked."""
    task = tasks.get("Associative_LSTM128_BS128_Pairs5_Tokens20")
    asked = set()
    for step in range(4):
        x, y = task.data.train.batch(step, task.batch_size, seed=0)
        assert x.shape == (128, 12)
        assert y.shape == (128,)
        for row, target in zip(x.tolist(), y.tolist()):
            keys, values = row[:10:2], row[1:10:2]
            assert len(set(keys)) == 5
            assert set(keys + values) <= set(range(20))
            assert row[10] == 21
            assert target == dict(zip(keys, values))[row[11]]
            asked.add(keys.index(row[11]))
    assert asked == set(range(5))


def test_copy_examples():
    """Tokens, a separator, and the symbol that asks for each of them."""
    task = tasks.get("Copy_LSTM128_BS128_Length5_Tokens10")
    x, y = task.data.train.batch(0, task.batch_size, seed=0)
    assert x.shape == (128, 11)
    assert set(np.unique(x[:, :5])) == set(range(10))
    assert np.all(x[:, 5] == 10)
    assert np.all(x[:, 6:] == 11)
    assert np.array_equal(y, x[:, :5])


@pytest.mark.parametrize(
    "name", ["Associative_LSTM128_BS128_Pairs5_Tokens20", "Copy_LSTM128_BS128_Length5_Tokens10"]
)
def test_made_data_differ_by_split_seed_and_step(name):
    """Every split, seed and step has examples of its own, and always the same."""
    task = tasks.get(name)
    places = [(0, 0), (0, 1), (1, 0)]
    seen = {
        (role, place): split.batch(place[1], 128, place[0])[0].tobytes()
        for role, split in task.data.items()
        for place in places
    }
    assert len(set(seen.values())) == 4 * len(places)
    again = tasks.get(name).data.test.batch(1, 128, 0)[0].tobytes()
    assert again == seen["test", (0, 1)]


def disturbed_run(name, kind):
    """A batch of a task on one-hot tokens, its loss, and the weights and states in float64."""
    task = tasks.get(name)
    x, y = task.data.train.batch(0, 8, seed=0)
    start = disturbed_start(task.program)
    loss = task.program.loss_value([tf.constant(a) for a in start], (x, y), SEED)
    w = float64(task.program, start, kind)
    return x, y, loss, w, numpy_states(kind, w, np.eye(len(w["logits_bias"]))[x.T])


@pytest.mark.parametrize("core", ["VRNN", "GRU", "LSTM"])
def test_associative_loss_by_hand(core):
    """Only the last step of one-hot inputs counts, over all symbols."""
    name = f"Associative_{core}128_BS128_Pairs10_Tokens50"
    _, y, loss, w, states = disturbed_run(name, core.lower())
    logits = states[-1] @ w["logits_kernel"] + w["logits_bias"]
    np.testing.assert_allclose(loss, numpy_cross_entropy(logits, y).mean(), rtol=1e-5)


@pytest.mark.parametrize("core", ["VRNN", "GRU", "LSTM"])
def test_copy_loss_by_hand(core):
    """The states after the separator's successor to the last one say the tokens in order."""
    name = f"Copy_{core}128_BS128_Length20_Tokens10"
    x, y, loss, w, states = disturbed_run(name, core.lower())
    logits = states[21:] @ w["logits_kernel"] + w["logits_bias"]
    np.testing.assert_allclose(loss, numpy_cross_entropy(logits, x[:, :20].T).mean(), rtol=1e-5)
    assert y.shape == (8, 20)


# The rows.


def test_every_name_of_these_kinds_has_a_row():
    """43 hand-designed tasks: functions of two weights, texts and sequences."""
    names = [name for kind in KINDS for name in fixed_designs.NAMES[kind]]
    assert len(names) == 43
    assert set(names) <= set(fixed.rows())


@pytest.mark.parametrize("kind", KINDS[1:])
def test_rows_say_what_the_names_say(kind):
    """Core, units, batch and lengths stand in the published names as well."""
    for name in fixed_designs.NAMES[kind]:
        config = fixed.rows()[name][1]
        core, options = config["core"]
        published, units = re.search(r"_([A-Z]+)(\d+)", name).groups()
        assert core == published.lower().replace("irnn", "vrnn")
        assert options["core_dim"] == int(units)
        assert (published == "IRNN") == ("hidden_to_hidden" in options)
        numbers = {
            "batch_size": r"_(?:bs|BS)(\d+)",
            "patch_length": r"patch(\d+)",
            "pairs": r"Pairs(\d+)",
            "tokens": r"Tokens(\d+)",
            "length": r"Length(\d+)",
            "embed_dim": r"(?:embed|_E)(\d+)",
        }
        stated = config | config.get("dataset", [None, {}])[1]
        for key, pattern in numbers.items():
            if found := re.search(pattern, name):
                assert stated[key] == int(found[1]), (name, key)
        if "loss_compute" in config:
            assert config["loss_compute"] == ("avg" if "_avg" in name else "last")
            assert stated["embed_dim"] == (128 if re.search("embed128|E128", name) else 64)
            act = "relu" if "_relu" in name else "tanh"
            assert options.get("act_fn", "tanh") == act


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("FixedLM_lm1b_patch128_GRU64_embed64_avg_bs128", 256 * 64 + 3 * 64 * 129 + 64 + 256 * 65),
        ("FixedLM_lm1b_patch128_LSTM256_embed64_avg_bs128", 16384 + 1024 * 321 + 512 + 256 * 257),
        (
            "FixedTextRNNClassification_imdb_patch32_LSTM128_bs128",
            10000 * 64 + 512 * 193 + 256 + 2 * 129,
        ),
        (
            "FixedTextRNNClassification_imdb_patch32_IRNN64_relu_avg_bs128",
            10000 * 64 + 64 * 130 + 64 + 2 * 65,
        ),
        ("Associative_LSTM256_BS128_Pairs40_Tokens100", 1024 * (102 + 256 + 1) + 102 * 257),
        ("Copy_VRNN128_BS128_Length20_Tokens10", 128 * (12 + 128 + 2) + 12 * 129),
    ],
)
def test_numbers_of_parameters_by_hand(name, parameters):
    """Tables, cores, first states where they are trained, and heads; nothing else."""
    assert tasks.get(name).num_parameters == parameters
