"""Every bash and YAML block of both READMEs and of the guide is executed, in one workspace with a tiny model and a stub endpoint.

What a reader fills in (a model, an endpoint, larger sizes) stands in ``Newcomer.readers``; what is too long for a test is made short by
``SHORT``. What cannot run here stands in ``NOT_RUN`` with the reason, and nothing else is left out.
"""

import io
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from datagen.cli import main
from datagen.jsonl import read_rows, write_jsonl
from datagen.testing.stub_server import StubServer
from datagen.testing.tiny_model import build_tiny_model

REPO = Path(__file__).resolve().parents[2]
PAGES = [REPO / "README.md", REPO / "README.zh-CN.md", *sorted((REPO / "docs").glob("??/*.md"))]
FENCE = re.compile(r"^```(bash|yaml)\n(.*?)^```$", re.M | re.S)
NOT_RUN = {
    "make demo": "a quarter of an hour; .ci and the README's figures run it",
    "make test": "this is make test",
    "datagen serve-stub": "runs until Ctrl-C; tests/testing and the stub of this file",
    "datagen ui": "runs until Ctrl-C; tests/ui",
    "datagen serve": "runs until Ctrl-C and needs the extra serve or vLLM; tests/probe/talk",
    "datagen --install-completion": "writes into the start-up file of the user's shell",
    "datagen iterate": "minutes; tests/pipeline/test_campaign.py, here with --dry-run",
}
SHORT = {
    "probe": ["--model", "tiny", "--epochs", "1", "--seeds", "2", "--answers", "1"],
    "curve": ["--model", "tiny", "--epochs", "1", "--fractions", "1/4,1/2,1", "--size-seeds", "2,2,2"],
    "slices": ["--model", "tiny", "--epochs", "1", "--seeds", "2", "--most", "2", "--runs", "4", "--no-confirm"],
    "sweep": ["--model", "tiny", "--epochs", "1", "--targets", "all", "--budget-rank", "1"],
    "chat": ["--max-new-tokens", "4"],
}
MADE = ("out", "out_trl", "out_hf", "merged", "my_grow.yaml", "my_preference.yaml")
"""What several blocks write, and datagen does not overwrite."""
MAY_FIND = {"audit", "leak", "validate", "doctor"}
"""Commands whose exit code 1 means that they found something in the rows, not that they failed."""


class Block(NamedTuple):
    page: Path
    line: int
    language: str
    text: str


def _blocks() -> list[Block]:
    found: list[Block] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        found += [Block(page, text[: m.start()].count("\n") + 1, m.group(1), m.group(2)) for m in FENCE.finditer(text)]
    return found


def _name(block: Block) -> str:
    return f"{block.page.relative_to(REPO)}:{block.line}"


pytestmark = pytest.mark.slow
BASH = [block for block in _blocks() if block.language == "bash"]
YAML = [block for block in _blocks() if block.language == "yaml"]


class Newcomer(NamedTuple):
    """A prepared folder, and what stands for what a reader fills in."""

    folder: Path
    readers: dict[str, str]


@pytest.fixture(scope="session")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    folder = tmp_path_factory.mktemp("newcomer")
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    patch.setenv("OPENAI_API_KEY", "sk-of-a-reader")
    for name in ("examples", "prompts"):
        shutil.copytree(REPO / name, folder / name)
    model = build_tiny_model(folder / "tiny")
    assert main(["init", "mine"]) == 0
    for some in ("zh/会员", "en/policies", "en/travel"):
        shutil.copytree(folder / "examples/hotel_ota/docs" / some, Path("mine/docs") / some)
    recipe = folder / "mine/pipelines/quickstart.yaml"
    tree = yaml.safe_load(recipe.read_text("utf-8"))
    tree["sizes"] = [30, 48]
    tree["exam"] |= {"size": 24, "vault": 6}
    tree["probe"] |= {"model": "tiny", "seeds": 2, "answers": 1, "max_new_tokens": 4}
    recipe.write_text(yaml.safe_dump(tree), encoding="utf-8")
    assert main(["-w", "mine", "run", "quickstart"]) == 0
    rows = "mine/.datagen/iterations/0002/train.jsonl"
    for command in (
        ["split", rows, "-o", "prepared", "--eval-ratio", "0.2"],
        ["convert", "prepared/train.jsonl", "-o", "rows.json", "--to", "alpaca"],
        ["convert", "prepared/eval.jsonl", "-o", "eval.json", "--to", "alpaca"],
        ["register", "rows.json", "--name", "hotel", "--eval", "eval.json"],
    ):
        assert main(command) == 0, command
    scored = [{**row.value, "score": len(row.value["output"])} for row in read_rows(Path("rows.json"))]
    write_jsonl(Path("rows.jsonl"), scored)
    shutil.copytree("mine/docs", "docs")
    copies = {"big.jsonl": rows, "data/hotel.json": "rows.json", "train.jsonl": "prepared/train.jsonl"}
    for copy, source in {**copies, "eval.jsonl": "prepared/eval.jsonl", "benchmark.jsonl": "prepared/eval.jsonl"}.items():
        shutil.copy(source, copy)
    adapter = next(Path("mine/.datagen/probe_runs").glob("*/adapter"))
    shutil.copytree(adapter, "saves/v2")
    Path("questions.txt").write_text("几点退房？\n", encoding="utf-8")
    with StubServer() as stub:
        url = f"http://127.0.0.1:{stub.port}/v1"
        yield Newcomer(
            folder,
            {
                "https://YOUR-ENDPOINT/v1": url,
                "https://你的服务地址/v1": url,
                "YOUR-MODEL": "demo",
                "模型名": "demo",
                "ADAPTER": "saves/v2",
                " DIR": f" {model}",
                " 目录": f" {model}",
                "run grow --set sizes=[300]": "run grow --until generate --set sizes=[32]",
                "sizes=[100]": "sizes=[30,40]",
                "sizes=[50]": "sizes=[30]",
                "--rows 500": "--rows 10",
                "-n 40": "-n 10",
                "--embed e5": "--embed tfidf",
                "0001/train.jsonl": "0002/train.jsonl",
                ".venv/bin/datagen": "datagen",
            },
        )
    patch.undo()


