"""``datagen store``: figures, export and pruning."""

import json
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatMessage, ChatRequest, ChatResponse
from datagen.jsonl import read_rows


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    store = ResponseStore(tmp_path / ".datagen" / "responses.sqlite")
    for i in range(6):
        model = "gpt-4.1-mini" if i < 4 else "qwen3-4b"
        request = ChatRequest("openai", "http://127.0.0.1:1/v1", model, (ChatMessage("user", f"问题 {i}"),))
        store.put(request, ChatResponse(f"回答 {i}", "stop", 100, 50, model))
    store.close()
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any, str]:
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out.startswith("{") else captured.out, captured.err


def test_stats_by_model_with_cost(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, value, _ = run(capsys, "-w", workspace, "store", "stats", "--json")
    assert (code, value["responses"]) == (0, 6)
    shown = [(m["model"], m["responses"], m["tokens_in"], m["tokens_out"], m["cost_usd"]) for m in value["models"]]
    assert shown == [("gpt-4.1-mini", 4, 400, 200, 0.00048), ("qwen3-4b", 2, 200, 100, None)]
    _, text, _ = run(capsys, "-w", workspace, "store", "stats")
    assert "openai:qwen3-4b  2 responses, 200 + 100 tokens, no price known" in text


def test_export_writes_requests_and_responses(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = workspace / "responses.jsonl"
    code, value, _ = run(capsys, "-w", workspace, "store", "export", "--model", "qwen3-4b", "-o", out, "--json")
    rows = [row.value for row in read_rows(out)]
    assert (code, value["responses"], [r["response"]["text"] for r in rows]) == (0, 2, ["回答 4", "回答 5"])
    assert rows[0]["request"]["messages"] == [{"role": "user", "content": "问题 4"}]


def test_prune_counts_first_and_deletes_what_was_named(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, value, _ = run(capsys, "-w", workspace, "store", "prune", "--all", "--dry-run", "--json")
    assert value == {"deleted": 0, "matching": 6, "left": 6}
    _, value, _ = run(capsys, "-w", workspace, "store", "prune", "--older-than", "1h", "--json")
    assert value == {"deleted": 0, "matching": 0, "left": 6}
    _, value, _ = run(capsys, "-w", workspace, "store", "prune", "--model", "gpt-4.1-mini", "--json")
    assert value == {"deleted": 4, "matching": 4, "left": 2}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stat"], "did you mean 'stats'"),
        (["prune"], "needs --model, --older-than or --all"),
        (["prune", "--older-than", "soon"], "for example 30d or 12h"),
        (["export"], "needs -o FILE"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "-w", workspace, "store", *arguments)
    assert code == 2
    assert words in err


def test_no_store_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "-w", tmp_path, "store", "stats")
    assert code == 2
    assert "there is no response store" in err
