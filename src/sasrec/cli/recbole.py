"""recbole: commands for users of RecBole."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sasrec.cli.options import ConfigFiles, as_source
from sasrec.cli.recbole_options import (
    Algorithm,
    Checkpoint,
    ConfigFileNames,
    EarlyStop,
    GroupOffset,
    Host,
    HyperDataset,
    HyperModel,
    ModelOut,
    MostTrials,
    Overwrite,
    PageOut,
    Port,
    PrintScript,
    Processes,
    RunDataset,
    RunModel,
    SearchSpace,
    Tool,
    TrainedOn,
    TrialsOut,
    WorldSize,
)
from sasrec.cli.run import print_reports
from sasrec.system.streams import unguarded_streams

if TYPE_CHECKING:
    from sasrec.recbole import HyperTuning

TOOLS = ("Hyperopt", "Optuna", "Ray")
HYPER_DEFAULTS = {"model": "SASRec", "dataset": "ml-100k"}
"""What ``hyper`` trains if no config file is given, as in RecBole's documentation."""


def execute(
    context: typer.Context,
    script: Annotated[
        Path,
        typer.Argument(metavar="SCRIPT", help="Python file with 'from recbole... import ...'."),
    ],
) -> None:
    """Run a script written for RecBole, unchanged.

    Everything after SCRIPT is passed to the script.
    """
    from sasrec.recbole.names import run_script

    with unguarded_streams():  # the script writes to the real streams, as under python itself
        run_script(script, context.args)


def run_recbole(
    context: typer.Context,
    model: RunModel = None,
    dataset: RunDataset = None,
    config_files: ConfigFileNames = None,
    nproc: Processes = 1,
    world_size: WorldSize = -1,
    ip: Host = "localhost",
    port: Port = "5678",
    group_offset: GroupOffset = 0,
) -> None:
    """Train and evaluate as RecBole's run_recbole.py does.

    Give any other setting as --key=value.
    """
    from sasrec.recbole.quick_start import run
    from sasrec.settings.files import read_layers

    files = _file_names(config_files)
    *file_layers, _ = read_layers(files, context.args)  # refuses words that are not settings
    in_files = {key for layer in file_layers for key in layer.values}
    sys.argv = ["run_recbole.py", *_joined(context.args)]
    run(
        model or (None if "model" in in_files else "SASRec"),
        dataset or (None if "dataset" in in_files else "ml-100k"),
        config_file_list=files,
        nproc=nproc,
        world_size=world_size,
        ip=ip,
        port=port,
        group_offset=group_offset,
    )


def _file_names(config_files: str | None) -> list[str]:
    return (config_files or "").replace(",", " ").split()


def _joined(words: list[str]) -> list[str]:
    """Return ``--key value`` as one word, ``--key=value``."""
    joined: list[str] = []
    for word in words:
        if joined and "=" not in joined[-1]:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def run_hyper(
    context: typer.Context,
    model: HyperModel = None,
    dataset: HyperDataset = None,
    config_files: ConfigFileNames = None,
    params_file: SearchSpace = Path("hyper.test"),
    output_file: TrialsOut = Path("hyper_example.result"),
    display_file: PageOut = None,
    tool: Tool = "Hyperopt",
    algo: Algorithm = "exhaustive",
    max_evals: MostTrials = 100,
    early_stop: EarlyStop = 10,
) -> None:
    """Search for good settings as RecBole's run_hyper.py does.

    Give any other setting as --key=value.
    'sasrec tune' does more: it can resume, run in several processes, and stop
    poor trials early.
    """
    from sasrec.recbole import HyperTuning, objective_function
    from sasrec.recbole.config import Config
    from sasrec.settings.files import layer_from_options
    from sasrec.system.writing import check_writable

    tool = _known_tool(tool)
    options = {k: v for k, v in (("model", model), ("dataset", dataset)) if v is not None}
    fixed = {**layer_from_options(context.args).values, **options}

    def objective(params: dict[str, Any], files: Sequence[str] | None) -> Mapping[str, Any]:
        defaults = {} if files else HYPER_DEFAULTS
        return objective_function({**defaults, **fixed, **params}, files, saved=False)

    sys.argv = ["run_hyper.py"]  # RecBole's Config reads sys.argv; its words are in `fixed`
    files = _file_names(config_files)
    # Find mistakes in the settings before the first trial.
    Config(config_dict={**({} if files else HYPER_DEFAULTS), **fixed}, config_file_list=files)
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
    _search(search, tool, output_file)
    _print_best(search, output_file, display_file)


