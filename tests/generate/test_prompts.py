"""Prompt files: every one in the library loads; errors name file and line; document text is never a template."""

from pathlib import Path

import pytest

from datagen.errors import DataError, UsageError
from datagen.generate.prompts import load_prompt, parse_prompt

HEAD = "---\nname: t/a\nversion: 1\ntask: t\nlanguage: en\nvariables: [passage]\nsource: x\nlicence: x\n---\n"
GOOD = f"{HEAD}# System\nBe exact.\n\n# User\nRead {{{{ passage }}}}\n"


def test_every_prompt_of_an_llm_strategy_loads(repo: Path) -> None:
    names = [str(p.relative_to(repo / "prompts"))[:-3] for p in sorted((repo / "prompts" / "qa").glob("*.md"))]
    assert names == ["qa/en.v1", "qa/exam_en.v1", "qa/exam_zh.v1", "qa/zh.v1"]
    for name in names:
        prompt = load_prompt(name)
        system, user = prompt.render(title="T", headings="A > B", passage="P 1", passage_id="f00", items=5, round=2)
        assert system
        assert "<passage f00>\nP 1\n</passage f00>" in user
        assert "{{" not in user
        assert len(prompt.sha256) == 64


def test_a_value_is_text_even_if_it_looks_like_a_template() -> None:
    _, user = parse_prompt(GOOD, "t/a.v1", "a.md").render(passage="{{ config }} {% for x in y %} {{ ''.__class__ }}")
    assert user == "Read {{ config }} {% for x in y %} {{ ''.__class__ }}"


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(DataError, match=r"prompt t/a\.v1: 'passage' is undefined"):
        parse_prompt(GOOD, "t/a.v1", "a.md").render()


def test_a_template_cannot_reach_python() -> None:
    evil = GOOD.replace("{{ passage }}", "{{ passage.__class__.__mro__ }}")
    with pytest.raises(DataError, match="unsafe"):
        parse_prompt(evil, "t/a.v1", "a.md").render(passage="x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# System\nx\n# User\ny", "a.md:1: prompt without front matter"),
        (GOOD.replace("version: 1", "version: one"), "a.md:3: version: Input should be a valid integer"),
        (GOOD.replace("licence: x\n", ""), "licence: Field required"),
        (GOOD.replace("task: t", "task: [t"), "a.md:5: front matter is not valid YAML"),
        (GOOD.replace("name: t/a", "name: t/b"), "front matter says t/b version 1"),
        (GOOD.replace("# User\n", ""), "found # System"),
        (GOOD.replace("{{ passage }}", "\n{{ pasage }}"), "a.md:15: unknown variable 'pasage'"),
        (GOOD.replace("{{ passage }}", "\n{{ passage"), "a.md:15: not a valid template"),
    ],
)
def test_errors_name_file_and_line(text: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_prompt(text, "t/a.v1", "a.md")
    assert words in caught.value.message


def test_an_unknown_prompt_suggests() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'qa/zh.v1'"):
        load_prompt("qa/zh.v9")
