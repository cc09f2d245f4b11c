"""Keys come from the environment or an owner-only file outside the workspace; messages never show one."""

from pathlib import Path

import pytest

from datagen.clients.keys import find_key
from datagen.errors import UsageError

OPENAI = "https://api.openai.com/v1"
KEY = "sk-proj-0123456789abcdef"


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "keys.env"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_environment_counts_before_the_file(tmp_path: Path) -> None:
    path = key_file(tmp_path / "home", f"# 我的密钥\nexport OPENAI_API_KEY='{KEY}'\nGEMINI_API_KEY=AIza-1\n")
    env = {"DATAGEN_KEY_FILE": str(path)}
    assert find_key("openai", OPENAI, environ=env) == KEY
    assert find_key("openai", OPENAI, environ={**env, "OPENAI_API_KEY": "sk-other"}) == "sk-other"
    assert find_key("gemini", "https://generativelanguage.googleapis.com", environ=env) == "AIza-1"


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"), ("https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY")],
)
def test_an_endpoint_has_its_own_name_first(url: str, name: str) -> None:
    assert find_key("openai", url, environ={name: "sk-own", "OPENAI_API_KEY": "sk-openai"}) == "sk-own"
    assert find_key("openai", url, environ={"OPENAI_API_KEY": "sk-openai"}) == "sk-openai"


def test_a_key_file_in_the_workspace_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path / "ws" / "secret", f"OPENAI_API_KEY={KEY}\n")
    link = tmp_path / "link.env"
    link.symlink_to(path)
    for named in (path, link):
        with pytest.raises(UsageError, match="lies in the workspace") as caught:
            find_key("openai", OPENAI, workspace=tmp_path / "ws", environ={"DATAGEN_KEY_FILE": str(named)})
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (f"OPENAI_API_KEY={KEY}\n", 0o644, "others may read"),
        (f"OPENAI_API_KEY {KEY}\n", 0o600, r"keys\.env:1: expected NAME=VALUE"),
        ("OPENAI_API_KEY=密钥\n", 0o600, "characters no key has"),
    ],
)
def test_unusable_files_are_named_without_the_key(tmp_path: Path, text: str, mode: int, words: str) -> None:
    path = key_file(tmp_path, text, mode)
    with pytest.raises(UsageError, match=words) as caught:
        find_key("openai", OPENAI, environ={"DATAGEN_KEY_FILE": str(path)})
    assert KEY not in str(caught.value)


def test_no_file_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which is not a file"):
        find_key("openai", OPENAI, environ={"DATAGEN_KEY_FILE": str(tmp_path / "none.env")})
