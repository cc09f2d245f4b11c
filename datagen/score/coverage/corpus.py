"""The documents of an audit: their passages, and for every row the place in them that it is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from datagen.ingest.chunk import chunk_document
from datagen.schemas.document import Chunk, Document
from datagen.schemas.record import completion_text, whole_text
from datagen.schemas.sample import Sample
from datagen.score.coverage.facts import sentences
from datagen.score.coverage.retrieve import PassageIndex, Support, terms
from datagen.text import Span

PASSAGE_TOKENS = 256
_SENTENCE_HELD = 0.5
"""A sentence is touched by a row that holds half of its weighted terms."""


class Place(NamedTuple):
    """A passage ``[start, end)`` of document ``document`` (its number) that a row is about."""

    document: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RowPlaces:
    """Where a row belongs: ``by`` is ``evidence`` (its own spans, found in the documents), ``retrieval``, ``none``, or ``dropped``."""

    places: tuple[Place, ...]
    by: str
    support: float
    passages: tuple[int, ...]


class Corpus:
    """Documents with their passages and an index over them."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = list(documents)
        self.passages: list[Chunk] = []
        self.passage_document: list[int] = []
        for number, document in enumerate(documents):
            own = chunk_document(document, max_tokens=PASSAGE_TOKENS)
            self.passages += own
            self.passage_document += [number] * len(own)
        titles = [documents[number].title for number in self.passage_document]
        self.index = PassageIndex(
            [f"{' '.join(c.heading_path)}\n{title}\n{c.text}" for c, title in zip(self.passages, titles, strict=True)]
        )
        self.by_path = {document.path: number for number, document in enumerate(documents)}
        self.languages = frozenset(document.language for document in documents)

    def locate(self, samples: Sequence[Sample], *, least_support: float) -> list[RowPlaces]:
        """Return each row's places: its evidence spans where they stand in these documents, else what retrieval finds.

        A row without evidence that no passage supports to at least ``least_support`` has no place.
        """
        texts = [whole_text(s.record) for s in samples]
        answers = [completion_text(s.record) for s in samples]
        whole, said = self.index.support(texts), self.index.support(answers)
        found: list[RowPlaces] = []
        for sample, text, both, answer in zip(samples, texts, whole, said, strict=True):
            support = max(both.best, answer.best)
            passages = tuple(dict.fromkeys([*both.passages, *answer.passages]))
            spans = self._evidence(sample)
            if spans:
                found.append(RowPlaces(spans, "evidence", support, passages))
            elif support >= least_support:
                found.append(RowPlaces(self._sentences(text, both), "retrieval", support, passages))
            else:
                found.append(RowPlaces((), "none", support, passages))
        return found

    def evidence_lost(self, sample: Sample) -> str:
        """Return the first evidence quote that does not stand where provenance says, '' if all do or the document is not here."""
        for span in sample.provenance.evidence:
            number = self.by_path.get(span.document)
            if number is not None and self.documents[number].text[span.start : span.end] != span.quote:
                return span.quote
        return ""

    def _evidence(self, sample: Sample) -> tuple[Place, ...]:
        places: list[Place] = []
        for span in sample.provenance.evidence:
            number = self.by_path.get(span.document)
            if number is not None and self.documents[number].text[span.start : span.end] == span.quote:
                places.append(Place(number, span.start, span.end))
        return tuple(places)

    def _sentences(self, text: str, support: Support) -> tuple[Place, ...]:
        """Return the sentences of the best passage that the row holds; the one it holds most of, if it holds no half of any."""
        best = support.passages[0]
        number, passage = self.passage_document[best], self.passages[best]
        own = set(terms(text))
        held: list[tuple[float, Span]] = []
        for span in sentences(self.documents[number].text, passage.start, passage.end):
            wanted = set(terms(self.documents[number].text[span.start : span.end]))
            total = sum(map(self.index.weight, wanted))
            if total:
                held.append((sum(map(self.index.weight, wanted & own)) / total, span))
        if not held:
            return (Place(number, passage.start, passage.end),)
        enough = [span for share, span in held if share >= _SENTENCE_HELD] or [max(held, key=lambda h: h[0])[1]]
        return tuple(Place(number, span.start, span.end) for span in enough)
