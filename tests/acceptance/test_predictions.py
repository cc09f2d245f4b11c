"""Predicted fates equal the verdicts that LLaMA-Factory 0.9.5 gave (stored in cases.json)."""

import json
from pathlib import Path
from typing import Any

import pytest

from datagen.export.llamafactory import validate

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))


def content(case: dict[str, Any]) -> bytes:
    """As in ``lf_driver.py``, which cannot be imported here."""
    if "pieces" in case:
        return "".join((line.replace("@PAD@", "p" * 100_000) + "\n") * times for line, times in case["pieces"]).encode()
    return bytes.fromhex(case["hex"]) if "hex" in case else case.get("text", json.dumps(case.get("rows"), ensure_ascii=False)).encode()


def test_there_are_many_cases_of_each_stage() -> None:
    assert len(CASES) >= 350
    assert {case["stage"] for case in CASES} == {"sft", "dpo", "rm", "kto", "ppo", "pt"}
    assert len({case["id"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_prediction_equals_llamafactory(case: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / case["entry"].get("file_name", "missing.json")).write_bytes(content(case))
    (tmp_path / "dataset_info.json").write_text(json.dumps({"set": case["entry"]}), encoding="utf-8")
    report = validate(tmp_path, name="set", stage=case["stage"])
    crashes = any(finding.severity == "crash" for finding in report.findings)
    assert ("crash" if crashes else report.kept) == ("crash" if "crash" in case["observed"] else case["observed"]["kept"])
    assert report.rows == report.kept + report.dropped + report.would_crash
