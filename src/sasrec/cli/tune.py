"""tune: search settings, kept and shared by processes, with a report and the best as YAML."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sasrec.cli.options import AsJson, ConfigFiles, CutOffs, Data, ModelName, Preset, Quiet
from sasrec.cli.output_paths import made_folder, model_folder_name
from sasrec.cli.progress import fetch_progress
from sasrec.cli.run import cut_offs, settings_from
from sasrec.cli.search_options import (
    Algorithm,
    BuiltIn,
    EarlyStop,
    Jobs,
    Minutes,
    Out,
    Pruning,
    Seeds,
    Space,
    Storage,
    Study,
    Trials,
)
from sasrec.cli.tune_result import Chosen, say, short, tested, write_report, write_settings
from sasrec.errors import Interrupted, SettingsError, did_you_mean

if TYPE_CHECKING:
    from sasrec.tuning.outcomes import Standing
    from sasrec.tuning.space import Parameter

ALGORITHMS = ("exhaustive", "random", "tpe")
PRUNERS = ("halving", "hyperband", "none")


def tune(
    context: typer.Context,
    data: Data,
    params: Space = None,
    auto: BuiltIn = False,
    algo: Algorithm = None,
    prune: Pruning = "halving",
    trials: Trials = 100,
    minutes: Minutes = None,
    early_stop: EarlyStop = None,
    storage: Storage = None,
    study: Study = "sasrec",
    jobs: Jobs = 1,
    seeds: Seeds = 1,
    model: ModelName = "SASRec",
    config_file: ConfigFiles = None,
    preset: Preset = None,
    topk: CutOffs = None,
    out: Out = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Search the best settings by validation, then test them once.

    The same command continues a search, and may run several times at once.
    Settings that all trials share are given as --key=value.
    """
    from sasrec.data.sources import load_corpus
    from sasrec.settings.metric_names import smaller_is_better
    from sasrec.settings.registry import model_called
    from sasrec.tuning.experiments import built_in_space, check_names, trainer_of
    from sasrec.tuning.helpers import Task, search_together
    from sasrec.tuning.plan import SearchPlan
    from sasrec.tuning.urls import shown_storage

    if (params is None) == (not auto):
        raise SettingsError("give one of --params FILE and --auto")
    _known("--prune", prune, PRUNERS)
    if minutes == 0:
        raise SettingsError("--minutes is 0; no trial could begin, so give more")
    if jobs > (cores := os.cpu_count() or 1):
        raise SettingsError(f"--jobs is {jobs}; this machine has {cores} cores, one for each job")
    name = model_called(model)
    if auto and name != "SASRec":
        raise SettingsError(
            f"--auto has a space for SASRec only; give one for {name} with --params"
        )
    run = settings_from(context.args, config_file, preset, {"topk": cut_offs(topk)}, name)
    fixed, preset = run.given(), run.preset
    corpus = load_corpus(data, run.data, fetch_progress())
    space = built_in_space(corpus, fixed) if params is None else _space(params)
    check_names(space, name, fixed)
    default = model_folder_name(data, name)
    folder = out if out is not None else Path("tuned") / default
    plan = SearchPlan(
        space=tuple(space),
        algorithm=_algorithm(algo, space),  # type: ignore[arg-type]  # one of ALGORITHMS
        prune=prune,  # type: ignore[arg-type]  # one of PRUNERS
        trials=trials,
        minutes=minutes,
        early_stop=early_stop,
        epochs=run.training.epochs,
        seed=run.training.seed,
    )
    train = trainer_of(corpus, fixed, model=name, preset=preset)
    where = str(made_folder(folder) / "study.journal") if storage is None else storage
    task = Task(
        plan,
        storage=where,
        study=study,
        data=data,
        model=name,
        preset=preset,
        fixed=fixed,
        fingerprint=corpus.sequences.fingerprint(),
    )
    search = task.search()
    folder = made_folder(folder)  # only now, as a storage that is refused shall leave none behind
    note = _nothing if quiet or as_json else _note
    if done := len(search.done()):
        note(f"{shown_storage(where)}: going on after {done} of {plan.total} trials")
    watched = run.evaluation.valid_metric
    sign = -1 if smaller_is_better(watched) else 1  # a search looks for the highest
    tell = partial(_tell, note=note, watched=watched, sign=sign)
    try:
        reason = search_together(task, search, train, tell, jobs)
    except Interrupted as error:
        raise Interrupted(
            f"{error} in {shown_storage(where)}; the same command goes on from there"
        ) from None
    note(f"search ended: {reason}")
    chosen = Chosen.of(search, watched=watched, model=name, preset=preset, fixed=fixed)
    write_settings(chosen, folder)  # before the tests, which may take long and be interrupted
    tests = tested(chosen, corpus, seed=plan.seed, seeds=seeds, note=note)
    write_report(chosen, tests, search, folder, title=f"{name} on {corpus.name}: the search")
    say(chosen, tests, folder, data=data, as_json=as_json)


def _known(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        meant = did_you_mean(value, known)
        raise SettingsError(f"{option} is {value!r}{meant} (known: {', '.join(known)})")


def _space(path: Path) -> list[Parameter]:
    from sasrec.settings.files import yaml_file
    from sasrec.tuning.space import read_space, space_of

    if path.suffix in {".yaml", ".yml"}:
        return space_of(yaml_file(path).values, str(path))
    return read_space(path)


def _algorithm(asked: str | None, space: list[Parameter]) -> str:
    """Return how to search.

    Args:
        asked: What the user said, or None.
        space: What is searched.

    Returns:
        One of ``ALGORITHMS``.

    Raises:
        SettingsError: It is unknown, or exhaustive and the space has a range.
    """
    from sasrec.tuning.space import check_grid

    choices_only = all(each.kind == "choice" for each in space)
    if asked is None and choices_only:
        check_grid(space)
        return "exhaustive"
    if asked is None:
        return "tpe"
    _known("--algo", asked, ALGORITHMS)
    if asked != "exhaustive":
        return asked
    if not choices_only:
        name = next(each.name for each in space if each.kind != "choice")
        raise SettingsError(
            f"{name} is a range, which cannot be searched exhaustively; make it a choice, or take "
            "--algo random or tpe"
        )
    check_grid(space)
    return asked


def _note(text: str) -> None:
    print(text, file=sys.stderr)


def _nothing(text: str) -> None:
    del text


def _tell(standing: Standing, note: Callable[[str], None], watched: str, sign: int) -> None:
    """Note a line about a trial."""
    settings = ", ".join(f"{key}={short(value)}" for key, value in standing.settings.items())
    score = "" if standing.score is None else f" {watched} {sign * standing.score:.4f}"
    best = "" if standing.best is None else f", best {sign * standing.best:.4f}"
    left = "" if math.isnan(standing.seconds_left) else f", {_time(standing.seconds_left)} left"
    mark = " (best so far)" if standing.is_best else ""
    note(
        f"trial {standing.place} of {standing.total}: {standing.outcome}{score}{mark}: {settings}"
        f"{best}{left}"
    )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
