"""Bench of Coverage, Duplicates and Export with 100,000 rows, and of what other visitors feel meanwhile. Run: make bench-ui.

The rows of ``ui_rows.py``, 2,000 of them conflicts, with 10,000 rows dropped as near duplicates and an exam of 200 questions. For each
page, in headless Chromium: seconds from the request to the first sign of work, to its content, and the longest that another visitor waits
for the Run page while it loads; for Export also to the findings, to the training texts, and to a registered dataset. Two visits, the first
with nothing in memory but the table. Prints one JSON object. Exits 1 if another visitor or a sign takes longer than a second.
"""

import json
import os
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datagen.exam import Exam
from datagen.jsonl import read_rows, write_jsonl
from datagen.schemas.record import prompt_text, question_answer
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped
from datagen.ui.data.rows import build_table
from datagen.workspace import Workspace
from tests.bench.ui_browser import visitor_of
from tests.bench.ui_rows import ROWS, write_workspace

CONFLICTS, DUPLICATES, QUESTIONS = 1_000, 10_000, 200
LONGEST_STALL_S = 1.0
PAUSE_S = 0.2
"""Between two visits of the other. Each leaves a page that the server keeps a while in case its visitor comes back: with twenty a second,
the collecting of these is what would be measured."""
CONTENT = {
    "coverage": "document.querySelectorAll('.dg-tree a').length > 10",
    "duplicates": "document.querySelectorAll('.dg-cluster').length === 40",
    "export": "[...document.querySelectorAll('button')].some(b => b.innerText.includes('Register'))",
}
SIGN = "return !!document.querySelector('.dg-main') && document.querySelector('.dg-main').innerText.trim().length > 0"


class Visitor:
    """Another person, who asks for the Run page again and again; ``waits`` are seconds."""

    def __init__(self, url: str) -> None:
        self.url, self.waits, self._going = url, list[float](), True
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        while self._going:
            begun = time.monotonic()
            with urllib.request.urlopen(self.url) as response:
                response.read()
            self.waits.append(time.monotonic() - begun)
            time.sleep(PAUSE_S)

    def __enter__(self) -> "Visitor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._going = False
        self._thread.join()


def main() -> int:
    """Run the bench and print its figures."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        write_workspace(workspace, ROWS)
        _spoil(workspace)
        build_table(workspace, 1)
        result = {"rows": ROWS, "dropped": DUPLICATES, "cores": os.cpu_count(), "load": os.getloadavg()[0]} | _measure(workspace)
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0 if result["passed"] else 1


def _spoil(workspace: Workspace) -> None:
    """Give the last rows conflicting answers, add what was dropped, and freeze an exam."""
    path = workspace.iteration(1) / "train.jsonl"
    rows = [row.value for row in read_rows(path)]
    samples = [Sample.model_validate(value) for value in rows[: DUPLICATES + QUESTIONS]]
    for at, sample in enumerate(samples[:CONFLICTS]):
        for n, answer in enumerate(("含。", "不含，另付 38 元。")):
            other = Sample.of(question_answer(prompt_text(sample.record), answer), provenance=sample.provenance, tags=sample.tags)
            rows[-1 - 2 * at - n] = other.to_json()
    write_jsonl(path, rows)
    dropped = [
        Dropped(s, "near_duplicate", f"of {samples[n // 2].id[:12]}, similarity 0.8{n % 10}, cluster 0") for n, s in enumerate(samples)
    ]
    write_jsonl(workspace.iteration(1) / "04-clean" / "dropped.jsonl", [d.to_json() for d in dropped[:DUPLICATES]])
    exam = Exam(tuple(s.model_copy(update={"tags": {**s.tags, "eval_set": "recall"}}) for s in samples[-QUESTIONS:]))
    exam.freeze(workspace.split, workspace.exam, salt="bench", ratios={})


def _measure(workspace: Workspace) -> dict[str, Any]:
    # A sign of work comes before all is loaded.
    with visitor_of(workspace, load="none") as (chrome, url):
        chrome.get(f"{url}settings?lang=en&theme=light&next=/run")
        _until(chrome, SIGN)
        with Visitor(f"{url}run") as alone:
            time.sleep(3)
        pages: dict[str, Any] = {}
        for page in CONTENT:
            pages[page] = {"first": _visit(chrome, url, page), "later": _visit(chrome, url, page)}
        with Visitor(f"{url}run") as other:
            begun = time.monotonic()
            chrome.execute_script("[...document.querySelectorAll('button')].find(b => b.innerText.includes('Register')).click()")
            sign = _until(chrome, "return document.body.innerText.includes('Registering')", begun)
            done = _until(chrome, "return document.body.innerText.includes('Registered:')", begun)
        pages["register"] = {"sign_s": sign, "done_s": done, "other_longest_s": round(max(other.waits), 3)}
    visits = [v for p in pages.values() for v in ([p] if "sign_s" in p else p.values())]
    passed = max(v["other_longest_s"] for v in visits) <= LONGEST_STALL_S and max(v["sign_s"] for v in visits) <= LONGEST_STALL_S
    idle = {"median_s": round(statistics.median(alone.waits), 3), "longest_s": round(max(alone.waits), 3)}
    return {"other_visitor_alone": idle, "pages": pages, "passed": passed}


def _visit(chrome: Any, url: str, page: str) -> dict[str, float]:
    """Open a page from an empty tab and return its figures."""
    chrome.get("about:blank")
    _until(chrome, "return location.href === 'about:blank'")
    with Visitor(f"{url}run") as other:
        begun = time.monotonic()
        chrome.get(f"{url}{page}")
        here = partial(_on_page, page)
        figures = {"sign_s": _until(chrome, here(SIGN), begun), "content_s": _until(chrome, here(f"return {CONTENT[page]}"), begun)}
        if page == "export":
            waiting = {
                "findings_s": "document.body.innerText.includes('stops the run')",
                "texts_s": "!!document.querySelector('.dg-pre mark.learned')",
            }
            while waiting:
                if time.monotonic() - begun > 180:
                    raise AssertionError(f"did not come true in 180 s: {', '.join(waiting)}")
                found = [n for n, condition in waiting.items() if chrome.execute_script(f"return {condition}")]
                figures |= {name: round(time.monotonic() - begun, 3) for name in found}
                waiting = {n: c for n, c in waiting.items() if n not in found}
                time.sleep(0.005)
    return {**figures, "other_longest_s": round(max(other.waits), 3), "other_median_s": round(statistics.median(other.waits), 3)}


def _on_page(page: str, script: str) -> str:
    return f"if (!location.href.includes('/{page}')) return false; {script}"


def _until(chrome: Any, script: str, begun: float | None = None) -> float:
    begun = time.monotonic() if begun is None else begun
    while not chrome.execute_script(script):
        if time.monotonic() - begun > 180:
            raise AssertionError(f"did not come true in 180 s: {script}")
        time.sleep(0.005)
    return round(time.monotonic() - begun, 3)


if __name__ == "__main__":
    sys.exit(main())
