"""Laws of chunking: exact offsets, order, full cover, budget, and no cut inside a sentence, a row or an item."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.hashing import sha256_hex
from datagen.ingest.chunk import chunk_document
from datagen.ingest.sections import find_sections
from datagen.schemas.document import Document
from datagen.text import detect_language, estimate_tokens, split_sentences

SENTENCES = (
    "入住时间为当日 14:00 之后，离店时间为次日 12:00 之前。",
    "会员可以延迟到 14:00 离店，不另收费！",
    "押金 3.5 元起，由酒店收取；退房后原路退回。",
    "Guests may cancel free of charge until 18:00 on the day before arrival.",
    "The fee is USD 12.50 per night, e.g. for a dog.",
    "可以带宠物吗？",
)
ROWS = ("| 银溪 | 500 间夜 | 9.5 折 |", "| Gold | 20 nights | 8% |")
ITEMS = ("1. 打开“我的订单”，选择要取消的一单。", "- Late check-out until 14:00.", "2. 点“取消”。")


def document_of(text: str) -> Document:
    return Document(
        path="规则.md",
        sha256=sha256_hex(text),
        media_type="md",
        language=detect_language(text),
        title="规则",
        text=text,
        sections=tuple(find_sections(text)),
    )


def blocks() -> st.SearchStrategy[str]:
    paragraph = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=8).map(" ".join)
    table = st.lists(st.sampled_from(ROWS), min_size=1, max_size=12).map(lambda rows: "\n".join([rows[0], "| --- | --- | --- |", *rows]))
    items = st.lists(st.sampled_from(ITEMS), min_size=1, max_size=9).map("\n".join)
    heading = st.sampled_from(["# 取消规则", "## Fees", "### 会员", "标题\n===="])
    blank = st.sampled_from(["", " ", "\t\n", "\u3000"])
    return st.one_of(paragraph, table, items, heading, blank)


@settings(max_examples=50, deadline=None)
@given(st.lists(blocks(), max_size=14).map("\n\n".join), st.sampled_from([32, 64, 200]))
def test_chunks_are_exact_ordered_disjoint_and_cover_everything(text: str, budget: int) -> None:
    document = document_of(text)
    end = 0
    for chunk in chunk_document(document, max_tokens=budget):
        assert chunk.text == text[chunk.start : chunk.end]
        assert text[end : chunk.start].strip() == ""
        assert chunk.start >= end
        assert chunk.n_tokens == estimate_tokens(chunk.text)
        end = chunk.end
    assert text[end:].strip() == ""


@settings(max_examples=50, deadline=None)
@given(st.lists(blocks(), max_size=14).map("\n\n".join))
def test_no_sentence_row_or_item_is_cut_and_the_budget_holds(text: str) -> None:
    chunks = chunk_document(document_of(text), max_tokens=48)
    inner = {offset for chunk in chunks for offset in (chunk.start, chunk.end)} - {0, len(text)}
    lines_start = 0
    for line in text.split("\n"):
        begin, end = lines_start + len(line) - len(line.lstrip()), lines_start + len(line.rstrip())
        whole = [(begin, end)] if line.lstrip().startswith(("|", "1.", "2.", "- ", "#")) else []
        whole += [(lines_start + s.start, lines_start + len(line[: s.end].rstrip())) for s in split_sentences(line) if not whole]
        for left, right in whole:
            assert not [offset for offset in inner if left < offset < right], line
        lines_start += len(line) + 1
    assert all(chunk.n_tokens <= 48 for chunk in chunks)


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=400), st.integers(1, 40))
def test_any_text_at_any_budget_is_covered(text: str, budget: int) -> None:
    clean = text.encode("utf-8", "replace").decode().replace("\r", "\n").replace("\x00", "")
    chunks = chunk_document(document_of(clean), max_tokens=budget)
    assert "".join("".join(c.text for c in chunks).split()) == "".join(clean.split())


def test_small_sections_share_a_chunk_and_keep_the_first_heading_path() -> None:
    text = "# 会员\n\n## 等级\n\n分四级。\n\n## 权益\n\n每级都有折扣。\n"
    chunks = chunk_document(document_of(text))
    assert [(c.heading_path, c.text) for c in chunks] == [(("会员",), text.strip())]


def test_sections_under_another_top_heading_do_not_share_a_chunk() -> None:
    chunks = chunk_document(document_of("# 会员\n\n分四级。\n\n# 发票\n\n次日可开。\n"))
    assert [c.heading_path for c in chunks] == [("会员",), ("发票",)]


def test_a_long_table_is_cut_between_rows_and_its_heading_stays_with_it() -> None:
    rows = "\n".join(f"| 房型 {n} | {n}00 元 |" for n in range(1, 41))
    chunks = chunk_document(document_of(f"# 价目\n\n{rows}\n"), max_tokens=100)
    assert chunks[0].text.startswith("# 价目\n\n| 房型 1 |")
    assert len(chunks) > 2
    cut = [line for chunk in chunks for line in chunk.text.split("\n")]
    assert cut == ["# 价目", "", *rows.split("\n")]


def test_a_long_section_is_cut_into_pieces_of_about_equal_size() -> None:
    paragraph = "枕溪订房支持免费取消，入住前一天 18:00 之前均可办理。"
    text = "\n\n".join([paragraph] * 30)
    sizes = [c.n_tokens for c in chunk_document(document_of(text), max_tokens=512)]
    assert max(sizes) - min(sizes) < 0.25 * max(sizes)


def test_an_over_long_sentence_is_cut_at_clause_marks_only() -> None:
    text = "，".join(["本条款适用于全部国内预付订单"] * 20) + "。"
    chunks = chunk_document(document_of(text), max_tokens=64)
    assert len(chunks) > 3
    assert all(chunk.text.endswith(("，", "。")) for chunk in chunks)


def test_hand_wrapped_english_is_not_cut_at_a_line_end() -> None:
    wrapped = "The guest may cancel the booking\nfree of charge until the day\nbefore arrival at the property. " * 12
    for chunk in chunk_document(document_of(wrapped.strip()), max_tokens=60):
        assert chunk.text.endswith("property.")


def test_an_item_keeps_its_continuation_lines() -> None:
    items = "\n".join(f"{n}. 打开第 {n} 步的页面，\n   在页面里填写姓名和证件号码。" for n in range(1, 10))
    for chunk in chunk_document(document_of(items), max_tokens=60):
        assert chunk.text.endswith("号码。")
        assert chunk.text[0].isdigit()


@pytest.mark.parametrize("text", ["", " \n\n \u3000\n"], ids=["nothing", "blank"])
def test_blank_text_gives_no_chunks(text: str) -> None:
    assert chunk_document(document_of(text)) == []
