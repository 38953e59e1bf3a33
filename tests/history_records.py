"""Records of made-up runs, and histories of them, shared by the tests of histories."""

from keras_hplist.history import History


def run(task="a", rate=0.1, losses=(3.0, 2.0, 1.0), steps=None, **columns):
    """One record of a run, measured at steps 0, 10, 20, … on the valid split."""
    steps = [10 * i for i in range(len(losses))] if steps is None else steps
    return {
        "task": task,
        "space": "adam1p",
        "values": {"learning_rate": rate},
        "steps": steps,
        "valid": list(losses),
    } | columns


def history(*records):
    return History.from_records(records)
