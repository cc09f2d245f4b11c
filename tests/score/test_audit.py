"""The audit as a whole: real sets, real documents, places, and the same result twice."""

import json
from pathlib import Path

import pytest

from datagen.errors import DataError, UsageError
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample
from datagen.score import audit


def rows(*pairs: tuple[str, str]) -> list[Sample]:
    return [Sample.of(question_answer(q, a)) for q, a in pairs]


def test_every_real_set_is_audited(shared_data: Path) -> None:
    files = [p for p in sorted((shared_data / "llamafactory_demo").iterdir()) if p.suffix in (".json", ".jsonl", ".txt")]
    small = [p for p in files if p.name.startswith(("identity", "mllm", "v1_dpo", "v1_multi", "reason", "wiki"))]
    assert len(small) == 9
    for path in small:
        result = audit(path)
        assert result.source.n_rows >= 3
        assert not result.source.unreadable
        json.dumps(result.to_json(), allow_nan=False)


def test_the_placeholders_and_conflicts_of_identity_are_found(shared_data: Path) -> None:
    result = audit(shared_data / "llamafactory_demo" / "identity.json")
    assert result.counts()["placeholder_leftover"] == 85
    assert len(result.conflicts) == 2
    for group in result.conflicts:
        asked = {result.frame["prompt"][row].rstrip("？?") for row in group}
        said = {result.frame["completion"][row] for row in group}
        assert len(asked) == 1
        assert len(said) == len(group)
    assert result.area("duplicates").state == "act"
    assert result.area("coverage").state == "unknown"


def test_a_llamafactory_directory_is_audited_as_one_set(shared_data: Path, tmp_path: Path) -> None:
    for name in ("identity.json", "kto_en_demo.json"):
        (tmp_path / name).write_bytes((shared_data / "llamafactory_demo" / name).read_bytes())
    entry = {"columns": {"prompt": "问", "response": "答"}, "file_name": "own.json"}
    (tmp_path / "own.json").write_text(json.dumps([{"问": "退房？", "答": "中午。", "备": ""}]), encoding="utf-8")
    info = {
        "identity": {"file_name": "identity.json"},
        "own": entry,
        "far": {"hf_hub_url": "x/y"},
        "kto": {"file_name": "kto_en_demo.json"},
    }
    (tmp_path / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
    result = audit(tmp_path)
    assert result.balance.datasets == {"kto": 300, "identity": 91, "own": 1}
    assert result.source.skipped == ("far",)
    assert audit(tmp_path, name="own").source.n_rows == 1
    with pytest.raises(UsageError, match="no entry 'identiti'"):
        audit(tmp_path, name="identiti")


def test_a_broken_row_is_reported_and_does_not_hide_the_others(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"instruction": "退房？", "output": "中午。"}\n{"instruction": "早餐？", "output": 7}\n', encoding="utf-8")
    result = audit(path)
    assert [(u.line, "output" in u.message) for u in result.source.unreadable] == [(2, True)]
    assert result.findings[0][:4] == (-1, "x.jsonl", 2, "unreadable_row")
    assert result.kept == 1
    path.write_text('{"instruction": "早餐？", "output": 7}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"x.jsonl:1: column 'output'"):
        audit(path)


def test_only_empty_rows_duplicates_and_leaks_are_dropped() -> None:
    data = rows(
        ("退房时间是几点？", "退房时间为中午十二点，可以延迟到下午两点。"),
        ("退房时间是几点？", "退房时间为中午十二点，可以延迟到下午两点。"),
        ("早餐在哪里？", ""),
        ("如何开发票？请告诉我开发票的步骤", "在订单页面点击开发票，填写抬头与税号后提交即可，三天内寄出。"),
        ("As an AI?", "As an AI language model I cannot help; mail bob.lee@corp.cn or visit http:/corp."),
    )
    result = audit(data, against=rows(("如何开发票？请告诉我开发票的步骤", "见订单页。")))
    assert result.dropped_rows == [1, 2, 3]
    assert {f.code for f in result.findings if f.dropped} == {"exact_duplicate", "empty_answer", "leak"}
    assert {"refusal", "pii_email", "bad_url"} <= {f.code for f in result.findings if f.row == 4}
    assert result.review_queue() == [4]
    assert result.area("leakage").state == "act"


def test_train_and_eval_entries_are_checked_against_each_other(tmp_path: Path) -> None:
    shared = {"instruction": "如何开发票？请告诉我开发票的步骤", "input": "", "output": "在订单页面点击开发票。"}
    other = {"instruction": "早餐几点开始？", "input": "", "output": "七点。"}
    (tmp_path / "a.json").write_text(json.dumps([shared, other]), encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps([shared]), encoding="utf-8")
    info = {"hotel_train": {"file_name": "a.json"}, "hotel_eval": {"file_name": "b.json"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
    result = audit(tmp_path, name="hotel")
    assert (result.source.n_rows, result.leaked_into) == (2, "hotel_eval")
    assert [(f.dataset, f.line) for f in result.findings if f.code == "leak"] == [("hotel_train", 1)]


def test_the_same_rows_give_the_same_result_in_any_process(shared_data: Path) -> None:
    path = shared_data / "llamafactory_demo" / "identity.json"
    first, second = audit(path).to_json(), audit(path).to_json()
    for value in (first, second):
        del value["seconds"], value["peak_rss_mb"]
    assert first == second


def test_no_rows_is_a_result_too() -> None:
    result = audit([])
    assert (result.source.n_rows, result.kept, result.findings) == (0, 0, [])
    assert [area.state for area in result.areas if area.name in ("rows", "diversity", "size")] == ["good", "unknown", "look"]
    json.dumps(result.to_json(), allow_nan=False)


def test_mixed_row_styles_are_pointed_out(tmp_path: Path) -> None:
    persona = [{"instruction": "你是客服。", "input": f"第{i}条规则是什么？", "output": f"规则{i}。"} for i in range(6)]
    task = [{"instruction": f"如何办理第{i}项业务？", "input": "", "output": f"去柜台{i}。"} for i in range(4)]
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps(persona + task), encoding="utf-8")
    result = audit(path)
    assert result.balance.styles == {"persona": 6, "task": 4}
    assert result.area("balance").state == "look"
    assert "persona 6, task 4" in result.area("balance").finding.zh
