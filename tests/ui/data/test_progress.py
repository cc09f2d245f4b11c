from pathlib import Path
from typing import Any

import pytest

from datagen.ui.data.progress import Step, read_steps, spending

PLAN: dict[str, Any] = {
    "sizes": [100, 300],
    "prices": [
        {"purpose": "exam", "target": 200, "cost_usd": 0.20, "cost_most_usd": 0.5, "price_known": True},
        {"purpose": "train", "target": 300, "cost_usd": 0.60, "cost_most_usd": 1.5, "price_known": True},
    ],
}


def _step(stage: str, done: int = 0, total: int = 0, iteration: int = 1) -> Step:
    return Step(iteration, stage, 0.0, 1.0, done, total)


@pytest.mark.parametrize(
    ("steps", "paid", "forecast"),
    [
        ([], 0.0, 0.80),
        ([_step("ingest"), _step("exam", 100, 200)], 0.15, 0.15 + 0.10 + 0.60),
        ([_step("exam", 200, 200), _step("generate", 50, 100)], 0.4, 0.4 + 0.5),
        ([_step("exam"), _step("generate"), _step("clean")], 0.4, 0.4 + 0.4),
        ([_step("exam"), _step("generate"), _step("probe"), _step("generate", 200, 300, 2)], 0.9, 0.9 + 0.2),
        ([_step("exam"), _step("generate"), _step("probe"), _step("generate", iteration=2), _step("probe", 1, 3, 2)], 1.1, 1.1),
    ],
    ids=["nothing yet", "half the exam", "half of 100 rows", "100 rows from disk", "200 of 300 rows", "all rows"],
)
def test_what_is_paid_and_the_plan_s_price_of_what_is_left(steps: list[Step], paid: float, forecast: float) -> None:
    spent = spending(PLAN, steps, paid=paid)
    assert (spent.paid, spent.most, spent.known) == (paid, 2.0, True)
    assert spent.forecast == pytest.approx(forecast)


def test_a_run_that_became_dearer_than_its_plan_says_so() -> None:
    assert spending(PLAN, [_step("generate", 30, 100)], paid=4.0).most == pytest.approx(4.74)


def test_an_unknown_price_is_told() -> None:
    prices = [{**PLAN["prices"][0], "price_known": False}, PLAN["prices"][1]]
    assert not spending({**PLAN, "prices": prices}, [], paid=0.0).known


def test_only_what_was_appended_is_read_and_a_new_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_text('{"time": 1, "iteration": 1, "stage": "exam"}\n{"time": 2, "done": 1, "total": 4, "note": ""}\n{"ti', encoding="utf-8")
    assert [(s.stage, s.done) for s in read_steps(path)] == [("exam", 1)]
    with path.open("a", encoding="utf-8") as file:
        file.write('me": 3, "done": 2, "total": 4, "note": ""}\n{"time": 4, "iteration": 1, "stage": "generate"}\n')
    assert [(s.stage, s.done) for s in read_steps(path)] == [("exam", 2), ("generate", 0)]
    path.write_text('{"time": 1, "iteration": 2, "stage": "ingest"}\n', encoding="utf-8")
    assert [(s.iteration, s.stage) for s in read_steps(path)] == [(2, "ingest")]
    path.unlink()
    assert read_steps(path) == []
