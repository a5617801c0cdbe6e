"""Options that several commands have: how they are spelled, and what their help says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PROTOCOL, RESULT = "Settings", "Result"
"""Headings of options in a help text; the most important ones stand under "Options"."""
Data = Annotated[
    str,
    typer.Option(
        "--data", "-d", metavar="DATA", help="Name (see 'sasrec data list'), file or folder."
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", metavar="", help="Print JSON and nothing else.", rich_help_panel=RESULT),
]
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="YAML file of settings; the last one wins.",
        rich_help_panel=PROTOCOL,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="best (default), recbole, paper, gsasrec, esasrec.",
        rich_help_panel=PROTOCOL,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", metavar="", help="Show no progress.", rich_help_panel=RESULT),
]
CutOffs = Annotated[
    str | None,
    typer.Option(
        "--topk",
        "-k",
        metavar="K,K,…",
        help="Cut-offs of the metrics; default 10.",
        rich_help_panel=PROTOCOL,
    ),
]
OptionalData = Annotated[
    str | None,
    typer.Option(
        "--data", "-d", metavar="DATA", help="Name (see 'sasrec data list'), file or folder."
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="SASRec (default), GRU4Rec, NextItNet, Caser, BERT4Rec, FPMC, FMC, TransRec, BPR.",
        show_default=False,
    ),
]
ModelOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER",
        help="Default saved/DATA or saved/DATA-MODEL.",
        rich_help_panel=RESULT,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar="",
        help="Replace what is there already.",
        rich_help_panel=RESULT,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", metavar="N", help="At most; default 300."),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Of all random numbers; default 2020."),
]
Device = Annotated[
    str | None, typer.Option("--device", metavar="NAME", help="auto (default), cpu or cuda.")
]
Precision = Annotated[
    str | None,
    typer.Option("--precision", metavar="NAME", help="auto (default), float32 or bfloat16."),
]
Resume = Annotated[
    Path | None,
    typer.Option("--resume", metavar="FOLDER", help="Go on with this interrupted training."),
]
Models = Annotated[
    str,
    typer.Option(
        "--models",
        "-m",
        metavar="NAME,…",
        help="Names, or folders of saved models; or 'all'.",
    ),
]
Seeds = Annotated[
    int, typer.Option("--seeds", min=1, metavar="N", help="How often each model is trained.")
]
Protocol = Annotated[
    str,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help="full (all items), or paper (100 sampled items, as in 2018).",
        rich_help_panel=PROTOCOL,
    ),
]
ComparisonOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER",
        help="Default compared/DATA.",
        rich_help_panel=RESULT,
    ),
]
