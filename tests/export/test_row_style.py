"""Row styles: counted over a file, turned into each other, warned about when mixed."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.cli import main
from datagen.errors import UsageError
from datagen.export.llamafactory import validate
from datagen.export.row_style import StyleMix, style_mix, to_persona, to_task
from datagen.schemas.alpaca import write_alpaca
from datagen.schemas.record import ConversationRecord, question_answer
from datagen.schemas.sample import Sample

ZH = "你是酒店助手，回答要简短。"
PERSONA = [{"instruction": ZH, "input": question, "output": "好。"} for question in ("几点退房？", "有泳池吗？", "含早餐吗？")]
TASK = [{"instruction": "When is breakfast?", "input": "", "output": "From 7:00."}]
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def test_styles_are_counted() -> None:
    assert style_mix(PERSONA) == StyleMix(3, 0, 0)
    assert style_mix(TASK) == StyleMix(0, 1, 0)
    assert style_mix([*PERSONA, *TASK]) == StyleMix(3, 1, 0)
    contexts = [{"instruction": f"Translate row {i}.", "input": "退房"} for i in range(3)]
    assert style_mix([*contexts, *TASK]) == StyleMix(0, 1, 3)
    assert [style_mix(rows).mixed for rows in (PERSONA, TASK, [*PERSONA, *TASK], contexts)] == [False, False, True, False]


@given(TEXT, TEXT, TEXT)
@settings(max_examples=50, deadline=None)
def test_task_style_and_back_gives_the_sample_back(persona: str, question: str, answer: str) -> None:
    sample = Sample.of(question_answer(question, answer, persona=persona), tags={"row_style": "persona"})
    task = to_task(sample)
    assert to_persona(task) == sample
    assert isinstance(task.record, ConversationRecord)
    assert write_alpaca(task.record)["system"] == persona
    assert to_persona(to_task(sample, "drop"), persona) == sample


def test_joined_persona_trains_the_same_text() -> None:
    sample = Sample.of(question_answer("几点退房？", "中午12点。", persona=ZH))
    joined = to_task(sample, "join").record
    assert isinstance(joined, ConversationRecord)
    assert write_alpaca(joined)["instruction"] == f"{ZH}\n几点退房？"
    assert to_task(sample, "drop").record == question_answer("几点退房？", "中午12点。")


def test_a_persona_stands_before_a_system_prompt_that_is_there() -> None:
    sample = Sample.of(question_answer("q", "a", persona=ZH, system="Be exact."))
    record = to_task(sample).record
    assert isinstance(record, ConversationRecord)
    assert record.messages[0].content == f"{ZH}\nBe exact."
    with pytest.raises(UsageError, match="no system prompt"):
        to_persona(Sample.of(question_answer("q", "a")))


def test_mixed_styles_are_warned_about(tmp_path: Path) -> None:
    (tmp_path / "mixed.json").write_text(json.dumps([*PERSONA, *TASK]), encoding="utf-8")
    (finding,) = validate(tmp_path / "mixed.json").findings
    assert (finding.code, finding.severity, finding.row) == ("mixed_row_styles", "bad", None)
    assert "3 rows" in finding.message
    (tmp_path / "persona.json").write_text(json.dumps(PERSONA), encoding="utf-8")
    assert validate(tmp_path / "persona.json").findings == ()


def test_convert_changes_the_style(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, task, back = tmp_path / "a.json", tmp_path / "task.json", tmp_path / "back.json"
    source.write_text(json.dumps(PERSONA), encoding="utf-8")
    assert main(["convert", str(source), "-o", str(task), "--to", "alpaca", "--style", "task"]) == 0
    row = json.loads(task.read_text(encoding="utf-8"))[0]
    assert (row["instruction"], row["input"], row["system"]) == ("几点退房？", "", ZH)
    assert main(["convert", str(task), "-o", str(back), "--to", "alpaca", "--style", "persona", "--json"]) == 0
    assert [{key: r[key] for key in PERSONA[0]} for r in json.loads(back.read_text(encoding="utf-8"))] == PERSONA
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["style"] == "persona"
    assert main(["convert", str(source), "-o", str(task), "--to", "alpaca", "--persona", "x"]) == 2
