"""``preference``: a question with a grounded answer (chosen) and one proved wrong against the same evidence (rejected), for DPO.

Starts from the rows of ``qa``, or without a model from those of ``extractive``. The rejected answer differs in one number, unit or place
(``contrast``): it teaches what the documents say, not a tone. Each row has the score ``length_ratio`` (rejected over chosen, characters)
and the tag ``rejection`` (``number``, ``unit``, ``span``). Reasons beside the base's: ``no_provable_rejection``, ``not_one_turn``.

Source: R. Rafailov et al., "Direct preference optimization", NeurIPS 2023 (arXiv 2305.18290); wrong answers by entity substitution as in
S. Longpre et al., "Entity-based knowledge conflicts in question answering", EMNLP 2021 (arXiv 2109.05052); length as a shortcut: R. Park et
al., "Disentangling length from quality in direct preference optimization", 2024 (arXiv 2403.19159).
"""

from collections.abc import Sequence

from datagen.generate.candidate import Candidates
from datagen.generate.contrast import length_ratio, wrong_answer
from datagen.generate.strategy import Purpose, Strategy
from datagen.hashing import fingerprint
from datagen.schemas.document import Chunk, Document
from datagen.schemas.record import ConversationRecord, Message, PreferenceRecord, Record
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped

RULES_VERSION = 1
ONE_TURN = ("user", "assistant")


class Preference:
    """The strategy over another one that makes question-answer rows."""

    name = "preference"

    def __init__(self, base: Strategy) -> None:
        self._base = base

    def fingerprint(self) -> str:
        """Return a hash of the base and the rules."""
        return fingerprint([self.name, RULES_VERSION, self._base.fingerprint()])

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        """Return a pair for each row of the base that can be proved wrong in another form.

        Raises:
            ProviderError: as the base.
        """
        base = await self._base.propose(document, chunk, purpose=purpose, attempt=attempt)
        samples: list[Sample] = []
        dropped = list(base.dropped)
        for sample in base.samples:
            found = _pair(sample, base.samples)
            if isinstance(found, Sample):
                samples.append(found)
            else:
                dropped.append(found)
        return Candidates(samples, dropped, requests=base.requests, tokens_in=base.tokens_in, tokens_out=base.tokens_out)


def _pair(sample: Sample, others: Sequence[Sample]) -> Sample | Dropped:
    record = sample.record
    if not is_one_turn(record):
        return Dropped(sample, "not_one_turn", "a pair is made of one question and one answer")
    wrong = wrong_answer(sample, [other for other in others if other.id != sample.id and is_one_turn(other.record)])
    if wrong is None:
        return Dropped(sample, "no_provable_rejection", "no number, unit or other place to change")
    assert isinstance(record, ConversationRecord)
    prompt, chosen = record.messages
    pair = PreferenceRecord(prompt=(prompt,), chosen=chosen, rejected=Message(role="assistant", content=wrong.text))
    made = derived(sample, pair, Preference.name, rejection=wrong.way)
    return made.model_copy(update={"scores": {"length_ratio": length_ratio(wrong.text, chosen.content)}})


def is_one_turn(record: Record) -> bool:
    """Say whether a record is one question and one answer."""
    return isinstance(record, ConversationRecord) and tuple(m.role for m in record.messages) == ONE_TURN


def derived(sample: Sample, record: Record, strategy: str, **tags: str) -> Sample:
    """Return a sample of another record made from ``sample``: same evidence and request, ``sample`` as its parent."""
    provenance = sample.provenance.model_copy(update={"strategy": strategy, "parents": (sample.id,)})
    return Sample.of(record, provenance=provenance, tags={**sample.tags, **tags})
