"""RecBole's quick start: train and evaluate in one call, in one process or several."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.data.sources import load_corpus
from sasrec.errors import SettingsError, counted
from sasrec.experiment.run import Outcome
from sasrec.recbole.config import Config as Config
from sasrec.recbole.config import log_to_stdout
from sasrec.recbole.training import best_score, rounded, trained
from sasrec.settings.metric_names import smaller_is_better
from sasrec.settings.plugins import call_with_plugins, loaded_plugins
from sasrec.settings.resolve import RunSettings
from sasrec.system.process_group import ProcessGroup, run_in_processes
from sasrec.system.processes import process_info

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

logger = logging.getLogger(__name__)


def run_recbole(
    model: str | None = None,
    dataset: str | None = None,
    config_file_list: Sequence[str | Path] | None = None,
    config_dict: Mapping[str, Any] | None = None,
    saved: bool = True,
    queue: SimpleQueue[Any] | None = None,
) -> dict[str, Any]:
    """Train and evaluate a model, as RecBole's ``quick_start.run_recbole``.

    Args:
        model: Name of the model.
        dataset: Name or path of the data.
        config_file_list: YAML files; later ones override earlier ones.
        config_dict: Keys and values; ``--key=value`` words of the running script override them.
        saved: Save the model in ``checkpoint_dir``.
        queue: Queue that also receives the result, or None.

    Returns:
        ``best_valid_score``, ``valid_score_bigger``, ``best_valid_result`` and ``test_result``.
    """
    result, _ = _run(Config(model, dataset, config_file_list, config_dict), saved=saved)
    if queue is not None:
        queue.put(result)
    return result


def run(
    model: str | None = None,
    dataset: str | None = None,
    config_file_list: Sequence[str | Path] | None = None,
    config_dict: Mapping[str, Any] | None = None,
    saved: bool = True,
    nproc: int = 1,
    world_size: int = -1,
    ip: str = "localhost",
    port: str = "5678",
    group_offset: int = 0,
) -> dict[str, Any]:
    """Train and evaluate a model, as RecBole's ``quick_start.run``.

    Args:
        model: Name of the model.
        dataset: Name or path of the data.
        config_file_list: YAML files; later ones override earlier ones.
        config_dict: Keys and values.
        saved: Save the model in ``checkpoint_dir``.
        nproc: Number of processes on this machine; each uses one GPU, or its share of the cores.
            One process already uses all cores; several are for several GPUs or machines.
        world_size: Number of processes on all machines; -1 means ``nproc``.
        ip: Name or IP address of the machine with the first process.
        port: A free port on that machine.
        group_offset: Number of processes on the machines before this one.

    Returns:
        The result, as from ``run_recbole``.

    Raises:
        SettingsError: A number is not an integer, or the numbers contradict each other.
    """
    arguments = (model, dataset, config_file_list, config_dict, saved)
    for name, number in (
        ("nproc", nproc),
        ("world_size", world_size),
        ("group_offset", group_offset),
    ):
        if type(number) is not int:
            raise SettingsError(f"{name} is {number!r}; it must be a whole number")
    if nproc == 1 and world_size in {-1, 1}:
        return run_recbole(*arguments)
    world = nproc if world_size == -1 else world_size
    group = ProcessGroup(here=nproc, world=world, offset=group_offset, address=ip, port=str(port))
    result: dict[str, Any] = run_in_processes(
        call_with_plugins, (loaded_plugins(), run_recbole, *arguments), group
    )
    return result


def objective_function(
    config_dict: Mapping[str, Any] | None = None,
    config_file_list: Sequence[str | Path] | None = None,
    saved: bool = True,
) -> dict[str, Any]:
    """Run one trial of a search, as RecBole's ``quick_start.objective_function``.

    Args:
        config_dict: Keys and values, including those of the trial.
        config_file_list: YAML files.
        saved: Save the model in ``checkpoint_dir``.

    Returns:
        The result as from ``run_recbole``, with the name of the model as ``model``.
    """
    config = Config(config_dict=config_dict, config_file_list=config_file_list)
    result, _ = _run(config, saved=saved)
    return {"model": config.model, **result}


def _run(config: Config, *, saved: bool) -> tuple[dict[str, Any], Outcome]:
    run = config.run
    log_to_stdout(run.output.log_level if process_info().rank == 0 else "ERROR")
    corpus = load_corpus(config.dataset, run.data)
    sequences = corpus.sequences
    logger.info(
        "%s: %s, %s, %s; model %s",
        corpus.name,
        counted(sequences.n_users, "user"),
        counted(len(corpus.items), "item"),
        counted(sequences.n_events, "interaction"),
        config.model,
    )
    outcome, _ = trained(run, corpus, saved=saved)
    result = _result(outcome, run)
    logger.info("best valid: %s", result["best_valid_result"])
    logger.info("test result: %s", result["test_result"])
    for report in outcome.reports[1:]:
        logger.info("for comparison, %s: %s", report.model, rounded(report.test, run))
    return result, outcome


def _result(outcome: Outcome, run: RunSettings) -> dict[str, Any]:
    return {
        "best_valid_score": best_score(outcome, run),
        "valid_score_bigger": not smaller_is_better(run.evaluation.valid_metric),
        "best_valid_result": rounded(outcome.reports[0].validation, run),
        "test_result": rounded(outcome.reports[0].test, run),
    }
