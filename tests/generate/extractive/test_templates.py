import pytest

from datagen.errors import DataError
from datagen.generate.extractive.templates import load_templates, parse_templates

HEAD = "---\nname: x\nversion: 1\nlanguage: zh\n---\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("## faq\n", "front matter"),
        (HEAD + "## faq\n### train\n- {nonsense}？\n### exam\n- {question}？\n", ":8: unknown slot {nonsense}"),
        (HEAD + "## faq\n### train\n- {question}？\n", "kind 'faq' has no exam templates"),
    ],
    ids=["no front matter", "unknown slot", "no exam family"],
)
def test_broken_template_files_are_named(text: str, message: str) -> None:
    with pytest.raises(DataError, match=r"zh\.v1\.md") as caught:
        parse_templates(text, "zh.v1.md")
    assert message in caught.value.message


def test_a_filled_slot_is_not_read_again() -> None:
    templates = parse_templates(HEAD + "## faq\n### train\n- 请回答：{question}？\n### exam\n- {question}？\n", "zh.v1.md")
    assert templates.questions("faq", "exam", {"question": "{book}里的{question}是什么"}) == ["{book}里的{question}是什么？"]


def test_a_template_with_an_empty_slot_is_left_out() -> None:
    assert load_templates("zh").questions("step", "train", {"where": "《甲》", "n": "2", "topic": "", "previous": ""}) == [
        "按照《甲》的流程，第 2 步要做什么？",
        "请说明《甲》中第 2 个步骤的具体内容。",
    ]
