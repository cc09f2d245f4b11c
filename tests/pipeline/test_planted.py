"""Planted truths that a campaign must find: more of the same stops it, and a hole is named first and its filling is seen."""

import json
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.jsonl import read_json, read_rows
from datagen.testing.planted_documents import FAMILIES, write_documents

RECIPE = """
name: planted
version: 1
description: documents with planted facts
source: a test
sizes: [48]
exam: {size: 60, unseen_documents: 0, vault: 0}
generate: {strategies: [{kind: extractive}]}
register: {name: planted}
probe: {model: tiny, seeds: 3, epochs: 1, learning_rate: 0.005, evals_per_run: 1, answers: 0}
"""


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    path = tmp_path / "planted.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def _answers(root: Path, number: int) -> list[str]:
    rows = read_rows(root / ".datagen" / "iterations" / f"{number:04d}" / "train.jsonl")
    return [str(r.value["record"]["messages"][-1]["content"]) for r in rows]


@pytest.mark.slow
def test_paraphrases_only_beyond_300_rows_stop_the_campaign(tmp_path: Path, planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """300 facts: the first 300 rows state nearly each once, further rows say one again. 1,200 rows are planned, and never made.

    The model is too weak to learn the facts themselves: what it shows is that the rule sees through more training. With three seeds the
    intervals stay open on some processors, and the campaign asks for a person's look instead.
    """
    docs, root = tmp_path / "docs", tmp_path / "ws"
    assert write_documents(docs, per_family=5, rows=5) == 300
    arguments = ["-w", str(root), "iterate", str(planted), "--docs", str(docs), "--sizes", "100,300,600,900,1200", "--json"]
    assert main([*arguments, "--set", "probe.delta=0.1", "--set", "probe.seeds=6"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert [s["rows"] for s in value["steps"]] == [100, 300, 600]
    assert value["decision"] == {"action": "stop", "code": "plateau"}
    # Quotas by folder leave a few facts for the step after; all else beyond 300 rows says one again.
    assert len(set(_answers(root, 2))) >= 290
    assert len(set(_answers(root, 3)) - set(_answers(root, 2))) <= 10
    # At equal epochs every step is BETTER; at equal steps more rows are worth no more than training as long without them.
    assert [s["verdict"]["verdict"] for s in value["steps"]] == ["BETTER"] * 3
    assert [s["control"]["verdict"] for s in value["steps"][1:]] == ["EQUIVALENT", "EQUIVALENT"]
    assert value["incumbent"] == 1


@pytest.mark.slow
def test_a_family_left_out_is_named_first_and_filling_it_is_better_there(
    tmp_path: Path, planted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docs, root = tmp_path / "docs", tmp_path / "ws"
    write_documents(docs, per_family=4, rows=4)
    run = ["-w", str(root), "run", str(planted), "--docs", str(docs)]
    assert main([*run, "--set", 'generate.quotas={"会员": 0}']) == 0
    assert not [a for a in _answers(root, 1) if "会员" in a]
    capsys.readouterr()

    quotas = tmp_path / "quotas.json"
    assert main(["-w", str(root), "next", "--rows", "16", "-o", str(quotas), "--json"]) == 0
    ranked = json.loads(capsys.readouterr().out)["slices"]
    assert (ranked[0]["slice"], ranked[0]["coverage"]) == ("会员", 0)
    assert all("会员" in f["document"] for f in ranked[0]["failing"])
    assert ranked[0]["failing"]
    wanted: dict[str, int] = read_json(quotas)
    assert wanted["会员"] == max(wanted.values())

    # 64 rows, the quota first: what ``next`` wrote is what the recipe takes.
    assert main([*run, "--set", f"generate.quotas=@{quotas}", "--set", "sizes=[64]"]) == 0
    assert len([a for a in _answers(root, 2) if "会员" in a]) >= wanted["会员"]
    capsys.readouterr()
    sets = [str(root / ".datagen" / "iterations" / f"{n:04d}" / "train.jsonl") for n in (1, 2)]
    probe = ["-w", str(root), "probe", "--baseline", sets[0], "--train", sets[1], "--eval", str(root / ".datagen" / "exam.jsonl"), "--json"]
    settings = "--model tiny --seeds 3 --epochs 6 --learning-rate 0.005 --answers 0"
    assert main([*probe, *settings.split()]) == 0
    found: dict[str, Any] = {s["slice"]: s for s in json.loads(capsys.readouterr().out)["slices"]}
    assert set(found) == {f"folder={family}" for family in FAMILIES}
    assert found["folder=会员"]["verdict"] == "BETTER"
    assert found["folder=会员"]["delta"] == min(s["delta"] for s in found.values())
    assert all(s["verdict"] != "BETTER" for name, s in found.items() if name != "folder=会员")
