"""The runner's notes in Chinese: each part the runner and the probe write has words, and an unknown one is left as it is."""

import re

import pytest

from datagen.generate.funnel import Money, note
from datagen.generate.runner import Progress
from datagen.ui.data.notes import gives_time_left, told


def test_the_runner_s_own_note_is_told_in_chinese() -> None:
    state = Progress(
        accepted=8, existing=0, target=20, requests=10, tokens_in=900, tokens_out=100, dropped={"truncated": 2}, pace={"qa": 3.0}
    )
    line = note(state, seconds=4.0, money=Money(0.0123, 0.05))
    assert line == "yield 80% · 10 requests (2.5/s) · 1000 tokens · $0.0123 of about $0.05 · truncated 2 · slowest: qa 3.0 s a passage"
    shown = told(line, "zh")
    assert shown.startswith("成品率 80% · 10 次请求（2.5/秒） · 1000 个 token · 已花费 $0.0123，预计共 $0.05 · ")
    assert shown.endswith(" 2 · 最慢：qa，每段 3.0 秒")
    assert told(line, "en").startswith("yield 80% · 10 requests (2.5/s) · 1000 tokens · paid $0.0123 of about $0.05")


@pytest.mark.parametrize(
    ("line", "chinese"),
    [
        ("loading tiny", "正在加载 tiny"),
        ("training new, seed 1 of 3 · about 12 s left", "正在训练 new，种子 1 / 3 · 此阶段约剩 12 秒"),
        ("scoring the untrained model", "正在评测未训练的模型"),
        ("baseline, seed 2 of 3 done", "baseline，种子 2 / 3 已完成"),
        ("$0.0040", "已花费 $0.0040"),
        ("", ""),
    ],
)
def test_parts_of_the_probe_and_the_cost(line: str, chinese: str) -> None:
    assert told(line, "zh") == chinese
    assert not re.search(r"[a-z]{3,} (the|of|on)\b", told(line, "zh"))


def test_a_part_without_words_is_shown_as_it_is() -> None:
    assert told("Ministral is new · 3 tokens", "zh") == "Ministral is new · 3 个 token"


def test_the_probe_s_time_left_is_not_told_twice() -> None:
    assert gives_time_left("training new, seed 1 of 3 · about 12 s left")
    assert not gives_time_left("yield 80% · 3 tokens")
