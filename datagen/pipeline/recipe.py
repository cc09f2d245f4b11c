"""Recipe: one YAML file that says everything a run does. Data, never code.

Unknown keys are errors that name the file, the key and its nearest known neighbour. ``--set generate.concurrency=4`` replaces
one value by its dotted path before validation.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from datagen.errors import UsageError, suggest
from datagen.generate.specs import METHOD, SPECS, AnsweringSpec, AskingSpec, JudgeSpec, Method, StrategySpec
from datagen.jsonl import read_text
from datagen.library import Roots, find
from datagen.probe.config import ProbeConfig
from datagen.schemas.document import Language
from datagen.schemas.record import Frozen

Stage = Literal["ingest", "generate", "clean", "split", "register", "probe"]
STAGES: tuple[Stage, ...] = ("ingest", "generate", "clean", "split", "register", "probe")


class ChunkSpec(Frozen):
    max_tokens: int = Field(default=512, ge=32, le=8192)


class ExamSpec(Frozen):
    """The exam, made once and frozen: ``size`` questions, a share of them about documents held out whole; the vault comes on top."""

    size: int = Field(default=200, ge=1)
    unseen_documents: float = Field(default=0.15, ge=0, le=0.5, description="share of documents held out whole")
    unseen_share: float = Field(default=0.3, ge=0, le=1, description="share of exam questions about them")
    vault: int = Field(default=40, ge=0, description="more questions, scored only when a campaign accepts an iteration")
    salt: str = "datagen"
    gold: Path | None = Field(default=None, description="JSONL of question, answer, document, written by people")
    gold_limit: int = Field(default=60, ge=1, description="most gold questions scored, a fixed random choice: each costs time in every run")


class GenerateSpec(Frozen):
    """How rows are made. All strategies of a recipe make rows that are learned by one method (see ``generate.specs.METHOD``)."""

    model: str | None = Field(default=None, description="asked by every strategy that needs a model and names none")
    reasoning: Literal["strip", "keep"] | None = Field(default=None, description="for all strategies that take it and name none")
    strategies: tuple[StrategySpec, ...] = Field(min_length=1)
    persona: dict[Language, str] = {}
    max_attempts: int = Field(default=3, ge=1, le=20)
    concurrency: int = Field(default=8, ge=1, le=4096)
    min_share: float = Field(default=0.5, ge=0, le=1, description="fail if less than this share of the wanted rows is reached")
    min_yield: float = Field(default=0.0, ge=0, le=1, description="fail if less of what was examined is accepted, leaks apart")
    judge: JudgeSpec | None = Field(default=None, description="an LLM that reads every row with its source and drops what it grades low")
    quotas: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default={}, description="new rows wanted about a folder or document, before the rest is spread evenly; 0 leaves it out"
    )

    @model_validator(mode="before")
    @classmethod
    def _share(cls, tree: Any) -> Any:
        """Give model and reasoning to the strategies that take them (a contrast works without a model) and name none."""
        if not isinstance(tree, dict) or not isinstance(tree.get("strategies"), list | tuple):
            return cast("Any", tree)
        named: dict[str, Any] = {**tree}
        takers = {
            "model": {kind for kind, spec in SPECS.items() if issubclass(spec, AskingSpec)},
            "reasoning": {kind for kind, spec in SPECS.items() if issubclass(spec, AnsweringSpec)},
        }
        for key, kinds in takers.items():
            if named.get(key):
                named["strategies"] = [
                    {key: named[key], **s} if isinstance(s, dict) and s.get("kind") in kinds else s for s in named["strategies"]
                ]
        return named

    @model_validator(mode="after")
    def _one_method(self) -> "GenerateSpec":
        methods = {spec.kind: METHOD[spec.kind] for spec in self.strategies}
        if len(set(methods.values())) > 1:
            listed = ", ".join(f"{kind} makes {method} rows" for kind, method in methods.items())
            raise ValueError(f"a set is learned by one method ({listed}); write one recipe for each")
        return self

    @property
    def method(self) -> Method:
        return METHOD[self.strategies[0].kind]


class CleanSpec(Frozen):
    threshold: float = Field(default=0.7, gt=0, le=1)
    ngram: int = Field(default=5, ge=1, le=20)


class RegisterSpec(Frozen):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    format: Literal["alpaca", "sharegpt"] = "alpaca"
    data_dir: Path = Path("data")
    model: str = "Qwen/Qwen3-4B-Instruct-2507"
    template: str = "qwen3_nothink"


class Recipe(Frozen):
    """A whole run. ``sizes`` are the numbers of training rows of successive iterations, growing; ``until`` is its last stage."""

    name: str
    version: int = Field(ge=1)
    description: str
    source: str
    docs: Path = Path("docs")
    report_language: Language = "en"
    sizes: tuple[int, ...] = Field(min_length=1)
    until: Stage = "probe"
    chunk: ChunkSpec = ChunkSpec()
    exam: ExamSpec = ExamSpec()
    generate: GenerateSpec
    clean: CleanSpec = CleanSpec()
    register_as: RegisterSpec = Field(alias="register")
    probe: ProbeConfig = ProbeConfig()

    @model_validator(mode="after")
    def _sizes_grow(self) -> "Recipe":
        if any(size < 1 for size in self.sizes) or list(self.sizes) != sorted(set(self.sizes)):
            raise ValueError(f"sizes must be positive and growing, got {list(self.sizes)}")
        return self

    @model_validator(mode="after")
    def _probe_learns_as_the_set(self) -> "Recipe":
        if "stage" in self.probe.model_fields_set and self.probe.stage != self.generate.method:
            raise ValueError(f"probe.stage is {self.probe.stage}, the strategies make {self.generate.method} rows: leave probe.stage out")
        return self

    @property
    def method(self) -> Method:
        """How the set is learned: ``sft``, ``dpo``, ``kto`` or ``pt``."""
        return self.generate.method

    def examination(self) -> ProbeConfig:
        """Return the probe's settings for this recipe's rows.

        Raises:
            UsageError: there is no probe for them.
        """
        if self.method == "kto":
            raise UsageError(
                "feedback rows (KTO) have no probe: its paired comparison needs two answers to one question (dpo), one answer to learn "
                "(sft) or a text (pt), and a label on a single answer is none of them",
                hint="stop before it with --until register; or make preference rows, which the probe trains by dpo",
            )
        return self.probe.model_copy(update={"stage": self.method})


class AuditRecipe(Frozen):
    """Audit a dataset that exists, clean it, hold an eval set out of it, and register both; ``pipeline/auditing.py`` runs it.

    ``data``: a dataset file, a ``dataset_info.json`` or its folder, ``entry`` one entry of it. ``docs``: what the rows are about, for
    grounding and coverage. ``against``: rows that must not be trained on. Paths are relative to the workspace.
    """

    kind: Literal["audit"]
    name: str
    version: int = Field(ge=1)
    description: str
    source: str
    data: Path = Path("rows.jsonl")
    entry: str | None = None
    docs: Path | None = None
    against: Path | None = None
    report_language: Language = "en"
    eval_ratio: float = Field(default=0.1, ge=0, lt=1, description="share of the rows that stay, held out")
    register_as: RegisterSpec = Field(alias="register")


def load_recipe(name: str, *, settings: Sequence[str] = (), roots: Roots = ()) -> Recipe:
    """Read a recipe that makes rows; see :func:`load_any_recipe`.

    Raises:
        UsageError: as there, or the recipe audits rows that exist.
    """
    found = load_any_recipe(name, settings=settings, roots=roots)
    if isinstance(found, AuditRecipe):
        raise UsageError(f"{name} audits a dataset and makes no rows", hint=f"datagen run {name} --set data=FILE")
    return found


def load_any_recipe(name: str, *, settings: Sequence[str] = (), roots: Roots = ()) -> Recipe | AuditRecipe:
    """Read a recipe by path (``my.yaml``) or by name (``quickstart``) and apply ``KEY=VALUE`` settings.

    ``kind: audit`` makes it an :class:`AuditRecipe`; all others are a :class:`Recipe`.

    Raises:
        UsageError: no such recipe, broken YAML (with line), unknown key (with suggestion), wrong value, broken setting.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = find("pipelines", name, ".yaml", roots=roots)
    try:
        tree: object = yaml.safe_load(read_text(path))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: not valid YAML: {error.problem}", hint="check indentation, colons and quotes there") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path}: not valid YAML: {str(error) or type(error).__name__}") from error
    if not isinstance(tree, dict):
        raise UsageError(f"{path}: a recipe is a YAML mapping, got {type(tree).__name__}", hint="see: datagen ls recipes")
    recipe_tree = cast("dict[str, Any]", tree)
    for setting in settings:
        _apply(recipe_tree, setting)
    model = AuditRecipe if recipe_tree.get("kind") == "audit" else Recipe
    try:
        return model.model_validate(recipe_tree)
    except ValidationError as error:
        raise UsageError(f"{path}: " + "; ".join(_explain(e, model) for e in error.errors()[:5])) from error


