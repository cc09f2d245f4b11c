"""Predicted fates equal the verdicts that LLaMA-Factory 0.9.5 gave (stored in cases.json)."""

import json
from pathlib import Path
from typing import Any

import pytest

from datagen.export.llamafactory import validate
from datagen.export.llamafactory.registry.entry import read_entry
from datagen.export.llamafactory.rules.check import check_table
from datagen.export.llamafactory.rules.table import build_table

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
    path = tmp_path / case["entry"].get("file_name", "missing.json")
    if "files" in case:
        path.mkdir()
        for file, text in case["files"].items():
            (path / file).write_text(text, encoding="utf-8")
    else:
        path.write_bytes(content(case))
    (tmp_path / "dataset_info.json").write_text(json.dumps({"set": case["entry"]}), encoding="utf-8")
    report = validate(tmp_path, name="set", stage=case["stage"])
    crashes = any(finding.severity == "crash" for finding in report.findings)
    assert ("crash" if crashes else report.kept) == ("crash" if "crash" in case["observed"] else case["observed"]["kept"])
    assert report.rows == report.kept + report.dropped + report.would_crash


PIECES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "pieces.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", PIECES, ids=[case["id"] for case in PIECES])
def test_later_pieces_of_a_file_become_the_types_of_the_first(case: dict[str, Any]) -> None:
    """Rows as ``test_llamafactory.py`` writes them to a file over 10 MiB, without the padding that makes it so long."""
    row = {"instruction": "q", "input": "", "output": "a"}
    rows = [row | case["first"]] * 105 + [row | case["later"]] * 3
    entry = read_entry("x", {"columns": {"prompt": "instruction", "query": "input", "response": "output"}})
    report = check_table(build_table(rows, range(108), dates=True, starts=(0, 105)), entry, "sft")
    crashes = any(finding.severity == "crash" for finding in report.findings)
    assert ("crash" if crashes else report.kept) == ("crash" if "crash" in case["observed"] else case["observed"]["kept"])
