"""Model specs."""

import pytest

from datagen.clients.spec import ModelSpec, parse_spec
from datagen.errors import UsageError


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("openai:gpt-4.1-mini", ModelSpec("openai", "gpt-4.1-mini", "https://api.openai.com/v1")),
        ("openai:qwen3:4b@http://127.0.0.1:11434/v1/", ModelSpec("openai", "qwen3:4b", "http://127.0.0.1:11434/v1")),
        ("openai:org/model@tuned@https://llm.example/v1", ModelSpec("openai", "org/model@tuned", "https://llm.example/v1")),
        ("replay:openai:stub@http://localhost:8/v1", ModelSpec("openai", "stub", "http://localhost:8/v1", replay=True)),
    ],
)
def test_reads(spec: str, expected: ModelSpec) -> None:
    assert parse_spec(spec, {}) == expected


def test_base_url_comes_from_the_environment() -> None:
    assert parse_spec("openai:m", {"OPENAI_BASE_URL": "https://proxy.example/v1"}).base_url == "https://proxy.example/v1"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("opnai:gpt", "did you mean 'openai'"),
        ("gpt-4.1", "is not a provider"),
        ("openai:", "no model name"),
        ("gemini:", "for example: gemini:gemini-2.5-flash"),
        ("local:", "a name of `datagen models`"),
        ("openai:m@https://user:sk-secret@llm.example/v1", "OPENAI_API_KEY"),
        ("openai:m@https://llm.example/v1?api_key=sk-secret", "OPENAI_API_KEY"),
        ("openai:m@http://host:99999999/v1", "not a URL"),
    ],
)
def test_refuses(spec: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_spec(spec, {})
    assert words in str(caught.value)
    assert "sk-secret" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("url", "local"), [("http://127.0.0.1:1/v1", True), ("http://[::1]:1/v1", True), ("http://10.0.0.1/v1", False)])
def test_loopback(url: str, local: bool) -> None:
    assert parse_spec(f"openai:m@{url}", {}).loopback is local
