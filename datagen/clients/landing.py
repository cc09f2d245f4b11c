"""Where answers land before anything looks at them: a memory-mapped file beside the response store, so that ``kill -9`` loses no byte read.

A slot is taken for each request before it is sent and holds the request; the socket's bytes are read right into the slot (``wire``). What
``recv`` has taken from the kernel therefore lies in the file's page cache, which outlives the process: there is no moment between "read"
and "stored" in which a kill could lose an answer. Whoever opens the store next takes the whole answers out of the slots of dead processes
(:func:`recover`); what had not arrived whole is asked for again.

Layout: slots of ``SLOT`` bytes; the request's length in 4 bytes, little-endian, 0 for a free slot; the request's canonical JSON; the HTTP
answer as it came, then zeros, which no answer ends with. A process holds a lock on its file as long as it lives. This protects against the
death of the process, not of the machine: for that there is the store.
"""

import contextlib
import fcntl
import mmap
import os
import secrets
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

SLOT = 1 << 17
"""Bytes of a slot. A larger answer is read into ordinary memory from there on, a request of more than half of it altogether."""
_LENGTH = 4


class Slot:
    """Room for one request and its answer.

    Attributes:
        answer: where the answer's bytes go.
        used: bytes of the answer so far.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._view = memoryview(memory)
        self._end = 0
        self.answer = self._view
        self.used = 0

    def begin(self, request: bytes) -> None:
        """Put the request in; the length goes last, so that a slot that is marked as taken is whole."""
        self._end = _LENGTH + len(request)
        self._memory[_LENGTH : self._end] = request
        self._memory[:_LENGTH] = len(request).to_bytes(_LENGTH, "little")
        self.answer = self._view[self._end :]

    @property
    def full(self) -> bool:
        """Whether the answer may go on elsewhere."""
        return self.used == len(self.answer)

    def end(self) -> None:
        """Forget both: the answer is stored, or there will be none. The length goes first."""
        self._memory[:_LENGTH] = bytes(_LENGTH)
        self._memory[: self._end + self.used] = bytes(self._end + self.used)
        self.used = 0

    def close(self) -> None:
        """Unmap, unless an aborted connection still holds a view; then that does."""
        with contextlib.suppress(BufferError):
            self.answer.release()
            self._view.release()
            self._memory.close()


class Landing:
    """The slots of one process. The file is made with the first slot, and grows to as many as are taken at once.

    Args:
        store_path: the response store's file; the slots go beside it.
    """

    def __init__(self, store_path: Path) -> None:
        self._path = store_path.with_name(f"{store_path.stem}.{os.getpid()}-{secrets.token_hex(4)}.landing")
        self._file: int | None = None
        self._tidy: Callable[[], object] | None = None
        self._free: list[Slot] = []
        self._slots: list[Slot] = []

    def take(self, request: bytes) -> Slot | None:
        """Return a slot that holds the request, to be :meth:`given back <give_back>`; None without room on disk, or for so large a one."""
        if len(request) > SLOT // 2:
            return None
        slot = self._free.pop() if self._free else self._add()
        if slot is not None:
            slot.begin(request)
        return slot

    def give_back(self, slot: Slot) -> None:
        """Clear a slot, for others."""
        slot.end()
        self._free.append(slot)

    def close(self) -> None:
        """Unmap, and delete the file unless an answer is still in it."""
        for slot in self._slots:
            slot.close()
        self._slots, self._free = [], []
        if self._tidy is not None:
            self._tidy()
        self._file = self._tidy = None

    def _add(self) -> Slot | None:
        try:
            if self._file is None:
                self._file = _create_locked(self._path)
                # Whoever forgets to close leaves no empty file behind.
                self._tidy = weakref.finalize(self, _end_file, self._path, self._file)
            start = len(self._slots) * SLOT
            # Room on the disk now: a full one would end the process when a page is first written to.
            _allocate(self._file, start, SLOT)
            slot = Slot(mmap.mmap(self._file, SLOT, offset=start))
        except OSError:
            return None  # an answer without a slot is read as ever, and stored when it is whole
        self._slots.append(slot)
        return slot


def recover(store_path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield, from processes that are dead, each request (canonical JSON) and what had arrived of its answer; then delete their files.

    A file is deleted once all that was in it has been taken by the caller.
    """
    for path in sorted(store_path.parent.glob(f"{store_path.stem}.*.landing")):
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield from _taken(file)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            pass  # its process lives
        finally:
            os.close(file)


def _create_locked(path: Path) -> int:
    """Create a file that has its lock before it has its name, so that nobody takes it for that of a dead process."""
    unnamed = path.with_suffix(".new")
    file = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    unnamed.rename(path)
    return file


def _end_file(path: Path, file: int) -> None:
    if next(_taken(file), None) is None:
        path.unlink(missing_ok=True)
    os.close(file)


def _taken(file: int) -> Iterator[tuple[bytes, bytes]]:
    for start in range(0, os.fstat(file).st_size, SLOT):
        raw = os.pread(file, SLOT, start)
        end = _LENGTH + int.from_bytes(raw[:_LENGTH], "little")
        if _LENGTH < end < len(raw):
            yield raw[_LENGTH:end], raw[end:].rstrip(b"\0")


def _allocate(file: int, start: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, start, size)
    else:  # macOS
        os.pwrite(file, bytes(size), start)
