"""``chat`` and ``serve`` on the tiny model: prepared questions, blind votes, streaming, and the endpoint over real HTTP."""

import importlib.util
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest

from datagen.cli import main
from datagen.jsonl import read_rows, write_jsonl
from datagen.probe.models.backend import quiet_peft, require_torch
from datagen.probe.talk.session import Question, Session
from datagen.probe.talk.votes import Choice, read_votes
from datagen.testing.tiny_model import build_tiny_model

QUESTIONS = ("几点可以入住？", "What time is check-out?", "早餐多少钱？", "Is there a pool?")


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two adapters on one tiny model, at random, so that each says something of its own."""
    require_torch()
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("talk")
    base = build_tiny_model(folder / "tiny")
    made: list[Path] = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model: Any = AutoModelForCausalLM.from_pretrained(base)
        config = LoraConfig(r=4, init_lora_weights=False, task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj"])
        with quiet_peft():
            get_peft_model(model, config).save_pretrained(str(folder / f"v{seed}"))
        made.append(folder / f"v{seed}")
    return made


def _chat(adapters: Sequence[Path], *more: str | Path) -> list[str]:
    return ["chat", *(w for a in adapters for w in ("--adapter", str(a))), "--max-new-tokens", "6", *map(str, more)]


def test_a_prepared_file_is_answered_by_base_and_every_adapter(
    tmp_path: Path, adapters: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = tmp_path / "questions.txt"
    prompts.write_text("\n".join(QUESTIONS) + "\n", encoding="utf-8")
    out = tmp_path / "answers.jsonl"
    assert main(_chat(adapters, "--prompts", prompts, "--limit", "3", "-o", out, "--json")) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["speakers"] == ["base", "v1", "v2"]
    assert [row["question"] for row in value["answers"]] == list(QUESTIONS[:3])
    assert all(set(row["answers"]) == {"base", "v1", "v2"} for row in value["answers"])
    assert any(len(set(row["answers"].values())) > 1 for row in value["answers"])
    assert [r.value for r in read_rows(out)] == value["answers"]
    assert main(_chat(adapters, "--prompts", prompts, "--limit", "3")) == 0
    said = capsys.readouterr().out
    assert said.count("[base] ") == said.count("[v2] ") == 3


def test_rows_bring_their_persona_and_reference(tmp_path: Path, adapters: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    prompts = tmp_path / "rows.jsonl"
    write_jsonl(prompts, [{"instruction": "你是前台。", "input": QUESTIONS[0], "output": "下午两点。"}])
    assert main(_chat(adapters[:1], "--prompts", prompts, "--no-base", "--json")) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["answers"][0]["reference"] == "下午两点。"
    assert "reference: 下午两点。" in captured.err


def test_blind_votes_are_kept_and_give_a_win_rate_with_an_interval(
    tmp_path: Path, adapters: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts, votes = tmp_path / "questions.txt", tmp_path / "votes.jsonl"
    prompts.write_text("\n".join(QUESTIONS), encoding="utf-8")
    arguments = _chat(adapters[:1], "--prompts", prompts, "--blind", "--votes", votes, "--json")
    monkeypatch.setattr(sys, "stdin", io.StringIO("1\nwhat?\n2\nq\n"))
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["votes"] == 2
    # Names are hidden until the vote is given.
    shown, _, revealed = captured.err.partition("better: ")
    assert "[A] " in shown
    assert "[B] " in shown
    assert "base" not in shown
    assert "v1" not in shown
    assert "was base" in revealed
    first = read_votes(votes)
    # The same call goes on with the questions not voted on yet.
    monkeypatch.setattr(sys, "stdin", io.StringIO("t\n1\n"))
    assert main(arguments) == 0
    value = json.loads(capsys.readouterr().out)
    kept = read_votes(votes)
    assert kept[:2] == first
    assert [v.question for v in kept] == list(QUESTIONS)
    (rate,) = value["win_rates"]
    assert (rate["first"], rate["second"]) == ("base", "v1")
    assert (rate["wins"] + rate["losses"], rate["ties"]) == (3, 1)
    assert 0 <= rate["low"] < rate["rate"] < rate["high"] <= 1


def test_a_blind_vote_needs_two(adapters: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_chat(adapters[:1], "--no-base", "--blind")) == 2
    assert "needs two" in capsys.readouterr().err


def test_a_typed_conversation_is_remembered_until_new(
    adapters: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{QUESTIONS[0]}\n{QUESTIONS[0]}\n/new\n{QUESTIONS[0]}\n/quit\n"))
    assert main(_chat(adapters, "--json")) == 0
    first, second, again = json.loads(capsys.readouterr().out)["answers"]
    assert again == first
    assert second["answers"] != first["answers"]


class _Recorder:
    """A screen that writes down what it is shown."""

    def __init__(self) -> None:
        self.grown: list[tuple[int, str]] = []
        self.ended = False

    def begin(self, question: Question, titles: Sequence[str]) -> None:
        self.titles = list(titles)

    def grow(self, column: int, text: str) -> None:
        assert not self.ended
        self.grown.append((column, text))

    def end(self) -> None:
        self.ended = True

    def ask_vote(self) -> Choice:
        return "skip"

    def reveal(self, names: Sequence[str]) -> None: ...


def test_answers_grow_side_by_side(adapters: list[Path]) -> None:
    from datagen.probe.talk.speakers import load_speakers

    screen = _Recorder()
    found = Session(load_speakers("", adapters), screen, max_new_tokens=40, temperature=1.0).ask(Question(QUESTIONS[1]))
    assert found is not None
    assert screen.ended
    assert screen.titles == ["base", "v1", "v2"]
    for column, name in enumerate(screen.titles):
        texts = [text for c, text in screen.grown if c == column]
        assert len(texts) > 2
        assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
        assert texts[-1] == found.answers[name]
    # Nobody waits for another to end.
    first_end = min(max(i for i, (c, _) in enumerate(screen.grown) if c == column) for column in range(3))
    assert {c for c, _ in screen.grown[:first_end]} == {0, 1, 2}


class _Served(NamedTuple):
    process: "subprocess.Popen[str]"
    url: str
    model: str
    folder: Path


@pytest.fixture(scope="module")
def served(adapters: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Generator[_Served]:
    missing = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"transformers serve needs {', '.join(missing)}: pip install 'datagen[serve]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = tmp_path_factory.mktemp("served")
    # An empty home: a fresh machine has no Hugging Face cache.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | {"HOME": str(root)}
    command = [sys.executable, "-m", "datagen", "-w", str(root), "serve", str(adapters[0]), "--port", str(port), "--engine", "transformers"]
    with (root / "log").open("w") as log:
        process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        assert process.stdout is not None
        value = json.loads(process.stdout.readline())
        _wait_until_up(process, port, root / "log")
        yield _Served(process, value["base_url"], value["model"], Path(value["folder"]))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert process.stdout.read() == ""
        process.stdout.close()


def _wait_until_up(process: "subprocess.Popen[str]", port: int, log: Path) -> None:
    for _ in range(240):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"no server after two minutes: {log.read_text(encoding='utf-8')}")


def test_the_endpoint_answers_as_chat_does_whole_and_streamed(served: _Served, capsys: pytest.CaptureFixture[str]) -> None:
    from openai import OpenAI

    client = OpenAI(base_url=served.url, api_key="none", max_retries=0)
    assert [m.id for m in client.models.list()] == [served.model]
    asked: list[Any] = [{"role": "user", "content": QUESTIONS[0]}]
    whole = client.chat.completions.create(model=served.model, messages=asked, max_tokens=8).choices[0].message.content
    stream = client.chat.completions.create(model=served.model, messages=asked, max_tokens=8, stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices and chunk.choices[0].delta.content]
    assert len(pieces) > 1
    assert "".join(pieces) == whole
    capsys.readouterr()
    questions = served.folder.parent / "one.txt"
    questions.write_text(QUESTIONS[0], encoding="utf-8")
    arguments = ["chat", "--adapter", str(served.folder), "--no-base", "--prompts", str(questions), "--max-new-tokens", "8", "--json"]
    assert main(arguments) == 0
    assert list(json.loads(capsys.readouterr().out)["answers"][0]["answers"].values()) == [whole]


def test_a_dry_run_prints_the_command_and_starts_nothing(tmp_path: Path, adapters: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-w", str(tmp_path), "serve", str(adapters[0]), "--engine", "transformers", "--dry-run", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert not value["started"]
    assert value["command"][-4:] == ["--host", "127.0.0.1", "--port", "8000"]
    assert (Path(value["folder"]) / "config.json").is_file()
