"""Helpers: further processes of this machine at work on the same study.

A trial of a small network leaves much of a second core idle; two trials with a core each are done
sooner than two after each other with both (``docs/results.md``).
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Any

from sasrec.data.sources import load_corpus
from sasrec.errors import Interrupted, SasrecError
from sasrec.experiment.prepared import prepare
from sasrec.settings.plugins import plugins_here, with_plugins
from sasrec.system.children import safe_path
from sasrec.system.processes import interrupts_ignored, without_main_script
from sasrec.system.streams import guard_streams
from sasrec.tuning.outcomes import Standing
from sasrec.tuning.plan import SearchPlan
from sasrec.tuning.study import Search, Train
from sasrec.tuning.trainings import Trainings

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 20.0
"""How long a helper may take to put its trial back once it was asked to stop."""


@dataclass(frozen=True, slots=True)
class Task:
    """All a process needs to take part in a search; can be sent to another one.

    Attributes:
        plan: How to search.
        storage: A file or a database URL; None keeps the study in memory, and takes no helpers.
        study: Its name.
        data: Name or path of the data set; empty for a data frame, which takes no helpers.
        model: Name of the model.
        preset: Name of settings to begin with, or None.
        fixed: Settings of all trials, by our names.
        fingerprint: Of the data.
    """

    plan: SearchPlan
    storage: str | None
    study: str
    data: str
    model: str
    preset: str | None
    fixed: dict[str, Any]
    fingerprint: str

    def search(self) -> Search:
        """Open the study, or make it.

        Returns:
            The search of this process.

        Raises:
            SettingsError: The storage cannot be used, or its study is about something else.
        """
        about = {
            "model": self.model,
            "data": self.fingerprint,
            "preset": self.preset,
            "settings": self.fixed,
        }
        return Search(self.plan, storage=self.storage, name=self.study, about=about)


def search_together(
    task: Task, search: Search, train: Train, *, told: Callable[[Standing], None], jobs: int
) -> str:
    """Do trials, several at a time, until there are none left or a limit is reached.

    Args:
        task: What the helpers are to do.
        search: Of this process, which takes part.
        train: Trains with some settings.
        told: Hears how the search stands after each trial of any process; importable by its name.
        jobs: Trials at a time; 1 needs no helper.

    Returns:
        Why the search ended, in words.

    Raises:
        Interrupted: Ctrl-C; the trials at hand are queued again.
        SettingsError: The storage cannot be written.
    """
    if jobs == 1:
        return search.run(train, told)
    with shared_cores(jobs), _helpers(task, told, jobs - 1) as others:
        try:
            search.run(train, told)
            for other in others:
                other.join()
                if other.exitcode is not None and other.exitcode < 0:
                    logger.error(
                        "a helper was killed (signal %d; out of memory?); its trial is done again",
                        -other.exitcode,
                    )
        except KeyboardInterrupt:
            raise Interrupted("the search was stopped; what is done is kept") from None
        return search.run(train, told)  # what a helper that died may have left


@contextmanager
def shared_cores(jobs: int) -> Iterator[None]:
    """Leave each of several processes its share of the cores.

    Threads of several trainings that wait for each other's core would be slow.

    Args:
        jobs: Processes at work.

    Yields:
        Nothing.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _helpers(
    task: Task, told: Callable[[Standing], None], count: int
) -> Iterator[list[BaseProcess]]:
    """Start helpers; whatever happens, none outlives the block.

    Args:
        task: What they are to do.
        told: Hears how the search stands.
        count: How many.

    Yields:
        The processes.
    """
    others: list[BaseProcess] = [
        get_context("spawn").Process(
            target=with_plugins, args=(plugins_here(), _help, task, told, count + 1)
        )
        for _ in range(count)
    ]
    try:
        # Ctrl-C is ours to hear and to pass on.
        with without_main_script(), interrupts_ignored(), safe_path():
            for other in others:
                other.start()
        yield others
    finally:
        started = [other for other in others if other.pid is not None]
        for other in started:
            other.terminate()
        for other in started:
            other.join(PATIENCE_SECONDS)
            other.kill()


def _help(task: Task, told: Callable[[Standing], None], jobs: int) -> None:
    """Take part in a search; run in a process of its own."""
    from sasrec.settings.resolve import resolve_settings

    guard_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _end_with_parent()
    try:
        run = resolve_settings(task.fixed, task.model, task.preset)
        prepared = prepare(load_corpus(task.data, run.data), run)
        trainings = Trainings(prepared, task.fixed, model=task.model, preset=task.preset)
        with shared_cores(jobs):
            task.search().run(trainings.score, told)
    except (KeyboardInterrupt, Interrupted):
        pass  # the process that has started us says so
    except SasrecError as error:
        logger.error("a helper of the search ended: %s", error)


def _end_with_parent() -> None:
    """End this process as SIGTERM does, giving its trial back, once its parent is gone."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
