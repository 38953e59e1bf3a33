"""All checks of the rules and optimizers that hold on every backend of Keras.

pytest calls them on TensorFlow. For another backend this file runs as a script, which prints a JSON
object of check name to error text, "" if it passed:
    KERAS_BACKEND=jax python tests/optimizer_checks.py
"""

import functools
import json
import traceback

import optimizer_fits
import optimizer_formulas
from optimizer_formulas import FAMILIES

BY_FAMILY = (
    optimizer_formulas.check_rule_in_float64,
    optimizer_formulas.check_rule_in_float32,
    optimizer_formulas.check_optimizer,
    optimizer_formulas.check_optimizer_without_jit,
    optimizer_formulas.check_optimizer_in_float64,
)
CHECKS = {
    f"{check.__name__}[{family}]": functools.partial(check, family)
    for check in BY_FAMILY
    for family in FAMILIES
} | {
    name: check
    for module in (optimizer_formulas, optimizer_fits)
    for name, check in vars(module).items()
    if name.startswith("check_") and check not in BY_FAMILY
}


def run_all():
    """The error text of each check, "" where it passed."""
    results = {}
    for name, check in CHECKS.items():
        try:
            check()
            results[name] = ""
        except Exception:
            results[name] = traceback.format_exc()
    return results


if __name__ == "__main__":
    print(json.dumps(run_all()))
