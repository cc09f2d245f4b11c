"""Every built-in recipe: dry-run as it stands, and run for real at a small size, with the tiny model and, for an LLM, the stub server."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.export.llamafactory import validate
from datagen.jsonl import read_json, read_rows, write_jsonl
from datagen.testing.stub_server import StubServer

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(path.stem for path in (ROOT / "pipelines").glob("*.yaml"))
ASKING = ("seed_from_docs", "multi_turn", "distill_persona")
SMALL = ["sizes=[12]", "exam.size=12", "exam.vault=0", "probe.model=tiny", "probe.seeds=2", "probe.answers=1", "probe.evals_per_run=1"]


def _settings(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def test_these_are_the_recipes() -> None:
    named = {"quickstart", "seed_from_docs", "grow", "preference", "kto", "multi_turn", "distill_persona", "continued_pretraining"}
    assert set(RECIPES) == {*named, "audit_existing"}
    readme = (ROOT / "pipelines" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## `(\w+)`", readme, re.MULTILINE)) == set(RECIPES)


@pytest.mark.parametrize("name", [r for r in RECIPES if r != "audit_existing"])
def test_a_dry_run_prints_the_plan_and_writes_nothing(name: str, tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "ws"
    for command in ("run", "iterate"):
        assert main(["-w", str(root), command, name, "--docs", str(docs), "--dry-run", "--json"]) == 0
        plan = json.loads(capsys.readouterr().out)
        assert plan["recipe"].startswith(f"{name} v")
        assert plan["documents"] == 8
    assert not root.exists()


@pytest.mark.parametrize(("name", "writers"), [("seed_from_docs", True), ("quickstart", False)])
def test_a_plan_prices_the_judge(name: str, writers: bool, tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plans: list[dict[str, Any]] = []
    for judge in ([], ["generate.judge={model: 'openai:gpt-4o-mini'}"]):
        settings = [*SMALL, "generate.model=openai:gpt-4o-mini", *judge] if writers else [*SMALL, *judge]
        assert main(["-w", str(tmp_path / "ws"), "run", name, "--docs", str(docs), *_settings(*settings), "--dry-run", "--json"]) == 0
        plans.append(json.loads(capsys.readouterr().out))
    plain, judged = plans
    judges = [step["judge"] for step in judged["prices"]]
    assert (plain["requests"] > 0) == writers
    assert len(judges) >= 2
    # Refusals are not read; all other rows of 12 for the exam and 12 to train on are.
    assert sum(judge["requests"] for judge in judges) >= 20
    assert all((judge["cost_usd"] > 0) == (judge["requests"] > 0) for judge in judges)
    assert judged["requests"] >= plain["requests"] + sum(judge["requests"] for judge in judges)
    assert judged["cost_usd"] >= plain["cost_usd"] + sum(judge["cost_usd"] for judge in judges) - 1e-5


@pytest.mark.parametrize(
    ("name", "stage", "kind"),
    [
        ("quickstart", "sft", "conversation"),
        ("preference", "dpo", "preference"),
        ("kto", "kto", "feedback"),
        ("continued_pretraining", "pt", "text"),
        ("seed_from_docs", "sft", "conversation"),
        ("multi_turn", "sft", "conversation"),
        ("distill_persona", "sft", "conversation"),
    ],
)
def test_a_recipe_runs_to_its_end(
    name: str, stage: str, kind: str, tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ws"
    with StubServer() as stub:
        settings = [*SMALL, *([f"generate.model=openai:stub@{stub.base_url}"] if name in ASKING else [])]
        assert main(["-w", str(root), "run", name, "--docs", str(docs), *_settings(*settings), "--json"]) == 0
        assert bool(stub.stats()["requests"]) == (name in ASKING)
    (iteration,) = json.loads(capsys.readouterr().out)["iterations"]
    rows = [r.value for r in read_rows(root / ".datagen" / "iterations" / "0001" / "train.jsonl")]
    assert {r["record"]["kind"] for r in rows} == {kind}
    assert len(rows) == 12
    (entry,) = [name for name in read_json(root / "data" / "dataset_info.json") if name.endswith("_v1_train")]
    report = validate(root / "data", name=entry, stage=stage)  # type: ignore[arg-type]
    assert (report.kept, report.would_crash) == (12, 0)
    if name == "kto":
        assert iteration["manifest"] is None
    else:
        verdict = next(v for v in iteration["manifest"]["verdicts"] if v["eval_set"] == iteration["manifest"]["primary"])
        assert verdict["verdict"] in ("BETTER", "WORSE", "EQUIVALENT", "INCONCLUSIVE")


def test_grow_runs_as_a_campaign(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [s for s in SMALL if not s.startswith("sizes")]
    arguments = ["-w", str(tmp_path), "iterate", "grow", "--docs", str(docs), "--sizes", "8,16", *_settings(*settings), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["steps"][0]["rows"] == 8


def test_an_existing_dataset_is_audited_cleaned_and_registered(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold = [r.value for r in read_rows(ROOT / "examples" / "hotel_ota" / "gold.jsonl")][:40]
    rows = [{"instruction": g["question"], "input": "", "output": g["answer"]} for g in gold]
    write_jsonl(tmp_path / "rows.jsonl", [*rows, rows[0], {**rows[1], "output": ""}, {**rows[2], "output": "mail me: a.b@163.com"}])
    before = (tmp_path / "rows.jsonl").read_bytes()
    command = ["-w", str(tmp_path), "run", "audit_existing", "--docs", str(docs), "--json"]
    assert main([*command, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["docs"] == str(docs)
    assert not (tmp_path / ".datagen").exists()
    assert main(command) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["rows"], value["kept"]) == (43, 41)
    assert value["defects"]["exact_duplicate"] == value["defects"]["pii_email"] == value["defects"]["empty_answer"] == 1
    folder = Path(value["folder"])
    assert {f.name for f in folder.iterdir()} == {"audit.json", "audit.html", "clean.jsonl", "dropped.jsonl", "review.jsonl"}
    assert [r.value["line"] for r in read_rows(folder / "dropped.jsonl")] == [41, 42]
    assert 43 in [r.value["line"] for r in read_rows(folder / "review.jsonl")]
    done = value["registered"]
    assert done["train_rows"] + done["eval_rows"] + value["quarantined"] == 41
    assert done["eval_rows"] >= 3
    assert validate(tmp_path / "data", name="audited_train").would_crash == 0
    assert (tmp_path / "rows.jsonl").read_bytes() == before


def test_an_audit_makes_no_rows(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-w", str(tmp_path), "iterate", "audit_existing", "--docs", str(docs)]) == 2
    assert "audits a dataset and makes no rows" in capsys.readouterr().err
    assert main(["-w", str(tmp_path), "run", "audit_existing"]) == 2
    assert "--set data=FILE" in capsys.readouterr().err
    assert main(["-w", str(tmp_path), "run", "audit_existing", "--until", "clean"]) == 2
    assert "--until, --budget and --batch have no meaning" in capsys.readouterr().err
