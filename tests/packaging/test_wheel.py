"""The wheel works outside the checkout: same files, and without any extra it does all that needs no model."""

import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import run

pytestmark = pytest.mark.packaging
EXTRAS = [*tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]]
ROWS = [
    {"instruction": "几点退房？", "input": "", "output": "中午 12:30 前退房。"},
    {"instruction": "几点退房？", "input": "", "output": "中午 12:30 前退房。"},
    {"instruction": "Is breakfast included?", "input": "", "output": "Breakfast is served from 7:00 to 10:00 and is included."},
]


def test_sdist_and_wheel_hold_the_checkout(dist: tuple[Path, Path], repo: Path) -> None:
    wheel, sdist = dist
    tracked = set(run("git", "-c", "core.quotepath=off", "ls-files", cwd=repo).splitlines())
    wanted = {f for f in tracked if f.startswith("datagen/")}
    wanted |= {f"datagen/_library/{f}" for f in tracked if f.split("/")[0] in ("schemas", "prompts", "pipelines")}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert wanted <= held
    assert "datagen/py.typed" in held
    assert all(name.startswith("datagen/") for name in held), "the wheel installs one top-level name"
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert {f for f in tracked if f.startswith(("datagen/", "schemas/", "prompts/", "pipelines/", "tests/"))} <= in_sdist


def test_without_extras_files_are_read_checked_and_registered(minimal: Path, tmp_path: Path) -> None:
    def datagen(*arguments: str | Path, code: int = 0) -> dict[str, object]:
        command = [str(minimal / "python"), "-m", "datagen", *map(str, arguments), "--json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "退房.md").write_text("# 退房\n\n退房时间是中午 12:30，晚退每小时收 50 元。\n", encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")
    assert run(minimal / "datagen", "--version", cwd=tmp_path).startswith("datagen 0.")
    absent = "import importlib.util as u; print([n for n in ('torch', 'transformers', 'nicegui', 'ray', 'bm25s') if u.find_spec(n)])"
    assert run(minimal / "python", "-c", absent, cwd=tmp_path).strip() == "[]"
    run(minimal / "python", "-W", "error", "-c", "import datagen; [getattr(datagen, name) for name in datagen.__all__]", cwd=tmp_path)
    assert datagen("ingest", "docs", "-o", "chunks.jsonl")["chunks"] == 1
    assert datagen("validate", "rows.jsonl")["kept"] == 3
    assert datagen("dedup", "rows.jsonl", "-o", "clean.jsonl")["exact_duplicates"] == 1
    assert datagen("audit", "clean.jsonl", "--docs", "docs")["rows"] == 2
    assert datagen("register", "clean.jsonl", "--name", "hotel")["train_rows"] == 2
    assert {e["name"] for e in datagen("list")["entries"]} == {"hotel_train"}  # type: ignore[attr-defined,index]
    assert datagen("doctor")


def test_a_recipe_runs_from_an_empty_folder_and_the_missing_extra_is_named(minimal: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir(parents=True)
    for number in range(4):
        (docs / f"{number}.md").write_text(
            f"# 第 {number} 号酒店\n\n| 房型 | 价格 |\n| --- | --- |\n| 大床房 | {300 + number} 元 |\n| 套房 | {800 + number} 元 |\n\n"
            f"## 几点退房？\n\n{number} 号酒店的退房时间是中午 {10 + number}:30，晚退每小时收 {50 + number} 元。\n",
            encoding="utf-8",
        )
    recipe = (minimal / "datagen", "run", "quickstart", "--set", "sizes=[8]", "--set", "exam.size=6")
    run(*recipe, "--until", "register", cwd=tmp_path)
    assert (tmp_path / "data" / "dataset_info.json").exists()
    for arguments, extra in ((recipe[1:], "probe"), (("ui", "--no-browser"), "ui")):
        missing = subprocess.run([str(recipe[0]), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert missing.returncode == 2
        assert f"pip install 'datagen[{extra}]'" in missing.stderr
        assert "Traceback" not in missing.stderr


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_extra_can_be_installed(extra: str, dist: tuple[Path, Path], repo: Path, tmp_path: Path) -> None:
    """What pip would install, found without installing it: torch alone takes minutes."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-", f"{dist[0]}[{extra}]"]
    # The retired SDK wants other packages than the pinned ones; it has an environment of its own (make gemini-legacy-venv).
    command += [] if extra == "gemini-legacy" else ["-c", str(repo / "constraints.txt")]
    planned = {item["metadata"]["name"].lower() for item in json.loads(run(*command, cwd=tmp_path))["install"]}
    assert {"datagen", "pydantic", "polars"} <= planned
