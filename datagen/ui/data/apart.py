"""Work that takes longer than a page may hold up the server: in a thread where it is small, in a process where it is not.

All visitors share one event loop. A thread that makes a hundred thousand objects still shares Python's lock with it, so such work goes
to a process, and only what a page shows comes back.
"""

import asyncio
import multiprocessing
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, ParamSpec, TypeVar, cast

from datagen.errors import DatagenError

SMALL_BYTES = 4 << 20
"""Row files below this size are read in a thread."""
P = ParamSpec("P")
T = TypeVar("T")


async def apart(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what ``work`` gives without holding up the server.

    Args:
        size: bytes that it reads; from :data:`SMALL_BYTES` on it runs in a process, so it and its arguments must be picklable.
        work: a function of a module.
        args: for ``work``.
        kwargs: for ``work``.
    """
    from nicegui import run

    # Without a pool (a test's simulated server) everything is small.
    if size < SMALL_BYTES or run.process_pool is None:
        return await asyncio.to_thread(work, *args, **kwargs)
    done = await run.cpu_bound(_in_process, work, args, kwargs)
    assert done is not None, "the server is shutting down"
    result, error = done
    if error is not None:
        raise error
    return cast("T", result)


class Shared(Generic[T]):
    """The last few results of one kind of work, each computed once for all who ask for it; a failure is not kept."""

    def __init__(self, keep: int = 3) -> None:
        self._keep = keep
        self._tasks: OrderedDict[Hashable, asyncio.Task[T]] = OrderedDict()

    async def get(self, key: Hashable, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result for ``key``; ``begin`` is called unless it is there or under way."""
        task = self._tasks.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._tasks[key] = asyncio.create_task(begin())
        self._tasks.move_to_end(key)
        while len(self._tasks) > self._keep:
            self._tasks.popitem(last=False)
        # Somebody who leaves must not take it from those who still wait.
        return await asyncio.shield(task)

    def has(self, key: Hashable) -> bool:
        """Say whether the result is there already."""
        task = self._tasks.get(key)
        return task is not None and task.done() and not task.cancelled() and task.exception() is None


_watching = threading.Event()


def _in_process(work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[T | None, DatagenError | OSError | None]:
    """Run in a worker of the pool, which must not outlive a server that was killed. NiceGUI would turn an error into one of its own."""
    parent = multiprocessing.parent_process()
    if parent is not None and not _watching.is_set():
        _watching.set()
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    try:
        return work(*args, **kwargs), None
    except (DatagenError, OSError) as error:
        return None, error


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)
