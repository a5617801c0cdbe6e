"""vectors and similar: vectors of items and users, and the most similar items."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sasrec.cli.options import RESULT, SavedModel, as_source
from sasrec.cli.output_paths import expanded
from sasrec.cli.reading import checked_settings, reading_layers
from sasrec.cli.terminal import plain_console
from sasrec.errors import SettingsError, counted, printable

if TYPE_CHECKING:
    from sasrec.experiment.write_vectors import WrittenVectors
    from sasrec.recommender.vectors import SimilarItems
    from sasrec.settings.files import Layer

OfItems = Annotated[bool, typer.Option("--items", metavar="", help="Vectors of all items.")]
OfUsers = Annotated[
    bool, typer.Option("--users", metavar="", help="Vectors of all users of the data.")
]
Data = Annotated[
    list[str] | None,
    typer.Option("--data", "-d", metavar="DATA", help="Data of --users; default: training data."),
]
VectorsOut = Annotated[
    Path,
    typer.Option(
        "--out", "-o", metavar="FILE", help="Parquet file to write.", rich_help_panel=RESULT
    ),
]
Items = Annotated[
    list[str] | None, typer.Argument(metavar="ITEM…", help="Items to find similar ones of.")
]
AllItems = Annotated[bool, typer.Option("--all-items", metavar="", help="Every item; needs --out.")]
Count = Annotated[
    int, typer.Option("--topk", "-k", min=1, metavar="K", help="Number of similar items.")
]
SimilarOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        rich_help_panel=RESULT,
        help="File of --all-items: .parquet, .csv, .tsv or .jsonl.",
    ),
]
SearchName = Annotated[
    Literal["exact", "usearch"],
    typer.Option(
        "--search",
        metavar="NAME",
        help="exact (default), or usearch (approximate, for millions of items).",
        show_default=False,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", metavar="", help="Print one JSON line per item.", rich_help_panel=RESULT
    ),
]


def vectors(
    context: typer.Context,
    model: SavedModel,
    out: VectorsOut,
    items: OfItems = False,
    users: OfUsers = False,
    data: Data = None,
) -> None:
    """Write the vectors of items or users to a Parquet file.

    Give settings of other data as --key=value, such as --user-column=customer.
    """
    from sasrec.experiment.write_vectors import write_item_vectors

    if items == users:
        raise SettingsError("say which vectors to write: add --items or --users")
    if items and data is not None:
        raise SettingsError("--data only affects --users; remove it, or replace --items by --users")
    path = expanded(out)
    layers = reading_layers(context, needed_by=None if users else "--users")
    written = (
        write_item_vectors(model, path)
        if items
        else _write_user_vectors(model, path, as_source(data), layers)
    )
    print(
        f"{counted(written.n_rows, 'vector')} of {written.width} numbers written to {written.path}",
        file=sys.stderr,
    )


def _write_user_vectors(
    model: Path, path: Path, data: str | None, layers: list[Layer]
) -> WrittenVectors:
    from sasrec.experiment.write_vectors import write_user_vectors
    from sasrec.recommender.loading import load

    recommender = load(model)
    settings = checked_settings(recommender, data, layers)
    return write_user_vectors(recommender, path, data, settings=settings)


def similar(
    model: SavedModel,
    items: Items = None,
    all_items: AllItems = False,
    k: Count = 10,
    search: SearchName = "exact",
    out: SimilarOut = None,
    as_json: AsJson = False,
) -> None:
    """Find the items most similar to an item, by cosine of vectors."""
    if all_items:
        if items or as_json or out is None:
            raise SettingsError(
                "--all-items writes the similar items of every item to a file; add --out "
                "similar.parquet (or .csv, .tsv, .jsonl), and remove items and --json"
            )
        _write(model, expanded(out), k, search)
        return
    if not items or out is not None:
        raise SettingsError(
            "give an item, as in 'sasrec similar MODEL ITEM', or --all-items with --out"
        )
    from sasrec.recommender.loading import load

    recommender = load(model)
    for found in recommender.similar(items, k, search=search):
        if as_json:
            print(_json_line(found, recommender.titles))
        else:
            _print(found, recommender.titles)


def _write(model: Path, out: Path, k: int, search: Literal["exact", "usearch"]) -> None:
    from sasrec.experiment.write_vectors import write_similar

    written = write_similar(model, out, k, search=search)
    how = "" if search == "exact" else f"; recall@{k} of the search: {written.recall:.3f}"
    print(
        f"similar items of {counted(written.n_items, 'item')} written to {written.path}{how}",
        file=sys.stderr,
    )


def _json_line(found: SimilarItems, titles: dict[str, str]) -> str:
    line = {
        "item": found.item,
        "title": titles.get(found.item),
        "items": found.items,
        "titles": [titles.get(each) for each in found.items],
        "scores": found.scores,
        "recall": found.recall,
    }
    return json.dumps(line, ensure_ascii=(sys.stdout.encoding or "").lower() != "utf-8")


def _print(found: SimilarItems, titles: dict[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = plain_console()
    title = titles.get(found.item)
    console.print(printable(f"similar to {found.item}" + (f" ({title})" if title else "")))
    table = Table()
    for name in ("", "item", *(["title"] if titles else []), "cosine"):
        table.add_column(name, justify="left" if name in {"item", "title"} else "right")
    for rank, (item, score) in enumerate(zip(found.items, found.scores, strict=True), start=1):
        own = [Text(printable(titles.get(item, "")))] if titles else []
        table.add_row(str(rank), Text(printable(item)), *own, f"{score:.3f}")
    console.print(table)
    if found.recall < 1:
        console.print(f"approximate search: it finds {found.recall:.1%} of the true neighbours")
