"""Decisions of people on rows, and what they do to the next iteration.

``.datagen/reviews/decisions.jsonl`` holds one decision a line, in the order taken; it only grows. A decision is on disk before
:meth:`ReviewLog.decide` returns, and a line torn by a crash is cut off by the next one. What counts for a sample is its last decision that
has not been undone. An edit makes a new sample whose provenance names the old one as its parent.

Two people who look at the same sample: each decides on the version they saw, and the second is told instead of overwriting the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import ValidationError

from datagen.errors import DataError, ReviewConflict, UsageError
from datagen.hashing import fingerprint
from datagen.jsonl import append_row, guard_disk, parse_json
from datagen.schemas.record import Frozen, Record
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped, StageResult
from datagen.workspace import Workspace

Action = Literal["accept", "edit", "reject", "restore", "undo"]
NO_REVIEWS = fingerprint([])


class Decision(Frozen):
    """One line of the log.

    Attributes:
        sample: id of the sample decided on.
        version: how many decisions the sample has, with this one.
        original: the sample itself, for ``edit`` and ``restore`` (a dropped row that shall be kept all the same).
        edited: the new sample of an ``edit``.
        time: UTC, ISO 8601.
    """

    sample: str
    action: Action
    version: int
    time: str
    reason: str = ""
    reviewer: str = ""
    original: Sample | None = None
    edited: Sample | None = None


def edited_sample(old: Sample, record: Record) -> Sample:
    """Return the sample an edit makes: new record, the old sample as parent, evidence and tags taken over.

    Raises:
        UsageError: nothing was changed.
    """
    provenance = old.provenance.model_copy(update={"parents": (old.id,)})
    new = Sample.of(record, provenance=provenance, tags={**old.tags, "reviewed": "edited"})
    if new.id == old.id:
        raise UsageError("the edit changes nothing", hint="accept the row instead")
    return new


@dataclass
class ReviewLog:
    """The decisions of a workspace; other processes' lines are read before every decision."""

    folder: Path
    _offset: int = 0
    _lines: int = 0
    _versions: dict[str, int] = field(default_factory=dict[str, int])
    _standing: dict[str, list[Decision]] = field(default_factory=dict[str, list[Decision]])
    _originals: dict[str, Sample] = field(default_factory=dict[str, Sample])
    _last: dict[str, Decision] = field(default_factory=dict[str, Decision])

    @classmethod
    def of(cls, workspace: Workspace) -> "ReviewLog":
        log = cls(workspace.reviews)
        log.refresh()
        return log

    @property
    def path(self) -> Path:
        return self.folder / "decisions.jsonl"

    def refresh(self) -> list[Decision]:
        """Read what was appended since the last call and return it; an unfinished last line is left for later.

        Raises:
            DataError: a whole line is no decision; names ``file:line``.
        """
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            raw = file.read()
        complete = raw[: raw.rfind(b"\n") + 1]
        self._offset += len(complete)
        found = [self._read(line) for line in complete.split(b"\n")[:-1]]
        for decision in found:
            self._take(decision)
        return found

    @property
    def count(self) -> int:
        """Return how many decisions have been read, undone ones included."""
        return sum(self._versions.values())

    def version(self, sample: str) -> int:
        """Return how many decisions a sample has, undone ones included."""
        return self._versions.get(sample, 0)

    def standing(self) -> dict[str, Decision]:
        """Return what counts for every sample decided on."""
        return {sample: stack[-1] for sample, stack in self._standing.items() if stack}

    def decision(self, sample: str) -> Decision | None:
        """Return what counts for one sample."""
        stack = self._standing.get(sample)
        return stack[-1] if stack else None

    def decide(
        self, sample: Sample, action: Action, *, seen: int, reason: str = "", edited: Sample | None = None, reviewer: str = ""
    ) -> Decision:
        """Append a decision on ``sample``, whose version ``seen`` the reviewer looked at.

        Raises:
            ReviewConflict: somebody else has decided since; nothing was written.
            UsageError: a rejection without a reason, an edit without a sample or back to an earlier text, or an undo with nothing to undo.
        """
        if action == "reject" and not reason.strip():
            raise UsageError("a rejection needs a reason")
        if (action == "edit") != (edited is not None):
            raise UsageError("an edit, and only an edit, has a new sample")
        with guard_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "lock", timeout=30):
            self.refresh()
            if self.version(sample.id) != seen:
                last = self._last[sample.id]
                raise ReviewConflict(
                    f"row {sample.id[:12]} was decided meanwhile: {last.action} by {last.reviewer or 'somebody'} at {last.time}",
                    hint="look at the row as it is now and decide again",
                )
            if action == "undo" and not self._standing.get(sample.id):
                raise UsageError("there is no decision on this row to undo")
            if edited is not None and self._came_from(sample, edited.id):
                raise UsageError("this is the row as it was before an earlier edit", hint="undo that edit instead")
            decision = Decision(
                sample=sample.id,
                action=action,
                version=seen + 1,
                time=datetime.now(UTC).isoformat(timespec="seconds"),
                reason=reason.strip(),
                reviewer=reviewer,
                original=sample if action in ("edit", "restore") else None,
                edited=edited,
            )
            append_row(self.path, decision.model_dump(mode="json", exclude_none=True))
            self.refresh()
        return decision

    def snapshot(self) -> "Reviews":
        """Return what the decisions taken so far do to a dataset."""
        return Reviews(self.standing(), dict(self._originals))

    def _read(self, line: bytes) -> Decision:
        self._lines += 1
        try:
            # Not pydantic's reader, which refuses the escape of a lone surrogate that a sample may hold.
            return Decision.model_validate(parse_json(line.decode()))
        except ValueError as error:
            why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            hint = "restore the file from a copy, or remove that line: each line is one decision"
            raise DataError(f"{self.path}:{self._lines}: not a decision: {why}", hint=hint) from error

    def _came_from(self, sample: Sample, earlier: str) -> bool:
        origin: Sample | None = sample
        while (origin := self._originals.get(origin.id)) is not None:
            if origin.id == earlier:
                return True
        return False

    def _take(self, decision: Decision) -> None:
        self._versions[decision.sample] = decision.version
        stack = self._standing.setdefault(decision.sample, [])
        if decision.action == "undo":
            if stack:
                stack.pop()
        else:
            stack.append(decision)
        self._last[decision.sample] = decision
        if decision.edited and decision.original:
            self._originals[decision.edited.id] = decision.original


