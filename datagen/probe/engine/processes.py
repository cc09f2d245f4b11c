"""Computing runs in several processes of this machine: one model each, one run at a time, results on the shared disk.

A run does not depend on who computes it, on CPUs up to the rounding of another number of threads. Workers write finished runs and
checkpoints where this process would; a killed probe goes on from them whatever engine is asked next.
"""

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from datagen.errors import DatagenError
from datagen.probe.engine.place import Place
from datagen.probe.engine.worker import Computes, Done, Failed, Message, Step

OnRunStep = Callable[[int, int, str], None]
"""Called with a run's place in the list, the optimizer steps it has made, and what it does now; an empty note: it is finished."""


def compute_in_processes(computes: Computes, runs: Sequence[Any], place: Place, *, on_step: OnRunStep) -> None:
    """Compute every run with ``place.workers`` processes; ends them all, whatever happens.

    Raises:
        DatagenError: a worker died without saying why (memory, most likely).
        Exception: whatever a run raised, with the worker's traceback as a note.
    """
    told: SimpleQueue[tuple[_Worker, Message | None]] = SimpleQueue()
    waiting = deque(enumerate(runs))
    workers: list[_Worker] = []
    try:
        workers.extend(_Worker(computes, place, number, told) for number in range(min(place.workers, len(runs))))
        busy = [w for w in workers if w.take(waiting)]
        while busy:
            worker, message = told.get()
            match message:
                case Step(done, note):
                    on_step(worker.run, done, note)
                case Done():
                    on_step(worker.run, 0, "")
                    if not worker.take(waiting):
                        busy.remove(worker)
                case Failed(error):
                    raise error
                case None:
                    raise worker.death()
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A worker process and the thread that listens to it. ``run`` is the place of the run it computes."""

    def __init__(self, computes: Computes, place: Place, number: int, told: "SimpleQueue[tuple[_Worker, Message | None]]") -> None:
        self.run = -1
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed by end()
        # The parent's own datagen, not one that lies in the working directory.
        packages = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in packages if p), **place.environment(number)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "datagen.probe.engine"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
        )
        self._send((computes, place.threads))
        self._listener = threading.Thread(target=self._listen, args=(told,), daemon=True)
        self._listener.start()

    def take(self, waiting: "deque[tuple[int, Any]]") -> bool:
        """Begin the next run; False if there is none."""
        if not waiting:
            return False
        self.run, run = waiting.popleft()
        self._send(run)
        return True

    def death(self) -> DatagenError:
        """Say how it died."""
        code = self._process.wait()
        self._said.seek(0)
        last = self._said.read()[-2000:].decode("utf-8", "replace").strip()
        killed = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return DatagenError(
            f"a training process ended {killed}" + (f"; it last said:\n{last}" if last else ""),
            hint="signal 9 is most often too little memory: give --engine serial or fewer --workers; what was computed is kept",
        )

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # what was not sent to a dead process is of no use
                pipe.close()

    def _send(self, value: object) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(pickle.dumps(value))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self.death() from None

    def _listen(self, told: "SimpleQueue[tuple[_Worker, Message | None]]") -> None:
        assert self._process.stdout is not None
        try:
            while True:
                told.put((self, pickle.load(self._process.stdout)))
        except (EOFError, OSError):
            return  # it has ended, which is what the next line says
        finally:
            told.put((self, None))
