"""A run as a process of its own: it goes on when the page is closed, reloaded or served anew.

Everything a page shows is on disk, under ``.datagen/ui/runs/NNNN/``: ``job.json`` (command, process id and its start time, and what the
workspace had cost before), ``plan.json`` (its price beforehand), ``progress.jsonl`` (written by ``datagen run --progress``), ``out.json``
(its result) and ``log.txt``. A run has succeeded only if ``out.json`` is whole.
"""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from datagen.errors import DatagenError, WorkspaceBusy
from datagen.generate.specs import model_of
from datagen.jsonl import JsonObject, read_json, write_json
from datagen.pipeline.lessons import spent_so_far
from datagen.pipeline.recipe import load_recipe
from datagen.ui.data.progress import Spending, Step, read_steps, spending
from datagen.workspace import Workspace

# Runs outlive the server; those it started itself it must also collect when they end.
_CHILDREN: list["subprocess.Popen[bytes]"] = []
State = Literal["running", "finished", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Job:
    """One run started from the page; ``spent_before``: dollars that the workspace's responses had cost when it was first started."""

    folder: Path
    command: tuple[str, ...]
    pid: int
    started: float
    stop_asked: bool
    spent_before: float = 0.0

    @property
    def shown(self) -> str:
        """The command as a person would type it."""
        return shlex.join(self.command)

    def state(self) -> State:
        """Say how the run stands, from the process and its files."""
        if self._process() is not None:
            return "running"
        if self.result() is not None:
            return "finished"
        return "stopped" if self.stop_asked else "failed"

    def result(self) -> JsonObject | None:
        """Return the run's result, None if it did not end well."""
        try:
            value: Any = json.loads((self.folder / "out.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return value if isinstance(value, dict) else None

    def steps(self) -> list[Step]:
        """Return the stages in the order they were begun; a torn last line is left out."""
        return read_steps(self.folder / "progress.jsonl")

    def plan(self) -> JsonObject | None:
        """Return what ``run --dry-run`` said of this run's price, None until it has."""
        path = self.folder / "plan.json"
        return read_json(path) if path.is_file() else None

    def log(self, lines: int = 30) -> str:
        """Return the end of what the run said on stderr."""
        path = self.folder / "log.txt"
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def stop(self, *, now: bool = False) -> None:
        """Ask the run to end, as Ctrl+C would: finished stages are kept, and the same command goes on with the next.

        ``now`` ends it also inside a library that does not pass Ctrl+C on; stages are written whole or not at all, so nothing is lost
        by it but the stage under way.
        """
        process = self._process()
        if process is not None:
            write_json(self.folder / "stop.json", {"asked": True})
            process.send_signal(signal.SIGTERM if now else signal.SIGINT)

    def _process(self) -> Any:
        """Return the process, None if it is gone; the start time tells it from a later one with the same id."""
        import psutil

        _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]
        try:
            process = psutil.Process(self.pid)
            alive = abs(process.create_time() - self.started) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


def runs_folder(workspace: Workspace) -> Path:
    """Return where runs started from the page are kept."""
    return workspace.state / "ui" / "runs"


def last_job(workspace: Workspace) -> Job | None:
    """Return the run started last from a page of this workspace."""
    folders = sorted(p for p in runs_folder(workspace).glob("[0-9]*") if (p / "job.json").is_file())
    if not folders:
        return None
    value = read_json(folders[-1] / "job.json")
    return Job(
        folders[-1],
        tuple(value["command"]),
        value["pid"],
        value["started"],
        (folders[-1] / "stop.json").exists(),
        value.get("spent_before", 0.0),
    )


def run_arguments(workspace: Workspace, recipe: str, docs: Path | None, settings: Sequence[str], until: str = "probe") -> list[str]:
    """Return the arguments after ``datagen`` of a run."""
    chosen = ["--docs", str(docs)] if docs else []
    sets = [part for setting in settings for part in ("--set", setting)]
    stage = [] if until == "probe" else ["--until", until]
    return ["-w", str(workspace.root), "run", recipe, *chosen, *sets, *stage]


def start_job(workspace: Workspace, arguments: Sequence[str]) -> Job:
    """Start a run in a process of its own.

    Raises:
        WorkspaceBusy: a run started from a page is still going, or another page starts one at this moment.
    """
    import psutil

    folder = runs_folder(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=5):
            before = last_job(workspace)
            if before is not None and before.state() == "running":
                raise WorkspaceBusy(f"a run is under way already (process {before.pid})", hint="wait until it ends, or stop it")
            number = int(before.folder.name) + 1 if before else 1
            # A run that was stopped or killed and goes on is still one run.
            goes_on = before is not None and before.result() is None and before.command[1:] == tuple(arguments)
            spent = before.spent_before if before is not None and goes_on else spent_so_far(workspace)
            place = folder / f"{number:04d}"
            place.mkdir(exist_ok=True)
            command = [sys.executable, "-m", "datagen", *arguments, "--json", "--progress", str(place / "progress.jsonl")]
            with (place / "out.json").open("wb") as out, (place / "log.txt").open("wb") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True)
            _CHILDREN.append(process)
            started = psutil.Process(process.pid).create_time()
            described = {"command": ["datagen", *arguments], "pid": process.pid, "started": started, "spent_before": spent}
            if before is not None and goes_on and (plan := before.plan()) is not None:
                write_json(place / "plan.json", plan)
            write_json(place / "job.json", described)
            return Job(place, ("datagen", *arguments), process.pid, started, stop_asked=False, spent_before=spent)
    except Timeout as error:
        raise WorkspaceBusy("another page is starting a run", hint="look at it in a moment") from error


def keep_plan(workspace: Workspace, job: Job) -> None:
    """Ask for the price of a run that has just been started, for its forecast; a run that goes on has its plan already."""
    if job.plan() is not None or not _asks_a_model(workspace, job.command[1:]):
        return
    plan = dry_run(job.command[1:])
    if isinstance(plan, dict) and "prices" in plan:
        write_json(job.folder / "plan.json", plan)


def spending_of(workspace: Workspace, job: Job) -> Spending | None:
    """Return what a run has cost and may cost; None where nothing is paid, or before its plan is known."""
    plan = job.plan()
    if plan is None or all(step["free"] and step["price_known"] for step in plan["prices"]):
        return None
    return spending(plan, job.steps(), paid=max(0.0, spent_so_far(workspace) - job.spent_before))


def _asks_a_model(workspace: Workspace, arguments: Sequence[str]) -> bool:
    """Say whether a run may cost anything; what cannot be read is told by the run itself."""
    _, _, _, name, *rest = arguments
    settings = [value for option, value in pairwise(rest) if option == "--set"]
    try:
        recipe = load_recipe(name, settings=settings, roots=(workspace.root,))
    except DatagenError:
        return False
    return recipe.generate.judge is not None or any(model_of(spec) for spec in recipe.generate.strategies)


def dry_run(arguments: Sequence[str], *, timeout_s: float = 300) -> JsonObject | str:
    """Return what ``run --dry-run`` says about these arguments: its plan, or its error message."""
    done = subprocess.run(
        [sys.executable, "-m", "datagen", *arguments, "--dry-run", "--json"], capture_output=True, text=True, timeout=timeout_s, check=False
    )
    try:
        value: Any = json.loads(done.stdout)
    except json.JSONDecodeError:
        return done.stderr.strip() or f"datagen ended with code {done.returncode}"
    return value
