"""exec, run_recbole: what RecBole's users type."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def execute(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(help="A Python script written for RecBole.")],
) -> None:
    """Run a script that says 'from recbole... import ...', unchanged, with this package.

    What follows the script is passed on to it.
    """
    from sasrec.recbole_names import run_script

    run_script(script, context.args)


def run_recbole(
    context: typer.Context,
    model: Annotated[str, typer.Option("--model", "-m", help="Name of the model.")] = "SASRec",
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", help="Name or path of the data.")
    ] = "ml-100k",
    config_files: Annotated[
        str | None, typer.Option("--config_files", help="YAML files with spaces between them.")
    ] = None,
    nproc: Annotated[int, typer.Option(help="Processes on this machine.")] = 1,
    world_size: Annotated[int, typer.Option("--world_size", help="Processes in all.")] = -1,
    ip: Annotated[str, typer.Option(help="Not used with one process.")] = "localhost",
    port: Annotated[str, typer.Option(help="Not used with one process.")] = "5678",
    group_offset: Annotated[
        int, typer.Option("--group_offset", help="Not used with one process.")
    ] = 0,
) -> None:
    """Train and evaluate as RecBole's run_recbole.py; other settings as --key=value."""
    from sasrec.recbole import run

    sys.argv = ["run_recbole.py", *context.args]
    run(
        model,
        dataset,
        config_file_list=config_files.split() if config_files else None,
        nproc=nproc,
        world_size=world_size,
        ip=ip,
        port=port,
        group_offset=group_offset,
    )
