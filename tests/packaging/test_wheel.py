"""The wheel works outside the checkout: same files, and an offline recipe runs from an empty folder."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_sdist_and_wheel_hold_the_checkout_and_run_from_an_empty_folder(tmp_path: Path, repo: Path) -> None:
    _run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", repo, cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    tracked = set(_run("git", "-c", "core.quotepath=off", "ls-files", cwd=repo).splitlines())
    wanted = {f for f in tracked if f.startswith("datagen/")}
    wanted |= {f"datagen/_library/{f}" for f in tracked if f.split("/")[0] in ("schemas", "prompts", "pipelines")}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert wanted <= held
    assert all(name.startswith("datagen/") for name in held), "the wheel installs one top-level name"
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert {f for f in tracked if f.startswith(("datagen/", "schemas/", "prompts/", "pipelines/", "tests/"))} <= in_sdist

    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    _run(python, "-m", "pip", "install", "-q", "-c", repo / "constraints.txt", wheel, cwd=tmp_path)
    empty = tmp_path / "empty"
    docs = empty / "docs"
    docs.mkdir(parents=True)
    for number in range(4):
        (docs / f"{number}.md").write_text(
            f"# 第 {number} 号酒店\n\n| 房型 | 价格 |\n| --- | --- |\n| 大床房 | {300 + number} 元 |\n| 套房 | {800 + number} 元 |\n\n"
            f"## 几点退房？\n\n{number} 号酒店的退房时间是中午 {10 + number}:30，晚退每小时收 {50 + number} 元。\n",
            encoding="utf-8",
        )
    _run(tmp_path / "venv/bin/datagen", "run", "quickstart", "--until", "register", "--set", "sizes=[8]", "--set", "exam.size=6", cwd=empty)
    assert (empty / "data" / "dataset_info.json").exists()
    missing = subprocess.run(
        [str(tmp_path / "venv/bin/datagen"), "run", "quickstart", "--set", "sizes=[8]", "--set", "exam.size=6"],
        cwd=empty, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert missing.returncode == 2
    assert "pip install 'datagen[probe]'" in missing.stderr
    assert "Traceback" not in missing.stderr
