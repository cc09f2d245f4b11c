"""The retired SDK, in a venv of its own (``make gemini-legacy-venv``), against the stub; what needs no SDK runs everywhere."""

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from datagen.clients import ChatMessage, ChatRequest, Parameters, open_client
from datagen.clients.gemini_legacy import build_legacy
from datagen.errors import MissingExtra
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_server import StubServer

VENV = Path(os.environ.get("DATAGEN_GEMINI_LEGACY_VENV", "/root/.cache/gemini-legacy-venv"))


def ask(stub: StubServer) -> list[dict[str, Any]]:
    if not (VENV / "bin" / "python").exists():
        pytest.skip(f"no venv with google-generativeai at {VENV}: make gemini-legacy-venv")
    driver = Path(__file__).with_name("gemini_legacy_driver.py")
    command = [str(VENV / "bin" / "python"), "-W", "ignore", str(driver), stub.gemini_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_builds_what_the_old_sdk_takes() -> None:
    messages = (ChatMessage("system", "客服"), ChatMessage("user", "押金？"))
    request = ChatRequest("gemini-legacy", "u", "g", messages, Parameters(0.5, 64, 7), {})
    model, call = build_legacy(request)
    assert model == {"model_name": "g", "system_instruction": "客服"}
    assert call == {
        "contents": [{"role": "user", "parts": [{"text": "押金？"}]}],
        "generation_config": {"temperature": 0.5, "max_output_tokens": 64, "response_mime_type": "application/json"},
    }


@pytest.mark.skipif(importlib.util.find_spec("google.generativeai") is not None, reason="the SDK is installed here")
def test_without_the_sdk_the_extra_is_named() -> None:
    with pytest.raises(MissingExtra) as caught:
        open_client("gemini-legacy:g@http://127.0.0.1:1", None, concurrency=1)
    assert "datagen[gemini-legacy]" in caught.value.hint


@pytest.mark.slow
def test_the_old_sdk_over_http() -> None:
    with StubServer(faults=Faults({"503": 0.2, "429": 0.2}, seed=2, retry_after_s=0.01)) as stub:
        answers = ask(stub)
        stats = stub.stats()
    assert [a["text"].split("\n")[-1] for a in answers] == [f"第 {i} 问" for i in range(10)]
    assert {a["finish_reason"] for a in answers} == {"stop"}
    assert (stats["paid"], stats["paid_twice"]) == (10, 0)
    assert sum(a["tokens_in"] for a in answers) == stats["paid_tokens_in"]


@pytest.mark.slow
def test_a_daily_quota_ends_the_old_sdk_too() -> None:
    with StubServer(faults=Faults({"quota": 1})) as stub:
        answers = ask(stub)
    assert all("answered 429" in a["error"] for a in answers)
    assert stub.stats()["requests"] <= 8
