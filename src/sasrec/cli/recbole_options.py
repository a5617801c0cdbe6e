"""Options of the RecBole commands: their spelling and their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONFIG_FILES = typer.Option(
    "--config-files", metavar="'FILE …'", help="YAML files, separated by spaces."
)
ConfigFileNames = Annotated[str | None, CONFIG_FILES]

# run
RunModel = Annotated[
    str | None, typer.Option("--model", "-m", metavar="NAME", help="Model; default SASRec.")
]
RunDataset = Annotated[
    str | None,
    typer.Option("--dataset", "-d", metavar="DATA", help="Name or path; default ml-100k."),
]
Processes = Annotated[int, typer.Option(metavar="N", help="Number of processes on this machine.")]
WorldSize = Annotated[
    int,
    typer.Option(
        "--world-size", metavar="N", help="Number of processes on all machines; -1: as --nproc."
    ),
]
Host = Annotated[str, typer.Option(metavar="HOST", help="Machine that runs the first process.")]
Port = Annotated[str, typer.Option(metavar="N", help="A free port on that machine.")]
GroupOffset = Annotated[
    int,
    typer.Option(
        "--group-offset", metavar="N", help="Number of processes on the machines before this one."
    ),
]

# hyper
HyperModel = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", metavar="NAME", help="Default: from the config files, or SASRec."
    ),
]
HyperDataset = Annotated[
    str | None,
    typer.Option(
        "--dataset", "-d", metavar="DATA", help="Default: from the config files, or ml-100k."
    ),
]
SearchSpace = Annotated[
    Path, typer.Option("--params-file", metavar="FILE", help="File with the search space.")
]
TrialsOut = Annotated[
    Path,
    typer.Option(
        "--output-file", metavar="FILE", help="File for the results of all trials; overwritten."
    ),
]
PageOut = Annotated[
    Path | None,
    typer.Option(
        "--display-file", metavar="FILE", help="HTML file for a plot of the scores by trial."
    ),
]
Tool = Annotated[str, typer.Option(metavar="NAME", help="Hyperopt, Optuna or Ray.")]
Algorithm = Annotated[str, typer.Option(metavar="NAME", help="exhaustive, random or bayes.")]
MostTrials = Annotated[
    int, typer.Option("--max-evals", metavar="N", help="Maximum number of trials.")
]
EarlyStop = Annotated[
    int,
    typer.Option(
        "--early-stop", metavar="N", help="Stop after this many trials without a better score."
    ),
]

# import
Checkpoint = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="Checkpoint converted by the --script (.safetensors)."),
]
TrainedOn = Annotated[
    list[str] | None,
    typer.Option("--data", "-d", metavar="DATA", help="Data that the model was trained on."),
]
ModelOut = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the model; default saved/FILE."),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", metavar="", help="Replace an existing model in that folder."),
]
PrintScript = Annotated[
    bool,
    typer.Option(
        "--script", metavar="", help="Print the Python script that converts a checkpoint."
    ),
]

# significance
ModelOurs = Annotated[
    str,
    typer.Option("--model-ours", "-mo", metavar="NAME", help="Model expected to be better."),
]
ModelBaseline = Annotated[
    str,
    typer.Option("--model-baseline", "-mb", metavar="NAME", help="Model to compare it with."),
]
PairDataset = Annotated[
    str, typer.Option("--dataset", "-d", metavar="DATA", help="Name, file or folder.")
]
PairConfigFiles = Annotated[str, CONFIG_FILES]
FirstSeed = Annotated[int, typer.Option("--st-seed", min=0, metavar="N", help="First seed.")]
RunTimes = Annotated[
    int,
    typer.Option("--run-times", "-rt", min=2, metavar="N", help="Number of trainings per model."),
]
PairOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER",
        help="Folder that keeps finished trainings until all are done; default "
        "compared/DATA-OURS-BASELINE.",
    ),
]
