"""Searches settings by their validation score; the best are then trained again and tested.

The test cases are only used at the end, for the best settings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sasrec.data.movielens import Progress
from sasrec.data.source_names import text_of
from sasrec.data.sources import load_corpus
from sasrec.errors import Interrupted, SettingsError
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.settings.arguments import path_argument
from sasrec.settings.keywords import Keywords, given_layers
from sasrec.settings.presets import DEFAULT
from sasrec.settings.registry import canonical_model
from sasrec.settings.resolve import RunSettings, resolve_layers
from sasrec.system.writing import create_output_folder
from sasrec.tuning.found import Found, found_by, write_report, write_settings
from sasrec.tuning.options import SearchOptions, SpaceGiven, space_from
from sasrec.tuning.outcomes import SearchProgress
from sasrec.tuning.searchable import built_in_space, check_names
from sasrec.tuning.space import Parameter
from sasrec.tuning.study import Search
from sasrec.tuning.trainings import Trainings
from sasrec.tuning.urls import shown_storage
from sasrec.tuning.workers import Task, search_together

if TYPE_CHECKING:
    from sasrec.data.sources import Source

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A request for a search.

    Attributes:
        run: Settings that all trials have in common.
        space: The parameters to search; None for the built-in space of SASRec.
        options: How to search.
        folder: Folder for the results; None writes nothing.
    """

    run: RunSettings
    space: list[Parameter] | None
    options: SearchOptions
    folder: Path | None

    def __post_init__(self) -> None:
        """Check everything that can be checked without the data.

        Raises:
            SettingsError: There is no built-in space, or a name in the space cannot be searched.
        """
        name = self.run.model_name
        if self.space is not None:
            check_names(self.space, name, self.run.given())
            self.options.plan(self.space, self.run)
        elif name != "SASRec":
            raise SettingsError(
                f"the built-in space is only for SASRec; give a space for {name} (--params FILE)"
            )


def log_progress(progress: SearchProgress) -> None:
    """Log the progress of a search.

    Args:
        progress: The progress after a trial.
    """
    logger.info(
        "trial %d of %d: %s, score %s, best %s: %s",
        progress.number,
        progress.total,
        progress.outcome,
        progress.score,
        progress.best,
        progress.settings,
    )


@dataclass(frozen=True, slots=True)
class SearchCallbacks:
    """Callbacks for the progress of a search.

    Attributes:
        note: Called with a message when something happens.
        ended: Called with the progress of the search after each trial; it must be importable.
        fetching: Called with the progress of a download.
    """

    note: Callable[[str], None] = logger.info
    ended: Callable[[SearchProgress], None] = log_progress
    fetching: Progress = lambda done, total: None


def tune(
    data: Source,
    space: SpaceGiven | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    model: str = "SASRec",
    out: str | Path | None = None,
    options: SearchOptions = SearchOptions(),  # noqa: B008 - frozen
    **keywords: Unpack[Keywords],
) -> Found:
    """Search settings by their validation score, and test the best.

    >>> found = tune("ml-100k", {"choice": {"n_layers": [1, 2]}}, epochs=50)  # doctest: +SKIP
    >>> train("ml-100k", found.all_settings)  # doctest: +SKIP

    Args:
        data: A name, a path, or a Polars or pandas data frame.
        space: Kind (``choice``, ``uniform``, ``quniform`` or ``loguniform``) to name to values, or
            a file with a space; None uses the built-in space of SASRec.
        settings: Settings that all trials have in common.
        model: Name of the model.
        out: Folder for the best settings, a report, and the study, so that the same call resumes
            an interrupted search. None writes nothing.
        options: How to search, and for how long.
        **keywords: Settings that all trials have in common, by name; they override ``settings``.

    Returns:
        The best settings, with their scores.

    Raises:
        SasrecError: The space, a setting, the data or the storage cannot be used.
        SettingsError: An argument has a wrong type.
        Interrupted: The search was interrupted; finished trials are kept if there is a storage.
    """  # raised in the functions it calls
    name = canonical_model(model)
    run = resolve_layers(
        given_layers(settings, keywords), name, DEFAULT if name == "SASRec" else None
    )
    if not isinstance(options, SearchOptions):
        raise SettingsError(f"options is {options!r}; it must be a sasrec.SearchOptions")
    folder = None if out is None else path_argument("out", out)
    request = SearchRequest(run, None if space is None else space_from(space), options, folder)
    return run_search(data, request, SearchCallbacks())


