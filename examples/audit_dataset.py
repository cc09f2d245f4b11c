"""Audit a dataset that exists: duplicates, conflicting answers, flawed rows, and what of the documents no row covers.

    python examples/audit_dataset.py rows.jsonl --docs examples/hotel_ota/docs --out rows.clean.jsonl

Without a file it audits the example's 169 gold questions. Nothing is changed; the clean copy lacks duplicates and empty rows only: all
else is for a person to read, because selection by self-made scores often does no better than a random choice.
"""

import argparse
from pathlib import Path

from datagen import audit, deduplicate
from datagen.jsonl import read_rows, write_jsonl
from datagen.schemas.record import prompt_text

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=HERE / "hotel_ota" / "gold.jsonl", help="any row format")
    parser.add_argument("--docs", type=Path, default=HERE / "hotel_ota" / "docs", help="what the rows are about")
    parser.add_argument("--out", type=Path, default=None, help="write the rows that stay, as JSONL")
    given = parser.parse_args()

    # Duplicates of any list, frame or file. Every pair is verified by exact Jaccard similarity, so every one reported is true.
    rows = [row.value for row in read_rows(given.file)]
    distinct = deduplicate(rows, threshold=0.7, on="both")
    print(f"{len(rows)} rows, {len(distinct.kept)} distinct, {len(distinct.conflicts)} questions with more than one answer")
    for row in sorted(distinct.duplicates)[:3]:
        print(f"  {distinct.explain(row)}")

    # The whole audit: a verdict for each side of the data, with what to do about it.
    result = audit(given.file, docs=given.docs)
    for area in result.areas:
        print(f"{area.state:<8} {area.name:<10} {area.finding.en}")
    for row in result.review_queue()[:3]:
        codes = sorted({f.code for f in result.findings if f.row == row})
        print(f"  read this one: {prompt_text(result.source.samples[row].record)[:60]!r}  {', '.join(codes)}")
    if result.coverage is not None:
        touched, passages = result.coverage.chunks
        print(f"coverage: {touched} of {passages} passages, {result.coverage.facts_share:.0%} of the facts; least covered:")
        for section in result.coverage.under_covered()[:3]:
            print(f"  {section.document}: {sum(section.touched)} of {len(section.facts)} facts")
    if given.out is not None:
        dropped = set(result.dropped_rows)
        kept = [sample for row, sample in enumerate(result.source.samples) if row not in dropped]
        write_jsonl(given.out, (sample.to_json() for sample in kept))
        print(f"{len(kept)} rows: {given.out}")


if __name__ == "__main__":
    main()
