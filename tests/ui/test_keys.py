"""Which key presses a page takes as its own."""

from types import SimpleNamespace
from typing import Any

import pytest

from datagen.ui.frame import is_plain_press


def press(*held: str, down: bool = True) -> Any:
    modifiers = SimpleNamespace(**{name: name in held for name in ("ctrl", "meta", "alt", "shift")})
    return SimpleNamespace(action=SimpleNamespace(keydown=down), modifiers=modifiers)


@pytest.mark.parametrize("held", ["ctrl", "meta", "alt"])
def test_alt_1_changes_the_browser_s_tab_and_casts_no_vote(held: str) -> None:
    assert not is_plain_press(press(held))


def test_a_key_by_itself_counts_when_it_goes_down() -> None:
    assert is_plain_press(press())
    assert is_plain_press(press("shift"))
    assert not is_plain_press(press(down=False))
