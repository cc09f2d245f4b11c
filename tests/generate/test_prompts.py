"""Prompt files: every one in the library loads; errors name file and line; document text is never a template."""


import pytest

from datagen.errors import DataError, UsageError
from datagen.generate import strategies
from datagen.generate.prompts import load_prompt, parse_prompt
from datagen.generate.writer import Writer

HEAD = "---\nname: t/a\nversion: 1\ntask: t\nlanguage: en\nvariables: [passage]\nsource: x\nlicence: x\n---\n"
GOOD = f"{HEAD}# System\nBe exact.\n\n# User\nRead {{{{ passage }}}}\n"


STRATEGY_PROMPTS = sorted({p for name in strategies.__all__ if issubclass(c := getattr(strategies, name), Writer) for p in c.prompts})


def test_there_are_prompts() -> None:
    assert "qa/exam_{language}.v1" in STRATEGY_PROMPTS
    assert len(STRATEGY_PROMPTS) == 17


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("pattern", STRATEGY_PROMPTS)
def test_every_prompt_of_an_llm_strategy_loads(pattern: str, language: str) -> None:
    prompt = load_prompt(pattern.format(language=language))
    lists = {"questions", "studies", "examples"}
    values = {name: [] if name in lists or name == "pairs" else f"<{name}>" for name in prompt.head.variables}
    values |= {name: number for name, number in {"items": 5, "round": 2, "turns": 3}.items() if name in values}
    system, user = prompt.render(**values)
    assert (prompt.head.language, len(prompt.sha256)) == (language, 64)
    assert system
    assert "{{" not in user
    if "passage" in values:
        assert "<passage <passage_id>>\n<passage>\n</passage <passage_id>>" in user
    if "items" in values:
        assert user.rsplit("\n", 1)[1].startswith("格式：{" if language == "zh" else "Form: {")


def test_a_prompt_says_the_same_in_both_languages() -> None:
    for pattern in STRATEGY_PROMPTS:
        zh, en = (load_prompt(pattern.format(language=language)) for language in ("zh", "en"))
        assert (zh.head.variables, zh.head.source) == (en.head.variables, en.head.source)
        if "items" in zh.head.variables:
            assert zh.user.rsplit("格式：", 1)[1] == en.user.rsplit("Form: ", 1)[1]


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
