"""``feedback``: single answers labelled good (grounded) or bad (proved wrong against the evidence), for KTO.

Starts from the rows of ``qa``, or without a model from those of ``extractive``; each gives a good row and, where a wrong answer can be
proved wrong (``contrast``), a bad one, so that the labels are close to balanced. Tag ``rejection`` on bad rows. Reasons beside the base's:
``not_one_turn``.

Source: K. Ethayarajh et al., "KTO: Model alignment as prospect theoretic optimization", ICML 2024 (arXiv 2402.01306).
"""

from datagen.generate.candidate import Candidates
from datagen.generate.contrast import wrong_answer
from datagen.generate.strategies.preference import derived, is_one_turn
from datagen.generate.strategy import Purpose, Strategy
from datagen.hashing import fingerprint
from datagen.schemas.document import Chunk, Document
from datagen.schemas.record import ConversationRecord, FeedbackRecord, Message
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped

RULES_VERSION = 1


class Feedback:
    """The strategy over another one that makes question-answer rows."""

    name = "feedback"

    def __init__(self, base: Strategy) -> None:
        self._base = base

    def fingerprint(self) -> str:
        """Return a hash of the base and the rules."""
        return fingerprint([self.name, RULES_VERSION, self._base.fingerprint()])

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        """Return a good row, then a bad one, for each row of the base.

        Raises:
            ProviderError: as the base.
        """
        base = await self._base.propose(document, chunk, purpose=purpose, attempt=attempt)
        samples: list[Sample] = []
        dropped = list(base.dropped)
        for sample in base.samples:
            record = sample.record
            if not is_one_turn(record) or not isinstance(record, ConversationRecord):
                dropped.append(Dropped(sample, "not_one_turn", "feedback is about one question and one answer"))
                continue
            prompt, good = record.messages
            samples.append(derived(sample, FeedbackRecord(prompt=(prompt,), completion=good, label=True), self.name))
            wrong = wrong_answer(sample, [other for other in base.samples if other.id != sample.id])
            if wrong is not None:
                bad = Message(role="assistant", content=wrong.text)
                samples.append(
                    derived(sample, FeedbackRecord(prompt=(prompt,), completion=bad, label=False), self.name, rejection=wrong.way)
                )
        return Candidates(samples, dropped, requests=base.requests, tokens_in=base.tokens_in, tokens_out=base.tokens_out)
