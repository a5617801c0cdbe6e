"""tune: searches for the best settings; writes a report, and the best settings as YAML."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sasrec.cli.options import (
    AsJson,
    ConfigFiles,
    CutOffs,
    Data,
    ModelName,
    Preset,
    Quiet,
    as_source,
)
from sasrec.cli.output_paths import expanded, model_folder_name
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
from sasrec.cli.tune_result import print_found, short
from sasrec.errors import SettingsError

if TYPE_CHECKING:
    from sasrec.tuning.outcomes import SearchProgress


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
    """Find the settings with the best validation score, and test them.

    Run the same command again to resume a search, or several times at once
    to share the work. Give settings that all trials share as --key=value.
    """
    from sasrec.settings.metric_names import smaller_is_better
    from sasrec.settings.mistakes import Mistakes
    from sasrec.tuning.options import SearchOptions, space_from
    from sasrec.tuning.tune import SearchCallbacks, SearchRequest, run_search

    source = as_source(data) or ""
    if (params is None) == (not auto):
        raise SettingsError("give either --params FILE or --auto")
    mistakes = Mistakes()
    with mistakes.collected():
        options = SearchOptions(
            algo=algo,  # type: ignore[arg-type]  # checked there
            prune=prune,  # type: ignore[arg-type]
            trials=trials,
            minutes=minutes,
            early_stop=early_stop,
            storage=storage,
            study=study,
            jobs=jobs,
            seeds=seeds,
        )
    with mistakes.collected():
        space = None if params is None else space_from(expanded(params))
    with mistakes.collected():
        run = settings_from(context, config_file, preset, {"topk": cut_offs(topk)}, model)
    mistakes.raise_all()
    folder = out if out is not None else Path("tuned") / model_folder_name(source, run.model_name)
    request = SearchRequest(run, space, options, expanded(folder))
    note = _nothing if quiet or as_json else _note
    watched = run.evaluation.valid_metric
    sign = -1 if smaller_is_better(watched) else 1  # a search looks for the highest
    ended = partial(_print_trial, note=note, watched=watched, sign=sign)
    found = run_search(source, request, SearchCallbacks(note, ended, fetch_progress()))
    print_found(found, source, as_json=as_json)


def _note(text: str) -> None:
    print(text, file=sys.stderr)


def _nothing(text: str) -> None:
    del text


def _print_trial(
    progress: SearchProgress, note: Callable[[str], None], watched: str, sign: int
) -> None:
    """Print a line about a trial that ended."""
    settings = ", ".join(f"{key}={short(value)}" for key, value in progress.settings.items())
    score = "" if progress.score is None else f", {watched} {sign * progress.score:.4f}"
    best = "" if progress.best is None else f" (best so far: {sign * progress.best:.4f})"
    if progress.is_best:
        best = " (best so far)"
    left = "" if math.isnan(progress.seconds_left) else f"; {_duration(progress.seconds_left)} left"
    note(
        f"trial {progress.number} of {progress.total}: {progress.outcome}{score}{best}; "
        f"{settings}{left}"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
