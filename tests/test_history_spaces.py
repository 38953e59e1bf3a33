"""Own search spaces in histories, and their union."""

import pytest
from history_records import history, run

from keras_hplist.errors import InvalidValueError
from keras_hplist.history import History
from keras_hplist.history.union import union_of
from keras_hplist.spaces import Hyperparameter, SearchSpace
from keras_hplist.spaces.distributions import Boolean, Choice, Fixed, Number


def test_own_search_spaces_travel_with_the_history(tmp_path):
    """Definitions are kept in the file and joined where histories differ."""
    small = SearchSpace("mine", (Hyperparameter("x", Number(0.0, 1.0)),))
    large = SearchSpace("mine", (Hyperparameter("x", Number(0.5, 2.0)),))
    row = {"task": "a", "space": "mine", "values": {"x": 0.5}}
    History.from_records([row], spaces=[small]).write(tmp_path / "s.parquet")
    read = History.read(tmp_path / "s.parquet")
    assert SearchSpace.from_config(read.space_definitions["mine"]) == small
    other = History.from_records([row | {"task": "b"}], spaces=[large])
    joined = History.concat([read, other]).space_definitions["mine"]
    assert SearchSpace.from_config(joined).rows[0].distribution == Number(0.0, 2.0)
    assert history(run()).space_definitions == {}


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        (Number(1, 4, integer=True), Number(2, 9, integer=True), Number(1, 9, integer=True)),
        (Number(1, 4, integer=True), Number(0.5, 2.0), Number(0.5, 4)),
        (Number(0.1, 1.0, "log"), Number(0.5, 2.0), Number(0.1, 2.0, "log")),
        (Number(1e-6, 1e-2, "log", 10), Number(0.0, 0.1), Number(0.0, 0.1)),
        (Number(0.0, 0.1), Number(1e-6, 1e-2, "log"), Number(0.0, 0.1)),
        (Number(0.01, 0.1, "one_minus_log"), Number(0.5, 0.95), Number(0.01, 0.5, "one_minus_log")),
        (Number(0.01, 0.1, "one_minus_log"), Fixed(1.0), Number(0.9, 1.0)),
        (Number(8, 64, step=8, integer=True), Fixed(16), Number(8, 64, step=8, integer=True)),
        (Number(8, 64, step=8, integer=True), Fixed(17), Number(8, 64, integer=True)),
        (
            Number(8, 64, step=8, integer=True),
            Number(16, 96, step=8, integer=True),
            Number(8, 96, step=8, integer=True),
        ),
        (Number(2, 8, step=2, integer=True), Number(3, 9, step=2), Number(2, 9)),
        (Number(2, 16, "log", 2), Number(2, 16, step=2), Number(2, 16, "log")),
        (
            Number(1, 9, "reverse_log", 2),
            Number(1, 10, "reverse_log", 2),
            Number(1, 10, "reverse_log"),
        ),
        (Number(0.0, 0.5, step=0.1), Number(0.3, 0.9, step=0.1), Number(0.0, 0.9, step=0.1)),
        (Fixed(0.5), Number(1e-3, 0.1, "log"), Number(1e-3, 0.5, "log")),
        (Choice((2, 4)), Number(1, 3, integer=True), Number(1, 4, integer=True)),
        (Choice((0.5, 4.0)), Number(1, 3, integer=True), Number(0.5, 4.0)),
        (Choice((1, 2)), Choice((0.5, 2.0)), Choice((1.0, 2.0, 0.5))),
        (Fixed(1), Choice((0.5, 2.0)), Choice((1.0, 0.5, 2.0))),
        (Choice(("a", "b")), Choice(("b", "c")), Choice(("a", "b", "c"))),
        (Fixed("a"), Fixed("b"), Choice(("a", "b"))),
        (Fixed("a"), Choice(("b", "a")), Choice(("a", "b"))),
        (Boolean(), Boolean(), Boolean()),
        (Fixed(True), Boolean(), Choice((True, False))),
    ],
)
def test_the_union_of_two_spaces_holds_both(first, second, joined):
    """Bounds are widened, choices joined, and the space's name is the first's."""
    union = union_of([_space("one", first), _space("two", second)])
    assert (union.name, union.rows[0].distribution) == ("one", joined)


def _space(name, distribution, *more):
    return SearchSpace(name, (Hyperparameter("x", distribution), *more))


def test_the_union_joins_conditions():
    """Same parent: values are joined; without a condition in one space: without. Parents first."""
    parent = Hyperparameter("kind", Choice(("a", "b", "c")))

    def child(*values):
        return Hyperparameter("y", Number(0, 1), (("kind", values),) if values else ())

    both = union_of(
        [_space("s", Boolean(), parent, child("a")), SearchSpace("t", (parent, child("b")))]
    )
    assert both.rows[-1].when == (("kind", ("a", "b")),)
    free = union_of([SearchSpace("s", (parent, child("a"))), SearchSpace("t", (child(),))])
    assert free.rows[-1].when == () or free.rows[0].when == ()
    late = union_of([SearchSpace("t", (child(),)), SearchSpace("s", (parent, child("a")))])
    assert late.names == ("y", "kind")


def test_conditions_that_exclude_each_other_keep_what_they_allow():
    """Of one space or of several; where both can hold, the values are joined."""
    kind = Hyperparameter("kind", Choice(("a", "b", "c")))

    def under(values, distribution):
        return Hyperparameter("w", distribution, (("kind", values),))

    small, large = Number(1, 10, integer=True), Number(100, 200, integer=True)
    space = SearchSpace("s", (kind, under(("a",), small), under(("b",), large)))
    assert union_of([space]) == union_of([space, space]) == space
    parts = [SearchSpace("s", (kind, row)) for row in space.rows[1:]]
    assert union_of(parts) == space
    names = SearchSpace("s", (kind, under(("a",), small), under(("c",), Choice(("x", "y")))))
    assert union_of([space, names]).rows == (*space.rows, names.rows[-1])
    overlapping = SearchSpace("s", (kind, under(("a", "b"), Number(5, 20, integer=True))))
    joined = union_of([parts[0], overlapping])
    assert joined.rows[-1] == under(("a", "b"), Number(1, 20, integer=True))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (Number(0, 1), Choice(("a",)), r"'x' is a range of numbers in .* one of 'a' in another"),
        (Fixed(True), Number(0, 1), "'x' is one of True in one study and a range"),
        (Choice((1, 2)), Choice(("a", "b")), "'x' is one of 1, 2 in one study and one of 'a', 'b'"),
        (Boolean(), Choice((0, 1)), "'x' is one of False, True in one study and one of 0, 1"),
    ],
)
def test_values_of_several_types_have_no_union(first, second, message):
    """The message names the hyperparameter, both kinds of values, and the ways out."""
    with pytest.raises(InvalidValueError, match=f"{message}.*spaces of different names"):
        union_of([_space("s", first), _space("t", second)])
