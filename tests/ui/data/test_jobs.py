import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from datagen.errors import WorkspaceBusy
from datagen.jsonl import write_json
from datagen.ui.data.jobs import Job, dry_run, keep_plan, last_job, run_arguments, runs_folder, start_job
from datagen.workspace import Workspace


def _job(folder: Path, pid: int, started: float, *, stop_asked: bool = False) -> Job:
    return Job(folder, ("datagen", "run", "x"), pid, started, stop_asked)


def test_progress_is_read_while_a_line_is_being_written(tmp_path: Path) -> None:
    lines = [
        '{"time": 100.0, "iteration": 1, "stage": "generate"}',
        '{"time": 110.0, "done": 40, "total": 100, "note": "yield 80%"}',
        '{"time": 111.0, "do',
    ]
    (tmp_path / "progress.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (step,) = _job(tmp_path, os.getpid(), 0.0).steps()
    assert (step.iteration, step.stage, step.done, step.total, step.note) == (1, "generate", 40, 100, "yield 80%")
    assert (step.rate, step.eta_s) == (4.0, 15.0)


def test_how_a_run_stands_is_told_from_its_process_and_files(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(process.pid).create_time()
    assert _job(tmp_path, process.pid, started).state() == "running"
    assert _job(tmp_path, process.pid, started - 100).state() == "failed", "another process got the same id"
    process.communicate(b"\n")
    assert _job(tmp_path, process.pid, started).state() == "failed"
    assert _job(tmp_path, process.pid, started, stop_asked=True).state() == "stopped"
    (tmp_path / "out.json").write_text('{"iterations": [')
    assert _job(tmp_path, process.pid, started).state() == "failed"
    (tmp_path / "out.json").write_text('{"iterations": []}')
    assert _job(tmp_path, process.pid, started).state() == "finished"


def test_a_second_run_is_refused_while_the_first_goes_on(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    folder = runs_folder(workspace) / "0001"
    write_json(folder / "job.json", {"command": ["datagen"], "pid": os.getpid(), "started": psutil.Process().create_time()})
    with pytest.raises(WorkspaceBusy, match=str(os.getpid())):
        start_job(workspace, ["run", "quickstart"])
    assert [p.name for p in runs_folder(workspace).glob("[0-9]*")] == ["0001"]


def test_a_run_that_cannot_start_says_why(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    arguments = run_arguments(workspace, "quickstart", tmp_path / "nowhere", ["sizes=[4]"], "split")
    assert arguments == [
        "-w",
        str(tmp_path),
        "run",
        "quickstart",
        "--docs",
        str(tmp_path / "nowhere"),
        "--set",
        "sizes=[4]",
        "--until",
        "split",
    ]
    job = start_job(workspace, arguments)
    assert job.shown == f"datagen -w {tmp_path} run quickstart --docs {tmp_path}/nowhere --set 'sizes=[4]' --until split"
    end = time.monotonic() + 60
    while job.state() == "running" and time.monotonic() < end:
        time.sleep(0.1)
    assert job.state() == "failed"
    assert "no such folder of documents" in job.log()
    assert last_job(workspace) == job


def test_only_a_run_that_asks_a_model_is_priced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def price(arguments: tuple[str, ...]) -> dict[str, object]:
        asked.append(arguments)
        return {"sizes": [4], "prices": [{"purpose": "train"}]}

    monkeypatch.setattr("datagen.ui.data.jobs.dry_run", price)
    workspace = Workspace(tmp_path)
    offline = run_arguments(workspace, "quickstart", tmp_path, ["sizes=[4]"])
    paid = run_arguments(workspace, "quickstart", tmp_path, ["generate.strategies=[{kind: qa, model: 'openai:gpt-4.1-mini'}]"])
    unknown = run_arguments(workspace, "no-such-recipe", tmp_path, [])
    for number, arguments in enumerate((offline, paid, unknown)):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        job = Job(folder, ("datagen", *arguments), os.getpid(), 0.0, stop_asked=False)
        for _ in range(2):
            keep_plan(workspace, job)
        assert (job.plan() is not None) == (arguments is paid)
    assert asked == [tuple(paid)]


def test_a_dry_run_tells_its_plan_or_its_error(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# 退房\n\n退房时间是中午 12 点。\n", encoding="utf-8")
    plan = dry_run(run_arguments(Workspace(tmp_path), "quickstart", None, []))
    assert isinstance(plan, dict)
    assert plan["documents"] == 1
    error = dry_run(run_arguments(Workspace(tmp_path), "quickstrat", None, []))
    assert isinstance(error, str)
    assert "did you mean 'quickstart'" in error
