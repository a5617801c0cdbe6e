"""A search by Ray Tune: trials side by side, on the cores of one machine or of a cluster."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec.errors import Interrupted, SasrecError, SettingsError
from sasrec.recbole.hyper import HyperTuning, outcome_of
from sasrec.system.children import safe_path

if TYPE_CHECKING:
    import optuna

    from sasrec.tuning.study import Search


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


def run_on_ray(tuning: HyperTuning) -> None:
    """Do the trials of a search with Ray Tune, a core each.

    It joins the cluster that ``RAY_ADDRESS`` names or that runs on this machine, or else begins one
    of this machine. On a cluster every machine needs this package, and the data under the same
    path.

    Args:
        tuning: Whose objective function can be sent to other processes.

    Raises:
        Interrupted: Ctrl-C; the search knows the trials that were done.
        SasrecError: Every trial failed, or a process of Ray did; the error of the last.
    """
    ray, tune = ray_here()
    search = tuning.begin()
    with tempfile.TemporaryDirectory(prefix="sasrec-ray-") as folder:
        tuner = _tuner(tune, tuning, search, folder=folder)
        # Ray's workers look for modules in the folder it was started in, so that is an empty one.
        with safe_path(), chdir(folder):
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
        try:
            results = tuner.fit()
        finally:
            ray.shutdown()
    if results.errors:  # of a process, not of settings: no package on another machine, say
        *_, reason = str(results.errors[0]).strip().splitlines()
        raise SasrecError(f"{len(results.errors)} trials ended unexpectedly on Ray: {reason}")
    if search.reason_to_end() is None:
        raise Interrupted("the search was stopped")
    tuning.end(search)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What travels to a worker or back; Ray takes plain dicts and lists apart, but not this."""

    content: Any


def _tuner(tune: Any, tuning: HyperTuning, search: Search, *, folder: str) -> Any:
    """Return what runs the trials.

    Args:
        tune: Ray's.
        tuning: That hears of the trials.
        search: Proposes them.
        folder: For Ray's own files.

    Returns:
        Ray's tuner.
    """
    how = tune.TuneConfig(search_alg=_proposer(tuning, search), num_samples=tuning.max_evals)

    class Stopper(tune.Stopper):  # type: ignore[misc]  # Ray may not be there
        """Ends the trials at work once the search is over."""

        def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
            return False

        def stop_all(self) -> bool:
            return search.reason_to_end() is not None

    ended = tune.RunConfig(storage_path=folder, verbose=0, stop=Stopper())
    return tune.Tuner(_worker(tune, tuning), tune_config=how, run_config=ended)


def _worker(tune: Any, tuning: HyperTuning) -> Callable[[Mapping[str, Any]], None]:
    """Return what does a trial in a worker of Ray.

    Args:
        tune: Ray's.
        tuning: Whose trials.

    Returns:
        A trainable of Ray.
    """
    objective, files, here = tuning.objective_function, tuning.fixed_config_file_list, Path.cwd()

    def work(config: Mapping[str, Any]) -> None:
        with suppress(OSError):  # another machine may have no such folder
            os.chdir(here)  # where paths in settings are meant from
        sys.argv = sys.argv[:1]  # the words of Ray's worker are no settings
        outcome = outcome_of(objective, config["params"].content, files)
        tune.report({"outcome": _Sealed(outcome)})

    return work


def _proposer(tuning: HyperTuning, search: Search) -> Any:
    """Return what hands the trials of a search to Ray, and their outcomes back.

    Args:
        tuning: That hears of the trials.
        search: That is asked for them.

    Returns:
        A searcher of Ray.
    """
    from ray.tune.search import Searcher

    class Proposer(Searcher):  # type: ignore[misc]  # Ray may not be there
        """Asks the search for trials; what Ray keeps for going on later is not needed."""

        def __init__(self) -> None:
            super().__init__(metric="outcome", mode="max")
            self._asked: dict[str, optuna.Trial] = {}

        def suggest(self, trial_id: str) -> Any:
            trial = search.ask()
            if trial is None:
                return Searcher.FINISHED
            self._asked[trial_id] = trial
            return {"params": _Sealed(search.settings_of(trial))}

        def on_trial_complete(
            self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
        ) -> None:
            trial = self._asked.pop(trial_id, None)
            is_over = search.reason_to_end() is not None
            if trial is not None and result is not None and "outcome" in result and not is_over:
                tuning.hear(search, trial, result["outcome"].content)

        def save(self, checkpoint_path: str) -> None:
            pass

        def restore(self, checkpoint_path: str) -> None:
            pass

    return Proposer()
