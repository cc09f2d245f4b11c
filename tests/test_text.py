import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.text import detect_language, estimate_tokens, fold, split_sentences, units

MIXED = st.text(alphabet="退房押金早餐。！？；…“”」）abcXYZ .!?;,'\"\n\t0123456789v-", max_size=80)


def _sentences(text: str) -> list[str]:
    return [text[span.start : span.end].strip() for span in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("退房时间是中午 12 点。押金三天内退回。", ["退房时间是中午 12 点。", "押金三天内退回。"]),
        ("能带宠物吗？可以！每晚加收 50 元。", ["能带宠物吗？", "可以！", "每晚加收 50 元。"]),
        ("他说：“明天退房。”然后走了。", ["他说：“明天退房。”", "然后走了。"]),
        ("价格是 3.5 元，版本是 2.10.1。", ["价格是 3.5 元，版本是 2.10.1。"]),
        ("早餐七点开始", ["早餐七点开始"]),
        ("押金三天内退回。早餐七点开始", ["押金三天内退回。", "早餐七点开始"]),
        ("第一条；第二条。", ["第一条；", "第二条。"]),
    ],
)
def test_chinese_sentences(text: str, expected: list[str]) -> None:
    assert _sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Check-out is at noon. The deposit comes back.", ["Check-out is at noon.", "The deposit comes back."]),
        ("The fee is 3.5 percent. It rose in version 2.10.1 only.", ["The fee is 3.5 percent.", "It rose in version 2.10.1 only."]),
        ("Ask Dr. Lee at the desk. She is in.", ["Ask Dr. Lee at the desk.", "She is in."]),
        ("Bring papers, e.g. a passport. Then sign.", ["Bring papers, e.g. a passport.", "Then sign."]),
        ("Bring papers (e.g. a passport). Then sign.", ["Bring papers (e.g. a passport).", "Then sign."]),
        ('He said "we close at ten." Then he left.', ['He said "we close at ten."', "Then he left."]),
        ("Can I bring a dog? Yes! It costs USD 5", ["Can I bring a dog?", "Yes!", "It costs USD 5"]),
        ("See datagen.example for help", ["See datagen.example for help"]),
        ("First line\nSecond line", ["First line", "Second line"]),
        ("1. Open the order.\n2. Tap cancel.", ["1. Open the order.", "2. Tap cancel."]),
    ],
)
def test_english_sentences(text: str, expected: list[str]) -> None:
    assert _sentences(text) == expected


def test_no_text_has_no_sentence() -> None:
    assert split_sentences("") == []


@settings(max_examples=50, deadline=None)
@given(MIXED)
def test_spans_cover_the_text_in_order(text: str) -> None:
    spans = split_sentences(text)
    assert "".join(text[s.start : s.end] for s in spans) == text
    assert all(s.start < s.end for s in spans)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("退房时间是中午 12 点。", "zh"),
        ("Check-out is at noon.", "en"),
        ("请打开 App 的 Wi-Fi 设置", "zh"),
        ("The word 房 means room.", "en"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_fold_takes_width_case_and_spaces_beside_chinese_away() -> None:
    assert fold("退房 时间：１２ 点　ＰＭ") == "退房时间:12点pm"
    assert fold("  Check  OUT\nat noon ") == "check out at noon"


@settings(max_examples=50, deadline=None)
@given(MIXED)
def test_fold_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_units_are_characters_words_and_numbers() -> None:
    assert units("退房时间是12点。") == ["退", "房", "时", "间", "是", "12", "点"]
    assert units("Check-out is at 12.") == ["check", "out", "is", "at", "12"]
    assert units("。！？") == []


def test_token_estimates() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("退房时间") == 3
    assert estimate_tokens("Check out now.") == 5


@settings(max_examples=30, deadline=None)
@given(MIXED, MIXED)
def test_a_longer_text_has_no_fewer_tokens(first: str, second: str) -> None:
    assert estimate_tokens(f"{first}\n{second}") >= estimate_tokens(first)