def _known_tool(name: str) -> str:
    """Return the spelling of a tool in ``TOOLS``; print a note if another one replaces it.

    Args:
        name: As given, in upper or lower case.

    Returns:
        One of ``TOOLS``.

    Raises:
        SettingsError: The tool is unknown, or not installed.
    """
    from sasrec.errors import SettingsError, did_you_mean

    tool = next((each for each in TOOLS if each.lower() == name.lower()), None)
    if tool is None:
        raise SettingsError(
            f"unknown --tool {name!r}{did_you_mean(name, TOOLS)} (known: {', '.join(TOOLS)})"
        )
    if tool == "Ray":
        from sasrec.recbole.on_ray import import_ray

        import_ray()
    if tool == "Hyperopt":
        print("note: searches for Hyperopt are run with Optuna", file=sys.stderr)
    return tool


def _search(search: HyperTuning, tool: str, output_file: Path) -> None:
    """Run a search and write its results, also if it is interrupted."""
    from sasrec.errors import Interrupted, counted

    try:
        if tool == "Ray":
            from sasrec.recbole.on_ray import run_on_ray

            run_on_ray(search)
        else:
            search.run()
    except (KeyboardInterrupt, Interrupted):
        if search.params2result:
            search.export_result(output_file)
            finished = counted(len(search.params2result), "finished trial")
            raise Interrupted(
                f"the search was interrupted; the results of {finished} are in {output_file}"
            ) from None
        raise
    search.export_result(output_file)


def _print_best(search: HyperTuning, output_file: Path, display_file: Path | None) -> None:
    print(f"best params: {search.best_params}")
    if search.best_params is not None:
        print("best result:")
        print(search.params2result[search.params2str(search.best_params)])
    print(f"results of all trials: {output_file}")
    if display_file is not None:
        print(f"plot of the trials: {display_file}")


def import_recbole(
    context: typer.Context,
    checkpoint: Checkpoint = None,
    data: TrainedOn = None,
    out: ModelOut = None,
    overwrite: Overwrite = False,
    config_file: ConfigFiles = None,
    script: PrintScript = False,
) -> None:
    """Convert a SASRec model trained with RecBole to a model folder.

    No code in the checkpoint is executed.
    RecBole's settings, such as filters of the data, are read from the FILE;
    settings given as --key=value override them.
    """
    from sasrec.cli.progress import fetch_progress
    from sasrec.data.sources import load_corpus
    from sasrec.errors import SettingsError
    from sasrec.recbole.checkpoint import SCRIPT, read_checkpoint
    from sasrec.recbole.importing import import_model, resolve_import
    from sasrec.recommender.folder import check_target
    from sasrec.settings.files import read_layers

    if script:
        print(SCRIPT, end="")
        return
    source = as_source(data)
    if checkpoint is None or source is None:
        raise SettingsError(
            "give the converted checkpoint FILE and, with --data, the data it was trained on"
        )
    folder = out if out is not None else Path("saved") / checkpoint.stem
    check_target(folder, overwrite=overwrite)
    found = read_checkpoint(checkpoint)
    run = resolve_import(found.values, read_layers(config_file or [], context.args))
    corpus = load_corpus(source, run.data, fetch_progress())
    recommender, report = import_model(found, corpus, run)
    recommender.save(folder, overwrite=overwrite)
    print_reports([report], run.evaluation.decimals)
    print(f"\nmodel saved in {folder}")
