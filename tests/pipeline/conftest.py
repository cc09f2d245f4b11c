"""A small workspace: eight of the example's documents and a recipe that ends in seconds."""

import shutil
from pathlib import Path

import pytest

RECIPE = """
name: small
version: 1
description: a run that ends in seconds
source: a test
sizes: [12, 24]
exam: {size: 16, unseen_documents: 0.25, vault: 0}
generate:
  strategies: [{kind: extractive}]
  persona: {zh: 你是枕溪订房的客服专家。, en: You are a Brookrest support expert.}
register: {name: small}
probe: {model: tiny, seeds: 2, epochs: 1, evals_per_run: 1, answers: 1, max_new_tokens: 4}
"""


@pytest.fixture
def docs(tmp_path: Path, repo: Path) -> Path:
    source = repo / "examples" / "hotel_ota" / "docs"
    folder = tmp_path / "docs"
    chosen = [*sorted((source / "zh" / "会员").iterdir()), *sorted((source / "en").rglob("*.md"))][:8]
    assert len(chosen) == 8
    for path in chosen:
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path
