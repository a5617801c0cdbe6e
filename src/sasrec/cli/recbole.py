"""recbole: the commands for those who come from RecBole."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sasrec.cli.options import ConfigFiles
from sasrec.cli.run import print_reports
from sasrec.system.streams import unguarded_streams


def execute(
    context: typer.Context,
    script: Annotated[
        Path, typer.Argument(metavar="SCRIPT", help="It says 'from recbole... import ...'.")
    ],
) -> None:
    """Run a script written for RecBole, unchanged.

    What follows the script is passed on to it.
    """
    from sasrec.recbole.names import run_script

    with unguarded_streams():  # a script prints what it likes, as under python itself
        run_script(script, context.args)


def run_recbole(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="Default SASRec.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", "-d", metavar="DATA", help="Name or path; default ml-100k."),
    ] = None,
    config_files: Annotated[
        str | None,
        typer.Option("--config-files", metavar="'FILE …'", help="YAML files, spaces between."),
    ] = None,
    nproc: Annotated[int, typer.Option(metavar="N", help="Processes on this machine.")] = 1,
    world_size: Annotated[
        int, typer.Option("--world-size", metavar="N", help="Processes in all.")
    ] = -1,
    ip: Annotated[
        str, typer.Option(metavar="HOST", help="Machine of the first process.")
    ] = "localhost",
    port: Annotated[str, typer.Option(metavar="N", help="A free port there.")] = "5678",
    group_offset: Annotated[
        int,
        typer.Option(
            "--group-offset", metavar="N", help="Processes on the machines before this one."
        ),
    ] = 0,
) -> None:
    """Train and evaluate as RecBole's run_recbole.py does.

    Other settings are given as --key=value.
    """
    from sasrec.recbole.quick_start import run
    from sasrec.settings.files import given_layers

    files = (config_files or "").replace(",", " ").split()
    *in_files, _ = given_layers(files, context.args)  # refuses words that are no settings
    named = {key for layer in in_files for key in layer.values}
    sys.argv = ["run_recbole.py", *_joined(context.args)]
    run(
        model or (None if "model" in named else "SASRec"),
        dataset or (None if "dataset" in named else "ml-100k"),
        config_file_list=files,
        nproc=nproc,
        world_size=world_size,
        ip=ip,
        port=port,
        group_offset=group_offset,
    )


TOOLS = ("Hyperopt", "Optuna", "Ray")
PAGE = {"model": "SASRec", "dataset": "ml-100k"}
"""What RecBole's page trains."""


def run_hyper(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="NAME", help="Without config files: SASRec."),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", "-d", metavar="DATA", help="Without config files: ml-100k."),
    ] = None,
    config_files: Annotated[
        str | None,
        typer.Option("--config-files", metavar="'FILE …'", help="YAML files, spaces between."),
    ] = None,
    params_file: Annotated[
        Path, typer.Option("--params-file", metavar="FILE", help="What to search.")
    ] = Path("hyper.test"),
    output_file: Annotated[
        Path, typer.Option("--output-file", metavar="FILE", help="Results of all trials; replaced.")
    ] = Path("hyper_example.result"),
    display_file: Annotated[
        Path | None,
        typer.Option("--display-file", metavar="FILE", help="An HTML page: score by trial."),
    ] = None,
    tool: Annotated[
        str, typer.Option(metavar="NAME", help="Hyperopt, Optuna or Ray.")
    ] = "Hyperopt",
    algo: Annotated[
        str, typer.Option(metavar="NAME", help="exhaustive, random or bayes.")
    ] = "exhaustive",
    max_evals: Annotated[
        int, typer.Option("--max-evals", metavar="N", help="At most so many trials.")
    ] = 100,
    early_stop: Annotated[
        int,
        typer.Option(
            "--early-stop", metavar="N", help="End after so many trials without progress."
        ),
    ] = 10,
) -> None:
    """Search settings as RecBole's run_hyper.py does.

    Other settings are given as --key=value.
    'sasrec tune' does more: it resumes, is shared by processes, and ends hopeless trials early.
    """
    from sasrec.errors import Interrupted, counted
    from sasrec.recbole import HyperTuning, objective_function
    from sasrec.recbole.config import Config
    from sasrec.settings.files import key_words
    from sasrec.system.writing import check_writable

    tool = _known_tool(tool)
    fixed = {**key_words(context.args).values}
    fixed |= {k: v for k, v in (("model", model), ("dataset", dataset)) if v is not None}

    def objective(params: dict[str, Any], files: Sequence[str] | None) -> Mapping[str, Any]:
        given = {} if files else PAGE
        return objective_function({**given, **fixed, **params}, files, saved=False)

    sys.argv = ["run_hyper.py"]  # words of the command line are in `fixed`
    files = (config_files or "").replace(",", " ").split()
    # Before the first trial: is there a mistake that every trial would meet?
    Config(config_dict={**({} if files else PAGE), **fixed}, config_file_list=files)
    for path in filter(None, (output_file, display_file)):
        check_writable(path)
    search = HyperTuning(
        objective,
        params_file=params_file,
        fixed_config_file_list=files,
        display_file=display_file,
        algo=algo,
        max_evals=max_evals,
        early_stop=early_stop,
    )
    try:
        if tool == "Ray":
            from sasrec.recbole.on_ray import run_on_ray

            run_on_ray(search)
        else:
            search.run()
    except (KeyboardInterrupt, Interrupted):
        if search.params2result:
            search.export_result(output_file)
            raise Interrupted(
                f"the search was stopped; {counted(len(search.params2result), 'finished trial')} "
                f"in {output_file}"
            ) from None
        raise
    search.export_result(output_file)
    print(f"best params: {search.best_params}")
    if search.best_params is not None:
        print("best result:")
        print(search.params2result[search.params2str(search.best_params)])
    print(f"results of the trials: {output_file}")
    if display_file is not None:
        print(f"their picture: {display_file}")


