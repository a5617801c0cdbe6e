"""Connections are lent in order of arrival, and never to two threads at once."""

import threading
import time

import pytest

from sasrec_serve.errors import DataError, StoreUnavailable
from sasrec_serve.stores.lending import Lending


class Connection:
    """A connection that notices if it is used twice at once."""

    def __init__(self) -> None:
        self.lock, self.is_closed = threading.Lock(), False

    def use(self) -> None:
        assert self.lock.acquire(blocking=False)
        time.sleep(0.001)
        self.lock.release()

    def close(self) -> None:
        self.is_closed = True


def lending(limit: int, seconds: float = 30.0) -> Lending[Connection]:
    return Lending(Connection, place="here", limit=limit, seconds=seconds)


def test_threads_that_never_pause_do_not_keep_others_waiting() -> None:
    shared = lending(2)
    counts = [0] * 12
    stop, all_there = threading.Event(), threading.Barrier(12)

    def work(number: int) -> None:
        all_there.wait()
        while not stop.is_set():
            with shared.lent() as connection:
                connection.use()
            counts[number] += 1
            if sum(counts) > 600:
                stop.set()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(counts) > 25  # 50 each, if turns are equal


def test_a_connection_is_used_again_unless_there_was_an_error() -> None:
    shared = lending(1)
    with shared.lent() as first:
        pass
    with pytest.raises(ValueError, match="broken"), shared.lent() as second:
        raise ValueError("broken")
    with shared.lent() as third:
        pass
    assert first is second
    assert first.is_closed
    assert third is not first


def test_who_waits_for_too_long_is_told_and_leaves_the_queue() -> None:
    shared = lending(1, seconds=0.05)
    with shared.lent():
        for _ in range(3):
            refused = pytest.raises(StoreUnavailable, match="here: all 1 connections are in use")
            with refused, shared.lent():
                pass
    with shared.lent() as connection:
        connection.use()


def test_connections_in_use_are_closed_when_given_back_after_closing() -> None:
    shared = lending(2)
    with shared.lent() as used:
        shared.close()
        assert not used.is_closed
    assert used.is_closed
    with pytest.raises(DataError, match="the store here is closed"), shared.lent():
        pass
