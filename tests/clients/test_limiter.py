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


def test_a_passed_storm_costs_seconds_not_thousands_of_successes() -> None:
    """After a quiet second every success adds one, up to three quarters of where the storm began; then every 25th."""
    now_s = 100.0

    async def run() -> tuple[float, int, int]:
        nonlocal now_s
        limiter = Limiter(256, clock=lambda: now_s)
        for _ in range(20):
            async with limiter.slot() as slot:
                limiter.throttled(slot, None)
            now_s += 0.1
        lowest = limiter.limit
        now_s += 1.0
        successes = 0
        async with limiter.slot() as slot:
            while limiter.limit < 191:
                limiter.succeeded(slot)
                successes += 1
            beyond = 0
            while limiter.limit < 194:
                limiter.succeeded(slot)
                beyond += 1
        return lowest, successes, beyond

    lowest, successes, beyond = asyncio.run(run())
    assert lowest < 2
    assert successes < 200
    assert beyond > 25


def test_a_level_that_was_served_and_then_refused_is_approached_slowly() -> None:
    now_s = 100.0

    async def run() -> list[float]:
        nonlocal now_s
        limiter = Limiter(256, clock=lambda: now_s)
        seen: list[float] = []
        for _ in range(3):
            async with limiter.slot() as slot:
                for _ in range(30):
                    limiter.succeeded(slot)
                limiter.throttled(slot, None)
            seen.append(limiter.limit)
            now_s += 0.5
        async with limiter.slot() as slot:
            now_s += 2
            for _ in range(25):
                limiter.succeeded(slot)
        return [*seen, limiter.limit]

    first, second, third, later = asyncio.run(run())
    assert [round(n) for n in (first, second)] == [192, 145]
    assert later - third <= 1
