"""A recipe's price before anything is sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatMessage, ChatRequest, ChatResponse
from datagen.pipeline.iteration import paid_since
from datagen.pipeline.pricing import first_step_cost
from datagen.pipeline.recipe import load_recipe
from datagen.workspace import Workspace

STRATEGIES = [
    "generate.strategies=[{kind: qa, model: 'openai:gpt-4.1-mini', weight: 3},"
    " {kind: two_step_qa, model: 'openai:unheard-of@https://api.example.invalid/v1'}, {kind: extractive, weight: 4}]"
]


def _plan(root: Path, recipe: Path, docs: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    sets = [part for setting in [*STRATEGIES, *more] for part in ("--set", setting)]
    assert main(["-w", str(root), "run", str(recipe), "--docs", str(docs), *sets, "--dry-run", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_exam_and_rows_are_priced_by_each_strategys_share(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    plan = _plan(tmp_path / "ws", recipe, docs, capsys)
    steps = [(s["purpose"], s["strategy"], s["target"], s["requests"], s["price_known"]) for s in plan["prices"]]
    # Eight questions and twelve rows of sixteen and twenty-four fall to the models, at four rows a request; two steps take two requests.
    assert steps == [
        ("exam", "qa", 6, 2, True),
        ("exam", "qa", 2, 1, False),
        ("train", "qa", 9, 3, True),
        ("train", "two_step_qa", 3, 2, False),
    ]
    assert plan["requests"] == 8
    paid = [s for s in plan["prices"] if s["price_known"]]
    assert plan["cost_usd"] == pytest.approx(sum((s["tokens_in"] * 0.4 + s["tokens_out"] * 1.6) / 1e6 for s in paid), abs=1e-6)
    assert plan["cost_usd"] < plan["cost_most_usd"]
    assert not (tmp_path / "ws").exists()


def test_the_first_step_of_rows_by_rule_costs_what_their_judge_does(tmp_path: Path, docs: Path, recipe: Path) -> None:
    judge = "generate.judge={model: 'openai:gpt-4.1-mini'}"
    plain, judged = (load_recipe(str(recipe), settings=settings) for settings in ([], [judge]))
    assert first_step_cost(plain, docs, 12, workspace=Workspace(tmp_path / "ws")) == 0.0
    assert first_step_cost(judged, docs, 12, workspace=Workspace(tmp_path / "ws")) > 0.0005


def test_an_iteration_costs_what_was_paid_since_it_was_begun(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path / ".datagen" / "responses.sqlite")
    for i in range(4):
        request = ChatRequest("openai", "http://127.0.0.1:1/v1", "gpt-4.1-mini", (ChatMessage("user", f"问题 {i}"),))
        store.put(request, ChatResponse(f"回答 {i}", "stop", 100, 50, "gpt-4.1-mini"))
    workspace = Workspace(tmp_path)
    assert paid_since(workspace, {"spent": 0.00012}) == 0.00036
    assert paid_since(workspace, {}) == 0.00048
    store.prune()
    store.close()
    assert paid_since(workspace, {"spent": 0.00048}) == 0.0


def test_a_price_list_of_the_workspace_counts_and_a_frozen_exam_costs_nothing(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ws"
    assert main(["-w", str(root), "run", str(recipe), "--docs", str(docs), "--until", "split"]) == 0
    capsys.readouterr()
    (root / "prices.yaml").write_text("unheard-of: {input: 1000000, output: 0}\n", encoding="utf-8")
    plan = _plan(root, recipe, docs, capsys)
    steps = [(s["purpose"], s["strategy"], s["price_known"]) for s in plan["prices"]]
    assert steps == [("train", "qa", True), ("train", "two_step_qa", True)]
    assert plan["prices"][1]["cost_usd"] == plan["prices"][1]["tokens_in"]


def test_a_strategy_that_asks_row_by_row_is_priced_row_by_row(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strategy = "generate.strategies=[{kind: span_question, model: 'openai:gpt-4.1-mini'}]"
    args = ["-w", str(tmp_path / "ws"), "run", str(recipe), "--docs", str(docs), "--set", strategy, "--dry-run", "--json"]
    assert main(args) == 0
    rows = next(s for s in json.loads(capsys.readouterr().out)["prices"] if s["purpose"] == "train")
    # A request asks about one sentence and four of five answers become rows.
    assert (rows["target"], rows["requests"]) == (24, 30)


def test_a_model_on_this_machine_is_free_until_it_is_given_a_price(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ws"
    strategy = "generate.strategies=[{kind: qa, model: 'openai:qwen3-4b@http://127.0.0.1:8000/v1'}]"
    args = ["-w", str(root), "run", str(recipe), "--docs", str(docs), "--set", strategy, "--dry-run"]
    assert main(args) == 0
    told = capsys.readouterr().out
    assert told.count("free (a model on this machine") == 2
    assert "$" not in told
    assert main([*args, "--json"]) == 0
    assert [step["free"] for step in json.loads(capsys.readouterr().out)["prices"]] == [True, True]
    judged = [*args, "--set", "generate.judge={model: 'openai:gpt-4.1-mini'}"]
    assert main(judged) == 0
    told = capsys.readouterr().out
    assert "free" not in told
    assert "of these the judge" in told
    root.mkdir()
    (root / "prices.yaml").write_text("qwen3-4b: {input: 0.1, output: 0.2}\n", encoding="utf-8")
    assert main(args) == 0
    assert "free" not in capsys.readouterr().out
