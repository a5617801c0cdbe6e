"""Requests gather while others are computed, wait for a bounded time, and are refused early."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_serve.server.batching import Batcher
from sasrec_serve.server.limits import Limits
from sasrec_serve.server.refusals import Refused


@dataclass(frozen=True)
class Ask:
    name: int
    n_histories: int = 1


class Gate:
    """Computes batches when it is opened, and keeps them."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()

    def __call__(self, asks: Sequence[Ask]) -> list[bytes | Exception]:
        self.batches.append([ask.name for ask in asks])
        assert self.open.wait(10)
        return [str(ask.name).encode() for ask in asks]


def run(work: Callable[[Batcher[Ask], Gate], object], limits: Limits) -> Gate:
    """Run something in an event loop with a batcher."""
    gate = Gate()

    async def main() -> None:
        batcher = Batcher[Ask](gate, limits)
        try:
            await work(batcher, gate)  # type: ignore[misc]
        finally:
            gate.open.set()
            batcher.close()

    asyncio.run(main())
    return gate


def test_requests_gather_while_others_are_computed_and_get_their_own_answers() -> None:
    async def work(batcher: Batcher[Ask], gate: Gate) -> None:
        futures = [batcher.submit(Ask(0))]
        while not gate.batches:
            await asyncio.sleep(0.001)
        futures += [batcher.submit(Ask(name)) for name in range(1, 8)]
        await asyncio.sleep(0.05)
        gate.open.set()
        assert await asyncio.gather(*futures) == [b"%d" % name for name in range(8)]
        assert batcher.waiting == 0

    assert run(work, Limits(batch=4)).batches == [[0], [1, 2, 3, 4], [5, 6, 7]]


def test_requests_of_one_turn_of_the_loop_are_computed_together() -> None:
    async def work(batcher: Batcher[Ask], gate: Gate) -> None:
        gate.open.set()
        await asyncio.gather(*[batcher.submit(Ask(name)) for name in range(5)])

    assert run(work, Limits()).batches == [[0, 1, 2, 3, 4]]


@given(sizes=st.lists(st.integers(0, 9), max_size=12))
def test_batches_keep_the_order_and_their_limit(sizes: list[int]) -> None:
    async def work(batcher: Batcher[Ask], gate: Gate) -> None:
        gate.open.set()
        asks = [Ask(name, size) for name, size in enumerate(sizes)]
        answers = await asyncio.gather(*[batcher.submit(ask) for ask in asks])
        assert answers == [b"%d" % ask.name for ask in asks]

    batches = run(work, Limits(batch=5)).batches
    assert [name for batch in batches for name in batch] == list(range(len(sizes)))
    for batch in batches:
        assert len(batch) == 1 or sum(max(1, sizes[name]) for name in batch) <= 5


def test_more_than_the_queue_holds_is_refused_at_once() -> None:
    async def work(batcher: Batcher[Ask], gate: Gate) -> None:
        futures = [batcher.submit(Ask(0))]
        while not gate.batches:
            await asyncio.sleep(0.001)
        futures += [batcher.submit(Ask(name, 3)) for name in (1, 2, 3)]
        with pytest.raises(Refused) as refused:
            batcher.submit(Ask(4, 3))
        assert refused.value.status == 503
        assert refused.value.retry_seconds is not None
        gate.open.set()
        assert len(await asyncio.gather(*futures)) == 4

    run(work, Limits(queue=10))


def test_a_request_larger_than_the_queue_is_answered_if_nothing_waits() -> None:
    async def work(batcher: Batcher[Ask], gate: Gate) -> None:
        gate.open.set()
        assert await batcher.submit(Ask(0, 50)) == b"0"

    run(work, Limits(queue=10))


def test_a_request_that_waits_too_long_is_refused_and_not_computed() -> None:
    async def work(batcher: Batcher[Ask], gate: Gate) -> None:
        first = batcher.submit(Ask(0))
        while not gate.batches:
            await asyncio.sleep(0.001)
        second, begun = batcher.submit(Ask(1)), time.monotonic()
        with pytest.raises(Refused, match="overloaded"):
            await second
        assert time.monotonic() - begun < 5
        gate.open.set()
        assert await first == b"0"
        while batcher.waiting:
            await asyncio.sleep(0.001)

    assert run(work, Limits(seconds=0.1, batch=1)).batches == [[0]]


def test_an_error_of_the_program_is_told_to_all_of_the_batch() -> None:
    async def main() -> None:
        def broken(asks: Sequence[Ask]) -> list[bytes | Exception]:
            raise ZeroDivisionError

        batcher = Batcher[Ask](broken, Limits())
        futures = [batcher.submit(Ask(name)) for name in range(3)]
        found = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(each) for each in found] == [ZeroDivisionError] * 3
        batcher.close()

    asyncio.run(main())
