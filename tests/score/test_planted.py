"""Planted defects, zh and en: at least 95 % of each kind found, at most 2 % of clean rows suspected."""

from collections import Counter

import pytest

from datagen.schemas.document import Document
from datagen.schemas.sample import Sample
from datagen.score import audit
from datagen.testing.planted import CODES, plant

PER_KIND = 10


@pytest.mark.parametrize("keep_provenance", [True, False], ids=["by evidence", "by retrieval"])
def test_planted_defects_are_found_and_clean_rows_left_alone(
    hotel_documents: list[Document], hotel_rows: list[Sample], keep_provenance: bool
) -> None:
    planted = plant(hotel_rows, per_kind=PER_KIND, seed=7, keep_provenance=keep_provenance)
    result = audit(planted.samples, docs=hotel_documents)
    codes: dict[int, set[str]] = {}
    for finding in result.findings:
        codes.setdefault(finding.row, set()).add(finding.code)
    made = Counter(planted.kind_of.values())
    assert made == dict.fromkeys(CODES, 2 * PER_KIND)
    found = Counter(kind for row, kind in planted.kind_of.items() if codes.get(row, set()) & CODES[kind])
    for kind, n in made.items():
        assert found[kind] >= 0.95 * n, (kind, found[kind], n)
    watched = frozenset[str]().union(*CODES.values())
    clean = [row for row in range(len(planted.samples)) if row not in planted.kind_of]
    suspected = [row for row in clean if codes.get(row, set()) & watched]
    assert len(suspected) <= 0.02 * len(clean), [(row, codes[row]) for row in suspected]


def test_an_emptied_section_is_listed_and_no_other_changes(hotel_documents: list[Document], hotel_rows: list[Sample]) -> None:
    before = audit(hotel_rows, docs=hotel_documents).coverage
    assert before is not None
    for language in ("zh", "en"):
        covered = [s for s in before.per_section if s.state == "covered" and s.document.startswith(f"{language}/") and len(s.rows) >= 4]
        target = max(covered, key=lambda s: (len(s.rows), s.document))
        left = [row for i, row in enumerate(hotel_rows) if i not in target.rows]
        after = audit(left, docs=hotel_documents).coverage
        assert after is not None
        place = (target.document, target.start)
        assert place in {(s.document, s.start) for s in after.under_covered()}
        pairs = [(x, y) for x, y in zip(before.per_section, after.per_section, strict=True) if (x.document, x.start) != place]
        # Rows that also touch a neighbour section take their share of it along.
        changed = [(x, y) for x, y in pairs if x.state != y.state and not set(x.rows) & set(target.rows)]
        assert len(changed) <= 0.02 * len(pairs)
