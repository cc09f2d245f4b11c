"""A campaign and decisions of people: taken between two calls, they make one more step, and the campaign goes on from it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.jsonl import read_rows
from datagen.pipeline import campaign
from datagen.pipeline.ledger import read_ledger
from datagen.pipeline.reviews import ReviewLog
from datagen.pipeline.stopping import Decision
from datagen.schemas.manifest import Manifest
from datagen.schemas.sample import Sample
from datagen.workspace import Workspace


def _train(workspace: Workspace, number: int) -> list[Sample]:
    return [Sample.model_validate(r.value) for r in read_rows(workspace.iteration(number) / "train.jsonl")]


def _iterate(root: Path, recipe: Path, docs: Path, sizes: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    arguments = ["-w", str(root), "iterate", str(recipe), "--docs", str(docs), "--sizes", sizes, "--set", "probe.epochs=0.5", "--json"]
    assert main(arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_after_a_person_decided_the_campaign_takes_one_more_step(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ws"
    workspace = Workspace(root)
    assert len(_iterate(root, recipe, docs, "12", capsys)["steps"]) == 1
    rejected = _train(workspace, 1)[3]
    ReviewLog.of(workspace).decide(rejected, "reject", seen=0, reason="答非所问")

    steps = _iterate(root, recipe, docs, "12", capsys)["steps"]
    assert [(s["skipped"], s["review"], s["rows"]) for s in steps] == [(True, False, 12), (False, True, 12)]
    assert rejected.id not in [s.id for s in _train(workspace, 2)]
    review = read_ledger(workspace)[1]
    assert (review.parent, review.baseline) == (1, 1 if steps[0]["accepted"] else None)
    assert review.verdict() is not None

    # Nothing new was decided: the same ledger.
    ledger = read_ledger(workspace)
    assert all(s["skipped"] for s in _iterate(root, recipe, docs, "12", capsys)["steps"])
    assert read_ledger(workspace) == ledger


def test_a_campaign_that_asked_goes_on_growing_after_the_review(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule is planted: it asks for a look after the first step, and goes on once a person has looked."""

    def planted(done: Sequence[Manifest], *, remaining: Sequence[int], limits: Any, next_cost: float = 0.0) -> Decision:
        if len(done) == 1:
            return Decision("ask", "worse", "请看", "look")
        return Decision("continue", "grow", "继续", "go on") if remaining else Decision("stop", "sizes_done", "完成", "done")

    monkeypatch.setattr(campaign, "decide", planted)
    root = tmp_path / "ws"
    workspace = Workspace(root)
    first = _iterate(root, recipe, docs, "8,16", capsys)
    assert (len(first["steps"]), first["decision"]["action"]) == (1, "ask")
    log = ReviewLog.of(workspace)
    log.decide(_train(workspace, 1)[0], "reject", seen=0, reason="wrong price")

    steps = _iterate(root, recipe, docs, "8,16", capsys)["steps"]
    assert [(s["review"], s["rows"]) for s in steps] == [(False, 8), (True, 8), (False, 16)]
    assert {s.id for s in _train(workspace, 2)} <= {s.id for s in _train(workspace, 3)}

    # A decision taken after all that belongs to the end: no earlier step is made anew.
    log.decide(_train(workspace, 3)[-1], "reject", seen=0, reason="old rule")
    again = _iterate(root, recipe, docs, "8,16", capsys)["steps"]
    assert [(s["skipped"], s["review"]) for s in again] == [(True, False), (True, True), (True, False), (False, True)]
    assert [m.number for m in read_ledger(workspace)] == [1, 2, 3, 4]
