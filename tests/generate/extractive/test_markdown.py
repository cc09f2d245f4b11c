import pytest

from datagen.generate.extractive.markdown import Heading, ListBlock, Paragraph, Table, parse_blocks, plain

TEXT = (
    "# 价格\n\n说明文字，\n第二行。\n\n| 房型 | 价格 |\n|---|---:|\n| 大床房 | 888 元 |\n\n"
    "1. 打开首页\n   填写日期\n2. 付款\n\n```\n# 代码\n```\n"
)


def test_blocks_carry_offsets_into_the_document() -> None:
    blocks = parse_blocks(TEXT, 0)
    assert [type(b) for b in blocks] == [Heading, Paragraph, Table, ListBlock]
    heading, paragraph, table, items = blocks
    assert TEXT[heading.span.start : heading.span.end] == "价格"
    assert TEXT[paragraph.span.start : paragraph.span.end] == "说明文字，\n第二行。"
    assert isinstance(table, Table)
    assert [TEXT[c.start : c.end] for c in table.rows[0][1]] == ["大床房", "888 元"]
    assert isinstance(items, ListBlock)
    assert items.ordered
    assert [TEXT[i.start : i.end] for i in items.items] == ["打开首页\n   填写日期", "付款"]


def test_start_shifts_every_offset() -> None:
    shifted = parse_blocks(TEXT, 100)
    assert [b.span.start - 100 for b in shifted] == [b.span.start for b in parse_blocks(TEXT, 0)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**免费**取消", "免费取消"),
        ("见[取消政策](a.md)", "见取消政策"),
        ("use `apt update` now", "use apt update now"),
        ("第一行\n第二行", "第一行第二行"),
        ("first line\nsecond line", "first line second line"),
        ("snake_case_name stays", "snake_case_name stays"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("> 引用", "引用"),
    ],
)
def test_plain_is_what_a_reader_sees(text: str, shown: str) -> None:
    assert plain(text) == shown
