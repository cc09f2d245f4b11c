import html
import re

from hypothesis import given
from hypothesis import strategies as st

from datagen.ui.data.marking import mark_difference, mark_segments, mark_spans

TEXT = st.text(alphabet="退房时间12点 <b>&amp;\"'\nA£İ", max_size=40)


def _plain(marked: str) -> str:
    return html.unescape(re.sub(r"</?mark[^>]*>", "", marked))


def test_spans_are_marked_and_everything_is_escaped() -> None:
    assert mark_spans("<b>退房</b> 12 点", [(3, 5)], context=None) == '&lt;b&gt;<mark class="evidence first">退房</mark>&lt;/b&gt; 12 点'


def test_overlapping_spans_are_joined_and_gaps_shown() -> None:
    text = "a" * 50 + "退房时间" + "b" * 50
    assert mark_spans(text, [(50, 53), (52, 54)], context=2) == '…aa<mark class="evidence first">退房时间</mark>bb…'


def test_learned_segments_are_marked() -> None:
    assert mark_segments([("<user>", False), ("12 点", True)]) == '&lt;user&gt;<mark class="learned">12 点</mark>'


def test_differences_are_marked_by_character_in_chinese_and_by_word_in_english() -> None:
    assert mark_difference("退房是12点", "退房是14点") == (
        '退房是<mark class="gone">12</mark>点',
        '退房是<mark class="come">14</mark>点',
    )
    assert mark_difference("Check-out is at noon.", "Check-out is at two.")[1] == 'Check-out is at <mark class="come">two</mark>.'


@given(TEXT, TEXT)
def test_both_sides_of_a_difference_read_as_the_texts(old: str, new: str) -> None:
    assert tuple(map(_plain, mark_difference(old, new))) == (old, new)


@given(TEXT, st.lists(st.tuples(st.integers(-3, 45), st.integers(-3, 45)), max_size=4))
def test_marked_text_reads_as_the_text(text: str, spans: list[tuple[int, int]]) -> None:
    assert _plain(mark_spans(text, spans, context=None)) == text
