"""What every command prints: nothing in a user's data steers the terminal, and a probe's progress says what goes on."""

import sys
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.cli.console import finding_lines, plain, url_host
from datagen.cli.inputs import shown_progress
from datagen.export.findings import Finding, Severity
from datagen.jsonl import write_jsonl
from datagen.probe import ProbeProgress


def test_control_characters_of_data_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plain("早餐\x1b[31m七点\x07\x9b2J\n\tend") == "早餐[31m七点2J\n\tend"
    rows = [{"question": "\x1b]0;owned\x07退房时间最晚是几点？", "answer": "十二点。"}]
    write_jsonl(tmp_path / "a.jsonl", rows)
    assert main(["leak", str(tmp_path / "a.jsonl"), str(tmp_path / "a.jsonl")]) == 1
    assert main(["dedup", str(tmp_path / "a.jsonl"), "-o", str(tmp_path / "\x1b[2J.jsonl")]) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "[2J.jsonl" in said.out


def test_the_gravest_findings_come_first_and_the_rest_is_counted() -> None:
    given: list[tuple[str, Severity]] = [("a", "note"), ("b", "crash")]
    found = [Finding("rows", i, code, severity, "what", "do", i + 1) for i, (code, severity) in enumerate(given)]
    assert finding_lines([*found, Finding("rows", None, "c", "bad", "what", "do")], 2) == [
        "  crash b rows:2: what; do",
        "  bad c rows: what; do",
        "  and 1 more findings (--json shows all)",
    ]
    assert finding_lines(found[:1], 2) == ["  note a rows:1: what; do"]


def test_an_ipv6_address_stands_in_brackets_in_a_url() -> None:
    assert [url_host(host) for host in ("127.0.0.1", "localhost", "::1")] == ["127.0.0.1", "localhost", "[::1]"]


def test_what_begins_is_told_at_once_and_the_rest_at_most_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with shown_progress("retrieval") as show:
        for done in (1, 2, 26):
            show(ProbeProgress(done, 26, 8.0, "tuned, seed 1"))
        show(ProbeProgress(26, 26, None, "tuned, seed 1: scoring the exam"))
        show(ProbeProgress(0, 0, None, "scoring with passages: base"))
    assert capsys.readouterr().err.splitlines() == [
        "retrieval  1/26  tuned, seed 1, about 8 s left",
        "retrieval  26/26  tuned, seed 1: scoring the exam",
        "retrieval  scoring with passages: base",
    ]
