"""The frame of strategies that spoil the grounded answers of another one: one question, one answer, and an answer proved wrong."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from datagen.generate.candidate import Candidates
from datagen.generate.contrast import Wrong, wrong_answer
from datagen.generate.rejecting import Rejecter, Rejection
from datagen.generate.strategy import Purpose, Strategy
from datagen.hashing import fingerprint
from datagen.schemas.document import Chunk, Document
from datagen.schemas.record import ConversationRecord, Message, Record
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped

ONE_TURN = ("user", "assistant")


class Contrasting(ABC):
    """A strategy over another one that makes question-answer rows.

    Attributes:
        name: written to provenance.
        rules: raised whenever the checks change what is kept.
    """

    name: ClassVar[str]
    rules: ClassVar[int] = 1

    def __init__(self, base: Strategy, rejecter: Rejecter | None = None) -> None:
        self._base = base
        self._rejecter = rejecter

    def fingerprint(self) -> str:
        """Return a hash of the base, the rules and who writes the wrong answers."""
        rejecter = [self._rejecter.fingerprint()] if self._rejecter else []
        return fingerprint([self.name, self.rules, self._base.fingerprint(), *rejecter])

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        """Return what :meth:`contrast` makes of each row of the base; rows of more than one turn are dropped.

        Raises:
            ProviderError: as the base.
        """
        base = await self._base.propose(document, chunk, purpose=purpose, attempt=attempt)
        samples: list[Sample] = []
        dropped = list(base.dropped)
        single: list[tuple[Sample, Message, Message]] = []
        for sample in base.samples:
            turn = one_turn(sample.record)
            if turn is None:
                dropped.append(Dropped(sample, "not_one_turn", "needs one question and one answer"))
            else:
                single.append((sample, *turn))
        rows = [sample for sample, _, _ in single]
        # All at once: a local model answers them in one batch.
        wrong = await asyncio.gather(*(self._reject(sample, rows, document, chunk) for sample in rows))
        for (sample, question, answer), rejection in zip(single, wrong, strict=True):
            outcome = rejection.found
            found = self.contrast(sample, question, answer, outcome if isinstance(outcome, Wrong) else None)
            samples += found
            if not found and not isinstance(outcome, Wrong):
                dropped.append(Dropped(sample, *outcome))
        responses = [response for rejection in wrong for response in rejection.responses]
        return Candidates(
            samples,
            dropped,
            requests=base.requests + len(responses),
            tokens_in=base.tokens_in + sum(r.tokens_in for r in responses),
            tokens_out=base.tokens_out + sum(r.tokens_out for r in responses),
        )

    async def _reject(self, sample: Sample, rows: Sequence[Sample], document: Document, chunk: Chunk) -> Rejection:
        if self._rejecter is not None:
            return await self._rejecter.reject(sample, document, chunk.language)
        wrong = wrong_answer(sample, [other for other in rows if other.id != sample.id])
        return Rejection(wrong or ("no_provable_rejection", "no number, unit or other place to change"))

    @abstractmethod
    def contrast(self, sample: Sample, question: Message, answer: Message, wrong: Wrong | None) -> list[Sample]:
        """Make rows of a grounded one and an answer proved wrong (None: none can be); no rows drop it."""

    def derived(self, sample: Sample, record: Record, **tags: str) -> Sample:
        """Return a sample of another record made from ``sample``: same evidence and request, ``sample`` as its parent."""
        provenance = sample.provenance.model_copy(update={"strategy": self.name, "parents": (sample.id,)})
        return Sample.of(record, provenance=provenance, tags={**sample.tags, **tags})


def one_turn(record: Record) -> tuple[Message, Message] | None:
    """Return question and answer of a conversation of one turn, None of anything else."""
    if not isinstance(record, ConversationRecord) or tuple(m.role for m in record.messages) != ONE_TURN:
        return None
    question, answer = record.messages
    return question, answer
