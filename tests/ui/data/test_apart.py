import asyncio
import os
import threading

import pytest

from datagen.errors import DataError
from datagen.ui.data.apart import SMALL_BYTES, Shared, apart


def where() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def broken() -> None:
    raise DataError("train.jsonl:3: not a sample")


def test_little_work_runs_in_a_thread_and_much_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from nicegui import run

    async def both() -> tuple[tuple[int, int], tuple[int, int]]:
        run.setup()
        try:
            small, large = await apart(SMALL_BYTES - 1, where), await apart(SMALL_BYTES, where)
            with pytest.raises(DataError, match=r"train\.jsonl:3"):
                await apart(SMALL_BYTES, broken)
        finally:
            run.tear_down()
        return small, large

    monkeypatch.setattr(run, "process_pool_start_method", "spawn")
    monkeypatch.setattr(run, "process_pool", None)
    (small_pid, small_thread), (large_pid, _) = asyncio.run(both())
    assert small_pid == os.getpid()
    assert small_thread != threading.get_ident()
    assert large_pid != os.getpid()


def test_one_result_for_all_who_wait_and_a_failure_is_tried_again() -> None:
    calls: list[int] = []

    async def work() -> int:
        calls.append(len(calls))
        await asyncio.sleep(0.01)
        if len(calls) == 1:
            raise DataError("the disk was away")
        return calls[-1]

    async def scenario() -> None:
        shared = Shared[int](keep=1)
        first = await asyncio.gather(shared.get("a", work), shared.get("a", work), return_exceptions=True)
        assert [type(e) for e in first] == [DataError, DataError]
        assert not shared.has("a")
        assert await asyncio.gather(shared.get("a", work), shared.get("a", work)) == [1, 1]
        assert shared.has("a")
        assert await shared.get("b", work) == 2
        assert not shared.has("a"), "only the last one is kept"

    asyncio.run(scenario())
    assert calls == [0, 1, 2]


def test_who_leaves_takes_nothing_from_those_who_wait() -> None:
    async def work() -> str:
        await asyncio.sleep(0.02)
        return "rows"

    async def scenario() -> None:
        shared = Shared[str]()
        leaving, staying = (asyncio.create_task(shared.get("a", work)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == "rows"

    asyncio.run(scenario())