@dataclass(frozen=True)
class Reviews:
    """What the standing decisions do. ``originals`` maps the id of every sample an edit ever made to the sample it was made from."""

    standing: dict[str, Decision]
    originals: dict[str, Sample]

    @property
    def root(self) -> str:
        """Hash of everything that changes a dataset; acceptances do not."""
        changing = [[d.sample, d.action, d.edited.id if d.edited else ""] for d in self.standing.values() if d.action != "accept"]
        return fingerprint(sorted(changing))

    def refuse(self, sample: Sample) -> tuple[str, str] | None:
        """Return (reason, detail) for a generated row that a person took out, else None."""
        decision = self.standing.get(sample.id)
        if decision is None or decision.action not in ("reject", "edit"):
            return None
        return _fate(decision)

    def apply(self, rows: Sequence[Sample]) -> StageResult:
        """Take rejected rows out, put edited rows in the place of the old ones, and add what people insist on.

        An edit that was undone or replaced gives the old row back. Reasons: ``rejected_in_review``, ``edited_in_review``,
        ``edit_withdrawn``.
        """
        kept: dict[str, Sample] = {}
        dropped: list[Dropped] = []
        for row in rows:
            final = self._resolve(row, dropped)
            if final is not None:
                kept.setdefault(final.id, final)
        for sample in self._insisted():
            kept.setdefault(sample.id, sample)
        return StageResult(list(kept.values()), dropped, {"decisions": len(self.standing)})

    def protect(self, result: StageResult) -> StageResult:
        """Give near duplicates that a person wants kept back to a stage's outcome, at its end."""
        wanted = {s.id for s in self._insisted()}
        back = [d.sample for d in result.dropped if d.reason == "near_duplicate" and d.sample.id in wanted]
        if not back:
            return result
        returned = {s.id for s in back}
        return StageResult([*result.kept, *back], [d for d in result.dropped if d.sample.id not in returned], result.stats)

    def _insisted(self) -> list[Sample]:
        found: list[Sample] = []
        for decision in self.standing.values():
            if decision.action == "restore" and decision.original:
                found.append(decision.original)
            if decision.edited:
                final = self._resolve(decision.edited, [])
                if final is not None and final.id == decision.edited.id:
                    found.append(final)
        return found

    def _resolve(self, row: Sample, dropped: list[Dropped]) -> Sample | None:
        """Follow decisions from a row to the row that stands for it now, None if it was rejected."""
        while True:
            decision = self.standing.get(row.id)
            if decision is None and (origin := self.originals.get(row.id)) is not None and not self._made(origin, row):
                dropped.append(Dropped(row, "edit_withdrawn", f"of {origin.id[:12]}"))
                row = origin
            elif decision is not None and decision.action == "reject":
                dropped.append(Dropped(row, *_fate(decision)))
                return None
            elif decision is not None and decision.edited is not None:
                dropped.append(Dropped(row, *_fate(decision)))
                row = decision.edited
            else:
                return row

    def _made(self, origin: Sample, row: Sample) -> bool:
        decision = self.standing.get(origin.id)
        return decision is not None and decision.edited is not None and decision.edited.id == row.id


def _fate(decision: Decision) -> tuple[str, str]:
    by = f" ({decision.reviewer})" if decision.reviewer else ""
    if decision.edited is not None:
        return "edited_in_review", f"replaced by {decision.edited.id[:12]}{by}"
    return "rejected_in_review", f"{decision.reason}{by}"
