import re
from pathlib import Path

import pytest

from datagen import library
from datagen.errors import UsageError


def test_workspace_comes_before_builtin_and_library_before_both(tmp_path: Path) -> None:
    for root in ("lib", "ws"):
        (tmp_path / root / "pipelines").mkdir(parents=True)
        (tmp_path / root / "pipelines" / "quickstart.yaml").write_text(root)
    assert library.find("pipelines", "quickstart", ".yaml", roots=(tmp_path / "ws",)).read_text() == "ws"
    assert library.find("pipelines", "quickstart", ".yaml", roots=(tmp_path / "lib", tmp_path / "ws")).read_text() == "lib"
    assert library.find("pipelines", "quickstart", ".yaml").parent.name == "pipelines"


@pytest.mark.parametrize("name", ["../secrets", "/etc/passwd", "a/../../b"])
def test_names_do_not_leave_the_library(name: str) -> None:
    with pytest.raises(UsageError, match="must not leave"):
        library.find("pipelines", name, ".yaml")


def test_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(UsageError) as caught:
        library.find("pipelines", "quickstrat", ".yaml")
    assert "did you mean 'quickstart'" in caught.value.hint


def test_the_readme_names_every_prompt_in_both_languages_and_no_other() -> None:
    readme = (library.builtin_root() / "prompts" / "README.md").read_text(encoding="utf-8")
    named = {f"{start}{language}{end}" for start, end in re.findall(r"`([\w/]+)\{zh,en\}(\.v\d+)`", readme) for language in ("zh", "en")}
    assert len(named) == 44
    assert named == set(library.names("prompts", ".md"))


def test_a_readme_among_prompts_is_no_prompt(tmp_path: Path) -> None:
    own = tmp_path / "prompts" / "qa"
    own.mkdir(parents=True)
    for name in ("README.md", "zh.v2.md", "notes.md", "zh.v1.md"):
        (own / name).write_text("---\n---\n", encoding="utf-8")
    found = library.names("prompts", ".md", roots=(tmp_path,))
    assert not [name for name in found if "README" in name or "notes" in name]
    assert found["qa/zh.v1"] == own / "zh.v1.md", "the workspace's stands before the built-in one"
    assert {"qa/zh.v2", "qa/en.v1", "judge/en.v1"} <= set(found)
