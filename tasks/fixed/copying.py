"""Copying: a core reads tokens, and then has to say them again in their order."""

from typing import TYPE_CHECKING

import numpy as np

from ..sampling import Config

if TYPE_CHECKING:
    from ..definition import Definition


def _row(kind: str, units: int, length: int, tokens: int) -> Config:
    core = [kind, {"core_dim": units}]
    return {"core": core, "batch_size": 128, "length": length, "tokens": tokens}


ROWS: dict[str, Config] = {
    "Copy_LSTM128_BS128_Length5_Tokens10": _row("lstm", 128, 5, 10),
    "Copy_LSTM128_BS128_Length20_Tokens20": _row("lstm", 128, 20, 20),
    "Copy_LSTM128_BS128_Length50_Tokens5": _row("lstm", 128, 50, 5),
    "Copy_LSTM128_BS128_Length20_Tokens10": _row("lstm", 128, 20, 10),
    "Copy_GRU128_BS128_Length20_Tokens10": _row("gru", 128, 20, 10),
    "Copy_VRNN128_BS128_Length20_Tokens10": _row("vrnn", 128, 20, 10),
    "Copy_LSTM256_BS128_Length40_Tokens50": _row("lstm", 256, 40, 50),
    "Copy_GRU256_BS128_Length40_Tokens50": _row("gru", 256, 40, 50),
    "Copy_VRNN256_BS128_Length40_Tokens50": _row("vrnn", 256, 40, 50),
}


def examples(
    rng: np.random.Generator, batch_size: int, length: int, tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens, a separator (id `tokens`), and `length` times the symbol `tokens + 1` for "now".

    Returns:
        x int32 (batch_size, 2 length + 1), and the tokens y int32 (batch_size, length), which the
        task takes from x.
    """
    told = rng.integers(tokens, size=(batch_size, length), dtype=np.int32)
    x = np.pad(told, ((0, 0), (0, length + 1)), constant_values=tokens + 1)
    x[:, length] = tokens
    return x, told


def build(config: Config) -> "Definition":
    """Cross-entropy of the tokens in the last `length` steps, in nats per token."""
    from ..definition import Definition
    from ..initializers import SONNET
    from ..layers import mean_loss
    from ..layers.cores import prediction_block
    from ..program import Program
    from ..synthetic import generated

    batch_size, length, tokens = config["batch_size"], config["length"], config["tokens"]
    read, wanted = slice(0, 2 * length + 1), slice(0, length)
    network = prediction_block(config["core"], tokens + 2, read, wanted, SONNET, batch_size)
    return Definition(
        Program(network, mean_loss, "Cross-entropy of each example, nats per token."),
        batch_size,
        lambda source: generated("copying", lambda rng, size: examples(rng, size, length, tokens)),
    )
