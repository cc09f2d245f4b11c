from pathlib import Path

import pytest

from datagen.jsonl import write_json
from datagen.ui.data.chat import find_adapters, loss_by_step
from datagen.workspace import Workspace


def test_checkpoints_come_by_step(tmp_path: Path) -> None:
    for step in (1000, 200, 50):
        write_json(tmp_path / "saves" / "hotel_v2" / f"checkpoint-{step}" / "adapter_config.json", {"base_model_name_or_path": "gemma"})
    found = find_adapters(Workspace(tmp_path))
    assert [a.name for a in found] == [f"hotel_v2/checkpoint-{step}" for step in (50, 200, 1000)]
    assert {a.model for a in found} == {"gemma"}


def test_losses_of_the_probe_by_step(finished: Path) -> None:
    points = loss_by_step(Workspace(finished), 1)
    assert points[0][0] == 0
    assert len(points) == 2
    assert points[1][1] == pytest.approx(points[0][1], abs=0.5), "the tiny model hardly learns"
    assert loss_by_step(Workspace(finished), 2) == []
