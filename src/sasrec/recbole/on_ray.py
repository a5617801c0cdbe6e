"""Runs a search with Ray Tune: parallel trials on the cores of one machine or a cluster."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.errors import Interrupted, SasrecError, SettingsError, counted
from sasrec.recbole.hyper import HyperTuning, outcome_of
from sasrec.system.children import safe_path

if TYPE_CHECKING:
    import optuna

    from sasrec.tuning.study import Search


def import_ray() -> tuple[Any, Any]:
    """Import Ray and Ray Tune.

    Returns:
        The two modules.

    Raises:
        SettingsError: Ray Tune is not installed.
    """
    # Trials run in the folder of the command, so that relative paths in settings stay valid.
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # trials are logged by HyperTuning
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    try:
        import ray
        from ray import tune
    except ImportError as error:
        raise SettingsError(
            "--tool Ray needs Ray Tune; install it with: pip install 'ray[tune]', or use "
            "--tool Optuna"
        ) from error
    return ray, tune


def run_on_ray(tuning: HyperTuning) -> None:
    """Run the trials of a search with Ray Tune, each on one core.

    Ray connects to the cluster at ``RAY_ADDRESS`` or one running on this machine; if there is
    none, it starts one on this machine. On a cluster, every machine needs this package and the
    data under the same path.

    Args:
        tuning: The search; its objective function must be picklable.

    Raises:
        Interrupted: The user pressed Ctrl-C; ``tuning`` holds the finished trials.
        SasrecError: Every trial failed, or a Ray process did; this is the error of the last one.
    """
    ray, tune = import_ray()
    search = tuning.begin()
    with tempfile.TemporaryDirectory(prefix="sasrec-ray-") as folder:
        tuner = _tuner(tune, tuning, search, folder=folder)
        # Ray's workers import modules from the folder Ray was started in, so use an empty one.
        with safe_path(), chdir(folder):
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
        try:
            results = tuner.fit()
        finally:
            ray.shutdown()
    if results.errors:  # the worker process failed, such as if sasrec is not installed there
        *_, reason = str(results.errors[0]).strip().splitlines()
        trials = counted(len(results.errors), "trial")
        raise SasrecError(f"{trials} ended unexpectedly on Ray: {reason}")
    if search.reason_to_end() is None:
        raise Interrupted("the search was interrupted")
    tuning.end(search)


@dataclass(frozen=True, slots=True)
class _Opaque:
    """Wraps a value sent to or from a worker; Ray flattens plain dicts and lists, but not this."""

    content: Any


def _tuner(tune: Any, tuning: HyperTuning, search: Search, *, folder: str) -> Any:
    """Return Ray's object that runs the trials.

    Args:
        tune: Module of Ray Tune.
        tuning: Records the outcomes of trials.
        search: Proposes the trials.
        folder: Folder for Ray's own files.

    Returns:
        A Ray tuner.
    """
    tune_config = tune.TuneConfig(
        search_alg=_proposer(tuning, search), num_samples=tuning.max_evals
    )

    class Stopper(tune.Stopper):  # type: ignore[misc]  # Ray is optional
        """Stops running trials once the search is over."""

        def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
            return False

        def stop_all(self) -> bool:
            return search.reason_to_end() is not None

    run_config = tune.RunConfig(storage_path=folder, verbose=0, stop=Stopper())
    return tune.Tuner(_trainable(tune, tuning), tune_config=tune_config, run_config=run_config)


def _trainable(tune: Any, tuning: HyperTuning) -> Callable[[Mapping[str, Any]], None]:
    """Return a function that runs a trial in a worker process of Ray.

    Args:
        tune: Module of Ray Tune.
        tuning: The search.

    Returns:
        A Ray trainable.
    """
    objective, files = tuning.objective_function, tuning.fixed_config_file_list
    working_folder = Path.cwd()

    def run_trial(config: Mapping[str, Any]) -> None:
        with suppress(OSError):  # another machine may not have this folder
            os.chdir(working_folder)  # paths in settings are relative to it
        sys.argv = sys.argv[:1]  # the worker's own arguments are not settings
        outcome = outcome_of(objective, config["params"].content, files)
        tune.report({"outcome": _Opaque(outcome)})

    return run_trial


def _proposer(tuning: HyperTuning, search: Search) -> Any:
    """Return an object that gives the trials of a search to Ray and records their outcomes.

    Args:
        tuning: Records the outcomes of trials.
        search: Proposes the trials.

    Returns:
        A Ray searcher.
    """
    from ray.tune.search import Searcher

    class Proposer(Searcher):  # type: ignore[misc]  # Ray is optional
        """Proposes the trials of the search; Ray's saving and restoring is not needed."""

        def __init__(self) -> None:
            super().__init__(metric="outcome", mode="max")
            self._running: dict[str, optuna.Trial] = {}

        def suggest(self, trial_id: str) -> Any:
            trial = search.ask()
            if trial is None:
                return Searcher.FINISHED
            self._running[trial_id] = trial
            return {"params": _Opaque(search.settings_of(trial))}

        def on_trial_complete(
            self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
        ) -> None:
            trial = self._running.pop(trial_id, None)
            is_over = search.reason_to_end() is not None
            if trial is not None and result is not None and "outcome" in result and not is_over:
                tuning.record(search, trial, result["outcome"].content)

        def save(self, checkpoint_path: str) -> None:
            pass

        def restore(self, checkpoint_path: str) -> None:
            pass

    return Proposer()
