"""The methods that are compared: in which order each tries which configurations."""

import math
from dataclasses import dataclass
from pathlib import Path

from configurations import AS_PUBLISHED, DEFAULT_RATES, KINDS, NADAMW, Configuration

from keras_hplist import HyperparameterList, available_lists, spaces
from keras_hplist.errors import UnknownNameError

TRIALS, POOL = 20, 100
ADAPTIVE = "adaptive_"
RATES = tuple(10.0 ** (half / 2) for half in range(-10, 0))
"""Half orders of magnitude from 1e-5 to 10^-0.5."""

ALGOPERF = (3, 4, 5, 6, 8)
"""AlgoPerf's five baseline points, as places in the published list (algorithmic-efficiency#586)."""


@dataclass(frozen=True)
class Method:
    """A way to choose configurations.

    Attributes:
        name: of the method.
        title: for people.
        configurations: in the order of trial; empty for a search, which chooses as it goes.
        is_pool: whether the order is random, drawn anew by every seed.
        is_untuned: whether it is what a user gets without trying anything.
    """

    name: str
    title: str
    configurations: tuple[Configuration, ...] = ()
    is_pool: bool = False
    is_untuned: bool = False

    @property
    def length(self) -> int:
        """How many trials it has, counted in whole runs."""
        return len(self.configurations) or TRIALS

    @property
    def is_search(self) -> bool:
        """Whether it chooses the next configuration by the results so far."""
        return not self.configurations


SEARCHES = (
    Method("keras_tuner_random", "KerasTuner RandomSearch"),
    Method("keras_tuner_bayesian", "KerasTuner BayesianOptimization"),
    Method("keras_tuner_hyperband", "KerasTuner Hyperband"),
    Method("optuna_tpe", "Optuna TPE"),
)


def available(lists: list[str], opt_list: Path | None) -> dict[str, Method]:
    """All methods by name.

    Args:
        lists: names of shipped lists, or paths of list files.
        opt_list: the published list; None leaves it out, and AlgoPerf's points with it.
    """
    methods = [_list_method(HyperparameterList.load(name)) for name in lists]
    methods += [
        Method(f"{ADAPTIVE}{name}", f"list {name}, adaptive order")
        for name in lists
        if name in available_lists()
    ]
    if opt_list is not None:
        published = HyperparameterList.from_opt_list(opt_list)
        chosen = [Configuration.of(AS_PUBLISHED, published[i]) for i in range(TRIALS)]
        five = [chosen[place] for place in ALGOPERF]
        methods += [
            Method("opt_list", "published opt_list", tuple(chosen)),
            Method("algoperf_five", "AlgoPerf's five points", tuple(five)),
        ]
    pool = spaces.get(NADAMW).sample(POOL).to_dict("records")
    methods += [
        *(_default(kind) for kind in DEFAULT_RATES),
        _grid("adam", "Adam, constant rate", "adam"),
        _grid("adam_cosine", "Adam, cosine", "adam"),
        _grid("schedule_free_warm_up", "ScheduleFreeAdamW, warm-up", "schedule_free"),
        _grid("muon", "Muon", "muon"),
        Method(
            "random",
            "random NAdamW",
            tuple(Configuration.of(NADAMW, values) for values in pool),
            is_pool=True,
        ),
        *SEARCHES,
    ]
    return {method.name: method for method in methods}


def choose(methods: dict[str, Method], names: list[str] | None) -> list[Method]:
    """The named methods, or all.

    Raises:
        UnknownNameError: if there is no such method.
    """
    for name in names or ():
        if name not in methods:
            raise UnknownNameError(
                "method", name, methods, "Methods of lists need --lists and --opt-list."
            )
    return [methods[name] for name in names or methods]


def _list_method(entries: HyperparameterList) -> Method:
    chosen = tuple(Configuration.of(entries.space.name, values) for values in entries[:TRIALS])
    return Method(f"list_{entries.name}", f"list {entries.name}", chosen)


def _default(kind: str) -> Method:
    title = f"{type(KINDS[kind].optimizer(1)).__name__} at its defaults"
    return Method(f"default_{kind}", title, (Configuration.with_rate(kind),), is_untuned=True)


def _grid(kind: str, title: str, default_of: str) -> Method:
    """Learning rates, those nearest to the default rate first."""
    default = math.log10(DEFAULT_RATES[default_of])
    nearest = sorted(RATES, key=lambda rate: (round(abs(math.log10(rate) - default), 6), -rate))
    chosen = tuple(Configuration.with_rate(kind, rate) for rate in nearest)
    return Method(f"tuned_{kind}", f"{title}, rate tuned", chosen)
