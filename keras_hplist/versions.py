"""The versions of packages, as histories and lists tell with what they were made."""

import importlib.metadata
import sys


def versions(*names: str) -> dict[str, str]:
    """The version of each package, by its name.

    Args:
        names: of installed packages. What is loaded tells its version itself: a checkout may be
            newer than what was installed, and `tensorflow` be installed as `tensorflow-cpu`.
    """
    return {
        name: getattr(sys.modules.get(name), "__version__", None)
        or importlib.metadata.version(name)
        for name in names
    }
