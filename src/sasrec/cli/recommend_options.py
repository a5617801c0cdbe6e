"""Options of recommend and explain: their spelling and their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sasrec.cli.options import RESULT

Histories = Annotated[
    list[str] | None,
    typer.Option(metavar="ITEM,…", help="Items, oldest first. Repeatable."),
]
Users = Annotated[
    list[str] | None,
    typer.Option(metavar="USER", help="User in the data. Repeatable."),
]
HistoryFile = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="A history per line: items, or a JSON list.",
    ),
]
AllUsers = Annotated[
    bool,
    typer.Option(
        "--all-users",
        metavar="",
        help="Every user in the data; needs --out.",
    ),
]
UserData = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        "-d",
        metavar="DATA",
        help="Where to find users; default: training data.",
    ),
]
RecommendedItems = Annotated[
    int, typer.Option("--topk", "-k", min=1, metavar="K", help="Length of the lists.")
]
ExcludeSeen = Annotated[bool, typer.Option(metavar="", help="Leave out seen items.")]
Candidates = Annotated[str | None, typer.Option(metavar="ITEM,…", help="Only these items.")]
ListsOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        rich_help_panel=RESULT,
        help="Write to this file: .jsonl (a JSON line per history), or .csv, .tsv, .parquet "
        "(a row per recommended item).",
    ),
]
AsJsonLines = Annotated[
    bool,
    typer.Option(
        "--json", metavar="", help="Print one JSON line per history.", rich_help_panel=RESULT
    ),
]
AllowUnknown = Annotated[
    bool,
    typer.Option(
        "--allow-unknown",
        metavar="",
        help="Accept a --file with almost no known items.",
    ),
]
AveragedData = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        "-d",
        metavar="DATA",
        help="Data to average attention over; default: the training data.",
    ),
]
ExplainedItems = Annotated[
    int,
    typer.Option("--topk", "-k", min=1, metavar="K", help="Number of recommendations to explain."),
]
PageOut = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="HTML file; default MODEL/explanation.html."),
]
