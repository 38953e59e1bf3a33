"""Run the list, learning-rate-tuned Adam and Keras's defaults on both problems; keep the curves.

    python examples/large/compare.py --out runs/large --histories histories/large

Every run is a process of its own. Stop it at any time: given the same command again, finished runs
are left as they are and the one that was stopped goes on at its last checkpoint. After each run the
history of its script is written anew.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_hplist.figures.large_models import DEFAULTS
from keras_hplist.history import History
from keras_hplist.spaces import half_orders

HERE = Path(__file__).resolve().parent
SCRIPTS = {"resnet50": ("constant",), "transformer": ("constant", "fixed")}
"""The schedules of Adam that each script is compared with."""

RATES = [rate for rate in half_orders()["learning_rate"] if 0.99e-4 < rate < 1.01e-1]


def plan(entries: int, name: str, schedules: Sequence[str]) -> list[list[str]]:
    """The options of every run of a script: list entries first, then Adam, then defaults."""
    runs = [["--list", name, "--entry", str(entry)] for entry in range(entries)]
    runs += [
        ["--baseline", "adam", "--learning-rate", repr(rate), "--schedule", schedule]
        for schedule in schedules
        for rate in RATES
    ]
    return runs + [["--baseline", baseline] for baseline in DEFAULTS]


def gather(runs: Path, target: Path) -> int:
    """Write the curves of all finished runs into one file.

    Args:
        runs: the `--out` folder of a script.
        target: the Parquet file to make or replace.

    Returns:
        The number of runs.
    """
    history = History.read(runs / "histories")
    history.write(target)
    return len(history)


def main(command: Sequence[str] | None = None) -> int:
    """Run what is missing; returns how many runs failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scripts", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    parser.add_argument("--list", default="nadamw", help="shipped name or path of a list")
    parser.add_argument("--entries", type=int, default=5, help="of the list (default: 5)")
    parser.add_argument("--preset", choices=("laptop", "full"), default="laptop")
    parser.add_argument("--out", type=Path, default=Path("runs/large"), help="runs, checkpoints")
    parser.add_argument("--histories", type=Path, default=Path("histories/large"))
    parser.add_argument("--dry-run", action="store_true", help="print the commands only")
    parser.add_argument(
        "options", nargs="*", help="after --, passed on to every run: -- --training-steps 200"
    )
    arguments = parser.parse_args(command)
    failed = 0
    for script in arguments.scripts:
        folder = arguments.out / script
        for options in plan(arguments.entries, arguments.list, SCRIPTS[script]):
            settings = ["--preset", arguments.preset, "--out", str(folder), *arguments.options]
            line = [sys.executable, str(HERE / f"{script}.py"), *options, *settings]
            print(shlex.join(line), flush=True)
            if arguments.dry_run:
                continue
            if subprocess.run(line, check=False).returncode:
                failed += 1
                continue
            count = gather(folder, arguments.histories / f"{script}.parquet")
            print(f"{arguments.histories / script}.parquet: {count} runs", flush=True)
    if failed:
        print(f"{failed} runs failed; see above. The same command tries them again.")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
