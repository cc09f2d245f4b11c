"""A process that computes runs for another: what to compute comes on its stdin, steps and outcomes leave on its stdout, as pickles.

Not ``multiprocessing``, whose spawned processes import the caller's script again (a script without a main guard starts itself over) and
outlive a parent that is killed. This one ends with its stdin.
"""

import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, BinaryIO, NamedTuple, Protocol

from datagen.errors import DatagenError

OnStep = Callable[[int, str], None]
"""Called with the optimizer steps a run has made and what is done now."""


class Computes(Protocol):
    """Computes one run at a time and stores it; what it loads for one it keeps for the next. Can be pickled before it computed any."""

    def compute(self, run: Any, on_step: OnStep) -> None: ...


class Step(NamedTuple):
    done: int
    note: str


class Done(NamedTuple):
    pass


class Failed(NamedTuple):
    error: BaseException


Message = Step | Done | Failed


def main() -> None:
    """Serve until stdin ends. The first pickle is a :class:`Computes` and a number of threads (0: as torch likes), the others are runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C reaches the whole group: the parent decides
    reports = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever libraries print must not mix with reports
    orders = sys.stdin.buffer
    computes, threads = pickle.load(orders)
    if threads:
        _use_threads(threads)
    waiting: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(orders, waiting), daemon=True).start()

    def report(done: int, note: str) -> None:
        _send(reports, Step(done, note))

    while True:
        run = waiting.get()
        try:
            computes.compute(run, report)
        except Exception as error:  # noqa: BLE001  raised again in the parent
            _send(reports, Failed(_portable(error)))
        else:
            _send(reports, Done())


def _listen(orders: BinaryIO, waiting: "SimpleQueue[Any]") -> None:
    while True:
        try:
            waiting.put(pickle.load(orders))
        except (EOFError, OSError):
            os._exit(0)  # the parent is done, or dead: what a run in progress has checkpointed is kept


def _send(reports: BinaryIO, message: Message) -> None:
    reports.write(pickle.dumps(message))
    reports.flush()


def _portable(error: Exception) -> Exception:
    """Return the error with this process's traceback as a note, or one that says the same if it cannot be sent."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  whatever an error's own pickling may raise: what it said is sent instead
        return DatagenError(f"{type(error).__name__}: {error}")
    return error


def _use_threads(threads: int) -> None:
    from datagen.probe.models.backend import require_torch

    require_torch()
    import torch

    torch.set_num_threads(threads)
