"""The workspace on disk: the paths datagen reads and writes, and the lock that keeps two writers apart."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from datagen.errors import WorkspaceBusy
from datagen.jsonl import guard_disk, write_bytes
from datagen.library import find

GITIGNORE = ".datagen/\nsaves/\n"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths inside one workspace folder."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / ".datagen"

    @property
    def responses(self) -> Path:
        """SQLite store of LLM responses."""
        return self.state / "responses.sqlite"

    @property
    def split(self) -> Path:
        """The frozen exam: salt, ratios, ids, Merkle root."""
        return self.state / "split.json"

    @property
    def exam(self) -> Path:
        """The frozen exam's samples, one a line."""
        return self.state / "exam.jsonl"

    @property
    def iterations(self) -> Path:
        return self.state / "iterations"

    @property
    def probe_runs(self) -> Path:
        """Finished probe trainings, by content hash; later iterations reuse them."""
        return self.state / "probe_runs"

    @property
    def reviews(self) -> Path:
        """Decisions and votes of people, append-only; nothing else can make them again."""
        return self.state / "reviews"

    @property
    def data_dir(self) -> Path:
        """LLaMA-Factory data directory that ``register`` writes to by default."""
        return self.root / "data"

    def iteration(self, number: int) -> Path:
        return self.iterations / f"{number:04d}"

    def iteration_numbers(self) -> list[int]:
        """Return the numbers of iterations begun, in order."""
        if not self.iterations.is_dir():
            return []
        return sorted(int(p.name) for p in self.iterations.iterdir() if p.is_dir() and p.name.isdecimal())

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the workspace for writing; the operating system releases the lock when the process dies.

        Raises:
            WorkspaceBusy: another process holds it; the message names its process id.
            DiskRefused: the workspace may not be written to.
        """
        lock = FileLock(self.state / "lock")
        owner = self.state / "lock.owner"
        with guard_disk(self.state):
            self.state.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout as error:
                raise WorkspaceBusy(
                    f"workspace {self.root} is in use by another datagen (process {_process(owner)})",
                    hint="wait until it ends, or use another workspace with -w DIR",
                ) from error
        try:
            with guard_disk(owner):
                owner.write_text(json.dumps({"pid": os.getpid()}))
            yield
        finally:
            owner.unlink(missing_ok=True)
            lock.release()


def _process(owner: Path) -> str:
    """Return the process id in a lock's owner file, which its process may be writing or removing just now."""
    try:
        return str(json.loads(owner.read_text())["pid"])
    except (OSError, ValueError, LookupError, TypeError):
        return "unknown"


def scaffold(root: Path) -> list[Path]:
    """Make ``docs/``, ``data/``, ``pipelines/quickstart.yaml`` and ``.gitignore`` below ``root``; return what was not there before."""
    made: list[Path] = []
    for folder in (root / "docs", root / "data"):
        if not folder.exists():
            with guard_disk(folder):
                folder.mkdir(parents=True)
            made.append(folder)
    for target, content in (
        (root / "pipelines" / "quickstart.yaml", find("pipelines", "quickstart", ".yaml").read_bytes()),
        (root / ".gitignore", GITIGNORE.encode()),
    ):
        if not target.exists():
            write_bytes(target, content)
            made.append(target)
    return made
