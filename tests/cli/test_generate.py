"""``datagen generate`` and ``datagen serve-stub`` as users run them; resuming after kill -9 pays for nothing twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main
from datagen.generate.distinct import refuse_near
from datagen.generate.specs import SPECS
from datagen.jsonl import read_rows
from datagen.schemas.record import ConversationRecord
from datagen.schemas.sample import Sample
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_server import StubServer
from datagen.text import estimate_tokens

RULE_ZH = "会员在第 {i} 条线路预订时，可以享受 {p}% 的折扣，但须提前 {d} 天付清全款。"
RULE_EN = "Bookings on route {i} include {p} kilograms of luggage and may be changed up to {d} days before departure."


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, head, rule in (("zh", "# 会员线路优惠", RULE_ZH), ("en", "# Luggage and changes", RULE_EN)):
        for part in range(3):
            numbers = range(part * 20, part * 20 + 20)
            lines = [rule.format(i=100 + i, p=5 + (i * 7) % 83, d=1 + (i * 5) % 29) for i in numbers]
            (folder / f"{name}{part}.md").write_text(f"{head} {part}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any, str]:
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out.startswith("{") else captured.out, captured.err


def samples(path: Path) -> list[Sample]:
    return [Sample.model_validate(row.value) for row in read_rows(path)]


def test_rows_of_both_languages_in_the_persona_style(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.jsonl"
    with StubServer(faults=Faults({"ungrounded": 0.3, "torn_json": 0.2, "429": 0.2}, retry_after_s=0.01)) as stub:
        model = f"openai:stub@{stub.base_url}"
        command = ("-w", tmp_path, "generate", docs, "--model", model, "-n", 40, "--max-tokens", 128, "-o", out, "--json")
        code, value, _ = run(capsys, *command)
        first = out.read_bytes()
        again_code, again, _ = run(capsys, *command)
        assert stub.stats()["paid_twice"] == 0
    assert (code, again_code) == (0, 0)
    assert (value["accepted"], value["target"], value["cached"], value["out"]) == (40, 40, 0, str(out))
    assert (again["cached"], again["paid_tokens_in"], again["requests"]) == (value["requests"], 0, value["requests"])
    assert value["paid_tokens_out"] == value["tokens_out"] > 0
    assert out.read_bytes() == first
    rows = samples(out)
    assert {s.tags["language"] for s in rows} == {"zh", "en"}
    assert {s.tags["row_style"] for s in rows} == {"persona"}
    assert all(isinstance(s.record, ConversationRecord) and s.record.persona for s in rows)
    dropped = [row.value for row in read_rows(tmp_path / "out.dropped.jsonl")]
    assert len(dropped) == sum(value["dropped"].values()) > 0
    assert {d["reason"] for d in dropped} == set(value["dropped"])


def test_short_of_the_target_is_exit_code_1(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StubServer() as stub:
        model = f"openai:stub@{stub.base_url}"
        code, value, _ = run(
            capsys, "-w", tmp_path, "generate", docs / "zh0.md", "--model", model, "-n", 5000, "-o", tmp_path / "o.jsonl", "--json"
        )
    assert code == 1
    assert 0 < value["accepted"] < 5000
    assert len(samples(tmp_path / "o.jsonl")) == value["accepted"]


def test_extractive_needs_no_model(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "o.jsonl"
    options = ("--strategy", "extractive", "--style", "task", "-n", 10, "-o", out, "--json")
    code, value, _ = run(capsys, "-w", tmp_path, "generate", docs, *options)
    assert (code, value["accepted"], value["requests"], value["tokens_in"]) == (0, 10, 0, 0)
    assert {s.tags["row_style"] for s in samples(out)} == {"task"}
    assert not (tmp_path / ".datagen").exists()


def test_any_strategy_and_its_settings_on_the_command_line(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "o.jsonl"
    with StubServer() as stub:
        common = ("-w", tmp_path, "generate", docs, "--model", f"openai:stub@{stub.base_url}", "--max-tokens", 128, "-n", 12, "-o", out)
        dialogue = (*common, "--strategy", "multi_turn", "--with", "turns=2", "--json")
        code, dry, _ = run(capsys, *dialogue, "--dry-run")
        assert (code, stub.stats()["requests"]) == (0, 0)
        code, value, _ = run(capsys, *dialogue)
        assert (code, value["accepted"]) == (0, 12)
        assert {s.tags["turns"] for s in samples(out)} == {"2"}
        assert dry["requests"] >= 3
        code, priced, _ = run(capsys, *common, "--strategy", "evolve", "--json", "--dry-run")
        assert (code, priced["requests"]) == (0, 3 * dry["requests"])
        code, priced, _ = run(capsys, *common, "--strategy", "qa", "--reasoning", "keep", "--json", "--dry-run")
        assert (code, priced["requests"]) == (0, 15)  # a request a row: 12 rows at the yield to expect
        # Only qa has prompts for the exam: it stands in for the others.
        code, value, _ = run(capsys, *dialogue, "--exam")
    assert (code, value["accepted"], {s.provenance.strategy for s in samples(out)}) == (0, 12, {"qa"})
    assert {s.provenance.prompt for s in samples(out)} == {"qa/exam_zh.v1", "qa/exam_en.v1"}


def test_rows_are_distinct_judged_and_their_yield_is_minded(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "o.jsonl"
    with StubServer(faults=Faults({"duplicate": 1, "ungrounded": 0.5})) as stub:
        model = f"openai:stub@{stub.base_url}"
        common = ("-w", tmp_path, "generate", docs, "--model", model, "--max-tokens", 128, "--items", 2, "-n", 30, "-o", out, "--json")
        code, value, err = run(capsys, *common, "--judge", f"openai:judge@{stub.base_url}", "--near", 0.6)
        assert (code, value["accepted"]) == (0, 30)
        assert value["dropped"]["exact_duplicate"] >= 5
        assert value["yield"] == round(30 / (30 + sum(value["dropped"].values())), 4)
        rows = samples(out)
        assert {s.scores["judge"] for s in rows} == {5.0}
        assert "30/30 rows" in err
        assert "exact_duplicate" in err
        code, again, err = run(capsys, *common, "--min-yield", 0.95)
    index = refuse_near(threshold=0.6)
    assert [index(s) for s in rows] == [None] * 30
    assert (code, again["accepted"]) == (1, 30)
    assert "below the least wanted, 95%" in err


def test_a_budget_holds_over_writer_and_judge(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prices.yaml").write_text("stub: {input: 100.0, output: 100.0}\njudge: {input: 100.0, output: 100.0}\n", encoding="utf-8")
    with StubServer(latency_ms=5) as stub:
        models = ("--model", f"openai:stub@{stub.base_url}", "--judge", f"openai:judge@{stub.base_url}")
        common = ("-w", tmp_path, "generate", docs, *models, "--max-tokens", 128, "-o", tmp_path / "o.jsonl")
        code, value, _ = run(capsys, *common, "-n", 100, "--budget", 1.0, "--json")
        stats = stub.stats()
    assert code == 1
    assert value["stopped"].startswith("the budget of $1.00 ends here")
    assert 0.4 < (stats["paid_tokens_in"] + stats["paid_tokens_out"]) / 1e4 <= 1
    assert value["accepted"] > 0


def test_strategies_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, value, _ = run(capsys, "ls", "strategies", "--json")
    assert (code, [f["name"] for f in value["found"]]) == (0, list(SPECS))
    (dialogue,) = (f for f in value["found"] if f["name"] == "multi_turn")
    assert (dialogue["method"], dialogue["model"], dialogue["settings"]) == ("sft", "yes", ["reasoning", "turns"])
    code, text, _ = run(capsys, "ls", "strategies")
    assert "preference        dpo  model: optional" in text
    code, _, err = run(capsys, "ls", "strategeis")
    assert (code, "did you mean 'strategies'" in err) == (2, True)


def test_replay_runs_offline(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StubServer() as stub:
        model = f"openai:stub@{stub.base_url}"
        code, _, _ = run(capsys, "-w", tmp_path, "generate", docs, "--model", model, "-n", 10, "-o", tmp_path / "a.jsonl", "--exam")
        assert code == 0
    options = ("-n", 10, "--exam", "-o", tmp_path / "b.jsonl")
    code, _, _ = run(capsys, "-w", tmp_path, "generate", docs, "--model", f"replay:{model}", *options)
    assert code == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    code, _, err = run(capsys, "-w", tmp_path, "generate", docs, "--model", f"replay:{model}", "-n", 10, "-o", tmp_path / "c.jsonl")
    assert code == 1
    assert "replay: no stored response" in err
    assert not (tmp_path / "c.jsonl").exists()


def test_dry_run_prices_what_the_store_does_not_have(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prices.yaml").write_text("stub: {input: 1.0, output: 10.0}\n", encoding="utf-8")
    with StubServer() as stub:
        model = f"openai:stub@{stub.base_url}"
        common = ("-w", tmp_path, "generate", docs, "--model", model, "--max-tokens", 128, "-o", tmp_path / "o.jsonl", "--json")
        code, before, _ = run(capsys, *common, "-n", 100, "--dry-run")
        assert (code, stub.stats()["requests"], (tmp_path / "o.jsonl").exists()) == (0, 0, False)
        assert not (tmp_path / ".datagen").exists()
        code, value, _ = run(capsys, *common, "-n", 100)
        code, same, _ = run(capsys, *common, "-n", 100, "--dry-run")
        code, more, _ = run(capsys, *common, "-n", 150, "--dry-run")
        paid = stub.stats()["paid"]
    assert (before["cached"], before["measured"], before["rows"]) == (0, False, 100)
    assert before["requests"] == 25
    assert 0 < before["cost_usd"] < before["cost_most_usd"]
    assert value["paid_usd"] == pytest.approx(value["paid_tokens_in"] / 1e6 + value["paid_tokens_out"] / 1e5, abs=1e-6)
    # The stub yields less than the prior of 80 %, so the run takes more requests; one request is estimated well.
    assert before["tokens_in"] / before["requests"] == pytest.approx(value["tokens_in"] / value["requests"], rel=0.1)
    assert (same["cached"], same["tokens_in"], same["cost_usd"]) == (same["requests"], 0, 0)
    assert (more["measured"], more["cached"]) == (True, paid)
    assert more["requests"] > paid


def test_dry_run_prices_the_judge(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prices.yaml").write_text("stub: {input: 1.0, output: 10.0}\njudge: {input: 2.0, output: 20.0}\n", encoding="utf-8")
    with StubServer() as stub:
        models = ("--model", f"openai:stub@{stub.base_url}", "--judge", f"openai:judge@{stub.base_url}")
        common = ("-w", tmp_path, "generate", docs, "--max-tokens", 128, "-o", tmp_path / "o.jsonl", "--json", "-n", 60)
        _, alone, _ = run(capsys, *common, *models[:2], "--dry-run")
        code, before, _ = run(capsys, *common, *models, "--dry-run")
        assert (code, stub.stats()["requests"]) == (0, 0)
        _, pairs, _ = run(capsys, *common, *models, "--strategy", "preference", "--dry-run")
        _, refusals, _ = run(capsys, *common, *models, "--strategy", "unanswerable", "--dry-run")
        _, offline, _ = run(capsys, *common, *models[2:], "--strategy", "extractive", "--dry-run")
        assert (stub.stats()["requests"], (tmp_path / ".datagen").exists()) == (0, 0)
        _, value, _ = run(capsys, *common, *models)
        _, same, _ = run(capsys, *common, *models, "--dry-run")
    judge = before["judge"]
    assert before["requests"] == 17 + judge["requests"]
    assert before["cost_usd"] > alone["cost_usd"] + judge["cost_usd"] / 2 > alone["cost_usd"]
    assert 0 < judge["cost_usd"] < judge["cost_most_usd"] < before["cost_most_usd"]
    # The judge lets nine of ten through, so 67 to 68 rows are read for 60; of a pair both orders are.
    assert judge["requests"] == 68
    assert (pairs["judge"]["requests"], refusals["judge"]["requests"]) == (2 * 68, 0)
    assert judge["tokens_in"] / judge["requests"] == pytest.approx(_graded(stub), rel=0.35)
    # Rows of rules are there before anything is sent: their requests are exact.
    assert offline["requests"] == offline["judge"]["requests"] >= 60
    assert (same["cached"], same["cost_usd"], same["judge"]["cached"]) == (same["requests"], 0, same["judge"]["requests"])
    assert 60 <= same["requests"] <= value["requests"]


def _graded(stub: StubServer) -> float:
    """Return the mean tokens of a judge's prompt."""
    prompts = [sum(estimate_tokens(m["content"]) for m in body["messages"]) for body in stub.prompts if body["model"] == "judge"]
    return sum(prompts) / len(prompts)


