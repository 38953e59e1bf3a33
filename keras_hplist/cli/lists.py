"""`keras-hplist lists`."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from keras_hplist.cli.console import AsJson, console, print_json, short

if TYPE_CHECKING:
    from keras_hplist.lists import HyperparameterList

_TRIALS = (1, 5, 10)
_COLUMNS = 4  # as many entries fit beside the names of hyperparameters in 80 characters


def lists(
    name: Annotated[
        str | None, typer.Argument(help="A list to show: shipped name or path.")
    ] = None,
    entries: Annotated[int, typer.Option(min=1, help="Entries to show.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Show the shipped lists, or the first entries of one."""
    if name is None:
        _show_shipped(as_json)
    else:
        _show_one(name, entries, as_json)


def _show_shipped(as_json: bool) -> None:
    from keras_hplist.lists import HyperparameterList, available_lists

    loaded = [HyperparameterList.load(name) for name in available_lists()]
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "space": each.space.name,
                    "entries": len(each),
                    "provenance": each.provenance,
                }
                for each in loaded
            ]
        )
        return
    table = Table(title="Shipped lists", box=box.SIMPLE)
    for column in ("name", "entries", "tasks", "steps", *(f"J({k})" for k in _TRIALS)):
        table.add_column(column, no_wrap=column == "name")
    for each in loaded:
        known = each.provenance
        steps = sorted(known.get("training_steps", ()))
        table.add_row(
            each.name,
            str(len(each)),
            str(len(known.get("tasks", ()))),
            "\n".join(map(str, steps)),
            *(_quality(each, k) for k in _TRIALS),
        )
    console.print(table)
    console.print(
        "J(k): score of the best of k entries (0: best known, 1: the start) on tasks that were "
        "left out of the choice; median and quartiles over resamplings, or the mean.",
        highlight=False,
    )
    for each in loaded:
        if "advice" in each.provenance:
            console.print(f"{each.name}: {each.provenance['advice']}", markup=False)


def _show_one(name: str, entries: int, as_json: bool) -> None:
    from keras_hplist.lists import HyperparameterList

    chosen = HyperparameterList.load(name)
    if as_json:
        print_json(
            {
                "name": chosen.name,
                "space": chosen.space.name,
                "fingerprint": chosen.fingerprint,
                "entries": [dict(entry) for entry in chosen],
                "gains": chosen.gains,
                "provenance": chosen.provenance,
            }
        )
        return
    shown = chosen[:entries].to_frame()
    for start in range(0, len(shown), _COLUMNS):
        table = Table(title=escape(f"{chosen.name}, {len(chosen)} entries"))
        table.add_column("rank", no_wrap=True)
        block = shown.iloc[start : start + _COLUMNS].T
        for rank in block:
            table.add_column(str(rank), justify="right")
        for label, row in block.iterrows():
            table.add_row(*(escape(text) for text in (str(label), *map(short, row))))
        console.print(table)
    for key in ("about", "advice"):
        if key in chosen.provenance:
            console.print(chosen.provenance[key], markup=False, highlight=False)


def _quality(hplist: "HyperparameterList", k: int) -> str:
    """J(k) on tasks left out, with its quartiles on a second line where they are known."""
    resampled = hplist.provenance.get("resampled", {}).get("list", {})
    if (key := str(k)) in resampled.get("median", {}):
        low, high = (f"{resampled[name][key]:.2f}" for name in ("lower_quartile", "upper_quartile"))
        return f"{resampled['median'][key]:.3f}\n{low}-{high}"
    from keras_hplist.learning.provenance import held_out_curve

    mean = held_out_curve(hplist).get(k)
    return "" if mean is None else f"{mean:.3f}"
