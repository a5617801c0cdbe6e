"""Options of tune: how they are spelled, and what their help says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sasrec.cli.options import RESULT

SEARCH = "Search"
"""Heading of options in the help text."""
Space = Annotated[
    Path | None,
    typer.Option("--params", metavar="FILE", help="What to search: a hyper.test file, or YAML."),
]
BuiltIn = Annotated[
    bool, typer.Option("--auto", metavar="", help="Search a built-in space for SASRec.")
]
Algorithm = Annotated[
    str | None,
    typer.Option(
        "--algo",
        metavar="NAME",
        help="exhaustive, random or tpe.",
        rich_help_panel=SEARCH,
    ),
]
Pruning = Annotated[
    str,
    typer.Option(
        "--prune",
        metavar="NAME",
        help="Of poor trials: halving (default), hyperband, none.",
        show_default=False,
        rich_help_panel=SEARCH,
    ),
]
Trials = Annotated[
    int,
    typer.Option(
        "--trials",
        min=1,
        metavar="N",
        help="At most, with random and tpe.",
        rich_help_panel=SEARCH,
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        "--minutes",
        min=0,
        metavar="N",
        help="Begin no trial later than this.",
        rich_help_panel=SEARCH,
    ),
]
EarlyStop = Annotated[
    int | None,
    typer.Option(
        "--early-stop",
        min=1,
        metavar="N",
        help="End after so many trials without progress.",
        rich_help_panel=SEARCH,
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="FILE",
        help="Or database URL; default OUT/study.journal.",
        rich_help_panel=SEARCH,
    ),
]
Study = Annotated[
    str, typer.Option("--study", metavar="NAME", help="In the storage.", rich_help_panel=SEARCH)
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="Trials at a time.",
        rich_help_panel=SEARCH,
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        min=0,
        metavar="N",
        help="Trainings of the best, to be tested.",
        rich_help_panel=RESULT,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FOLDER", help="Default tuned/DATA.", rich_help_panel=RESULT
    ),
]
