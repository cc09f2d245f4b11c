"""Concurrency and AIMD."""

import asyncio

from datagen.clients.limiter import Limiter


def test_never_more_than_the_ceiling_and_first_come_first_served() -> None:
    async def run() -> tuple[int, list[int]]:
        limiter, most, order = Limiter(3), 0, list[int]()

        async def work(i: int) -> None:
            nonlocal most
            async with limiter.slot():
                order.append(i)
                most = max(most, limiter.in_flight)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(work(i) for i in range(20)))
        assert limiter.in_flight == 0
        return most, order

    assert asyncio.run(run()) == (3, list(range(20)))


def test_one_burst_cuts_once_and_successes_bring_it_back() -> None:
    async def run() -> list[float]:
        limiter, seen = Limiter(16), list[float]()
        async with limiter.slot() as first, limiter.slot() as second:
            limiter.throttled(first, None)
            limiter.throttled(second, None)
            seen.append(limiter.limit)
        async with limiter.slot() as later:
            limiter.throttled(later, None)
            seen.append(limiter.limit)
            for _ in range(25):
                limiter.succeeded(later)
            seen.append(limiter.limit)
            for _ in range(25 * 20):
                limiter.succeeded(later)
        return [*seen, limiter.limit]

    assert asyncio.run(run()) == [12, 9, 10, 16]


def test_the_limit_never_falls_below_one() -> None:
    async def run() -> float:
        limiter = Limiter(2)
        for _ in range(20):
            async with limiter.slot() as burst:
                limiter.throttled(burst, None)
        return limiter.limit

    assert asyncio.run(run()) == 1


def test_retry_after_holds_everybody_back() -> None:
    async def run() -> float:
        limiter = Limiter(4)
        async with limiter.slot() as burst:
            limiter.throttled(burst, 0.1)
        began = asyncio.get_running_loop().time()
        async with limiter.slot():
            return asyncio.get_running_loop().time() - began

    assert 0.09 <= asyncio.run(run()) < 1


def test_cancelled_waiters_give_their_place_back() -> None:
    async def run() -> int:
        limiter = Limiter(1)
        async with limiter.slot():
            waiting = [asyncio.create_task(_hold(limiter)) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return limiter.in_flight

    assert asyncio.run(run()) == 0


async def _hold(limiter: Limiter) -> None:
    async with limiter.slot():
        await asyncio.sleep(0)
