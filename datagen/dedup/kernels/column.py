"""Many texts as one buffer of UTF-8 and row offsets: Arrow's large-string layout, which compiled loops read without Python strings.

Strings are encoded a block at a time, into memory that the processor's cache still holds when a loop reads it. One buffer for all of them
would cost more than hashing them does: half a million texts of 600 bytes take 0.4 s through fresh memory and 0.05 s in blocks.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt


class Texts(Protocol):
    """Rows of text, whatever holds them."""

    @property
    def rows(self) -> int: ...

    def blocks(self, *, size: int) -> "Iterator[tuple[int, Column]]":
        """Yield all rows, about ``size`` bytes at a time, each block with the number of its first row."""
        ...

    def take(self, rows: npt.NDArray[np.int64]) -> "Texts":
        """Return some rows, in the order given."""
        ...

    def text(self, i: int) -> str: ...

    def keys(self) -> Iterable[Hashable]:
        """Return, per row, a value that is equal for equal rows and for no others."""
        ...

    def size(self, i: int) -> int:
        """Return a row's bytes as UTF-8."""
        ...


@dataclass(frozen=True, slots=True)
class Strings:
    """A list of strings as rows of text; encoded when read."""

    items: Sequence[str]

    @property
    def rows(self) -> int:
        return len(self.items)

    def blocks(self, *, size: int) -> "Iterator[tuple[int, Column]]":
        start, count = 0, 64
        while start < len(self.items):
            block = Column.of_block(self.items[start : start + count])
            yield start, block
            start += block.rows
            # As many rows as would have filled this block; at most four times as many, since the next ones may be longer.
            count = max(min(block.rows * size // max(len(block.data), 1), 4 * block.rows, 4096), 1)

    def take(self, rows: npt.NDArray[np.int64]) -> "Strings":
        return Strings(list(map(self.items.__getitem__, rows.tolist())))

    def text(self, i: int) -> str:
        return self.items[i]

    def keys(self) -> Sequence[str]:
        return self.items

    def size(self, i: int) -> int:
        return len(self.items[i].encode("utf-8", "surrogatepass"))


class Column(NamedTuple):
    """Row ``i`` is ``data[offsets[i]:offsets[i + 1]]``; ``data`` uint8, ``offsets`` int64 of shape (rows + 1,)."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Column":
        """Encode strings; a lone surrogate becomes the three bytes that Python's ``surrogatepass`` makes of it."""
        # Grows in place: every byte is written to fresh memory once.
        data = bytearray()
        sizes: list[int] = []
        remaining = iter(texts)
        while block := list(islice(remaining, 4096)):
            encoded, own = _encode(block)
            data += encoded
            sizes += own
        return cls(_frozen(data), _offsets(sizes))

    @classmethod
    def of_block(cls, texts: Sequence[str]) -> "Column":
        """As :meth:`of`, for a few texts."""
        data, sizes = _encode(texts)
        return cls(_frozen(data), _offsets(sizes))

    @classmethod
    def of_bytes(cls, rows: Sequence[bytes]) -> "Column":
        return cls(_frozen(b"".join(rows)), _offsets(list(map(len, rows))))

    @property
    def rows(self) -> int:
        return len(self.offsets) - 1

    def row(self, i: int) -> bytes:
        return self.data[self.offsets[i] : self.offsets[i + 1]].tobytes()

    def text(self, i: int) -> str:
        return self.row(i).decode("utf-8", "surrogatepass")

    def keys(self) -> Iterator[bytes]:
        return map(self.row, range(self.rows))

    def size(self, i: int) -> int:
        return int(self.offsets[i + 1] - self.offsets[i])

    def take(self, rows: npt.NDArray[np.int64]) -> "Column":
        """Return some rows, copied, in the order given."""
        view = self.data.data
        starts, ends = self.offsets[rows], self.offsets[rows + 1]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(ends - starts, out=offsets[1:])
        parts = [view[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        return Column(_frozen(b"".join(parts)), offsets)

    def blocks(self, *, size: int) -> "Iterator[tuple[int, Column]]":
        """Yield views of ranges of rows of about ``size`` bytes each; their offsets do not begin with 0."""
        start = 0
        while start < self.rows:
            stop = int(np.searchsorted(self.offsets, self.offsets[start] + size, side="right")) - 1
            stop = min(max(stop, start + 1), self.rows)
            yield start, Column(self.data, self.offsets[start : stop + 1])
            start = stop


def _encode(texts: Sequence[str]) -> tuple[bytes, list[int]]:
    """Return all texts as one, and each one's bytes."""
    joined = "".join(texts)
    if joined.isascii():
        # One byte a character: encoded at once, which is several times faster.
        return joined.encode(), list(map(len, texts))
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"".join(encoded), list(map(len, encoded))


def _offsets(sizes: list[int]) -> npt.NDArray[np.int64]:
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def _frozen(data: bytes | bytearray) -> npt.NDArray[np.uint8]:
    """View bytes as an array that nobody may write to, so that compiled loops see one type whatever the bytes come from."""
    array = np.frombuffer(data, dtype=np.uint8)
    array.flags.writeable = False
    return array
