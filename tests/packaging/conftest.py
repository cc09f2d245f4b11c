"""The distribution, built once, and an empty environment of every Python on this machine that it is installed into."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

VERSIONS = ("3.11", "3.12", "3.13")
Run = Callable[..., str]


def find_python(version: str) -> Path | None:
    """Return an interpreter of a version: this one, one of pyenv's, or one on the PATH."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    # pyenv's shims are on the PATH also for versions that are not chosen.
    for place in sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"), reverse=True):
        return place
    found = shutil.which(f"python{version}")
    works = found is not None and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0
    return Path(found) if found is not None and works else None


def run(*command: str | Path, cwd: Path) -> str:
    """Return a command's stdout; fail with all it said if it does."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, Path(__file__).resolve().parents[2], cwd=folder)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="session", params=VERSIONS)
def minimal(request: pytest.FixtureRequest, dist: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bin/`` of an environment with datagen and what it needs, no extra; skipped where there is no such Python."""
    python = find_python(request.param)
    if python is None:
        pytest.skip(f"no Python {request.param} on this machine")
    place = tmp_path_factory.mktemp(f"py{request.param}") / "venv"
    run(python, "-m", "venv", place, cwd=place.parent)
    constraints = Path(__file__).resolve().parents[2] / "constraints.txt"
    run(place / "bin/python", "-m", "pip", "install", "-q", "-c", constraints, dist[0], cwd=place.parent)
    return place / "bin"
