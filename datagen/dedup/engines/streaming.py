"""Deduplicate a ``.jsonl`` file of any size: three passes over the file, everything that grows with its text on disk.

    pass 1   rows -> band keys, digests of identity, prompt and completion           (disk: 4 bytes a band and 32 bytes, a row)
    sort     one band at a time -> rows that share a key                             (memory: 16 bytes a row)
    pass 2   shingles of those rows alone -> exact verification, clusters            (disk: 8 bytes a word of candidates)
    pass 3   lines copied as they are to the kept or the dropped file

Memory: one block of rows (``block_bytes``), 16 bytes a row (40 where rows have prompts: conflicts), and some 500 bytes a duplicate for its
reason. The result is that of :func:`datagen.dedup.deduplicate`, for files in one format from the first row on.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from datagen.dedup.batch import Duplicate, Found, Prefer, check_options, describe
from datagen.dedup.compared import Compared, On, guard_numbers
from datagen.dedup.engines.candidates import Integers, Runs, runs_of_keys
from datagen.dedup.engines.rowtable import RowTable, hash_text
from datagen.dedup.engines.spill import Spill
from datagen.dedup.engines.verify import Evidence, join, repeated
from datagen.dedup.keep import SCORE, Keep, check_keep, column_of, comparable, no_such_column
from datagen.dedup.kernels.column import Column, Texts
from datagen.dedup.kernels.native import ShingleSets, band_keys, shingle_sets
from datagen.dedup.lsh import choose_bands
from datagen.dedup.reading import Read, reader
from datagen.jsonl import JsonObject, Line, encode_line, guard_disk, open_atomic, stream_lines
from datagen.text import fold

BLOCK = 32 << 20
FORMAT_ROWS = 1000
"""Rows the format is told from."""
Progress = Callable[[str, int], None]
"""Called with the pass (``sign``, ``verify``, ``write``) and the bytes read so far."""


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of a file's rows. ``conflicts`` and ``found`` hold row numbers, from 0; blank lines are no rows."""

    rows: int
    found: Found
    conflicts: list[list[int]]

    @property
    def kept(self) -> int:
        return self.rows - len(self.found.duplicates)


@dataclass(frozen=True, slots=True)
class FileOptions:
    """As the arguments of :func:`datagen.dedup.deduplicate`; ``block_bytes`` of the file are in memory at once."""

    threshold: float = 0.7
    ngram: int = 5
    on: On = "both"
    keep: Keep = "first"
    by: str | None = None
    numbers_matter: bool = False
    block_bytes: int = BLOCK


def deduplicate_file(
    source: Path, kept: Path, dropped: Path, options: FileOptions | None = None, *, progress: Progress | None = None
) -> FileOutcome:
    """Write the rows to keep, as they are, to ``kept``, and the others with their reasons to ``dropped``; both atomically.

    Temporary files go beside ``kept``.

    Raises:
        UsageError: a value out of range, no such file, or a column to keep by that no row has.
        DataError: a line that is not a JSON object; names ``file:line``.
        DiskRefused: the disk is full, or the folder of ``kept`` may not be written; nothing was replaced.
    """
    options = options or FileOptions()
    check_options(options.threshold, options.ngram, "native")
    check_keep(options.keep, options.by)
    with guard_disk(kept.parent):
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(dir=kept.parent, prefix=".datagen-dedup-")
    with temporary as folder, Spill(Path(folder)) as spill:
        job = _Job(source, options, spill, progress or (lambda stage, done: None))
        rows = job.sign()
        bands, active = job.band_runs(rows)
        found = job.verify(bands, active)
        conflicts = job.conflicts(rows, found)
        job.write(kept, dropped, found)
    return FileOutcome(rows, found, conflicts)


