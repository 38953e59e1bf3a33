"""`keras-hplist lists`."""

from typing import Annotated

import typer
from rich.table import Table

from keras_hplist.cli.console import AsJson, console, print_json, short

_COLUMNS = 4  # as many entries fit beside the names of hyperparameters in 80 characters


def lists(
    name: Annotated[
        str | None, typer.Argument(help="A list to show: shipped name or path.")
    ] = None,
    entries: Annotated[int, typer.Option(min=1, help="Entries to show.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Show the shipped lists, or the first entries of one."""
    from keras_hplist.lists import HyperparameterList, available_lists

    if name is None:
        loaded = [HyperparameterList.load(each) for each in available_lists()]
        if as_json:
            print_json(
                [
                    {
                        "name": x.name,
                        "space": x.space.name,
                        "entries": len(x),
                        "provenance": x.provenance,
                    }
                    for x in loaded
                ]
            )
            return
        table = Table(
            title="Shipped lists; J(k): mean score of the best of k entries, tasks left out"
        )
        for column in (
            "name",
            "search space",
            "entries",
            "tasks",
            "steps",
            "J(1)",
            "J(5)",
            "J(10)",
        ):
            table.add_column(column)
        for each in loaded:
            known = each.provenance
            held_out = known.get("J", {}).get("held_out", {})
            table.add_row(
                each.name,
                each.space.name,
                str(len(each)),
                str(len(known.get("tasks", ()))),
                ", ".join(map(str, known.get("training_steps", ()))),
                *(short(held_out.get(k, "")) for k in ("1", "5", "10")),
            )
        console.print(table)
        return
    chosen = HyperparameterList.load(name)
    if as_json:
        print_json(
            {
                "name": chosen.name,
                "space": chosen.space.name,
                "fingerprint": chosen.fingerprint,
                "entries": [dict(entry) for entry in chosen],
                "provenance": chosen.provenance,
            }
        )
        return
    shown = chosen[:entries].to_frame()
    for start in range(0, len(shown), _COLUMNS):
        table = Table(title=f"{chosen.name}, {len(chosen)} entries")
        table.add_column("rank", no_wrap=True)
        block = shown.iloc[start : start + _COLUMNS].T
        for rank in block:
            table.add_column(str(rank), justify="right")
        for label, row in block.iterrows():
            table.add_row(str(label), *map(short, row))
        console.print(table)
    if "about" in chosen.provenance:
        console.print(chosen.provenance["about"], markup=False, highlight=False)
