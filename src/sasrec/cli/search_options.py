"""Options of tune: their spelling and their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sasrec.cli.options import RESULT

SEARCH = "Search"
"""Heading in the help text."""
Space = Annotated[
    Path | None,
    typer.Option("--params", metavar="FILE", help="Search space: a hyper.test file, or YAML."),
]
BuiltIn = Annotated[
    bool, typer.Option("--auto", metavar="", help="Use the built-in search space for SASRec.")
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
        help="halving (default), hyperband, none.",
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
        help="Maximum number of trials for random and tpe.",
        rich_help_panel=SEARCH,
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        "--minutes",
        min=0,
        metavar="N",
        help="Start no trial after N minutes.",
        rich_help_panel=SEARCH,
    ),
]
EarlyStop = Annotated[
    int | None,
    typer.Option(
        "--early-stop",
        min=1,
        metavar="N",
        help="Stop after N trials without a better score.",
        rich_help_panel=SEARCH,
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="FILE|URL",
        help="Default OUT/study.journal.",
        rich_help_panel=SEARCH,
    ),
]
Study = Annotated[
    str,
    typer.Option("--study", metavar="NAME", help="Name of the study.", rich_help_panel=SEARCH),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="Parallel trials.",
        rich_help_panel=SEARCH,
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        min=0,
        metavar="N",
        help="Test the best settings with N seeds.",
        rich_help_panel=RESULT,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER",
        help="Folder for the result; default tuned/DATA.",
        rich_help_panel=RESULT,
    ),
]