def _filled_in(text: str, readers: dict[str, str]) -> str:
    for theirs, ours in readers.items():
        text = text.replace(theirs, ours)
    return text


def _verb(words: list[str]) -> str:
    rest = words[1:]
    while rest and rest[0] in ("-w", "--library"):
        rest = rest[2:]
    return rest[0]


def test_there_are_blocks_on_every_kind_of_page() -> None:
    assert len(BASH) > 30
    assert {b.page.name for b in BASH} >= {"README.md", "README.zh-CN.md", "commands.md"}
    twins = {page: [b.text.split("#")[0] for b in BASH if b.page == page] for page in PAGES}
    for page in (REPO / "docs/en").glob("*.md"):
        assert len(twins[page]) == len(twins[REPO / "docs/zh" / page.name]), f"{page.name}: as many blocks in both languages"


@pytest.mark.parametrize("block", BASH, ids=_name)
def test_commands_run(block: Block, newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(newcomer.folder)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-reader")
    for made in MADE:
        shutil.rmtree(made, ignore_errors=True)
        Path(made).unlink(missing_ok=True)
    for line in block.text.splitlines():
        words = shlex.split(_filled_in(line, newcomer.readers), comments=True)
        if not words:
            continue
        if words[0] != "datagen":
            if " ".join(words) not in NOT_RUN and not line.startswith("cp -r examples"):
                assert words[0] in ("cp", "mkdir"), line
                subprocess.run(words, check=True)
            continue
        verb = _verb(words)
        if f"datagen {verb}" in NOT_RUN:
            if verb not in ("iterate", "serve") or (verb == "serve" and "--dry-run" not in words):
                continue
            words = [w for w in words if w != "--dry-run"] + ["--dry-run"]
        if verb == "probe" and "--retrieval" in words:
            words += ["--model", "tiny", "--epochs", "1", "--seeds", "2"]
        else:
            words += SHORT.get(verb, [])
        monkeypatch.setattr("sys.stdin", io.StringIO("1\n" * 9))
        code = main(words[1:])
        said = capsys.readouterr()
        assert code == 0 or (code == 1 and verb in MAY_FIND), f"{line}\n{code}\n{said.err[-2000:]}"
        assert "Traceback" not in said.err


@pytest.mark.parametrize("block", YAML, ids=_name)
def test_settings_are_accepted(block: Block, newcomer: Newcomer, tmp_path: Path) -> None:
    from datagen.clients.prices import load_prices
    from datagen.pipeline.recipe import load_recipe

    tree = yaml.safe_load(_filled_in(block.text, newcomer.readers))
    if set(tree) == {"generate"}:
        base = yaml.safe_load((REPO / "pipelines/quickstart.yaml").read_text("utf-8"))
        tree = base | {"generate": base["generate"] | tree["generate"]}
    if "generate" not in tree:
        (tmp_path / "prices.yaml").write_text(block.text, encoding="utf-8")
        assert load_prices(tmp_path).of("my-model") is not None
        return
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    assert load_recipe(str(tmp_path / "r.yaml")).generate.strategies
