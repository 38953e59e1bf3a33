"""The hand-designed tasks: rows of data over a few builders.

Every module of this package is a group of them, with

- `ROWS: dict[str, config]`: exact published name to a configuration of JSON values;
- `build(config) -> Definition`: the task. It alone imports Keras, inside the function, so that
  listing names stays instant. Images: `images.Images(...).define(*blocks, loss=..., outputs=...)`;
  made data: `synthetic.generated`, `synthetic.repeated`; weights without a published initialiser
  take `initializers.SONNET`, the default of `layers.dense_block`.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any


@cache
def rows() -> Mapping[str, tuple[ModuleType, Any]]:
    """Every hand-designed task that is built: name to the module of its group and its row."""
    found: dict[str, tuple[ModuleType, Any]] = {}
    for group in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{group.name}")
        found |= {name: (module, config) for name, config in module.ROWS.items()}
    return found
