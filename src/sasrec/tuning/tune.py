"""tune: settings are searched on the validation cases, and the best are trained again and tested.

The test cases are looked at once, for the best settings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sasrec.data.movielens import Progress
from sasrec.data.sources import load_corpus
from sasrec.errors import Interrupted, SettingsError
from sasrec.experiment.prepared import Prepared, prepare
from sasrec.settings.keywords import Keywords, merged
from sasrec.settings.presets import DEFAULT
from sasrec.settings.registry import model_called
from sasrec.settings.resolve import RunSettings, resolve_settings
from sasrec.system.writing import create_output_folder
from sasrec.tuning.found import Found, found_by, write_report, write_settings
from sasrec.tuning.helpers import Task, search_together
from sasrec.tuning.options import SearchOptions, SpaceGiven, space_from
from sasrec.tuning.outcomes import Standing
from sasrec.tuning.searchable import built_in_space, check_names
from sasrec.tuning.space import Parameter
from sasrec.tuning.study import Search
from sasrec.tuning.trainings import Trainings
from sasrec.tuning.urls import shown_storage

if TYPE_CHECKING:
    from sasrec.data.sources import Source

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be searched, and how.

    Attributes:
        run: Settings of all trials.
        space: What is searched; None for the built-in space of SASRec.
        options: How.
        folder: Where what is found goes; None writes nothing.
    """

    run: RunSettings
    space: list[Parameter] | None
    options: SearchOptions
    folder: Path | None

    def __post_init__(self) -> None:
        """Check what can be checked without data.

        Raises:
            SettingsError: There is no built-in space, or a name in the space cannot be searched.
        """
        name = self.run.model_name
        if self.space is not None:
            check_names(self.space, name, self.run.given())
            self.options.plan(self.space, self.run)
        elif name != "SASRec":
            raise SettingsError(
                f"the built-in space is for SASRec only; give a space for {name} (--params FILE)"
            )


def log_standing(standing: Standing) -> None:
    """Write to the log how a search stands.

    Args:
        standing: After a trial.
    """
    logger.info(
        "trial %d of %d: %s, score %s, best %s: %s",
        standing.place,
        standing.total,
        standing.outcome,
        standing.score,
        standing.best,
        standing.settings,
    )


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears how a search goes.

    Attributes:
        note: Told what happens, in sentences.
        ended: Told how the search stands after each trial; importable by its name.
        fetching: Told how a download goes.
    """

    note: Callable[[str], None] = logger.info
    ended: Callable[[Standing], None] = log_standing
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
    """Search settings on the validation cases; test the best once.

    >>> found = tune("ml-100k", {"choice": {"n_layers": [1, 2]}}, epochs=50)  # doctest: +SKIP
    >>> train("ml-100k", found.all_settings)  # doctest: +SKIP

    Args:
        data: A name, a path, or a Polars or pandas data frame.
        space: From ``choice``, ``uniform``, ``quniform`` or ``loguniform`` to names to values; or
            a file of them; None takes a built-in space of SASRec.
        settings: Settings of all trials.
        model: Name of the model.
        out: Folder for the best settings, a report, and the search itself, which the same call
            goes on with. None keeps nothing.
        options: How to search, and for how long.
        **keywords: Settings of all trials by name; they win over ``settings``.

    Returns:
        The best settings, and what they came to.

    Raises:
        SasrecError: The space, a setting, the data or the storage cannot be used.
        Interrupted: The search was stopped; what is done is kept if there is a storage.
    """  # raised by the parts
    name = model_called(model)
    run = resolve_settings(merged(settings, keywords), name, DEFAULT if name == "SASRec" else None)
    folder = None if out is None else Path(out).expanduser()
    asked = Asked(run, None if space is None else space_from(space), options, folder)
    return tune_as_asked(data, asked, Listeners())


def tune_as_asked(data: Source, asked: Asked, listeners: Listeners) -> Found:
    """Search settings, and test the best.

    Args:
        data: A name, a path, or a data frame.
        asked: What is to be searched, and how.
        listeners: Told how it goes.

    Returns:
        The best settings, and what they came to.
    """
    corpus = load_corpus(data, asked.run.data, listeners.fetching)
    prepared = prepare(corpus, asked.run)
    task = _task(data, asked, prepared)
    run, fixed = asked.run, task.fixed
    trainings = Trainings(prepared, fixed, model=run.model_name, preset=run.preset)
    search = task.search()
    if asked.folder is not None:
        create_output_folder(
            asked.folder
        )  # only now, as a storage that is refused leaves none behind
    _run(search, task, trainings, jobs=asked.options.jobs, listeners=listeners)
    found = found_by(
        search,
        watched=run.evaluation.valid_metric,
        model=run.model_name,
        preset=run.preset,
        fixed=fixed,
    )
    if asked.folder is not None:
        write_settings(found, asked.folder)  # before the tests, which may take long
    seeds = range(task.plan.seed, task.plan.seed + asked.options.seeds)
    found = replace(
        found, tests=_tests(trainings, found, seeds, listeners=listeners), folder=asked.folder
    )
    if asked.folder is not None:
        title = f"{run.model_name} on {corpus.name}: the search"
        write_report(found, search, asked.folder, title=title)
    return found


def _task(data: Source, asked: Asked, prepared: Prepared) -> Task:
    """Return what this process and its helpers are to do.

    Raises:
        SettingsError: Helpers could not read the data or find the storage.
    """
    options, fixed = asked.options, asked.run.given()
    space = built_in_space(prepared, fixed) if asked.space is None else asked.space
    storage = options.storage
    if storage is None and asked.folder is not None:
        storage = str(create_output_folder(asked.folder) / "study.journal")
    if options.jobs > 1 and (storage is None or not isinstance(data, str | Path)):
        raise SettingsError(
            "several jobs need data and a storage that each of them can open; give the path of the "
            "data, and 'out' or 'storage'"
        )
    return Task(
        options.plan(space, asked.run),
        storage=storage,
        study=options.study,
        data=str(data) if isinstance(data, str | Path) else "",
        model=asked.run.model_name,
        preset=asked.run.preset,
        fixed=fixed,
        fingerprint=prepared.corpus.sequences.fingerprint(),
    )


def _run(
    search: Search, task: Task, trainings: Trainings, *, jobs: int, listeners: Listeners
) -> None:
    """Do the trials of a search.

    Raises:
        Interrupted: It was stopped.
    """
    where = "memory" if task.storage is None else shown_storage(task.storage)
    if done := len(search.done()):
        listeners.note(f"{where}: going on after {done} of {task.plan.total} trials")
    try:
        reason = search_together(task, search, trainings.score, told=listeners.ended, jobs=jobs)
    except Interrupted as error:
        if task.storage is None:
            raise Interrupted("the search was stopped") from None
        raise Interrupted(f"{error} in {where}; the same command goes on from there") from None
    listeners.note(f"search ended: {reason}")


def _tests(
    trainings: Trainings, found: Found, seeds: range, *, listeners: Listeners
) -> list[dict[str, float]]:
    """Return what the best settings come to in the test, for each seed."""
    tests = []
    for seed in seeds:
        listeners.note(f"training the best again, seed {seed} (not with --seeds 0)")
        tests.append(trainings.test(found.settings, seed))
    return tests
