"""Recurrent language models over the bytes of sentences."""

from typing import TYPE_CHECKING

from ..initializers import SONNET
from ..sampling import Config

if TYPE_CHECKING:
    from ..definition import Definition

_CORES = {
    "GRU64": ["gru", 64],
    "GRU128": ["gru", 128],
    "GRU256": ["gru", 256],
    "LSTM128": ["lstm", 128],
    "LSTM256": ["lstm", 256],
}

ROWS: dict[str, Config] = {
    f"FixedLM_lm1b_patch128_{name}_embed64_avg_bs128": {
        "dataset": ["lm1b/bytes", {"patch_length": 128, "batch_size": 128}],
        "core": [kind, {"core_dim": units}],
        "embed_dim": 64,
        "vocab_size": 256,
        "w_init": list(SONNET),
        "trainable_init": True,
    }
    for name, (kind, units) in _CORES.items()
}


def build(config: Config) -> "Definition":
    """Next-token prediction from a trained first state; padding is left out of the loss."""
    from ..texts import sampled_language_model

    return sampled_language_model(config, valid_size=3000, masked=True)
