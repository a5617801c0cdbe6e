"""Options that several commands share: their spelling and their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PROTOCOL, RESULT = "Settings", "Result"
"""Headings in a help text; the most important options are listed under "Options"."""
DATA_HELP = "Name (see 'sasrec data list'), file, folder, pattern or URL. Repeatable."
SavedModel = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Folder of a saved model.", show_default=False)
]
Data = Annotated[list[str], typer.Option("--data", "-d", metavar="DATA", help=DATA_HELP)]
OptionalData = Annotated[
    list[str] | None, typer.Option("--data", "-d", metavar="DATA", help=DATA_HELP)
]
ItemsFile = Annotated[
    str | None,
    typer.Option(
        "--items", metavar="FILE", help="File with a row per item: titles and columns for rules."
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", metavar="", help="Print only JSON.", rich_help_panel=RESULT),
]
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="YAML file of settings. Repeatable.",
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
    typer.Option("--quiet", "-q", metavar="", help="Do not show progress.", rich_help_panel=RESULT),
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
        help="Folder for the model; default saved/DATA or saved/DATA-MODEL.",
        rich_help_panel=RESULT,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar="",
        help="Replace an existing result in that folder.",
        rich_help_panel=RESULT,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", metavar="N", help="Maximum number of epochs; default 300."),
]
EpochsFrom = Annotated[
    Path | None,
    typer.Option(
        "--epochs-from",
        metavar="MODEL",
        help="Train for as many epochs as the best epoch of this model, such as with --split=none.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Seed of all random numbers; default 2020."),
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
    typer.Option(
        "--resume", metavar="FOLDER", help="Resume the interrupted training in this folder."
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        metavar="",
        help="Measure some steps, print time and memory of the training, and write nothing.",
        rich_help_panel=RESULT,
    ),
]
Models = Annotated[
    str,
    typer.Option(
        "--models",
        "-m",
        metavar="NAME,…",
        help="Model names, folders of saved models, or 'all'.",
    ),
]
Seeds = Annotated[
    int,
    typer.Option("--seeds", min=1, metavar="N", help="Number of trainings per model."),
]
Protocol = Annotated[
    str,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help="full (rank all items), or paper (100 sampled items, as in 2018).",
        rich_help_panel=PROTOCOL,
    ),
]
ComparisonOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER",
        help="Folder for the result; default compared/DATA.",
        rich_help_panel=RESULT,
    ),
]


def as_source(data: list[str] | None) -> str | None:
    """Return the values of --data as one source.

    Args:
        data: The values; None or empty if the option is not given.
    """
    from sasrec.data.source_names import as_one

    return as_one(data) if data else None


def own_options(context: typer.Context) -> tuple[str, ...]:
    """Return the long options of a command, for hints about mistyped ones.

    Args:
        context: Context of the command.

    Returns:
        Such as ``("--data", "--quiet")``.
    """
    names = [name for each in context.command.params for name in each.opts]
    return tuple(name for name in names if name.startswith("--"))
