"""The frame of strategies that spoil the grounded answers of another one: one question, one answer, and an answer proved wrong."""

from abc import ABC, abstractmethod
from typing import ClassVar

from datagen.generate.candidate import Candidates
from datagen.generate.contrast import Wrong, wrong_answer
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

    def __init__(self, base: Strategy) -> None:
        self._base = base

    def fingerprint(self) -> str:
        """Return a hash of the base and the rules."""
        return fingerprint([self.name, self.rules, self._base.fingerprint()])

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
        for sample, question, answer in single:
            wrong = wrong_answer(sample, [other for other, _, _ in single if other.id != sample.id])
            found = self.contrast(sample, question, answer, wrong)
            if found:
                samples += found
            else:
                dropped.append(Dropped(sample, "no_provable_rejection", "no number, unit or other place to change"))
        return Candidates(samples, dropped, requests=base.requests, tokens_in=base.tokens_in, tokens_out=base.tokens_out)

    @abstractmethod
    def contrast(self, sample: Sample, question: Message, answer: Message, wrong: Wrong | None) -> list[Sample]:
        """Make rows of a grounded one and an answer proved wrong (None: none can be); no rows drop it, ``no_provable_rejection``."""

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
