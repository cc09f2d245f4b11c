"""CPU time of each stage of deduplication, for the scaling law in docs: ``python tests/bench/dedup_stages.py [ROWS] [WORDS]``.

Texts of WORDS words (default 100), 15 % of them duplicates, from a list; one JSON line: CPU seconds of all cores per million rows by stage,
bytes of band keys a row, the share of rows that are candidates, and the resident memory above the list and the imports, bytes a row.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from dedup_data import english_like
from dedup_scale import peak_bytes

from datagen.dedup.batch import describe, first_of_active
from datagen.dedup.engines.candidates import runs_of_bands
from datagen.dedup.engines.rowtable import RowTable
from datagen.dedup.engines.verify import Evidence, join
from datagen.dedup.kernels.column import Texts
from datagen.dedup.kernels.native import band_keys, shingle_sets
from datagen.dedup.lsh import choose_bands
from datagen.dedup.reading import open_rows, text_column

THRESHOLD = 0.7
NGRAM = 5


def stages(texts: list[str]) -> dict[str, Any]:
    """Deduplicate texts stage by stage, as :func:`datagen.dedup.batch.find_in_table` does."""
    spent: dict[str, float] = {}
    last = time.process_time()

    def note(stage: str) -> None:
        nonlocal last
        now = time.process_time()
        spent[stage] = spent.get(stage, 0.0) + now - last
        last = now

    text = text_column(open_rows(texts))
    assert text is not None
    table = RowTable.of_texts(text)
    bands = choose_bands(THRESHOLD)
    keys = band_keys(table.text, NGRAM, bands)
    note("band keys")
    runs = runs_of_bands(keys)
    note("sort")
    active, first = first_of_active(table, runs)
    distinct = active[first == active]
    note("identical")

    def shingled(part: Texts) -> Any:
        return shingle_sets(part, NGRAM)

    evidence = Evidence.of(distinct, table.text.take(distinct), None, None, None, shingled)
    note("shingles of candidates")
    root = join(evidence, list(evidence.positions(runs)), THRESHOLD)
    note("verify and join")
    found = describe(active, first, evidence, root, THRESHOLD)
    note("reasons")
    per_million = {stage: round(seconds / len(texts) * 1e6, 3) for stage, seconds in spent.items()}
    return {
        "rows": len(texts),
        "bytes_of_text": sum(map(len, texts)) // len(texts),
        "dropped": len(found.duplicates),
        "cpu_s_per_million": per_million,
        "total": round(sum(per_million.values()), 2),
        "bands": bands.bands,
        "key_bytes_a_row": 4 * bands.bands,
        "candidate_rows": round(len(active) / len(texts), 4),
        "shingle_bytes_a_candidate": round(8 * len(evidence.sets.values) / max(len(distinct), 1)),
    }


def main() -> None:
    """Run the bench."""
    rows, words = (int(value) for value in (*sys.argv[1:], *("1000000", "100")[len(sys.argv) - 1 :]))
    make = partial(english_like, words=words)
    stages(make(100).texts)
    texts = make(rows).texts
    before = peak_bytes()
    value = stages(texts)
    sys.stdout.write(json.dumps({**value, "bytes_a_row": (peak_bytes() - before) // rows}) + "\n")


if __name__ == "__main__":
    main()
