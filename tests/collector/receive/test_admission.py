"""The budget of bytes in flight is kept, in order of arrival, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.receive.receivers import until
from crucible_collector.errors import OverloadedError
from crucible_collector.receive.admission import (
    REQUEST_BYTES_MIN,
    Admission,
    BodyEstimate,
    Ticket,
)

MIB = 1 << 20


def admission_of(mib: int, patience_s: float = 5.0) -> Admission:
    return Admission(mib * MIB, patience_s=patience_s)


def enter_soon(pool: ThreadPoolExecutor, admission: Admission, body_bytes: int) -> list[Ticket]:
    """Enter on another thread, which waits in the queue when this returns."""
    entered: list[Ticket] = []
    waiting_before = len(admission._waiting)
    pool.submit(lambda: entered.append(admission.enter(body_bytes)))
    until(lambda: len(admission._waiting) > waiting_before)
    return entered


def test_what_is_charged_is_given_back() -> None:
    admission = admission_of(8)
    with admission.enter(3 * MIB) as one, admission.enter(5 * MIB):
        assert admission.bytes_used == 8 * MIB
        one.settle(MIB)
        assert admission.bytes_used == 6 * MIB
    assert admission.bytes_used == 0


def test_closing_twice_gives_back_once() -> None:
    admission = admission_of(8)
    ticket = admission.enter(MIB)
    ticket.close()
    ticket.close()
    assert admission.bytes_used == 0


def test_the_smallest_request_has_its_cost() -> None:
    with admission_of(8).enter(0) as ticket:
        assert ticket.charged_bytes == REQUEST_BYTES_MIN


def test_one_that_does_not_fit_is_refused_when_its_patience_ends() -> None:
    admission = admission_of(8, patience_s=0.05)
    with admission.enter(6 * MIB):
        with pytest.raises(OverloadedError) as caught:
            admission.enter(4 * MIB)
        assert 0 < caught.value.retry_after_s <= 2
        assert admission.bytes_used == 6 * MIB
    with admission.enter(4 * MIB):
        assert admission.bytes_used == 4 * MIB


def test_patience_counts_from_the_arrival() -> None:
    admission = admission_of(8, patience_s=60)
    with admission.enter(8 * MIB), pytest.raises(OverloadedError):
        admission.enter(MIB, arrived_s=time.monotonic() - 61)


def test_one_that_is_alone_is_admitted_whatever_its_size() -> None:
    with admission_of(8).enter(64 * MIB) as ticket:
        assert ticket.charged_bytes == 64 * MIB


def test_a_large_one_is_not_overtaken_by_small_ones() -> None:
    admission = admission_of(8)
    with ThreadPoolExecutor(2) as pool:
        first = admission.enter(6 * MIB)
        large = enter_soon(pool, admission, 7 * MIB)
        small = enter_soon(pool, admission, MIB)
        assert (large, small) == ([], [])
        first.close()
        pool.shutdown(wait=True)
    assert len(large) == len(small) == 1
    assert admission.bytes_used == 8 * MIB


def test_one_that_gives_up_lets_those_behind_it_pass() -> None:
    admission = admission_of(8, patience_s=0.2)
    with ThreadPoolExecutor(1) as pool, admission.enter(6 * MIB):
        large = enter_soon(pool, admission, 7 * MIB)
        admission.patience_s = 30
        with admission.enter(MIB) as small:
            assert small.charged_bytes == MIB
        assert large == []


def test_growth_beyond_what_is_left_is_refused_at_once() -> None:
    admission = admission_of(8, patience_s=60)
    with admission.enter(2 * MIB) as ticket, admission.enter(4 * MIB):
        ticket.grow(4 * MIB)
        with pytest.raises(OverloadedError):
            ticket.grow(5 * MIB)
        assert admission.bytes_used == 8 * MIB


def test_one_that_is_alone_may_grow_without_limit() -> None:
    with admission_of(8).enter(2 * MIB) as ticket:
        ticket.grow(100 * MIB)
        assert ticket.charged_bytes == 100 * MIB


def test_growing_never_shrinks() -> None:
    with admission_of(8).enter(2 * MIB) as ticket:
        ticket.grow(MIB)
        assert ticket.charged_bytes == 2 * MIB


def test_the_event_loop_waits_without_blocking() -> None:
    admission = admission_of(8)

    async def run() -> list[str]:
        order: list[str] = []
        first = await admission.enter_async(8 * MIB)

        async def second() -> None:
            with await admission.enter_async(8 * MIB):
                order.append("second")

        task = asyncio.create_task(second())
        await asyncio.sleep(0)
        order.append("first")
        first.close()
        await task
        return order

    assert asyncio.run(run()) == ["first", "second"]
    assert admission.bytes_used == 0


def test_a_task_that_is_cancelled_while_waiting_leaves_nothing_behind() -> None:
    admission = admission_of(8)

    async def run() -> None:
        with await admission.enter_async(8 * MIB):
            task = asyncio.create_task(admission.enter_async(MIB))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        with await admission.enter_async(8 * MIB):
            assert admission.bytes_used == 8 * MIB

    asyncio.run(run())
    assert admission.bytes_used == 0


def test_a_task_whose_patience_ends_is_refused() -> None:
    admission = admission_of(8, patience_s=0.05)

    async def run() -> None:
        with await admission.enter_async(8 * MIB), pytest.raises(OverloadedError):
            await admission.enter_async(MIB)

    asyncio.run(run())
    assert admission.bytes_used == 0


def test_many_threads_never_exceed_the_budget() -> None:
    admission = admission_of(8)
    most, lock = [0], threading.Lock()

    def work(index: int) -> None:
        with admission.enter((1 + index % 4) * MIB), lock:
            most[0] = max(most[0], admission.bytes_used)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(500)))
    assert MIB < most[0] <= 8 * MIB
    assert admission.bytes_used == 0


def test_the_estimate_rises_at_once_and_sinks_slowly() -> None:
    estimate = BodyEstimate(64 * MIB)
    assert estimate.bytes == 16 * MIB
    for _ in range(100):
        estimate.observe(170_000)
    assert 170_000 <= estimate.bytes < 300_000
    estimate.observe(8 * MIB)
    assert estimate.bytes == 8 * MIB
    estimate.observe(170_000)
    assert estimate.bytes > 7 * MIB


def test_the_estimate_stays_within_a_quarter_of_the_budget() -> None:
    estimate = BodyEstimate(64 * MIB)
    estimate.observe(60 * MIB)
    assert estimate.bytes == 16 * MIB
    estimate.observe(MIB)
    assert estimate.bytes < 16 * MIB
