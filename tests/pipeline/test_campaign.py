import json
import re
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import read_json, read_rows
from datagen.pipeline.ledger import read_ledger
from datagen.testing.stub_server import StubServer
from datagen.workspace import Workspace


def _documents(root: Path, number: int) -> list[str]:
    return [str(r.value["provenance"]["document"]) for r in read_rows(root / ".datagen" / "iterations" / f"{number:04d}" / "train.jsonl")]


def test_a_campaign_takes_every_step_again_from_its_manifests(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ws"
    arguments = ["-w", str(root), "iterate", str(recipe), "--sizes", "8,16,24", "--docs", str(docs), "--json"]
    assert main(arguments) == 0
    value = json.loads(capsys.readouterr().out)
    steps = value["steps"]
    assert 1 <= len(steps) <= 3
    assert [s["rows"] for s in steps] == [8, 16, 24][: len(steps)]
    assert all(s["decision"]["action"] == "continue" for s in steps[:-1])
    assert value["decision"]["action"] in ("stop", "ask")
    assert value["incumbent"] == next((s["iteration"] for s in reversed(steps) if s["accepted"]), None)
    ledger = read_ledger(Workspace(root))
    incumbent = None
    for manifest in ledger:
        assert manifest.baseline == incumbent
        incumbent = manifest.number if manifest.accepted else incumbent
    assert main(arguments) == 0
    again = json.loads(capsys.readouterr().out)
    assert all(s["skipped"] for s in again["steps"])
    assert [s["decision"] for s in again["steps"]] == [s["decision"] for s in steps]


def test_a_folder_left_out_is_named_first_and_its_quota_fills_it(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ws"
    run = ["-w", str(root), "run", str(recipe), "--docs", str(docs), "--set", "sizes=[12]"]
    assert main([*run, "--set", 'generate.quotas={"zh/会员": 0}']) == 0
    assert not [d for d in _documents(root, 1) if d.startswith("zh/会员/")]
    capsys.readouterr()
    out = tmp_path / "quotas.json"
    assert main(["-w", str(root), "next", "--rows", "6", "-o", str(out), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["slices"][0]["slice"] == "zh/会员"
    assert value["slices"][0]["coverage"] == 0
    assert value["quotas"] == read_json(out)
    assert sum(value["quotas"].values()) == 6
    assert main([*run, "--set", f"generate.quotas=@{out}"]) == 0
    assert len([d for d in _documents(root, 2) if d.startswith("zh/会员/")]) >= value["quotas"]["zh/会员"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--sizes", "8,4"], "sizes must be positive and growing"),
        (["--sizes", ",".join(str(i) for i in range(1, 12))], "at most 10 verdicts"),
        (["--set", 'generate.quotas={"zh/会圆": 3}'], "generate.quotas"),
        (["--set", "generate.quotas=@absent.json"], "absent.json"),
    ],
    ids=["sizes", "looks", "quota", "file"],
)
def test_wrong_campaigns_are_one_message(
    tmp_path: Path, docs: Path, recipe: Path, change: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-w", str(tmp_path / "ws"), "iterate", str(recipe), "--docs", str(docs), *change]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_the_vault_is_part_of_the_exam_and_never_of_the_probe(tmp_path: Path, docs: Path, recipe: Path) -> None:
    root = tmp_path / "ws"
    assert main(["-w", str(root), "run", str(recipe), "--docs", str(docs), "--set", "sizes=[12]", "--set", "exam.vault=6"]) == 0
    exam = [r.value for r in read_rows(root / ".datagen" / "exam.jsonl")]
    vault = {str(s["id"]) for s in exam if s["tags"]["eval_set"] == "vault"}
    assert 1 <= len(vault) <= 6
    manifest = read_ledger(Workspace(root))[0]
    assert manifest.exam["vault"] == len(vault)
    result = read_json(root / ".datagen" / "iterations" / "0001" / "probe" / "result.json")
    assert {v["eval_set"] for v in result["verdicts"]} == {"recall", "unseen"}


def test_an_accepted_iteration_opens_the_vault_and_the_next_is_held_against_as_many_steps(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A high rate makes the tiny model learn enough of the manner of answering to be BETTER than untrained."""
    root = tmp_path / "ws"
    settings = ["exam.vault=6", "probe.epochs=6", "probe.learning_rate=0.003", "probe.alpha_level=0.4"]
    arguments = ["-w", str(root), "iterate", str(recipe), "--sizes", "20,40", "--docs", str(docs), "--json"]
    assert main([*arguments, *(word for s in settings for word in ("--set", s))]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert steps[0]["accepted"]
    assert steps[0]["control"] is None
    assert steps[0]["vault"]["eval_set"] == "vault"
    log = [r.value for r in read_rows(root / ".datagen" / "vault.jsonl")]
    assert [row["number"] for row in log] == list(range(1, 1 + sum(s["vault"] is not None for s in steps)))
    assert steps[1]["control"]["compared"] == "new - baseline"
    assert steps[1]["control"]["new_loss"] == steps[1]["verdict"]["new_loss"]
    assert steps[1]["control"]["baseline_loss"] != steps[1]["verdict"]["baseline_loss"]


def test_costs_are_those_of_the_responses_and_a_budget_is_a_cap(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ws"
    root.mkdir()
    (root / "prices.yaml").write_text("stub: {input: 100.0, output: 100.0}\n", encoding="utf-8")
    with StubServer() as stub:
        strategies = f'generate.strategies=[{{kind: qa, model: "openai:stub@{stub.base_url}"}}]'
        arguments = ["-w", str(root), "iterate", str(recipe), "--docs", str(docs), "--set", strategies, "--json"]
        assert main([*arguments, "--sizes", "8,16", "--budget", "0.05"]) == 1
        assert "the budget of $0.05 ends here" in capsys.readouterr().err
        few = stub.stats()
        assert main([*arguments, "--sizes", "8,16"]) == 0
        printed = capsys.readouterr()
        steps = json.loads(printed.out)["steps"]
        stats = stub.stats()
        assert main([*arguments, "--sizes", "8,16"]) == 0
        again = capsys.readouterr().err
    told = [float(amount) for amount in re.findall(r"against .*, about ([\d.]+) to pay", printed.err)]
    assert len(told) == 2
    # Before anything is paid in the first step its price comes from the prompts, exam and rows together.
    assert steps[0]["cost"] / 3 < told[0] < steps[0]["cost"] * 3
    assert "to pay" not in again
    assert few["paid_tokens_in"] + few["paid_tokens_out"] <= 500
    paid = (stats["paid_tokens_in"] + stats["paid_tokens_out"]) / 1e4
    assert steps[0]["cost"] > 0
    assert sum(s["cost"] for s in steps) == pytest.approx(paid, abs=1e-5)
    assert stats["paid_twice"] == 0
