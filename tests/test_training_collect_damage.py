"""`collect` under kills, full disks and lost workers: nothing lost, nothing done twice."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from training_tasks import regression

from keras_hplist.history import History
from keras_hplist.training import collect

pytestmark = pytest.mark.slow

SETTINGS = {"space": "adam1p", "n_configurations": 4, "training_steps": 30}
TASKS = 6


def collection(out, before="pass", **options):
    """A script that collects the tasks t0, t1, ... into a folder and prints its summary."""
    return (
        "import json\nfrom training_tasks import regression\n"
        "from keras_hplist.training import collect\n"
        "if __name__ == '__main__':\n"
        f"    {before}\n"
        f"    given = [regression(f't{{i}}') for i in range({TASKS})]\n"
        f"    summary = collect(given, out={str(out)!r}, **{SETTINGS | options!r})\n"
        "    print(json.dumps(summary.to_dict()))\n"
    )


def start(tmp_path, script, **options):
    """Run a script in a process group of its own."""
    (tmp_path / "script.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    command = [sys.executable, tmp_path / "script.py"]
    return subprocess.Popen(command, env=environment, start_new_session=True, **options)


def shards(out):
    return sorted(out.glob("task=*/*.parquet"))


def assert_same_curves(one, other, **tolerance):
    """Two collections hold the same runs with the same curves."""
    one, other = History.read(one), History.read(other)
    assert len(one) == len(other) == TASKS * SETTINGS["n_configurations"]
    for split in ("train", "valid", "test"):
        curves = [history.curves(split) for history in (one, other)]
        assert curves[0].tasks == curves[1].tasks
        np.testing.assert_allclose(*(c.values for c in curves), **tolerance)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "runs"
    collect([regression(f"t{i}") for i in range(TASKS)], out=out, n_jobs=2, **SETTINGS)
    return out


def test_ten_kills(tmp_path, undisturbed):
    """After ten kills at random moments the collection is that of an undisturbed run."""
    out, moments = tmp_path / "runs", random.Random(0)
    written = {}
    for _ in range(10):
        process = start(tmp_path, collection(out, n_jobs=2), stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(1.0, 12.0))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for path, content in written.items():
            assert path.read_bytes() == content, "a finished unit was written again"
        written |= {path: path.read_bytes() for path in shards(out)}
    summary = collect([regression(f"t{i}") for i in range(TASKS)], out=out, n_jobs=2, **SETTINGS)
    assert summary.done == TASKS - len(written) and not summary.failed
    assert_same_curves(out, undisturbed, rtol=0)


def test_full_disk(tmp_path, undisturbed):
    """A full disk ends the collection with what to do; with room it goes on from there."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        out, given = disk / "runs", [regression(f"t{i}") for i in range(TASKS)]
        with pytest.raises(OSError, match=r"full.*make room.*go on"):
            collect(given, out=out, n_jobs=2, **SETTINGS)
        before = {path: path.read_bytes() for path in shards(out)}
        assert 0 < len(before) < TASKS
        assert not [path for path in out.rglob("*") if path.name.endswith("tmp")]
        subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)
        summary = collect(given, out=out, n_jobs=2, **SETTINGS)
        assert (summary.already_done, summary.done) == (len(before), TASKS - len(before))
        assert_same_curves(out, undisturbed, rtol=0)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_dask_worker_killed(tmp_path, undisturbed):
    """A cluster of two workers, one of which is killed in the middle, does all units."""
    pytest.importorskip("distributed")
    out = tmp_path / "runs"
    cluster = (
        "import distributed, os; "
        "client = distributed.Client(n_workers=2, threads_per_worker=1); "
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(min(client.run(os.getpid).values())))"
    )
    script = collection(out, cluster, engine="dask")
    with (tmp_path / "output").open("w") as output:
        process = start(tmp_path, script, stdout=output, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not shards(out) and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert process.wait(timeout=150) == 0
    summary = json.loads((tmp_path / "output").read_text().splitlines()[-1])
    assert summary["done"] == TASKS and not summary["failed"]
    assert_same_curves(out, undisturbed, rtol=1e-5)
