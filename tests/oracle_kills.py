"""Kills a search with SIGKILL, again and again, at chosen lines of its bookkeeping or times.

Run as a script, so that the processes it forks hold no TensorFlow: `python oracle_kills.py JSON`
with the keys `folder`, `kind` ("lines" or "times"), `kills`, and `search` (options of `search`).
It prints what it did as JSON. Each kill hits a search at another moment; a folder is searched, and
killed, until a search comes to its end.
"""

import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import oracle_searches

import keras_hplist.learning  # noqa: F401  once, not in each of the processes

# The files in which a moment of death is chosen line by line: all that touch the project folder.
_BOOKKEEPING = (
    "keras_hplist/files.py",
    "keras_hplist/tuning/",
    "keras_tuner/src/utils.py",
    "tests/oracle_searches.py",
)

# A search may be killed so often, less one, before it is left alone.
_ATTEMPTS = 6


class DieAtLine:
    """Counts the lines of bookkeeping that this process runs, and kills it at one of them."""

    def __init__(self, fatal):
        self.count, self.fatal = 0, fatal

    def __call__(self, frame, event, argument):
        if not any(part in frame.f_code.co_filename for part in _BOOKKEEPING):
            return None
        return self._line

    def _line(self, frame, event, argument):
        if event == "line":
            self.count += 1
            if self.count == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._line


def tear_writes(chance, source):
    """Make a kill leave half a file behind: at random, a write stops in the middle and dies."""
    import keras_hplist.files

    honest = keras_hplist.files.write_atomically

    def torn(path, write, **options):
        def half(file):
            if source.random() < chance:
                whole = _Kept()
                write(whole)
                os.write(file.fileno(), whole.data[: source.randrange(len(whole.data))])
                os.kill(os.getpid(), signal.SIGKILL)
            write(file)

        honest(path, half, **options)

    keras_hplist.files.write_atomically = torn


class _Kept:
    def write(self, data):
        self.data = data
        return len(data)


def run(options, fatal_line=None, delay=None, tear=None):
    """Search in a process of its own; returns whether it came to its end, and its line count."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(write, "w") as report, open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            report.write(_searched(options, fatal_line, tear))
        os._exit(0)
    os.close(write)
    if delay is not None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    with open(read) as pipe:
        report = pipe.read()
    _, status = os.waitpid(child, 0)
    if not report.isdigit() and not os.WIFSIGNALED(status):
        raise AssertionError(f"a search failed; options {options}\n{report}")
    return not os.WIFSIGNALED(status), int(report or 0)


def _searched(options, fatal_line, tear):
    try:
        if tear is not None:
            tear_writes(*tear)
        tracer = DieAtLine(fatal_line)
        if fatal_line is not None:
            threading.settrace(tracer)
            sys.settrace(tracer)
        oracle_searches.search(**options)
        sys.settrace(None)
        return str(tracer.count)
    except BaseException:
        return traceback.format_exc()


def main(folder, kind, kills, search, seed=0):
    source = random.Random(seed)
    began = time.monotonic()
    _, lines = run({"folder": f"{folder}/whole", **search}, fatal_line=-1)
    duration = time.monotonic() - began
    done = {"kills": 0, "searches": 0, "lines": lines}
    while done["kills"] < kills:
        at = Path(folder, f"search{done['searches']}")
        options = {"folder": str(at), "log": f"{at}.log", **search}
        # The first kills of the searches go through all lines, the later ones hit anywhere.
        line = 1 + done["searches"] * max(1, 3 * lines // kills) % lines
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            if kind == "lines":
                fatal = line if attempt == 0 else source.randrange(1, lines)
                ended, _ = run(options, fatal_line=-1 if last else fatal)
            elif kind == "torn":
                ended, _ = run(options, tear=(0 if last else 0.3, random.Random(attempt)))
            else:
                ended, _ = run(options, delay=None if last else source.uniform(0, duration))
            if ended:
                break
            done["kills"] += 1
        assert ended
        done["searches"] += 1
        oracle_searches.assert_each_ran_once_in_order(at, f"{at}.log", **search)
    print(json.dumps(done))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
