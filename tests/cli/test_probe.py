"""datagen probe on the tiny model."""

import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import write_jsonl
from datagen.probe.models.backend import require_torch
from datagen.schemas.record import completion_text, question_answer
from datagen.schemas.sample import Provenance, Sample
from datagen.testing.tiny_model import build_tiny_model


def _samples(phrasing: str, *, eval_set: str = "") -> list[Sample]:
    tags = {"language": "zh"} | ({"eval_set": eval_set} if eval_set else {})
    return [
        Sample.of(
            question_answer(phrasing.format(floor), f"{floor}层客房每晚{300 + floor}元。"),
            provenance=Provenance(document=f"floor{floor % 4}.md"),
            tags=tags,
        )
        for floor in range(8)
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_torch()
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("cli")
    build_tiny_model(folder / "tiny")
    write_jsonl(folder / "old.jsonl", [s.to_json() for s in _samples("{}层多少钱？")[:4]])
    write_jsonl(folder / "new.jsonl", [s.to_json() for s in _samples("{}层多少钱？")])
    write_jsonl(folder / "exam.jsonl", [s.to_json() for s in _samples("请问{}层客房的价格？", eval_set="recall")])
    return folder


def _probe(files: Path, *more: str) -> int:
    given = f"-w {files / 'work'} probe --train {files / 'new.jsonl'} --baseline {files / 'old.jsonl'} --eval {files / 'exam.jsonl'}"
    settings = f"--model {files / 'tiny'} --seeds 2 --epochs 2 --learning-rate 0.005 --answers 1"
    return main([*given.split(), *settings.split(), *more])


def test_json_is_one_object_and_verdict_repeats_it(files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _probe(files, "-o", str(files / "out"), "--json") == 0
    printed = json.loads(capfd.readouterr().out)
    assert printed["verdict"] in {"BETTER", "WORSE", "EQUIVALENT", "INCONCLUSIVE"}
    assert [a["rows"] for a in printed["arms"]] == [4, 8]
    assert printed["out"] == str(files / "out")
    assert main(["verdict", str(files / "out"), "--json"]) == 0
    again = json.loads(capfd.readouterr().out)
    assert again["verdicts"] == printed["verdicts"]
    assert main(["verdict", str(files / "out")]) == 0
    assert capfd.readouterr().out.startswith(printed["verdict"])


def test_wrong_options_exit_2(files: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _probe(files, "--retrieval") == 2
    assert "leave out --baseline" in capfd.readouterr().err
    assert _probe(files, "--goal", "speed") == 2
    assert "--goal: Input should be 'knowledge' or 'style', got 'speed'" in capfd.readouterr().err
    assert _probe(files, "--model", str(tmp_path / "absent")) == 2
    assert "neither a known name nor an existing folder" in capfd.readouterr().err


def test_broken_sample_names_its_line(files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = (files / "new.jsonl").read_text(encoding="utf-8").splitlines()
    (files / "broken.jsonl").write_text(lines[0] + '\n{"id": "x", "record": {"kind": "chat"}}\n', encoding="utf-8")
    assert _probe(files, "--gold", str(files / "broken.jsonl")) == 1
    assert "broken.jsonl:2: not a datagen sample" in capfd.readouterr().err


def test_a_leaking_pair_is_refused_before_any_training(files: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    exam = _samples("请问{}层客房的价格？", eval_set="recall")
    shared = Sample.of(question_answer("加床多少钱？", completion_text(exam[2].record)))
    write_jsonl(tmp_path / "leaking.jsonl", [s.to_json() for s in [*_samples("{}层多少钱？")[:3], shared, exam[5].tagged(eval_set="")]])
    given = f"-w {tmp_path} probe --train {tmp_path / 'leaking.jsonl'} --eval {files / 'exam.jsonl'} --model {tmp_path / 'absent'}".split()
    assert main(given) == 1
    said = capfd.readouterr().err
    assert f"{tmp_path / 'leaking.jsonl'}:5 ~ {files / 'exam.jsonl'}:6: exact, 1.00" in said
    assert "leaking.jsonl:4" not in said
    assert "--allow-leaks" in said
    assert main([*given, "--allow-leaks"]) == 2
    assert "neither a known name nor an existing folder" in capfd.readouterr().err
