"""The offline strategy: facts stated in a passage, as question and verbatim answer, by rules alone.

No LLM, no network, no randomness. Chinese and English equally: FAQ headings and question/answer pairs, definitions, tables
(cells and rows), numbered procedures, lists, ``key: value`` lines, numbers, dates and rules in sentences. Every answer
is text of the document (Markdown marks removed, cells and rows joined by punctuation); its evidence is verbatim with
exact offsets. Attempt ``k`` asks each fact in its ``k``-th phrasing, so growing goes from new facts to paraphrases.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from datagen.generate.candidate import Candidates
from datagen.generate.extractive.fact import Fact, place_of
from datagen.generate.extractive.markdown import Block, ListBlock, Paragraph, parse_blocks
from datagen.generate.extractive.phrasing import phrase
from datagen.generate.extractive.sentences_en import find_in_english
from datagen.generate.extractive.sentences_zh import find_in_chinese
from datagen.generate.extractive.statements import find_statement
from datagen.generate.extractive.structure import find_structured, is_question
from datagen.generate.extractive.templates import Templates, load_templates
from datagen.generate.grounding import check_answer
from datagen.generate.strategy import Purpose
from datagen.hashing import fingerprint
from datagen.library import Roots
from datagen.schemas.document import Chunk, Document, Language
from datagen.schemas.record import question_answer
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample
from datagen.schemas.stage import Dropped
from datagen.text import Span, detect_language, split_sentences, units

# Raised whenever the rules change what is found, so that a rerun does not reuse older rows.
RULES_VERSION = 1

_BEFORE_SENTENCE = re.compile(r"\s*(?:\**(?:答|A|Answer)\**\s*[：:]\**\s*)?")

__all__ = ["Extractive", "find_facts"]


class Extractive:
    """The offline strategy (see the module).

    Args:
        library: folders searched for ``prompts/extractive`` before the built-in library.
    """

    name = "extractive"

    def __init__(self, library: Roots = ()) -> None:
        self._library = library

    def fingerprint(self) -> str:
        """Return a hash of rules and templates."""
        return fingerprint([self.name, RULES_VERSION, self._templates("zh").sha256, self._templates("en").sha256])

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        """Return one sample for each fact of the chunk that has an ``attempt``-th phrasing for ``purpose``."""
        samples: list[Sample] = []
        dropped: list[Dropped] = []
        for fact, question, answer in self._asked(document, chunk, purpose, attempt):
            sample = _sample(document, chunk, fact, question, answer, self._templates(chunk.language))
            quotes = [span.quote for span in sample.provenance.evidence]
            # The number of a step is its place in the list, which its own text need not state.
            defect = check_answer(answer, quotes, question) if fact.kind != "step" else None
            if defect:
                dropped.append(Dropped(sample, *defect))
            else:
                samples.append(sample)
        return Candidates(samples, dropped)

    def _asked(self, document: Document, chunk: Chunk, purpose: Purpose, attempt: int) -> list[tuple[Fact, str, str]]:
        """Return fact, question and answer of one attempt, without repeats and without questions that have two answers."""
        rows: list[tuple[Fact, str, str]] = []
        for fact in find_facts(document, chunk):
            train, exam, exam_answer = phrase(fact, place_of(document, fact.span.start, chunk.language), self._templates(chunk.language))
            questions, answer = (train, fact.full) if purpose == "train" else (exam, exam_answer)
            if attempt < len(questions):
                rows.append((fact, questions[attempt], answer))
        answers: dict[str, set[str]] = {}
        for _, question, answer in rows:
            answers.setdefault(question, set()).add(answer)
        unique = {(question, answer): (fact, question, answer) for fact, question, answer in reversed(rows)}
        return [row for row in reversed(unique.values()) if len(answers[row[1]]) == 1]

    def _templates(self, language: Language) -> Templates:
        return load_templates(language, self._library)


def find_facts(document: Document, chunk: Chunk) -> list[Fact]:
    """Return the facts a chunk states, in text order, each once."""
    text = document.text
    blocks = parse_blocks(text[chunk.start : chunk.end], chunk.start)
    facts = [*find_structured(text, chunk.start, blocks, chunk.language), *_sentence_facts(text, blocks, chunk.language)]
    facts = [fact for fact in facts if fact.kind.startswith("table") or detect_language(fact.full) == chunk.language]
    faq = [fact.span for fact in facts if fact.kind == "faq"]
    unique: dict[tuple[int, str, str, str], Fact] = {}
    for fact in sorted(facts, key=lambda f: (f.span.start, f.span.end)):
        inside_pair = fact.kind != "faq" and any(
            s.start <= fact.span.start < s.end and text[s.start : s.end].lstrip("-* ")[:1] in "问QＱ" for s in faq
        )
        if not inside_pair and len(units(fact.full)) >= 3 and fact.short.strip() and len(fact.full) <= 800:
            unique.setdefault((fact.span.start, fact.kind, fact.short, fact.slots.get("in_place", "")), fact)
    return list(unique.values())


def _sentence_facts(text: str, blocks: Sequence[Block], language: Language) -> Iterator[Fact]:
    passages: list[Span] = []
    for block in blocks:
        if isinstance(block, Paragraph):
            passages.append(block.span)
        elif isinstance(block, ListBlock):
            passages.extend(block.items)
    for passage in passages:
        for sentence in _joined_sentences(text, passage):
            quote = text[sentence.start : sentence.end]
            if not is_question(quote) and detect_language(quote) == language:
                found = list(find_in_chinese(quote, sentence) if language == "zh" else find_in_english(quote, sentence))
                yield from found or find_statement(quote, sentence, language)


def _joined_sentences(text: str, passage: Span) -> list[Span]:
    """Return the sentences of a passage without outer white space; a line break inside a paragraph ends none."""
    flat = text[passage.start : passage.end].replace("\n", " ")
    spans: list[Span] = []
    for sentence in split_sentences(flat):
        raw = flat[sentence.start : sentence.end]
        before = _BEFORE_SENTENCE.match(raw)
        begin = passage.start + sentence.start + (before.end() if before else 0)
        end = passage.start + sentence.start + len(raw.rstrip())
        if end > begin:
            spans.append(Span(begin, end))
    return spans


def _sample(document: Document, chunk: Chunk, fact: Fact, question: str, answer: str, templates: Templates) -> Sample:
    index = bisect_right([s.start for s in document.sections], fact.span.start) - 1
    path = document.sections[index].heading_path if index >= 0 else chunk.heading_path
    evidence = tuple(
        EvidenceSpan(document=document.path, start=s.start, end=s.end, quote=document.text[s.start : s.end])
        for s in dict.fromkeys(fact.evidence)
    )
    provenance = Provenance(
        document=document.path,
        document_sha256=document.sha256,
        chunk_id=chunk.id,
        heading_path=path,
        evidence=evidence,
        strategy="extractive",
        prompt=templates.name,
        prompt_sha256=templates.sha256,
        provider="none",
    )
    tags = {"language": chunk.language, "question_type": fact.kind, "row_style": "task", "fact": fact.key(document)}
    return Sample.of(question_answer(question, answer), provenance=provenance, tags=tags)
