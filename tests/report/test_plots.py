"""Pictures of names that nobody checked: file names, tags, folders."""

from datagen.report.plots import bars


def test_control_characters_are_left_out_and_do_not_end_the_process() -> None:
    svg = bars([("客房\x07.md", 3), ("\x1b[31mroom\u202e.md", 2)], title="a\x00b")
    assert "客房.md" in svg
    assert "[31mroom.md" in svg
    assert not {"\x00", "\x07", "\x1b", "\u202e"} & set(svg)


def test_long_names_are_cut_at_the_front_unless_they_would_look_the_same() -> None:
    tail = "常见问题与解答" * 6
    assert f"…{tail[-37:]}" in bars([(f"产品甲/{tail}.md"[:-3], 3), ("短.md", 2)], title="")
    svg = bars([(f"产品甲/{tail}", 3), (f"产品乙/{tail}", 2)], title="")
    assert "产品甲/" in svg
    assert "产品乙/" in svg