def run_search(data: Source, request: SearchRequest, callbacks: SearchCallbacks) -> Found:
    """Search settings, and test the best.

    Args:
        data: A name, a path, or a data frame.
        request: The request.
        callbacks: Callbacks for the progress.

    Returns:
        The best settings, with their scores.
    """
    named = text_of(data)
    corpus = load_corpus(data, request.run.data, callbacks.fetching)
    prepared = prepare(corpus, request.run)
    task = _task(named, request, prepared)
    run, fixed = request.run, task.fixed
    trainings = Trainings(prepared, fixed, model=run.model_name, preset=run.preset)
    search = task.search()
    if request.folder is not None:  # only now, so that a rejected storage leaves no folder
        create_output_folder(request.folder)
    _run(search, task, trainings, jobs=request.options.jobs, callbacks=callbacks)
    found = found_by(
        search,
        watched=run.evaluation.valid_metric,
        model=run.model_name,
        preset=run.preset,
        fixed=fixed,
    )
    if request.folder is not None:
        write_settings(found, request.folder)  # before the tests, which may take a long time
    seeds = range(task.plan.seed, task.plan.seed + request.options.seeds)
    found = replace(
        found, tests=_tests(trainings, found, seeds, callbacks=callbacks), folder=request.folder
    )
    if request.folder is not None:
        title = f"{run.model_name} on {corpus.name}: the search"
        write_report(found, search, request.folder, title=title)
    return found


def _task(named: str | None, request: SearchRequest, prepared: Prepared) -> Task:
    """Return the search for this process and the worker processes.

    Args:
        named: The source as text; None for a data frame.
        request: The search.
        prepared: The data.

    Returns:
        The search.

    Raises:
        SettingsError: Worker processes could not open the data or the storage.
    """
    options, fixed = request.options, request.run.given()
    space = built_in_space(prepared, fixed) if request.space is None else request.space
    storage = options.storage
    if storage is None and request.folder is not None:
        storage = str(create_output_folder(request.folder) / "study.journal")
    if options.jobs > 1 and (storage is None or named is None):
        raise SettingsError(
            "with several jobs, each process must open the data and the storage; give the data as "
            "a name or path, and set 'out' or 'storage'"
        )
    return Task(
        options.plan(space, request.run),
        storage=storage,
        study=options.study,
        data=named or "",
        model=request.run.model_name,
        preset=request.run.preset,
        fixed=fixed,
        fingerprint=prepared.corpus.sequences.fingerprint(),
    )


def _run(
    search: Search, task: Task, trainings: Trainings, *, jobs: int, callbacks: SearchCallbacks
) -> None:
    """Run the trials of a search.

    Raises:
        Interrupted: The search was interrupted.
    """
    where = "memory" if task.storage is None else shown_storage(task.storage)
    if done := len(search.done()):
        callbacks.note(f"{where}: resuming after {done} of {task.plan.total} trials")
    try:
        reason = search_together(
            task, search, trainings.score, on_progress=callbacks.ended, jobs=jobs
        )
    except Interrupted as error:
        if task.storage is None:
            raise Interrupted("the search was interrupted") from None
        raise Interrupted(f"{error} in {where}; run the same command again to resume") from None
    callbacks.note(f"search ended: {reason}")


def _tests(
    trainings: Trainings, found: Found, seeds: range, *, callbacks: SearchCallbacks
) -> list[dict[str, float]]:
    """Return the test metrics of the best settings, for each seed."""
    tests = []
    for seed in seeds:
        callbacks.note(f"training the best settings again with seed {seed} (--seeds 0 skips this)")
        tests.append(trainings.test(found.settings, seed))
    return tests
