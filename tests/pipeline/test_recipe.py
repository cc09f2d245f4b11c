from pathlib import Path

import pytest

from datagen.errors import UsageError
from datagen.generate.specs import SPECS, examiners
from datagen.pipeline.recipe import GenerateSpec, load_any_recipe, load_recipe

GOOD = """
name: mine
version: 1
description: 酒店
source: a test
sizes: [10, 20]
generate:
  strategies:
    - kind: extractive
register: {name: hotel}
"""


def test_every_built_in_recipe_is_valid(repo: Path) -> None:
    recipes = sorted((repo / "pipelines").glob("*.yaml"))
    assert recipes
    for path in recipes:
        recipe = load_any_recipe(str(path))
        assert recipe.name == path.stem
        assert recipe.source


def test_settings_replace_values_by_path(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(GOOD, encoding="utf-8")
    recipe = load_recipe(str(path), settings=["sizes=[5]", "generate.strategies.0.weight=2", "probe.seeds=1", "exam.size=7"])
    assert (recipe.sizes, recipe.generate.strategies[0].weight, recipe.probe.seeds, recipe.exam.size) == ((5,), 2.0, 1, 7)


def test_model_and_reasoning_are_shared_by_those_that_take_them() -> None:
    strategies = [{"kind": "qa"}, {"kind": "evolve", "reasoning": "strip"}, {"kind": "span_question"}, {"kind": "extractive"}]
    spec = GenerateSpec.model_validate({"model": "openai:m", "reasoning": "keep", "strategies": strategies})
    found = [s.model_dump(include={"model", "reasoning"}) for s in spec.strategies]
    assert found == [
        {"model": "openai:m", "reasoning": "keep"},
        {"model": "openai:m", "reasoning": "strip"},
        {"model": "openai:m"},
        {},
    ]
    # The exam has no reasoning.
    assert {getattr(s, "reasoning", "strip") for s in examiners(spec.strategies)} == {"strip"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("sizes: [10, 20]", "sizes: [20, 10]"), "sizes must be positive and growing"),
        (GOOD + "exma: {size: 3}\n", "unknown key 'exma' .did you mean 'exam'"),
        (
            GOOD.replace("register: {name: hotel}", "register: {name: hotel, formt: alpaca}"),
            "unknown key 'register.formt' .did you mean 'format'",
        ),
        (GOOD.replace("kind: extractive", "kind: persnoa"), "generate.strategies.0: no strategy 'persnoa' .did you mean 'persona'"),
        (GOOD + "  - : [\n", "r.yaml:.*not valid YAML"),
        ("- a\n- b\n", "a recipe is a YAML mapping, got list"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
        (GOOD.replace("name: hotel", "name: '../x'"), "register.name"),
    ],
    ids=["sizes", "unknown", "nested-unknown", "kind", "broken", "list", "python-object", "path-in-name"],
)
def test_a_wrong_recipe_is_one_clear_usage_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        load_recipe(str(path))


@pytest.mark.parametrize("setting", ["sizes", "=3", "name.x=1", "generate.strategies.7.weight=1"])
def test_a_wrong_setting_is_a_usage_error(tmp_path: Path, setting: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(UsageError, match="--set"):
        load_recipe(str(path), settings=[setting])


@pytest.mark.parametrize("kind", SPECS)
def test_an_unknown_key_of_any_strategy_is_named_with_its_neighbour(tmp_path: Path, kind: str) -> None:
    model = "" if kind in ("extractive", "passage") else ", model: 'openai:m'"
    path = tmp_path / "r.yaml"
    path.write_text(GOOD.replace("kind: extractive", f"{{kind: {kind}{model}, weigth: 2}}"), encoding="utf-8")
    with pytest.raises(UsageError, match=rf"unknown key 'generate.strategies.0.{kind}.weigth' .did you mean 'weight'"):
        load_recipe(str(path))
    path.write_text(GOOD.replace("kind: extractive", f"{{kind: {kind}{model}, weight: 2}}"), encoding="utf-8")
    assert load_recipe(str(path)).generate.strategies[0].weight == 2
