"""``datagen leak``."""

import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import write_jsonl


def write(path: Path, *rows: tuple[str, str]) -> str:
    write_jsonl(path, ({"question": q, "answer": a} for q, a in rows))
    return str(path)


def test_leaks_are_listed_and_the_exit_code_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write(tmp_path / "train.jsonl", ("健身房在几楼？", "三楼。"), ("Is breakfast included in the room rate?", "Yes."))
    evaluation = write(tmp_path / "eval.jsonl", ("Is breakfast included in the room rate", "Yes, always."), ("泳池几点开？", "三楼。"))
    assert main(["leak", train, evaluation, "--json"]) == 1
    leaks = [{"train_row": 1, "eval_row": 0, "rule": "exact", "score": 1.0, "eval_file": evaluation}]
    assert json.loads(capsys.readouterr().out) == {"train_rows": 2, "eval_rows": 2, "leaks": leaks, "templates": []}


def test_nothing_leaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, evaluation = write(tmp_path / "a.jsonl", ("健身房在几楼？", "三楼。")), write(tmp_path / "b.jsonl", ("泳池几点开？", "九点。"))
    assert main(["leak", train, evaluation]) == 0
    assert capsys.readouterr().out.startswith("0 of 1 training rows leak into 1 evaluation rows")


LONG = "Guests who arrive after eleven in the evening must tell the front desk by telephone before six on the day of their arrival."


def test_rare_passages_leak_unless_evidence_may_be_shared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filler = " ".join(f"word{i}" for i in range(40))
    train = write(tmp_path / "train.jsonl", ("What about late arrival?", f"{filler} {LONG}"))
    evaluation = write(tmp_path / "eval.jsonl", ("Until when do I have to call?", f"{LONG} {filler[::-1]} {filler.upper()[::-1]}"))
    assert main(["leak", train, evaluation, "--json"]) == 1
    leaks = json.loads(capsys.readouterr().out)["leaks"]
    assert [(leak["train_row"], leak["eval_row"], leak["rule"]) for leak in leaks] == [(0, 0, "rare_ngram")]
    assert main(["leak", train, evaluation, "--shared-evidence"]) == 0


def test_a_benchmark_in_no_known_format_is_compared_by_all_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write(tmp_path / "train.jsonl", ("以下哪一项不是四大发明之一？", "火车。"), ("早餐几点？", "七点。"))
    write_jsonl(tmp_path / "mmlu.jsonl", [{"frage": "以下哪一项不是四大发明之一", "choices": ["造纸术", "火车"]}])
    assert main(["leak", train, str(tmp_path / "mmlu.jsonl"), train, "--json"]) == 1
    leaks = json.loads(capsys.readouterr().out)["leaks"]
    assert [(leak["train_row"], leak["eval_row"], leak["rule"], Path(leak["eval_file"]).name) for leak in leaks] == [
        (0, 0, "containment", "mmlu.jsonl"),
        (0, 0, "exact", "train.jsonl"),
        (1, 1, "exact", "train.jsonl"),
    ]


def test_paraphrases_go_to_a_queue_and_are_no_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write(tmp_path / "train.jsonl", ("住客的退房时间最晚是几点？", "十二点。"), ("泳池在哪？", "楼顶。"))
    evaluation = write(tmp_path / "eval.jsonl", ("几点之前要办完退房手续？", "中午。"))
    review = tmp_path / "review.jsonl"
    arguments = ["leak", train, evaluation, "--embed", "tfidf", "--review-threshold", "0.1", "--review", str(review)]
    assert main([*arguments, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["leaks"] == []
    assert [(pair["train_row"], pair["eval_row"], pair["same_numbers"]) for pair in value["review"]] == [(0, 0, True)]
    assert json.loads(review.read_text(encoding="utf-8"))["train"] == "住客的退房时间最晚是几点？"
    assert main(arguments) == 0
    assert "1 more pairs may be paraphrases" in capsys.readouterr().out


def test_without_eval_the_workspace_exam_is_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write(tmp_path / "train.jsonl", ("健身房在几楼？", "三楼。"))
    assert main(["-w", str(tmp_path), "leak", train]) == 2
    assert "exam.jsonl does not exist" in capsys.readouterr().err
    (tmp_path / ".datagen").mkdir()
    write(tmp_path / ".datagen" / "exam.jsonl", ("健身房在几楼?", "三楼。"))
    assert main(["-w", str(tmp_path), "leak", train]) == 1
    assert "train row 0 ~ exam.jsonl row 0: exact, 1.00" in capsys.readouterr().out


def test_review_needs_an_embedder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write(tmp_path / "train.jsonl", ("健身房在几楼？", "三楼。"))
    assert main(["leak", train, train, "--review", str(tmp_path / "r.jsonl")]) == 2
    assert "--review needs --embed" in capsys.readouterr().err