class _Job:
    def __init__(self, source: Path, options: FileOptions, spill: Spill, progress: Progress) -> None:
        self._source, self._options, self._spill, self._progress = source, options, spill, progress
        self._bands = choose_bands(options.threshold)
        self._read = self._reader()

    def sign(self) -> int:
        """Pass 1; returns the number of rows."""
        rows = 0
        column, known, first = column_of(self._options.keep, self._options.by), False, list[str]()
        for block in self._blocks("sign"):
            values = [line.parse(self._source) for line in block]
            if column and not known:
                known = any(column in value for value in values)
                first = first or list(values[0])
            compared = [self._compare(value) for value in values]
            table = RowTable.of(compared)
            for band, keys in enumerate(band_keys(table.text, self._options.ngram, self._bands)):
                self._spill.append(f"band{band}", keys)
            digests = b"".join(blake2b(row.identity, digest_size=16).digest() for row in compared)
            self._spill.append("digests", np.frombuffer(digests, dtype=np.uint64))
            if table.questions is not None and table.completion is not None:
                answers = [hash_text(fold(table.completion.text(i))) for i in range(table.rows)]
                self._spill.append("prompts", np.stack([table.questions, np.array(answers, dtype=np.uint64)], axis=1))
            else:
                self._spill.append("prompts", np.zeros((table.rows, 2), dtype=np.uint64))
            rows += table.rows
        self._spill.finish()
        if column and rows and not known:
            raise no_such_column(column, first)
        return rows

    def band_runs(self, rows: int) -> tuple[list[Runs], Integers]:
        """Return each band's runs, on disk, and the rows in any of them."""
        inside = np.zeros(rows, dtype=np.bool_)
        for band in range(self._bands.bands if rows else 0):
            runs = runs_of_keys(self._spill.read(f"band{band}", np.uint32))
            inside[runs.rows] = True
            self._spill.append(f"rows{band}", runs.rows)
            self._spill.append(f"starts{band}", runs.starts)
            self._spill.remove(f"band{band}")
        self._spill.finish()
        count = self._bands.bands if rows else 0
        bands = [Runs(self._spill.read(f"rows{b}", np.int64), self._spill.read(f"starts{b}", np.int64)) for b in range(count)]
        return bands, np.flatnonzero(inside)

    def verify(self, bands: list[Runs], active: Integers) -> Found:
        """Pass 2."""
        first = active[_first_equal(self._spill.read("digests", np.uint64).reshape(-1, 2)[active])]
        distinct = active[first == active]
        questions = self._spill.read("prompts", np.uint64).reshape(-1, 2)[distinct, 0]
        asked = repeated(questions)
        sizes: dict[str, list[int]] = {"text": [], "answer": []}
        guards: list[int] = []
        ranks: dict[int, Any] = {}
        row, at = 0, 0
        for block in self._blocks("verify"):
            until = row + len(block)
            wanted = active[np.searchsorted(active, row) : np.searchsorted(active, until)]
            values = {i: block[i - row].parse(self._source) for i in wanted.tolist()}
            compared = {i: self._compare(value) for i, value in values.items()}
            if self._options.keep != "first":
                ranks.update((i, self._rank(i, values[i], compared[i])) for i in values)
            end = int(np.searchsorted(distinct, until))
            own = [compared[i] for i in distinct[at:end].tolist()]
            table = RowTable.of(own)
            self._store("text", table.text, sizes)
            answers = (c.completion if a else "" for c, a in zip(own, asked[at:end].tolist(), strict=True))
            self._store("answer", Column.of(answers), sizes)
            guards += [0] * len(own) if table.guards is None else table.guards.tolist()
            row, at = until, end
        self._spill.finish()
        evidence = Evidence(distinct, self._sets("text", sizes), self._sets("answer", sizes), asked, np.array(guards, dtype=np.uint64))
        root = join(evidence, evidence.positions(bands), self._options.threshold)
        return describe(active, first, evidence, root, self._options.threshold, self._prefer(ranks))

    def conflicts(self, rows: int, found: Found) -> list[list[int]]:
        """Return, for each prompt kept with more than one completion, its rows."""
        prompts = self._spill.read("prompts", np.uint64).reshape(-1, 2)
        stays = np.ones(rows, dtype=np.bool_)
        stays[list(found.duplicates)] = False
        stays &= prompts[:, 0] != 0
        kept = np.flatnonzero(stays)
        questions, answers = prompts[kept, 0], prompts[kept, 1]
        order = np.argsort(questions, kind="stable")
        questions, answers, kept = questions[order], answers[order], kept[order]
        starts = np.flatnonzero(np.append(True, questions[1:] != questions[:-1])) if len(kept) else np.zeros(0, dtype=np.int64)
        ends = np.append(starts, len(kept))[1:]
        differs = answers[1:] != answers[:-1]
        several = [(s, e) for s, e in zip(starts.tolist(), ends.tolist(), strict=True) if e - s > 1 and differs[s : e - 1].any()]
        return sorted(kept[s:e].tolist() for s, e in several)

    def write(self, kept: Path, dropped: Path, found: Found) -> None:
        """Pass 3."""
        row = 0
        with open_atomic(kept) as stays, open_atomic(dropped) as goes:
            for block in self._blocks("write"):
                for line in block:
                    duplicate = found.duplicates.get(row)
                    if duplicate is None:
                        stays.write(line.raw + b"\n")
                    else:
                        goes.write(encode_line(reason_of(duplicate, line.parse(self._source))))
                    row += 1

    def _reader(self) -> Read:
        head = [line.parse(self._source) for line, _ in zip(stream_lines(self._source), range(FORMAT_ROWS), strict=False)]
        return reader(head, self._options.on)

    def _compare(self, row: JsonObject) -> Compared:
        compared = self._read(row)
        return guard_numbers(compared) if self._options.numbers_matter else compared

    def _blocks(self, stage: str) -> Iterator[list[Line]]:
        block: list[Line] = []
        size = done = 0
        for line in stream_lines(self._source):
            block.append(line)
            size += len(line.raw) + 1
            if size >= self._options.block_bytes:
                yield block
                done += size
                self._progress(stage, done)
                block, size = [], 0
        if block:
            yield block
            self._progress(stage, done + size)

    def _store(self, name: str, texts: Texts, sizes: dict[str, list[int]]) -> None:
        sets = shingle_sets(texts, self._options.ngram)
        self._spill.append(name, sets.values)
        sizes[name] += np.diff(sets.offsets).tolist()

    def _sets(self, name: str, sizes: dict[str, list[int]]) -> ShingleSets:
        offsets = np.zeros(len(sizes[name]) + 1, dtype=np.int64)
        np.cumsum(np.array(sizes[name], dtype=np.int64), out=offsets[1:])
        return ShingleSets(self._spill.read(name, np.uint64), offsets)

    def _rank(self, i: int, value: JsonObject, compared: Compared) -> Any:
        match self._options.keep:
            case "longest":
                return len(compared.text.encode("utf-8", "surrogatepass"))
            case "newest" if self._options.by is None:
                return i
            case _:
                return value.get(self._options.by or SCORE)

    def _prefer(self, ranks: dict[int, Any]) -> Prefer | None:
        if self._options.keep == "first":
            return None
        return comparable(ranks.__getitem__, self._options.by or SCORE)


def reason_of(duplicate: Duplicate, value: JsonObject) -> JsonObject:
    """Return the line of a dropped row."""
    return {
        "row": duplicate.row,
        "kept_row": duplicate.kept_row,
        "reason": duplicate.reason,
        "similarity": round(duplicate.similarity, 4),
        "cluster": duplicate.cluster,
        "value": value,
    }


def _first_equal(digests: Any) -> Integers:
    """Return, per digest (two 64-bit numbers), where it first occurs."""
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    ordered = digests[order]
    new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1)) if len(order) else np.zeros(0, dtype=np.bool_)
    # lexsort is stable, so the first of equal digests is the first row.
    first = np.empty(len(order), dtype=np.int64)
    first[order] = order[new][np.cumsum(new) - 1] if len(order) else order
    return first


def check_streamable(source: Path) -> bool:
    """Tell whether a file is JSON Lines; a JSON array has to be read whole.

    Raises:
        UsageError: no such file.
    """
    first = next(iter(stream_lines(source)), None)
    if first is None:
        return True
    if source.suffix.lower() == ".json":
        return False
    return not first.raw.lstrip().startswith(b"[")
