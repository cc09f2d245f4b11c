"""One finished workspace for the folder (a real run with the tiny model), a copy of it per test, and a simulated NiceGUI user."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from datagen.pipeline.recipe import load_recipe
from datagen.pipeline.run import run
from datagen.workspace import Workspace

RECIPE = """
name: small
version: 1
description: a run that ends in seconds
source: a test
sizes: [24]
exam: {size: 16, unseen_documents: 0.25}
generate:
  strategies: [{kind: extractive}]
register: {name: small}
probe: {model: tiny, seeds: 1, epochs: 1, evals_per_run: 1, answers: 3, max_new_tokens: 4}
"""

Serve = Callable[..., tuple[subprocess.Popen[str], str]]
Scenario = Callable[[Any], Awaitable[None]]


@pytest.fixture(scope="session")
def example_docs() -> list[Path]:
    source = Path(__file__).resolve().parents[2] / "examples" / "hotel_ota" / "docs"
    chosen = [*sorted((source / "zh" / "会员").iterdir()), *sorted((source / "en").rglob("*.md"))][:8]
    assert len(chosen) == 8
    return chosen


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, example_docs: list[Path]) -> Path:
    root = tmp_path_factory.mktemp("ui") / "酒店"
    for path in example_docs:
        target = root / "docs" / ("zh" if "zh" in path.parts else "en") / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (root / "pipelines").mkdir()
    (root / "pipelines" / "small.yaml").write_text(RECIPE, encoding="utf-8")
    result = run(load_recipe("small", roots=(root,)), workspace=Workspace(root))
    assert [o.manifest.number for o in result.outcomes if o.manifest] == [1]
    return root


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Workspace:
    """A copy of the finished workspace that a test may change."""
    return Workspace(Path(shutil.copytree(finished, tmp_path / "酒店")))


@pytest.fixture
def simulate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Workspace, Scenario], None]:
    """Run a scenario with NiceGUI's simulated user against the pages of a workspace."""
    monkeypatch.setenv("NICEGUI_STORAGE_PATH", str(tmp_path / "nicegui"))

    # Without a pool, what would run in a process runs in a thread: a process a test would take seconds.
    monkeypatch.setattr("nicegui.run.setup", lambda: None)

    def play(workspace: Workspace, scenario: Scenario) -> None:
        from nicegui.testing.user_simulation import user_simulation

        from datagen.ui.server import register_pages

        async def main() -> None:
            async with user_simulation() as user:
                register_pages(workspace)
                # What is read in a thread comes when it comes; 20 s on the busiest machine.
                user.should_see = partial(user.should_see, retries=200)  # type: ignore[method-assign]
                await scenario(user)

        # The simulation removes the modules of registered pages; other tests hold classes from them.
        modules = dict(sys.modules)
        try:
            asyncio.run(main())
        finally:
            sys.modules.update({name: module for name, module in modules.items() if name.split(".")[0] in ("datagen", "tests")})

    return play


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start ``datagen ui`` on a workspace as its users do; returns the process and its address. All are ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(root: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "datagen", "-w", str(root), "ui", "--no-browser", "--port", "0", "--json", *options]
        # NiceGUI serves differently where it sees that a test runs.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        with (tmp_path / f"server-{len(started)}.log").open("w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (tmp_path / f"server-{len(started) - 1}.log").read_text()
        return process, json.loads(line)["url"]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def chrome() -> Iterator[Any]:
    """Headless Chromium. Skips with a message where it is not installed, unless DATAGEN_BROWSER=required."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        message = "chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)"
        if os.environ.get("DATAGEN_BROWSER") == "required":
            pytest.fail(message)
        pytest.skip(message)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1440,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.set_page_load_timeout(40)
    yield browser
    browser.quit()
