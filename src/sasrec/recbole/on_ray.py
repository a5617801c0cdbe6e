"""A search by Ray Tune: trials side by side, on the cores of one machine or of a cluster."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import chdir, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from sasrec.errors import Interrupted, SasrecError, SettingsError
from sasrec.recbole.hyper import SEED, HyperTuning, drawn, outcome_of, score_of
from sasrec.system.children import safe_path
from sasrec.tuning.space import Parameter
from sasrec.tuning.storage import optuna_here
from sasrec.tuning.suggestions import meant, suggested


def ray_here() -> tuple[Any, Any]:
    """Return Ray and its Tune.

    Returns:
        Both modules.

    Raises:
        SettingsError: It is not installed.
    """
    # Trials stay in the folder of the command, so that paths in settings mean the same there.
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # we tell of trials ourselves
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    try:
        import ray
        from ray import tune
    except ImportError as error:
        raise SettingsError(
            "--tool Ray needs Ray Tune; install it with: pip install 'ray[tune]', or take "
            "--tool Optuna"
        ) from error
    return ray, tune


def run_on_ray(search: HyperTuning) -> None:
    """Do the trials of a search with Ray Tune, a core each.

    It joins the cluster that ``RAY_ADDRESS`` names or that runs on this machine, or else begins one
    of this machine. On a cluster every machine needs this package, and the data under the same
    path.

    Args:
        search: Whose objective function can be sent to other processes.

    Raises:
        Interrupted: Ctrl-C; the search knows the trials that were done.
        SasrecError: Every trial failed, or a process of Ray did; the error of the last.
    """
    ray, tune = ray_here()
    search.begin()
    points = [] if search.algo == "bayes" else _points(search)
    listener = _listener(tune, search, points)
    tuner = partial(_tuner, tune, search, points, listener)
    with tempfile.TemporaryDirectory(prefix="sasrec-ray-") as folder:
        # Ray's workers look for modules in the folder it was started in, so that is an empty one.
        with safe_path(), chdir(folder):
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
        try:
            results = tuner(folder).fit()
        finally:
            ray.shutdown()
    if results.errors:  # of a process, not of settings: no package on another machine, say
        *_, reason = str(results.errors[0]).strip().splitlines()
        raise SasrecError(f"{len(results.errors)} trials ended unexpectedly on Ray: {reason}")
    if search.heard < search.max_evals and not listener.stop_all():
        raise Interrupted("the search was stopped")
    search.end()


def _points(search: HyperTuning) -> list[dict[str, Any]]:
    return list(islice(drawn(search.space, search.algo), search.max_evals))


def _listener(tune: Any, search: HyperTuning, points: list[dict[str, Any]]) -> Any:
    """Return what hears of trials in this process, and ends the search.

    Args:
        tune: Ray's.
        search: That is told.
        points: Parameters by place; empty if they are proposed as trials end.

    Returns:
        A callback and stopper of Ray.
    """

    class Listener(tune.Callback, tune.Stopper):  # type: ignore[misc]  # Ray may not be there
        is_over = False

        def on_trial_result(
            self, iteration: int, trials: Any, trial: Any, result: Mapping[str, Any], **_: Any
        ) -> None:
            if "outcome" in result and not Listener.is_over:
                params = _params(search.space, points, trial.config)
                Listener.is_over = search.hear(params, result["outcome"])

        def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
            return False

        def stop_all(self) -> bool:
            return Listener.is_over

    return Listener()


def _params(
    space: list[Parameter], points: list[dict[str, Any]], config: Mapping[str, Any]
) -> dict[str, Any]:
    return points[config["place"]] if points else meant(space, config)


def _suggest(space: list[Parameter], trial: Any) -> None:
    for each in space:
        suggested(trial, each)


def _tuner(
    tune: Any, search: HyperTuning, points: list[dict[str, Any]], listener: Any, folder: str
) -> Any:
    """Return what runs the trials.

    Args:
        tune: Ray's.
        search: Whose trials.
        points: Parameters by place; empty if they are proposed as trials end.
        listener: Hears of them.
        folder: For Ray's own files.

    Returns:
        Ray's tuner.
    """
    objective, files = search.objective_function, search.fixed_config_file_list
    space, here = search.space, Path.cwd()

    def trial(config: Mapping[str, Any]) -> None:
        with suppress(OSError):  # another machine may have no such folder
            os.chdir(here)  # where paths in settings are meant from
        sys.argv = sys.argv[:1]  # the words of Ray's worker are no settings
        outcome = outcome_of(objective, _params(space, points, config), files)
        failed = isinstance(outcome, SasrecError)
        score = float("nan") if failed else score_of(outcome)  # type: ignore[arg-type]
        tune.report({"score": score, "outcome": outcome})

    if points:
        how = tune.TuneConfig(metric="score", mode="max")
        places = {"place": tune.grid_search(list(range(len(points))))}
    else:
        from ray.tune.search.optuna import OptunaSearch

        optuna_here()  # without its log
        proposer = OptunaSearch(partial(_suggest, space), metric="score", mode="max", seed=SEED)
        how = tune.TuneConfig(search_alg=proposer, num_samples=search.max_evals)
        places = None
    ended = tune.RunConfig(storage_path=folder, verbose=0, callbacks=[listener], stop=listener)
    return tune.Tuner(trial, param_space=places, tune_config=how, run_config=ended)
