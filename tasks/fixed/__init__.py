"""The hand-designed tasks: rows of data over a few builders.

A group of them is a module of this package, listed in `GROUPS`, with

- `ROWS: dict[str, config]`: exact published name to a configuration of JSON values;
- `build(config) -> Definition`: the task. It alone imports Keras, inside the function, so that
  listing names stays instant. Images: `images.Images(...).define(*blocks, loss=..., outputs=...)`;
  made data: `synthetic.generated`, `synthetic.repeated`; weights without a published initialiser
  take `initializers.SONNET`, the default of `layers.dense_block`.
"""

import importlib
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

GROUPS: tuple[str, ...] = ()


@cache
def rows() -> Mapping[str, tuple[ModuleType, Any]]:
    """Every hand-designed task that is built: name to the module of its group and its row."""
    found: dict[str, tuple[ModuleType, Any]] = {}
    for group in GROUPS:
        module = importlib.import_module(f"{__name__}.{group}")
        found |= {name: (module, config) for name, config in module.ROWS.items()}
    return found
