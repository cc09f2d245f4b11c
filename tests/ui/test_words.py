import re
import string
from pathlib import Path

from datagen.ui.words import FLAGS, WORDS

UI = Path(__file__).resolve().parents[2] / "datagen" / "ui"


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_the_same_fields() -> None:
    assert len(WORDS) > 150
    for key, (english, chinese) in WORDS.items():
        assert english.strip(), key
        assert chinese.strip(), key
        assert _fields(english) == _fields(chinese), key
    assert all(english and chinese for english, chinese in FLAGS.values())


def test_every_word_a_page_asks_for_is_there() -> None:
    asked = {key for path in UI.rglob("*.py") for key in re.findall(r'\bw\(\s*"([a-z_]+)"', path.read_text(encoding="utf-8"))}
    assert len(asked) > 80
    assert asked <= set(WORDS)
