"""Prompts of the user's own: those in the workspace are used by a run, those of ``--library`` before them, and an edit makes other rows."""

import json
import shutil
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.library import find
from datagen.testing.stub_server import StubServer


def _own_prompts(root: Path, mark: str) -> None:
    (root / "prompts").mkdir(parents=True, exist_ok=True)
    shutil.copytree(find("prompts", "qa/zh.v1", ".md").parent, root / "prompts" / "qa", dirs_exist_ok=True)
    for path in (root / "prompts" / "qa").glob("*.md"):
        path.write_text(path.read_text(encoding="utf-8").rstrip() + f"\n\n{mark}\n", encoding="utf-8")


def test_a_run_asks_with_the_workspaces_prompts_and_again_when_they_are_edited(
    tmp_path: Path, docs: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ws"
    _own_prompts(root, "我们的口径：礼貌、简短。")
    with StubServer() as stub:
        strategies = f'generate.strategies=[{{kind: qa, model: "openai:stub@{stub.base_url}"}}]'
        arguments = ["run", str(recipe), "--docs", str(docs), "--set", strategies, "--set", "sizes=[8]", "--until", "register", "--json"]
        assert main(["-w", str(root), *arguments]) == 0
        assert stub.prompts
        assert all("我们的口径：礼貌、简短。" in json.dumps(p, ensure_ascii=False) for p in stub.prompts)
        asked = len(stub.prompts)

        _own_prompts(tmp_path / "library", "公司口径第二版。")
        assert main(["--library", str(tmp_path / "library"), "-w", str(root), *arguments]) == 0
        later = [json.dumps(p, ensure_ascii=False) for p in stub.prompts[asked:]]
        assert later
        assert all("公司口径第二版。" in p and "我们的口径" not in p for p in later)
    capsys.readouterr()