def _apply(tree: dict[str, Any], setting: str) -> None:
    key, separator, value = setting.partition("=")
    if not separator or not key:
        raise UsageError(f"--set {setting}: expected KEY=VALUE", hint="for example: --set probe.seeds=2")
    *parents, last = key.split(".")
    node: Any = tree
    for parent in parents:
        node = node.setdefault(parent, {}) if isinstance(node, dict) else node[int(parent)] if _is_index(node, parent) else None
        if not isinstance(node, dict | list):
            raise UsageError(f"--set {setting}: '{parent}' is not a group of settings")
    # ``@FILE`` stands for what the file holds, as quotas written by ``datagen next`` do.
    text = read_text(Path(value[1:])) if value.startswith("@") else value
    try:
        parsed: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {setting}: the value is not valid YAML") from error
    if isinstance(node, dict):
        node[last] = parsed
    elif _is_index(node, last):
        node[int(last)] = parsed
    else:
        raise UsageError(f"--set {setting}: '{last}' is not a position in a list of {len(node)}")


def _is_index(node: object, text: str) -> bool:
    return isinstance(node, list) and text.isdigit() and int(text) < len(node)


def _explain(error: Any, model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "recipe"
    if error["type"] == "extra_forbidden":
        return f"unknown key '{where}' ({suggest(str(error['loc'][-1]), _known_keys(model, error['loc'][:-1]))})"
    if error["type"] == "missing":
        return f"key '{where}' is missing"
    if error["type"] == "union_tag_invalid":
        kind = str(error["ctx"]["tag"])
        return f"{where}: no strategy '{kind}' ({suggest(kind, SPECS)})"
    if error["type"] == "value_error":
        return f"{where}: {error['msg'].removeprefix('Value error, ')}"
    return f"{where}: {error['msg']}, got {str(error['input'])[:80]!r}"


def _known_keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    for part in location:
        if part in SPECS:
            model = SPECS[part]
            continue
        for name, field in model.model_fields.items():
            annotation = field.annotation
            if part in (name, field.alias) and isinstance(annotation, type) and issubclass(annotation, BaseModel):
                model = annotation
    return [field.alias or name for name, field in model.model_fields.items()]
