"""The page in headless Chromium: the main path from documents to a registered dataset, and what must never happen."""

import http.client
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import url_to_be
from selenium.webdriver.support.wait import WebDriverWait

from datagen.jsonl import read_appended, read_json, read_rows, write_jsonl
from datagen.pipeline.reviews import ReviewLog
from datagen.schemas.record import question_answer
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample
from datagen.workspace import Workspace

pytestmark = pytest.mark.browser
PAGES = ("", "run", "review", "coverage", "duplicates", "compare", "export")
RECIPE = """
name: small
version: 1
description: a run that ends in seconds
source: a test
sizes: [16]
exam: {size: 12, unseen_documents: 0.25}
generate:
  strategies: [{kind: extractive}]
register: {name: small}
probe: {model: tiny, seeds: 1, epochs: 1, evals_per_run: 1, answers: 2, max_new_tokens: 4}
"""


def wait(condition: Callable[[], Any], *, seconds: float = 20, what: str = "") -> Any:
    """Return the first true value of ``condition``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := condition():
                return value
        except Exception as error:
            if type(error).__module__.split(".")[0] != "selenium":
                raise
        time.sleep(0.1)
    raise AssertionError(f"did not happen within {seconds} s: {what}")


def body(chrome: Any) -> str:
    return str(chrome.find_element(By.TAG_NAME, "body").text)


def see(chrome: Any, words: str, *, seconds: float = 20) -> None:
    try:
        wait(lambda: words in body(chrome), seconds=seconds, what=f"{words!r}")
    except AssertionError as error:
        raise AssertionError(f"{error} in {body(chrome)[:1500]!r}") from error


def press(chrome: Any, key: str) -> None:
    ActionChains(chrome).send_keys(key).perform()


def click(chrome: Any, words: str) -> None:
    """Click a button or link by its words; one that is drawn anew meanwhile is looked for again."""

    def clicked() -> bool:
        for element in chrome.find_elements(By.CSS_SELECTOR, "button, a"):
            if words in element.text and element.is_displayed():
                chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
                element.click()
                return True
        return False

    wait(clicked, what=words)


def open_page(chrome: Any, url: str, page: str = "") -> None:
    try:
        chrome.get(f"{url}{page}")
    except TimeoutException:
        # Chromedriver can miss the load event of a page that is opened while the one before still loads; once more, then it is a failure.
        chrome.get(f"{url}{page}")
    # The page is ready for keys when its socket is.
    wait(lambda: chrome.execute_script("return !!(window.socket && window.socket.connected)"), what="a connected socket")


def decisions(root: Path) -> list[dict[str, Any]]:
    return read_appended(root / ".datagen" / "reviews" / "decisions.jsonl")


def test_from_documents_to_a_registered_dataset(chrome: Any, serve: Any, tmp_path: Path, example_docs: list[Path]) -> None:
    root = tmp_path / "ws"
    (root / "pipelines").mkdir(parents=True)
    (root / "pipelines" / "small.yaml").write_text(RECIPE, encoding="utf-8")
    _, url = serve(root)
    chrome.get(f"{url}settings?lang=en&theme=light&name=Ann&next=/run")
    wait(lambda: chrome.execute_script("return !!(window.socket && window.socket.connected)"))

    chrome.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys("\n".join(map(str, example_docs)))
    wait(lambda: len(list((root / "docs").glob("*"))) == len(example_docs) if (root / "docs").is_dir() else False, what="8 documents")
    see(chrome, "Documents: 8")
    choose(chrome, "Recipe", "small")
    click(chrome, "Show plan and price")
    see(chrome, "small v1", seconds=60)
    click(chrome, "Start")
    see(chrome, "Running")
    chrome.refresh()
    see(chrome, "Finished", seconds=90)
    see(chrome, "split")
    assert read_json(root / ".datagen" / "iterations" / "0001" / "manifest.json")["size"] == 16

    open_page(chrome, url, "review")
    see(chrome, "16 of ")
    first = chrome.find_element(By.CSS_SELECTOR, ".dg-detail .dg-turn.user .dg-said").text
    assert chrome.find_elements(By.CSS_SELECTOR, ".dg-document mark.evidence")
    press(chrome, "a")
    wait(lambda: len(decisions(root)) == 1)
    press(chrome, "e")
    field = wait(lambda: chrome.find_elements(By.CSS_SELECTOR, ".dg-dialog textarea"))[-1]
    field.send_keys(Keys.END, " 由人修改。", Keys.CONTROL, Keys.ENTER)
    wait(lambda: len(decisions(root)) == 2)
    wait(lambda: not chrome.find_elements(By.CSS_SELECTOR, ".dg-dialog"))
    press(chrome, "r")
    see(chrome, "Other reason")
    press(chrome, "2")
    wait(lambda: len(decisions(root)) == 3)
    wait(lambda: not chrome.find_elements(By.CSS_SELECTOR, ".dg-dialog"))
    press(chrome, "a")
    wait(lambda: len(decisions(root)) == 4)
    press(chrome, "u")
    wait(lambda: len(decisions(root)) == 5)
    taken = decisions(root)
    assert [d["action"] for d in taken] == ["accept", "edit", "reject", "accept", "undo"]
    assert taken[1]["edited"]["record"]["messages"][-1]["content"].endswith("由人修改。")
    assert taken[1]["edited"]["provenance"]["parents"] == [taken[1]["sample"]]
    assert taken[2]["reason"] == "outdated"
    assert {d["reviewer"] for d in taken} == {"Ann"}
    assert first

    open_page(chrome, url, "export")
    see(chrome, "Your decisions on these rows are applied: 15 rows.")
    see(chrome, "LLaMA-Factory would keep every row.", seconds=60)
    marks = wait(lambda: chrome.find_elements(By.CSS_SELECTOR, ".dg-pre mark.learned"), seconds=60, what="training texts")
    assert len(marks) == 3
    assert all(m.text for m in marks)
    click(chrome, "Register")
    see(chrome, "Registered: small_v1_reviewed_train (15 rows)")
    rows = [r.value for r in read_rows(root / "data" / "small_v1_reviewed_train.json")]
    assert sum(r["output"].endswith("由人修改。") for r in rows) == 1
    see(chrome, "llamafactory-cli train")

    open_page(chrome, url, "compare")
    question = wait(lambda: chrome.find_element(By.CSS_SELECTOR, "input[aria-label=Question]"))
    question.send_keys("会员日是哪天？", Keys.ENTER)
    # Read anew until it is whole: buttons may be replaced while they are drawn.
    wait(lambda: _texts(chrome, ".dg-ask-vote button") == ["A is better", "Equal", "B is better"], seconds=90, what="two answers")
    wait(lambda: chrome.find_element(By.CSS_SELECTOR, ".dg-ask-vote button").click() or True, what="a vote")
    see(chrome, "A: ")
    assert len(read_appended(root / ".datagen" / "reviews" / "votes.jsonl")) == 1


def _texts(chrome: Any, selector: str) -> list[str]:
    return [e.text for e in chrome.find_elements(By.CSS_SELECTOR, selector)]


def choose(chrome: Any, label: str, option: str) -> None:
    """Choose an option of a drop-down list by its label."""
    chrome.find_element(By.CSS_SELECTOR, f"input[aria-label='{label}']").click()
    wait(lambda: [o for o in chrome.find_elements(By.CSS_SELECTOR, ".q-item") if o.text == option], what=option)[0].click()


def test_no_row_ever_runs(chrome: Any, serve: Any, workspace: Workspace) -> None:
    attacks = [
        "<script>window.pwned=1</script>",
        "<img src=x onerror='window.pwned=1'>",
        "{{ constructor.constructor('window.pwned=1')() }}",
        "</div><svg onload=window.pwned=1>",
        "[x](javascript:window.pwned=1)",
    ]
    folder = workspace.iteration(1)
    document = next(r.value for r in read_rows(folder / "01-ingest" / "kept.jsonl"))
    text = "\n".join(attacks)
    hostile = {
        **document,
        "path": f"{attacks[1]}.md",
        "text": text,
        "title": attacks[0],
        "sections": [{**document["sections"][0], "start": 0, "end": len(text)}],
    }
    write_jsonl(folder / "01-ingest" / "kept.jsonl", [*(r.value for r in read_rows(folder / "01-ingest" / "kept.jsonl")), hostile])
    rows = [
        Sample.of(
            question_answer(attack, f"{attack}{n}", persona=attack),
            provenance=Provenance(
                document=f"{attacks[1]}.md",
                evidence=(EvidenceSpan(document=f"{attacks[1]}.md", start=0, end=30, quote=text[:30]),),
                strategy=attack,
            ),
            tags={"language": attack},
        )
        for n, attack in enumerate(attacks)
    ]
    write_jsonl(folder / "train.jsonl", [*(r.to_json() for r in rows), *(r.value for r in read_rows(folder / "train.jsonl"))])
    _, url = serve(workspace.root)
    for page in ("", "review?q=pwned", "review?flag=no_evidence", "coverage", f"coverage?document={attacks[1]}.md", "duplicates", "export"):
        open_page(chrome, url, page)
        time.sleep(0.5)
        assert chrome.execute_script("return window.pwned") is None, page
    open_page(chrome, url, "review?q=pwned")
    for _ in attacks:
        press(chrome, "j")
        time.sleep(0.2)
    press(chrome, "a")
    wait(lambda: len(decisions(workspace.root)) == 1)
    assert attacks[2] in body(chrome)
    assert chrome.execute_script("return window.pwned") is None


def test_a_killed_server_loses_no_decision(chrome: Any, serve: Any, workspace: Workspace) -> None:
    process, url = serve(workspace.root)
    open_page(chrome, f"{url}settings?lang=en&theme=light&name=&next=/", "review")
    open_page(chrome, url, "review")
    see(chrome, "24 of ")
    for n in range(1, 6):
        press(chrome, "a")
        wait(lambda n=n: len(decisions(workspace.root)) == n)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(ReviewLog.of(workspace).standing()) == 5
    _, url = serve(workspace.root)
    open_page(chrome, url, "review?status=accept")
    see(chrome, "5 of ")


def test_twenty_kills_at_random_moments_lose_no_decision_that_was_shown(chrome: Any, serve: Any, workspace: Workspace) -> None:
    rng = random.Random(9)
    questions = {r.value["record"]["messages"][0]["content"]: r.value["id"] for r in read_rows(workspace.iteration(1) / "train.jsonl")}
    lost, taken = 0, 0
    for _ in range(20):
        process, url = serve(workspace.root)
        open_page(chrome, url, "review?status=&q=")
        wait(lambda: len(chrome.find_elements(By.CSS_SELECTOR, ".dg-item")) == 24)
        threading.Timer(rng.uniform(0.1, 1.2), process.kill).start()
        keys = ActionChains(chrome)
        for _ in range(12):
            keys = keys.send_keys("a").pause(rng.uniform(0, 0.06))
        keys.perform()
        process.wait()
        shown = chrome.execute_script(
            "return [...document.querySelectorAll('.dg-item:has(.dg-badge) .dg-item-question')].map(e => e.textContent)"
        )
        log = ReviewLog.of(workspace)
        lost += sum(questions[q] not in log.standing() for q in shown)
        taken += log.count
        log.path.unlink(missing_ok=True)
    assert lost == 0
    assert taken > 40


def test_the_second_of_two_people_is_told(chrome: Any, serve: Any, workspace: Workspace) -> None:
    _, url = serve(workspace.root)
    open_page(chrome, f"{url}settings?lang=en&theme=light&name=Bo&next=/", "review")
    open_page(chrome, url, "review")
    see(chrome, "24 of ")
    press(chrome, "r")
    see(chrome, "Other reason")
    # While Bo thinks about the reason, Ann accepts the row in a process of her own.
    chosen = chrome.find_element(By.CSS_SELECTOR, ".dg-detail .dg-turn.user .dg-said").text
    row = next(r.value for r in read_rows(workspace.iteration(1) / "train.jsonl") if r.value["record"]["messages"][0]["content"] == chosen)
    ReviewLog.of(workspace).decide(Sample.model_validate(row), "accept", seen=0, reviewer="Ann")
    press(chrome, "1")
    see(chrome, "Somebody decided on this row meanwhile")
    assert [(d["action"], d["reviewer"]) for d in decisions(workspace.root)] == [("accept", "Ann")]


def test_stop_and_resume(chrome: Any, serve: Any, tmp_path: Path, example_docs: list[Path]) -> None:
    root = tmp_path / "ws"
    (root / "docs").mkdir(parents=True)
    for path in example_docs:
        (root / "docs" / path.name).write_bytes(path.read_bytes())
    (root / "pipelines").mkdir()
    (root / "pipelines" / "small.yaml").write_text(RECIPE.replace("seeds: 1", "seeds: 8"), encoding="utf-8")
    _, url = serve(root)
    chrome.get(f"{url}settings?lang=en&theme=light&name=&next=/run")
    wait(lambda: chrome.execute_script("return !!(window.socket && window.socket.connected)"))
    choose(chrome, "Recipe", "small")
    click(chrome, "Start")
    wait(lambda: (root / ".datagen/iterations/0001/train.jsonl").exists(), seconds=60, what="rows")
    # A reload and a second tab see the same run.
    chrome.refresh()
    see(chrome, "Stop safely")
    first_tab = chrome.current_window_handle
    chrome.switch_to.new_window("tab")
    open_page(chrome, url, "run")
    see(chrome, "Stop safely")
    chrome.close()
    chrome.switch_to.window(first_tab)
    click(chrome, "Stop safely")
    see(chrome, "Stopped; what was finished is kept", seconds=30)
    assert not (root / ".datagen/iterations/0001/manifest.json").exists()
    click(chrome, "Resume")
    see(chrome, "Finished", seconds=120)
    assert (root / ".datagen/iterations/0001/manifest.json").exists()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_fits_the_window_and_logs_no_error(chrome: Any, serve: Any, workspace: Workspace, language: str) -> None:
    _, url = serve(workspace.root)
    # What the page of an earlier test says about its server, which is gone, is not meant.
    chrome.get("about:blank")
    chrome.get_log("browser")
    try:
        for width, theme in ((1440, "light"), (390, "dark")):
            if width < 500:  # narrower than a window can be
                phone = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": True}
                chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
            open_page(chrome, url, f"settings?lang={language}&theme={theme}&next=/")
            for page in PAGES:
                open_page(chrome, url, page)
                wide = chrome.execute_script("return document.documentElement.scrollWidth")
                assert wide <= width, f"{page} at {width}: {wide}"
                assert chrome.execute_script("return document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[language]
                assert chrome.execute_script("return document.body.classList.contains('body--dark')") == (theme == "dark")
                assert chrome.find_element(By.CSS_SELECTOR, "nav a.active").get_attribute("aria-current") == "page"
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    severe = [e for e in chrome.get_log("browser") if e["level"] == "SEVERE"]
    assert severe == [], json.dumps(severe)[:2000]


def test_keys_are_listed_and_reach_every_page(chrome: Any, serve: Any, workspace: Workspace) -> None:
    _, url = serve(workspace.root)
    chrome.get(f"{url}settings?lang=en&theme=light&next=/")
    for page in (*PAGES, ""):
        WebDriverWait(chrome, 20).until(url_to_be(f"{url}{page}"))
        wait(lambda: chrome.execute_script("return !!(window.socket && window.socket.connected)"), what="a connected socket")
        assert not chrome.find_element(By.CSS_SELECTOR, ".dg-keys-panel").is_displayed()
        press(chrome, "?")
        wait(lambda: chrome.find_element(By.CSS_SELECTOR, ".dg-keys-panel").is_displayed(), what=f"keys of /{page}")
        press(chrome, "]")


def test_the_browser_says_which_files_it_did_not_send(chrome: Any, serve: Any, tmp_path: Path) -> None:
    (tmp_path / "prices.xlsx").write_bytes(b"PK")
    (tmp_path / "退房.md").write_text("# 退房\n\n中午 12 点前退房。\n", encoding="utf-8")
    (tmp_path / "ws").mkdir()
    _, url = serve(tmp_path / "ws")
    open_page(chrome, url, "settings?lang=en&theme=light&next=/run")
    chrome.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(f"{tmp_path / 'prices.xlsx'}\n{tmp_path / '退房.md'}")
    see(chrome, "1 files were not taken: wrong type")
    wait(lambda: (tmp_path / "ws" / "docs" / "退房.md").exists(), what="the other file")


def test_another_address_is_served_only_with_the_token(serve: Any, workspace: Workspace) -> None:
    _, url = serve(workspace.root, "--host", "0.0.0.0")
    address = urlsplit(url)
    token = dict(parse_qsl(address.query))["token"]
    assert len(token) >= 32
    assert _get(address.port, "/review") == (401, "")
    assert _get(address.port, f"/review?token={token[:-1]}") == (401, "")
    status, cookie = _get(address.port, f"/review?token={token}")
    assert (status, cookie.split(";")[0]) == (303, f"datagen_token={token}")
    assert _get(address.port, "/review", Cookie=f"datagen_token={token}")[0] == 200
    assert _get(address.port, "/review", Cookie=f"datagen_token={token}", Origin="https://evil.example")[0] == 403
    assert token not in "".join(p.read_text("utf-8", "replace") for p in workspace.state.rglob("*.json*") if p.is_file())


def _get(port: int | None, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, response.headers.get("set-cookie", "")
