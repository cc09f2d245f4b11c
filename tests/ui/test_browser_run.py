"""The Run page in headless Chromium: many documents at once, and what a paid run shows while it goes on."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = pytest.mark.browser
DOCS = Path(__file__).resolve().parents[2] / "examples" / "hotel_ota" / "docs"
RECIPE = """
name: asked
version: 1
description: rows by a model that costs money
source: a test
sizes: [40]
exam: {{size: 12, unseen_documents: 0.25}}
generate:
  model: {model}
  concurrency: 2
  strategies: [{{kind: qa}}]
register: {{name: asked}}
probe: {{model: tiny, seeds: 1, epochs: 1, evals_per_run: 1, answers: 2, max_new_tokens: 4}}
"""


@pytest.fixture
def paid_model() -> Iterator[str]:
    """A fake model on loopback that takes 0.6 s for every answer; yields the name a recipe calls it by."""
    command = [sys.executable, "-m", "datagen", "serve-stub", "--latency-ms", "600", "--json"]
    stub = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert stub.stdout is not None
        yield json.loads(stub.stdout.readline())["model"]
    finally:
        stub.kill()
        stub.communicate()


def body(chrome: Any) -> str:
    return str(chrome.find_element(By.TAG_NAME, "body").text)


def open_run(chrome: Any, url: str, language: str) -> None:
    chrome.get(f"{url}settings?lang={language}&theme=light&name=&next=/run")
    WebDriverWait(chrome, 20).until(lambda c: c.execute_script("return !!(window.socket && window.socket.connected)"))


def test_all_documents_of_the_example_arrive_at_once(chrome: Any, serve: Any, tmp_path: Path) -> None:
    files = sorted(p for p in DOCS.rglob("*") if p.is_file())
    assert len(files) == 44
    root = tmp_path / "ws"
    root.mkdir()
    _, url = serve(root)
    open_run(chrome, url, "en")
    assert "folders are not kept" in body(chrome)
    chrome.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys("\n".join(map(str, files)))
    WebDriverWait(chrome, 60).until(lambda c: "Documents: 44" in body(c))
    assert {p.name: p.read_bytes() for p in (root / "docs").iterdir()} == {p.name: p.read_bytes() for p in files}


def test_a_paid_run_tells_its_cost_and_pace_in_chinese(chrome: Any, serve: Any, tmp_path: Path, paid_model: str) -> None:
    root = tmp_path / "ws"
    (root / "pipelines").mkdir(parents=True)
    (root / "pipelines" / "asked.yaml").write_text(RECIPE.format(model=paid_model), encoding="utf-8")
    (root / "prices.yaml").write_text("stub: {input: 1000, output: 4000}\n", encoding="utf-8")
    shutil.copytree(DOCS, root / "docs")
    _, url = serve(root)
    open_run(chrome, url, "zh")
    chrome.get(f"{url}run?recipe=asked")
    WebDriverWait(chrome, 20).until(lambda c: c.execute_script("return !!(window.socket && window.socket.connected)"))
    WebDriverWait(chrome, 20).until(lambda c: [b for b in c.find_elements(By.TAG_NAME, "button") if b.text == "开始"])[0].click()
    try:
        shown = str(WebDriverWait(chrome, 60, poll_frequency=0.1).until(_row_of_the_paid_stage))
    except TimeoutException as error:
        raise AssertionError(body(chrome)[:3000]) from error
    assert "成品率 " in shown
    assert "次请求（" in shown
    assert not [word for word in ("yield", "requests", "tokens", "slowest", "left") if word in shown], shown
    try:
        money: Any = WebDriverWait(chrome, 60, poll_frequency=0.1).until(_money_of_the_run)
    except TimeoutException as error:
        raise AssertionError(body(chrome)[:3000]) from error
    paid, forecast, most = money
    assert 0 < paid <= forecast <= most
    WebDriverWait(chrome, 60).until(lambda c: "已完成" in body(c))
    ended = re.search(r"已花费 \$([\d.]+)；计划上限为 \$([\d.]+)。", body(chrome))
    assert ended is not None
    assert float(ended[1]) >= paid


def _money_of_the_run(chrome: Any) -> tuple[float, ...] | None:
    """Return dollars paid, expected for the whole run, and the most by its plan, once something is paid."""
    found = re.search(r"已花费 \$([\d.]+)；整个运行预计约 \$([\d.]+)，按计划最多 \$([\d.]+)。", body(chrome))
    return tuple(map(float, found.groups())) if found and float(found[1]) > 0 else None


def _row_of_the_paid_stage(chrome: Any) -> str:
    rows = body(chrome).splitlines()
    return next((r for r in rows if "已花费 $" in r and "约剩" in r), "")
