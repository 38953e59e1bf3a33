"""Search spaces made from a user's own configurations."""

import numpy as np

from keras_hplist.learning.inference import infer_space


def test_a_condition_is_on_what_tells_it_by_its_kind_and_not_by_chance():
    """A batch size that never comes twice always tells; the kind of the optimizer is the reason."""
    rng = np.random.default_rng(0)
    configurations = []
    for batch_size in rng.choice(np.arange(8, 512), 20, replace=False):
        kind = str(rng.choice(["adam", "sgd"]))
        more = {"momentum": float(rng.random())} if kind == "sgd" else {}
        configurations.append({"batch_size": int(batch_size), "kind": kind} | more)
    space = infer_space("mine", configurations)
    (momentum,) = [row for row in space.rows if row.name == "momentum"]
    assert momentum.when == (("kind", ("sgd",)),)
    assert [space.validate(values) for values in configurations] == configurations


def test_a_condition_may_be_on_a_whole_number():
    """The width of a second layer is there where there are two."""
    configurations = [
        {"layers": layers, "rate": 10.0**-layers * (1 + number)}
        | ({"second_width": 8 * (1 + number % 3)} if layers > 1 else {})
        for number, layers in enumerate([1, 2, 3, 1, 2, 3, 2])
    ]
    space = infer_space("mine", configurations)
    (width,) = [row for row in space.rows if row.name == "second_width"]
    assert width.when == (("layers", (2, 3)),)
