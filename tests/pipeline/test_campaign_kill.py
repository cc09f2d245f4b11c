"""kill -9 in each phase of a campaign, started again after each: the ledger and the data of an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from datagen.jsonl import read_json, read_rows
from datagen.pipeline.ledger import read_ledger
from datagen.workspace import Workspace

SETTINGS = ["exam.vault=6", "probe.epochs=6", "probe.learning_rate=0.003", "probe.alpha_level=0.4"]
STAGES = ("ingest", "exam", "generate", "clean", "split", "register", "probe")


def _command(root: Path, recipe: Path, docs: Path) -> list[str]:
    start = [sys.executable, "-m", "datagen", "-w", str(root), "iterate", str(recipe), "--docs", str(docs), "--sizes", "12,24", "--json"]
    return [*start, *(word for s in SETTINGS for word in ("--set", s))]


def _kill_at_line(command: list[str], repo: Path, line: str, after_s: float) -> bool:
    """Start, kill once ``line`` is said; False if the run ended before it was."""
    process = subprocess.Popen(command, cwd=repo, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr:
        reached = any(said.strip() == line for said in process.stderr)
        time.sleep(after_s if reached else 0)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL and reached


def _kill_when(command: list[str], repo: Path, there: Path, absent: Path) -> bool:
    """Start, kill once one file is there and before another is."""
    process = subprocess.Popen(command, cwd=repo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not there.exists():
        time.sleep(0.005)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL and not absent.exists()


def _ledger(root: Path) -> list[dict[str, Any]]:
    """All of the manifests but clock times and where the workspace lies."""
    found: list[dict[str, Any]] = []
    for manifest in read_ledger(Workspace(root)):
        value = manifest.model_dump(mode="json", exclude={"created", "seconds", "train_command"})
        for step in value["funnel"]:
            del step["seconds"]
        found.append(value)
    return found


@pytest.mark.slow
def test_kill_9_in_each_phase_and_the_same_ledger(tmp_path: Path, docs: Path, recipe: Path, repo: Path) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    subprocess.run(_command(calm, recipe, docs), cwd=repo, check=True, capture_output=True)
    assert [m.number for m in read_ledger(Workspace(calm))] == [1, 2]
    assert read_ledger(Workspace(calm))[0].vault is not None

    command = _command(killed, recipe, docs)
    struck: list[str] = []
    for number in (1, 2):
        folder = killed / ".datagen" / "iterations" / f"{number:04d}"
        # Short stages are struck at their first line, training in its middle.
        moments = [(f"{number:04d} {stage}", 1.0 if stage == "probe" else 0.0) for stage in STAGES]
        struck += [line for line, after_s in moments if _kill_at_line(command, repo, line, after_s)]
        if _kill_when(command, repo, folder / "probe" / "result.json", folder / "manifest.json"):
            struck.append(f"{number} vault and report")
        if number == 1 and _kill_when(command, repo, folder / "manifest.json", killed / ".datagen" / "iterations" / "0002"):
            struck.append("between the steps")
    assert len(struck) >= 2 * len(STAGES), struck
    done = subprocess.run(command, cwd=repo, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    assert _ledger(killed) == _ledger(calm)
    for name in ("train.jsonl", "eval.jsonl"):
        for number in ("0001", "0002"):
            path = Path(".datagen") / "iterations" / number / name
            assert (killed / path).read_bytes() == (calm / path).read_bytes()
    assert read_json(killed / "data" / "dataset_info.json") == read_json(calm / "data" / "dataset_info.json")
    openings = [[(r.value["number"], r.value["verdict"]) for r in read_rows(root / ".datagen" / "vault.jsonl")] for root in (calm, killed)]
    assert openings[0] == openings[1]
