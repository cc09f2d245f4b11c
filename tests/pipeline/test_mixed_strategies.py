"""A recipe that mixes strategies and models, over real HTTP on loopback: shares by weight, one exam by qa, one budget over all models."""

import json
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.errors import StageFailed, UsageError
from datagen.jsonl import read_json, read_rows
from datagen.pipeline.campaign import iterate
from datagen.pipeline.lessons import spent_so_far
from datagen.pipeline.recipe import load_recipe
from datagen.pipeline.run import run
from datagen.pipeline.stopping import Limits
from datagen.schemas.sample import Sample
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_server import StubServer
from datagen.workspace import Workspace

STRATEGIES = """  strategies:
    - {kind: two_step_qa, model: "openai:stub@URL", weight: 2}
    - {kind: persona, model: "openai:stub@URL"}
    - {kind: unanswerable, model: "openai:other@URL"}
"""


def write_recipe(path: Path, source: Path, url: str) -> Path:
    text = source.read_text(encoding="utf-8")
    path.write_text(text.replace("  strategies: [{kind: extractive}]\n", STRATEGIES.replace("URL", url)), encoding="utf-8")
    return path


def samples(path: Path) -> list[Sample]:
    return [Sample.model_validate(row.value) for row in read_rows(path)]


def test_strategies_share_the_rows_by_weight_and_qa_writes_the_exam(tmp_path: Path, docs: Path, recipe: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    with StubServer() as stub:
        loaded = load_recipe(str(write_recipe(tmp_path / "mixed.yaml", recipe, stub.base_url)), settings=["sizes=[24]"])
        run(loaded, workspace=workspace, docs=docs, until="register")
        assert stub.stats()["paid_twice"] == 0
    folder = workspace.iteration(1)
    rows = samples(folder / "03-generate" / "kept.jsonl")
    counts = {kind: sum(s.provenance.strategy == kind for s in rows) for kind in ("two_step_qa", "persona", "unanswerable")}
    assert sum(counts.values()) == 24
    assert 10 <= counts["two_step_qa"] <= 14
    assert 4 <= counts["persona"] <= 8
    assert 4 <= counts["unanswerable"] <= 8
    assert {s.provenance.model for s in rows if s.provenance.strategy == "unanswerable"} == {"other"}
    exam = samples(folder / "eval.jsonl")
    assert {(s.provenance.strategy, s.provenance.prompt.split("/")[1].split("_")[0]) for s in exam} == {("qa", "exam")}
    assert read_json(folder / "03-generate" / "stats.json")["by_strategy"] == counts


def test_one_budget_holds_over_two_models(tmp_path: Path, docs: Path, recipe: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    workspace.root.mkdir()
    (workspace.root / "prices.yaml").write_text("stub: {input: 100.0, output: 100.0}\nother: {input: 50.0, output: 50.0}\n")
    with StubServer() as stub:
        loaded = load_recipe(str(write_recipe(tmp_path / "mixed.yaml", recipe, stub.base_url)), settings=["sizes=[24]"])
        with pytest.raises(StageFailed, match=r"the budget of \$2\.00 ends here"):
            iterate(loaded, workspace=workspace, docs=docs, limits=Limits(budget=2.0))
        assert stub.stats()["paid_twice"] == 0
    assert 1.0 < spent_so_far(workspace) <= 2.0


def test_a_budget_needs_the_price_of_every_model(tmp_path: Path, docs: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    text = write_recipe(tmp_path / "mixed.yaml", recipe, "https://llm.example/v1").read_text(encoding="utf-8")
    (tmp_path / "mixed.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="no price"):
        iterate(load_recipe(str(tmp_path / "mixed.yaml")), workspace=Workspace(tmp_path / "w"), docs=docs, limits=Limits(budget=1.0))


def test_run_takes_a_budget_and_batches(tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (root / "prices.yaml").write_text("stub: {input: 100.0, output: 100.0}\n", encoding="utf-8")
    with StubServer() as stub:
        chosen = f'generate.strategies=[{{kind: qa, model: "openai:stub@{stub.base_url}"}}]'
        common = ["-w", str(root), "run", str(recipe), "--docs", str(docs), "--set", chosen, "--set", "sizes=[8]", "--until", "generate"]
        assert main([*common, "--budget", "0.05"]) == 1
        assert "the budget of $0.05 ends here" in capsys.readouterr().err
        assert spent_so_far(Workspace(root)) <= 0.05
        assert main([*common, "--batch"]) == 0
        stats = stub.stats()
    assert stats["batches"] > 0
    assert stats["paid_twice"] == 0


def test_a_campaign_sends_its_steps_through_batches(tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (root / "prices.yaml").write_text("stub: {input: 100.0, output: 100.0}\n", encoding="utf-8")
    with StubServer() as stub:
        chosen = f'generate.strategies=[{{kind: qa, model: "openai:stub@{stub.base_url}"}}]'
        settings = ["--set", chosen, "--sizes", "8", "--set", "probe.epochs=0.5"]
        common = ["-w", str(root), "iterate", str(recipe), "--docs", str(docs), *settings]
        plans: list[Any] = []
        for more in ([], ["--batch"]):
            capsys.readouterr()
            assert main([*common, *more, "--dry-run", "--json"]) == 0
            plans.append(json.loads(capsys.readouterr().out))
        assert plans[0]["cost_usd"] > 0
        assert plans[1]["cost_usd"] == pytest.approx(plans[0]["cost_usd"] / 2)
        assert main([*common, "--batch", "--json"]) == 0
        steps = json.loads(capsys.readouterr().out)["steps"]
        stats = stub.stats()
        assert (len(steps), steps[0]["rows"]) == (1, 8)
        # At the price list's full price: the store does not tell how an answer came, and a cap must never be crossed.
        assert steps[0]["cost"] == pytest.approx((stats["paid_tokens_in"] + stats["paid_tokens_out"]) * 100 / 1e6)
        assert stats["batches"] > 0
        assert stats["paid_twice"] == 0
        # Finished steps ask for nothing.
        assert main([*common, "--batch", "--json"]) == 0
        assert stub.stats()["paid"] == stats["paid"]


def test_batches_need_a_model_that_has_them(tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("run", "iterate"):
        assert main(["-w", str(tmp_path / "w"), command, str(recipe), "--docs", str(docs), "--batch"]) == 2
        assert "--batch: nothing here goes through a batch API (no model is asked at all)" in capsys.readouterr().err


def test_a_judge_reads_every_row_and_a_low_yield_fails(tmp_path: Path, docs: Path, recipe: Path) -> None:
    with StubServer(faults=Faults({"ungrounded": 1})) as stub:
        url = f"openai:judge@{stub.base_url}"
        path = write_recipe(tmp_path / "mixed.yaml", recipe, stub.base_url)
        settings = ["sizes=[24]", f"generate.judge={{model: '{url}'}}"]
        run(load_recipe(str(path), settings=settings), workspace=Workspace(tmp_path / "w"), docs=docs, until="generate")
        folder = Workspace(tmp_path / "w").iteration(1)
        rows = [s for s in samples(folder / "03-generate" / "kept.jsonl") if s.provenance.strategy != "unanswerable"]
        assert rows
        assert {s.scores["judge"] for s in rows} == {5.0}
        stats = read_json(folder / "03-generate" / "stats.json")
        assert 0.1 < stats["yield"] < 0.9
        assert stats["funnel"]["proposed"] > stats["funnel"]["checked"] > stats["funnel"]["accepted"] == 24
        assert stats["examples"]["evidence_not_found"][0].startswith("not in the passage: ")
        minded = load_recipe(str(path), settings=[*settings, "generate.min_yield=0.95"])
        with pytest.raises(StageFailed, match=r"the yield is \d+%, below the least wanted, 95%: .*evidence_not_found"):
            run(minded, workspace=Workspace(tmp_path / "v"), docs=docs, until="generate")
