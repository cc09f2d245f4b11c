"""Preference, feedback and text rows through the whole pipeline: registered for their stage, probed by it, or refused in words."""

from pathlib import Path
from typing import Any

import pytest

from datagen.errors import UsageError
from datagen.export.llamafactory import validate
from datagen.jsonl import read_json
from datagen.pipeline.recipe import Recipe, load_recipe
from datagen.pipeline.run import run
from datagen.workspace import Workspace

SETTINGS = ["sizes=[12]", "exam.size=12", "chunk.max_tokens=120"]


def load(recipe: Path, kind: str, *settings: str) -> Recipe:
    return load_recipe(str(recipe), settings=[f"generate.strategies.0.kind={kind}", *SETTINGS, *settings])


@pytest.mark.parametrize(
    ("kind", "stage", "form", "columns"),
    [
        ("preference", "dpo", "alpaca", {"prompt", "query", "system", "history", "chosen", "rejected"}),
        ("preference", "dpo", "sharegpt", {"messages", "system", "tools", "chosen", "rejected"}),
        ("feedback", "kto", "alpaca", {"prompt", "query", "system", "history", "response", "kto_tag"}),
        ("passage", "pt", "alpaca", {"prompt"}),
    ],
)
def test_rows_are_registered_for_their_stage(
    kind: str, stage: Any, form: str, columns: set[str], tmp_path: Path, docs: Path, recipe: Path
) -> None:
    workspace = Workspace(tmp_path / "w")
    loaded = load(recipe, kind, f"register.format={form}")
    run(loaded, workspace=workspace, docs=docs, until="register")
    entries = read_json(workspace.root / "data" / "dataset_info.json")
    for name in ("small_v1_train", "small_v1_eval"):
        assert set(entries[name]["columns"]) == columns
        assert bool(entries[name].get("ranking")) == (stage == "dpo")
        report = validate(workspace.root / "data" / "dataset_info.json", name=name, stage=stage)
        assert report.rows == report.kept > 0
    yaml = (workspace.iteration(1) / "train.yaml").read_text(encoding="utf-8")
    assert f"stage: {stage}\n" in yaml
    assert ("template:" in yaml) == (stage != "pt")


@pytest.mark.parametrize(("kind", "metric"), [("preference", "dpo"), ("passage", "pt")])
def test_the_probe_learns_as_the_set_does(kind: str, metric: str, tmp_path: Path, docs: Path, recipe: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    result = run(load(recipe, kind), workspace=workspace, docs=docs)
    manifest = result.outcomes[0].manifest
    assert manifest is not None
    assert manifest.verdicts
    assert read_json(workspace.iteration(1) / "probe" / "result.json")["config"]["stage"] == metric
    assert result.report
    assert result.report.exists()


def test_feedback_has_no_probe_and_says_so_before_anything_is_made(tmp_path: Path, docs: Path, recipe: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    with pytest.raises(UsageError, match=r"feedback rows \(KTO\) have no probe"):
        run(load(recipe, "feedback"), workspace=workspace, docs=docs)
    assert workspace.iteration_numbers() == []


def test_methods_are_not_mixed(recipe: Path) -> None:
    with pytest.raises(UsageError, match=r"a set is learned by one method \(extractive makes sft rows, preference makes dpo rows\)"):
        load_recipe(str(recipe), settings=["generate.strategies=[{kind: extractive}, {kind: preference}]"])
    with pytest.raises(UsageError, match=r"probe\.stage is sft, the strategies make dpo rows"):
        load(recipe, "preference", "probe.stage=sft")
