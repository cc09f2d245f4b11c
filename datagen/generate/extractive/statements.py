"""Plain statements of running prose, for sentences without numbers, rules or definitions.

English: training asks what is said about the subject, the exam leaves the subject blank. Chinese has no spaces that
would show where the subject ends, so training recalls the sentence by its last clause and the exam asks how it goes on
after its first.
"""

import re
from collections.abc import Iterator

from datagen.generate.extractive.fact import Fact
from datagen.generate.extractive.markdown import plain
from datagen.generate.extractive.sentences_en import split_clause
from datagen.generate.extractive.sentences_zh import is_dependent
from datagen.schemas.document import Language
from datagen.text import CJK, Span

_HAN = re.compile(f"[{CJK}]")


def find_statement(sentence: str, span: Span, language: Language) -> Iterator[Fact]:
    """Yield at most one fact: the sentence as a statement about its subject."""
    full = plain(sentence)
    if language == "zh":
        if not re.search(r"[。！；]$", full) or "http" in full:
            return
        clauses = re.split(r"[，；]", full.rstrip("。；;！!. "))
        first, last = clauses[0].strip(), clauses[-1].strip()
        said = [len(_HAN.findall(clause)) for clause in (first, last)]
        if len(clauses) >= 2 and min(said) >= 6 and max(said) <= 30 and len(full) <= 120 and not is_dependent(first):
            rest = full[full.index(first) + len(first) + 1 :].strip()
            slots = {"cue": re.sub(r"^(?:并且|而且|但是|同时|或者|以及|并|且|但|或|而|也)", "", last), "subject": first}
            yield Fact("statement", span, (span,), full, rest, slots)
        return
    parts = split_clause(full.rstrip(".!; "))
    if parts and 8 <= len(full.split()) <= 40:
        subject, rest = parts
        yield Fact("statement", span, (span,), full, subject[:1].upper() + subject[1:], {"subject": subject, "blank": f"____ {rest}"})
