"""Batches of several threads are written together, in order, and errors reach all of them."""

import threading
import time
from collections.abc import Sequence

import pytest

from sasrec_serve.errors import DataError, StoreUnavailable
from sasrec_serve.stores.grouped_commits import GroupedCommits


class Disk:
    """Writes groups; the first write waits until it may go on."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.may_go_on, self.has_begun = threading.Event(), threading.Event()
        self.error: BaseException | None = None

    def write(self, batches: Sequence[str]) -> list[int]:
        self.groups.append(list(batches))
        self.has_begun.set()
        self.may_go_on.wait(30)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return [len(batch) for batch in batches]


class Writing(threading.Thread):
    """A thread that writes one batch."""

    def __init__(self, grouped: GroupedCommits[str], batch: str) -> None:
        super().__init__()
        self.grouped, self.batch = grouped, batch
        self.outcome: object = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.grouped.write(self.batch)
        except BaseException as error:
            self.outcome = error


def waiting(grouped: GroupedCommits[str], count: int) -> None:
    while len(grouped._queue) < count:
        time.sleep(0.001)


def started(disk: Disk, grouped: GroupedCommits[str], batches: list[str]) -> list[Writing]:
    """Begin a write, and let the others wait for it."""
    threads = [Writing(grouped, batches[0])]
    assert disk.has_begun.wait(30)
    for number, batch in enumerate(batches[1:], 1):
        threads.append(Writing(grouped, batch))
        waiting(grouped, number)
    return threads


def ended(threads: list[Writing]) -> list[object]:
    for thread in threads:
        thread.join(30)
    return [thread.outcome for thread in threads]


def test_what_waits_is_written_together_and_in_order() -> None:
    disk = Disk()
    grouped = GroupedCommits(disk.write)
    threads = started(disk, grouped, ["a", "bb", "ccc", "dddd"])
    disk.may_go_on.set()
    assert ended(threads) == [1, 2, 3, 4]
    assert disk.groups == [["a"], ["bb", "ccc", "dddd"]]
    assert grouped.write("eeeee") == 5


def test_an_error_reaches_all_batches_of_its_group_and_no_other() -> None:
    disk = Disk()
    grouped = GroupedCommits(disk.write)
    disk.error = DataError("full")
    threads = started(disk, grouped, ["a", "b"])
    disk.may_go_on.set()
    first, second = ended(threads)
    assert isinstance(first, DataError)
    assert str(first) == "full"
    assert second == 1


def test_a_stopped_writer_does_not_hold_up_those_that_wait() -> None:
    disk = Disk()
    grouped = GroupedCommits(disk.write)
    threads = started(disk, grouped, ["a", "b", "c"])
    disk.error = KeyboardInterrupt()
    disk.may_go_on.set()
    outcomes = ended(threads)
    assert isinstance(outcomes[0], KeyboardInterrupt)
    assert outcomes[1:] == [1, 1]


def test_a_thread_that_stops_waiting_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk()
    grouped = GroupedCommits(disk.write)
    first = Writing(grouped, "a")
    assert disk.has_begun.wait(30)

    def interrupted(_timeout: float | None = None) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            grouped.write("stopped")
    last = Writing(grouped, "bb")
    waiting(grouped, 1)
    disk.may_go_on.set()
    assert ended([first, last]) == [1, 2]
    assert disk.groups == [["a"], ["bb"]]


def test_a_group_whose_writer_is_stopped_is_unavailable() -> None:
    disk = Disk()
    grouped = GroupedCommits(disk.write)
    threads = started(disk, grouped, ["a", "b", "c"])
    write = disk.write

    def second_is_stopped(batches: Sequence[str]) -> list[int]:
        if len(batches) > 1:
            raise KeyboardInterrupt
        return write(batches)

    grouped._write = second_is_stopped
    disk.may_go_on.set()
    outcomes = ended(threads)
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], KeyboardInterrupt)
    assert isinstance(outcomes[2], StoreUnavailable)
    assert grouped.write("dd") == 2
