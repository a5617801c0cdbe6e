"""Worker processes on this machine that run trials of the same study in parallel.

A trial of a small network does not use a second core well: two parallel trials with one core each
finish sooner than two sequential trials with both cores (``docs/results.md``).
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
from sasrec.settings.plugins import call_with_plugins, loaded_plugins
from sasrec.system.children import safe_path
from sasrec.system.process_group import interrupts_ignored, without_main_script
from sasrec.system.streams import guard_streams
from sasrec.tuning.outcomes import SearchProgress
from sasrec.tuning.plan import SearchPlan
from sasrec.tuning.study import Search, Train
from sasrec.tuning.trainings import Trainings

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 20.0
"""Seconds a worker process has to queue its trial again after SIGTERM, before it is killed."""


@dataclass(frozen=True, slots=True)
class Task:
    """Everything a process needs to take part in a search; picklable.

    Attributes:
        plan: How to search.
        storage: A file or a database URL; None keeps the study in memory, without worker processes.
        study: Name of the study.
        data: Name or path of the data set; empty for a data frame, which allows no worker
            processes.
        model: Name of the model.
        preset: Name of the preset, or None.
        fixed: Settings that all trials have in common, by our names.
        fingerprint: Fingerprint of the data.
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
        """Open the study, or create it.

        Returns:
            The search of this process.

        Raises:
            SettingsError: The storage cannot be used, or it contains a different study.
        """
        about = {
            "model": self.model,
            "data": self.fingerprint,
            "preset": self.preset,
            "settings": self.fixed,
        }
        return Search(self.plan, storage=self.storage, name=self.study, about=about)


def search_together(
    task: Task,
    search: Search,
    train: Train,
    *,
    on_progress: Callable[[SearchProgress], None],
    jobs: int,
) -> str:
    """Run trials in parallel until none are left or a limit is reached.

    Args:
        task: The search, for the worker processes.
        search: The search, for this process, which also runs trials.
        train: Trains with given settings.
        on_progress: Called with the progress of the search after each trial, in the process that
            ran it; it must be importable.
        jobs: Number of parallel trials; 1 starts no worker process.

    Returns:
        Why the search ended, as text.

    Raises:
        Interrupted: Ctrl-C was pressed; the running trials are queued again.
        SettingsError: The storage cannot be written.
    """
    if jobs == 1:
        return search.run(train, on_progress)
    with shared_cores(jobs), _worker_processes(task, on_progress, jobs - 1) as workers:
        try:
            search.run(train, on_progress)
            for worker in workers:
                worker.join()
                if worker.exitcode is not None and worker.exitcode < 0:
                    logger.error(
                        "a worker process was killed by signal %d (out of memory?); its trial is "
                        "repeated",
                        -worker.exitcode,
                    )
        except KeyboardInterrupt:
            raise Interrupted("the search was interrupted; finished trials are kept") from None
        return search.run(train, on_progress)  # repeats trials of workers that died


@contextmanager
def shared_cores(jobs: int) -> Iterator[None]:
    """Limit PyTorch's threads in the ``with`` block to this process's share of the cores.

    Trainings with more threads than cores would slow each worker down.

    Args:
        jobs: Number of parallel processes.

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
def _worker_processes(
    task: Task, on_progress: Callable[[SearchProgress], None], count: int
) -> Iterator[list[BaseProcess]]:
    """Start worker processes; all of them have ended when the ``with`` block is left.

    Args:
        task: The search.
        on_progress: Called with the progress of the search after each trial.
        count: Number of worker processes.

    Yields:
        The processes.
    """
    workers: list[BaseProcess] = [
        get_context("spawn").Process(
            target=call_with_plugins,
            args=(loaded_plugins(), _run_worker, task, on_progress, count + 1),
        )
        for _ in range(count)
    ]
    try:
        # Workers ignore Ctrl-C; this process handles it and stops them.
        with without_main_script(), interrupts_ignored(), safe_path():
            for worker in workers:
                worker.start()
        yield workers
    finally:
        started = [worker for worker in workers if worker.pid is not None]
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.join(PATIENCE_SECONDS)
            worker.kill()


def _run_worker(task: Task, on_progress: Callable[[SearchProgress], None], jobs: int) -> None:
    """Run trials of a search in a worker process."""
    from sasrec.settings.resolve import resolve_settings

    guard_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _end_with_parent()
    try:
        run = resolve_settings(task.fixed, task.model, task.preset)
        prepared = prepare(load_corpus(task.data, run.data), run)
        trainings = Trainings(prepared, task.fixed, model=task.model, preset=task.preset)
        with shared_cores(jobs):
            task.search().run(trainings.score, on_progress)
    except (KeyboardInterrupt, Interrupted):
        pass  # the parent process reports it
    except SasrecError as error:
        logger.error("a worker process of the search failed: %s", error)


def _end_with_parent() -> None:
    """Send SIGTERM to this process when its parent ends, so that its trial is queued again."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