def test_a_budget_ends_the_run_with_its_rows(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prices.yaml").write_text("stub: {input: 100.0, output: 100.0}\n", encoding="utf-8")
    with StubServer(latency_ms=5) as stub:
        model = f"openai:stub@{stub.base_url}"
        common = ("-w", tmp_path, "generate", docs, "--model", model, "--max-tokens", 128, "-o", tmp_path / "o.jsonl", "--json")
        code, value, _ = run(capsys, *common, "-n", 100, "--budget", 1.0, "--concurrency", 64)
        stats = stub.stats()
    assert code == 1
    assert value["stopped"].startswith("the budget of $1.00 ends here: $0.")
    assert 0.5 < (stats["paid_tokens_in"] + stats["paid_tokens_out"]) / 1e4 <= 1
    assert 0 < value["accepted"] < 100
    assert len(samples(tmp_path / "o.jsonl")) == value["accepted"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--strategy", "qua", "-n", "1"], "did you mean 'qa'"),
        (["--style", "tasks"], "did you mean 'task'"),
        (["--strategy", "multi_turn", "--model", "openai:m", "--with", "turn=4"], "--with turn=4: no such setting of multi_turn"),
        (["--strategy", "qa", "--model", "openai:m", "--reasoning", "kept"], "--with reasoning: Input should be 'strip' or 'keep'"),
        (["--strategy", "multi_turn", "--model", "openai:m", "--with", "turns=1"], "turns: Input should be greater than or equal to 2"),
        (["--strategy", "evolve"], "--strategy evolve needs --model"),
        (["--strategy", "qa"], "--strategy qa needs --model"),
        (["--model", "gemini:g"], "set the environment variable GEMINI_API_KEY"),
        (["--model", "openai:m@https://llm.example/v1"], "set the environment variable OPENAI_API_KEY"),
    ],
)
def test_wrong_usage(
    options: list[str], words: str, tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    code, out, err = run(capsys, "-w", tmp_path, "generate", docs, "-o", tmp_path / "o.jsonl", *options)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_kill_9_loses_only_what_was_in_flight(tmp_path: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    concurrency = 2
    options = ["-n", "48", "--max-tokens", "128", "--concurrency", str(concurrency), "--items", "3"]
    with StubServer(latency_ms=60) as stub:
        model = f"openai:stub@{stub.base_url}"
        common = ["generate", str(docs), "--model", model, *options]
        code, _, _ = run(capsys, "-w", tmp_path / "undisturbed", *common, "-o", tmp_path / "a.jsonl")
        assert code == 0
        needed = stub.stats()["paid"]
    # The same port, since the base URL is part of a request's key.
    with StubServer(latency_ms=60, port=stub.port) as stub:
        command = [sys.executable, "-m", "datagen", "-w", str(tmp_path / "killed"), *common, "-o", str(tmp_path / "b.jsonl")]
        for kill_after in (3, 8):
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            _wait_until(lambda n=kill_after: stub.stats()["paid"] >= n)
            os.kill(process.pid, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / "b.jsonl").exists()
        code, _, _ = run(capsys, "-w", tmp_path / "killed", *common, "-o", tmp_path / "b.jsonl")
        stats = stub.stats()
    assert code == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert stats["paid_twice"] <= 2 * concurrency
    assert stats["paid"] <= needed + 2 * concurrency


def test_serve_stub_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "datagen", "serve-stub", "--faults", "429=0.5", "--seed", "3", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        value = json.loads(process.stdout.readline())
        assert value["model"] == f"openai:stub@{value['base_url']}"
        process.send_signal(signal.SIGTERM)
        assert "answered 0 requests" in process.stderr.read()
        assert process.wait(timeout=10) == 0


def test_serve_stub_refuses_unknown_faults(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "serve-stub", "--faults", "troll=1")
    assert code == 2
    assert "no such fault" in err


def _wait_until(condition: Any) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("nothing happened within 12 s")