def _known_tool(tool: str) -> str:
    """Return the name of a tool, once it is known to be there; say what stands in for it.

    Args:
        tool: As RecBole names it, in any case.

    Returns:
        One of ``TOOLS``.

    Raises:
        SettingsError: It is unknown, or not installed.
    """
    from sasrec.errors import SettingsError, did_you_mean

    name = next((each for each in TOOLS if each.lower() == tool.lower()), None)
    if name is None:
        meant = did_you_mean(tool, TOOLS)
        raise SettingsError(f"--tool is {tool!r}{meant} (known: {', '.join(TOOLS)})")
    if name == "Ray":
        from sasrec.recbole.on_ray import ray_here

        ray_here()
    if name == "Hyperopt":
        print("Hyperopt's searches are done with Optuna here", file=sys.stderr)
    return name


def _joined(words: list[str]) -> list[str]:
    """Return ``--key value`` as one word, ``--key=value``."""
    joined: list[str] = []
    for word in words:
        if joined and "=" not in joined[-1]:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def import_recbole(
    context: typer.Context,
    checkpoint: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The .safetensors file the script has written."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-d", metavar="DATA", help="The data it was trained on.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Default saved/FILE.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", metavar="", help="Replace a model that is there.")
    ] = False,
    config_file: ConfigFiles = None,
    script: Annotated[
        bool,
        typer.Option("--script", metavar="", help="Print the script that converts a checkpoint."),
    ] = False,
) -> None:
    """Make a model folder of RecBole's trained SASRec.

    Nothing of the checkpoint is executed.
    The converted file knows how RecBole was told to filter the data; other settings are given as
    --key=value, and win.
    """
    from sasrec.cli.progress import fetch_progress
    from sasrec.data.sources import load_corpus
    from sasrec.errors import SettingsError
    from sasrec.recbole.checkpoint import SCRIPT, read_checkpoint
    from sasrec.recbole.importing import import_model, resolve_import
    from sasrec.recommender.folder import check_target
    from sasrec.settings.files import given_layers

    if script:
        print(SCRIPT, end="")
        return
    if checkpoint is None or data is None:
        raise SettingsError("give the checkpoint and, with --data, the data it was trained on")
    folder = out if out is not None else Path("saved") / checkpoint.stem
    check_target(folder, overwrite=overwrite)
    found = read_checkpoint(checkpoint)
    run = resolve_import(found.values, given_layers(config_file or [], context.args))
    corpus = load_corpus(data, run.data, fetch_progress())
    recommender, report = import_model(found, corpus, run)
    recommender.save(folder, overwrite=overwrite)
    print_reports([report], run.evaluation.decimals)
    print(f"\nmodel saved in {folder}")
