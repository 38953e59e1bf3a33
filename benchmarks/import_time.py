"""What `import keras_hplist` adds to importing Keras; to reach: at most 0.2 s.

python benchmarks/import_time.py
"""

import argparse
import statistics
import subprocess
import sys
import time

STATEMENTS = {"keras": "import keras", "both": "import keras, keras_hplist"}


def seconds(statement: str) -> float:
    """Wall time of one fresh interpreter that runs the statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="interpreters of each kind")
    repeats = parser.parse_args().repeats
    for statement in STATEMENTS.values():
        seconds(statement)  # warm the file cache
    pairs = [[seconds(statement) for statement in STATEMENTS.values()] for _ in range(repeats)]
    keras, both = (statistics.median(column) for column in zip(*pairs, strict=True))
    added = statistics.median(second - first for first, second in pairs)
    print(f"import keras {keras:.2f} s; with keras_hplist {both:.2f} s; added {added:+.3f} s,")
    print(f"ratio {both / keras:.3f} (medians of {repeats} interleaved pairs)")


if __name__ == "__main__":
    main()
