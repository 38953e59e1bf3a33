"""Recurrent classifiers of film reviews in subwords."""

from typing import TYPE_CHECKING, Any

from ..sampling import Config

if TYPE_CHECKING:
    from ..definition import Definition


def _row(
    patch_length: int,
    batch_size: int,
    core: list[Any],
    embed_dim: int = 64,
    loss_compute: str = "last",
) -> Config:
    options = {"patch_length": patch_length, "batch_size": batch_size}
    return {
        "dataset": ["imdb_reviews/subwords8k", options],
        "core": core,
        "embed_dim": embed_dim,
        "vocab_size": 10000,
        "loss_compute": loss_compute,
    }


def _core(kind: str, units: int, **options: Any) -> list[Any]:
    return [kind, {"core_dim": units, **options}]


_LSTM = _core("lstm", 128)
_RELU = _core("vrnn", 64, act_fn="relu")
# Memory from the start: a relu core whose state stays as it is (arXiv 1504.00941).
_IDENTITY = _core("vrnn", 64, act_fn="relu", hidden_to_hidden=["identity", None])

_ROWS = {
    "patch32_LSTM128_bs128": _row(32, 128, _LSTM),
    "patch128_LSTM128_bs64": _row(128, 64, _LSTM),
    "patch32_LSTM128_E128_bs128": _row(32, 128, _LSTM, embed_dim=128),
    "patch128_LSTM128_embed128_bs64": _row(128, 64, _LSTM, embed_dim=128),
    "patch128_LSTM128_avg_bs64": _row(128, 64, _LSTM, loss_compute="avg"),
    "patch32_GRU128_bs128": _row(32, 128, _core("gru", 128)),
    "patch32_GRU64_avg_bs128": _row(32, 128, _core("gru", 64), loss_compute="avg"),
    "patch32_VRNN128_tanh_bs128": _row(32, 128, _core("vrnn", 128, act_fn="tanh")),
    "patch32_VRNN64_tanh_avg_bs128": _row(
        32, 128, _core("vrnn", 64, act_fn="tanh"), loss_compute="avg"
    ),
    "patch32_VRNN64_relu_avg_bs128": _row(32, 128, _RELU, loss_compute="avg"),
    "patch32_IRNN64_relu_avg_bs128": _row(32, 128, _IDENTITY, loss_compute="avg"),
    "patch32_IRNN64_relu_last_bs128": _row(32, 128, _IDENTITY),
}

ROWS: dict[str, Config] = {
    f"FixedTextRNNClassification_imdb_{name}": row for name, row in _ROWS.items()
}


def build(config: Config) -> "Definition":
    """Logits from the last or the mean state, the first one trained; softmax cross-entropy."""
    from ..initializers import SONNET
    from ..texts import Texts, text_classifier

    name, options = config["dataset"]
    return text_classifier(
        Texts(name, valid_size=3000, **options),
        config["core"],
        config["vocab_size"],
        config["embed_dim"],
        SONNET,
        trainable_init=True,
        reduction=config["loss_compute"],
    )
