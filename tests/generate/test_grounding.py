import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.generate.grounding import _edit_distances, check_answer, locate
from datagen.schemas.document import Chunk, Document, Section

TEXT = (
    "# 取消政策\n\n"
    "入住前 **48 小时**可免费取消；逾期取消，收取首晚房费的 50%。\n\n"
    "退款将在３个工作日内原路退回，节假日顺延。\n\n"
    "Guests must present a valid passport\nat check-in. The deposit of RMB 300 is returned at check-out.\n"
)
DOCUMENT = Document(
    path="政策/取消.md", sha256="0" * 64, media_type="md", language="zh", title="取消政策", text=TEXT,
    sections=(Section(heading_path=("取消政策",), start=0, end=len(TEXT)),),
)  # fmt: skip
CHUNK = Chunk.of(DOCUMENT, 8, len(TEXT), ("取消政策",), 100)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("逾期取消，收取首晚房费的 50%", "逾期取消，收取首晚房费的 50%"),
        ("入住前48小时可免费取消", "入住前 **48 小时**可免费取消"),
        ("退款将在 3 个工作日内原路退回", "退款将在３个工作日内原路退回"),
        ("guests must present a valid passport at check-in", "Guests must present a valid passport\nat check-in"),
        ("The deposits of RMB 300 is returned on check-out.", "The deposit of RMB 300 is returned at check-out."),
    ],
    ids=["exact", "markup and spaces", "full width", "case and line break", "fuzzy"],
)
def test_locate_returns_verbatim_document_text(quote: str, found: str) -> None:
    span = locate(quote, DOCUMENT, CHUNK)
    assert span is not None
    assert span.quote == found or (found in span.quote and len(span.quote) <= len(found) + 2)
    assert TEXT[span.start : span.end] == span.quote
    assert span.document == "政策/取消.md"


@pytest.mark.parametrize("quote", ["", "  ", "入住当天取消不收任何费用", "# 取消政策", "The deposit is 500 dollars and never returned"])
def test_locate_finds_nothing_where_nothing_is_said(quote: str) -> None:
    assert locate(quote, DOCUMENT, CHUNK) is None


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_every_slice_of_a_chunk_is_found_at_its_text(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(CHUNK.text) - 1))
    end = data.draw(st.integers(start + 1, len(CHUNK.text)))
    quote = CHUNK.text[start:end].strip()
    span = locate(quote, DOCUMENT, CHUNK)
    assert (span is not None and span.quote == quote) if quote else span is None


SUPPORTED = [
    ("可在入住前48小时免费取消。", "入住前 48 小时可免费取消"),
    ("3天内到账", "三天内到账"),
    ("押金三百元", "押金 300 元"),
    ("下午3点后入住", "入住时间为 15:00"),
    ("Check-in starts at 3 pm.", "Check-in: 15:00"),
    ("逾期收取百分之五十", "逾期收取首晚房费的 50%"),
    ("It costs 1200 yuan.", "The price is RMB 1,200 per night."),
    ("活动截止到2024年5月1日", "截止日期：2024-05-01"),
    ("分两步：\n1. 打开订单\n2. 点击取消", "两步即可：打开订单，点击取消"),
    ("价格是 888", "| 豪华大床房 | 888 元 |"),
]


@pytest.mark.parametrize(("answer", "evidence"), SUPPORTED, ids=[a for a, _ in SUPPORTED])
def test_supported_answers_pass(answer: str, evidence: str) -> None:
    assert check_answer(answer, [evidence], "请问是怎么规定的？") is None


DEFECTS = [
    ("", ["入住前 48 小时"], "可以取消吗？", "empty_answer"),
    ("。", ["入住前 48 小时"], "可以取消吗？", "empty_answer"),
    ("可以取消", [], "可以取消吗？", "evidence_not_found"),
    ("可以取消", ["  "], "可以取消吗？", "evidence_not_found"),
    ("入住前可以免费取消", ["入住前 48 小时可免费取消"], "入住前可以免费取消吗？", "answer_copied_from_question"),
    ("入住前 24 小时可免费取消", ["入住前 48 小时可免费取消"], "何时可以取消？", "unsupported_number"),
    ("3 小时内到账", ["3 天内到账"], "多久到账？", "unsupported_number"),
    ("四天内到账", ["三天内到账"], "多久到账？", "unsupported_number"),
    ("早餐从 7:30 开始", ["早餐时间 7:00-10:00"], "早餐几点？", "unsupported_number"),
    ("Yes, breakfast is 50 yuan.", ["Breakfast is served daily."], "Is breakfast 50 yuan?", "unsupported_number"),
    ("The fee is 60%.", ["The fee is 50% of the first night."], "What is the fee?", "unsupported_number"),
    ("活动到 5 月 2 日结束", ["活动到 5 月 1 日结束"], "活动哪天结束？", "unsupported_number"),
]


@pytest.mark.parametrize(("answer", "evidence", "question", "reason"), DEFECTS, ids=[f"{r}: {a}" for a, _, _, r in DEFECTS])
def test_defects_are_named(answer: str, evidence: list[str], question: str, reason: str) -> None:
    found = check_answer(answer, evidence, question)
    assert found is not None
    assert found[0] == reason
    assert found[1]


@settings(max_examples=50, deadline=None)
@given(st.text("ab12", min_size=1, max_size=8), st.text("ab12", max_size=12))
def test_bit_parallel_edit_distance_equals_dynamic_programming(pattern: str, text: str) -> None:
    row = list(range(len(pattern) + 1))
    expected: list[int] = []
    for char in text:
        new = [0]
        for j, wanted in enumerate(pattern, 1):
            new.append(min(row[j - 1] + (wanted != char), row[j] + 1, new[j - 1] + 1))
        row = new
        expected.append(row[-1])
    assert _edit_distances(pattern, text) == expected
