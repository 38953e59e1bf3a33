"""Associative retrieval: a core reads pairs of keys and values and is asked for one value."""

from typing import TYPE_CHECKING

import numpy as np

from ..sampling import Config

if TYPE_CHECKING:
    from ..definition import Definition


def _row(kind: str, units: int, pairs: int, tokens: int) -> Config:
    core = [kind, {"core_dim": units}]
    return {"core": core, "batch_size": 128, "pairs": pairs, "tokens": tokens}


ROWS: dict[str, Config] = {
    "Associative_LSTM128_BS128_Pairs5_Tokens20": _row("lstm", 128, 5, 20),
    "Associative_LSTM128_BS128_Pairs20_Tokens50": _row("lstm", 128, 20, 50),
    "Associative_LSTM256_BS128_Pairs40_Tokens100": _row("lstm", 256, 40, 100),
    "Associative_LSTM128_BS128_Pairs10_Tokens50": _row("lstm", 128, 10, 50),
    "Associative_GRU128_BS128_Pairs10_Tokens50": _row("gru", 128, 10, 50),
    "Associative_VRNN128_BS128_Pairs10_Tokens50": _row("vrnn", 128, 10, 50),
    "Associative_LSTM256_BS128_Pairs20_Tokens50": _row("lstm", 256, 20, 50),
    "Associative_GRU256_BS128_Pairs20_Tokens50": _row("gru", 256, 20, 50),
    "Associative_VRNN256_BS128_Pairs20_Tokens50": _row("vrnn", 256, 20, 50),
}


def examples(
    rng: np.random.Generator, batch_size: int, pairs: int, tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences k₁ v₁ … kₚ vₚ, the query symbol, one of the keys; and the value of that key.

    Keys of an example differ from each other. Id `tokens` is an empty target that no step with a
    loss has; `tokens + 1` is the query symbol.

    Returns:
        x int32 (batch_size, 2 pairs + 2) and y int32 (batch_size,).
    """
    keys = rng.permuted(np.tile(np.arange(tokens), (batch_size, 1)), axis=1)[:, :pairs]
    values = rng.integers(tokens, size=(batch_size, pairs))
    told = np.stack([keys, values], axis=2).reshape(batch_size, 2 * pairs)
    asked = np.arange(batch_size), rng.integers(pairs, size=batch_size)
    query = np.full(batch_size, tokens + 1)
    x = np.column_stack([told, query, keys[asked]])
    return x.astype(np.int32), values[asked].astype(np.int32)


def build(config: Config) -> "Definition":
    """Logits of the value after the last step, the only one with a loss; cross-entropy."""
    from ..definition import Definition
    from ..layers import cross_entropy, dense_block, recurrent_block
    from ..program import Program, chain, function
    from ..synthetic import generated

    core, pairs, tokens = config["core"], config["pairs"], config["tokens"]
    network = chain(
        recurrent_block(core, tokens + 2, 2 * pairs + 2),
        function(lambda states: states[-1]),
        dense_block(core[1]["core_dim"], tokens + 2).named("logits"),
    )
    return Definition(
        Program(network, cross_entropy, "Logits of the value, over all symbols."),
        config["batch_size"],
        lambda source: generated(
            "associative retrieval", lambda rng, size: examples(rng, size, pairs, tokens)
        ),
    )
