from typing import Any

import pytest

from datagen.pipeline.stopping import Limits, accepted, decide
from datagen.schemas.manifest import DatasetFile, Manifest


def _verdict(decision: str, *, eval_set: str = "recall", loss: float = 1.0) -> dict[str, Any]:
    return {"eval_set": eval_set, "verdict": decision, "new_loss": loss, "metric": "nll"}


def _manifest(
    number: int,
    decision: str,
    *,
    size: int = 100,
    rows: int | None = None,
    loss: float = 1.0,
    also: dict[str, str] | None = None,
    control: str = "",
    cost: float = 0.0,
) -> Manifest:
    manifest = Manifest(
        number=number,
        recipe="r",
        recipe_version=1,
        size=size,
        parent=number - 1 or None,
        fingerprint=f"f{number}",
        fingerprints={},
        created="2026-11-24T00:00:00+00:00",
        seconds=1.0,
        funnel=(),
        primary="recall",
        datasets={"train": DatasetFile(path="train.jsonl", rows=rows or size, sha256="0")},
        verdicts=(_verdict(decision, loss=loss), *(_verdict(v, eval_set=k) for k, v in (also or {}).items())),
        control={"verdict": control} if control else None,
        cost=cost,
    )
    return manifest.model_copy(update={"accepted": accepted(manifest)})


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (_manifest(1, "BETTER"), True),
        (_manifest(1, "BETTER", also={"unseen": "INCONCLUSIVE"}), True),
        (_manifest(1, "BETTER", also={"gold": "WORSE"}), False),
        (_manifest(1, "BETTER", control="BETTER"), True),
        (_manifest(1, "BETTER", control="EQUIVALENT"), False),
        (_manifest(1, "EQUIVALENT"), False),
        (_manifest(1, "INCONCLUSIVE"), False),
        (_manifest(1, "WORSE"), False),
    ],
    ids=["better", "better-elsewhere-open", "worse-on-gold", "control-better", "only-more-training", "equivalent", "open", "worse"],
)
def test_an_iteration_is_accepted_only_if_it_is_better_and_harms_nothing(manifest: Manifest, expected: bool) -> None:
    assert manifest.accepted is expected


@pytest.mark.parametrize(
    ("done", "limits", "next_cost", "action", "code"),
    [
        ([_manifest(1, "BETTER")], Limits(), 0.0, "continue", "grow"),
        ([_manifest(1, "BETTER", loss=0.9)], Limits(target=0.95), 0.0, "stop", "target_reached"),
        ([_manifest(1, "INCONCLUSIVE", loss=0.9)], Limits(target=0.95), 0.0, "continue", "grow"),
        ([_manifest(1, "BETTER"), _manifest(2, "WORSE", size=200)], Limits(), 0.0, "ask", "worse"),
        ([_manifest(1, "BETTER", also={"gold": "WORSE"})], Limits(), 0.0, "ask", "mixed"),
        ([_manifest(1, "EQUIVALENT"), _manifest(2, "EQUIVALENT")], Limits(), 0.0, "stop", "plateau"),
        ([_manifest(1, "BETTER", control="EQUIVALENT"), _manifest(2, "BETTER", control="WORSE")], Limits(), 0.0, "stop", "plateau"),
        ([_manifest(1, "EQUIVALENT"), _manifest(2, "BETTER"), _manifest(3, "EQUIVALENT")], Limits(), 0.0, "continue", "grow"),
        ([_manifest(1, "INCONCLUSIVE"), _manifest(2, "INCONCLUSIVE")], Limits(), 0.0, "ask", "undecided"),
        ([_manifest(1, "BETTER", size=100, rows=60)], Limits(), 0.0, "stop", "documents_exhausted"),
        ([_manifest(1, "BETTER", cost=0.7)], Limits(budget=1.0), 0.4, "stop", "budget_spent"),
        ([_manifest(1, "BETTER", cost=0.7)], Limits(budget=1.0), 0.3, "continue", "grow"),
    ],
)
def test_the_campaign_goes_on_stops_or_asks(done: list[Manifest], limits: Limits, next_cost: float, action: str, code: str) -> None:
    decision = decide(done, remaining=[300], limits=limits, next_cost=next_cost)
    assert (decision.action, decision.code) == (action, code)
    assert decision.zh != decision.en


def test_without_a_size_left_it_stops() -> None:
    assert decide([_manifest(1, "BETTER")], remaining=[], limits=Limits()).code == "sizes_done"
