"""Who computes runs: the choice of processes, and processes that end with their parent, whatever happens to either."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datagen.errors import DataError, DatagenError
from datagen.probe.engine import place as where
from datagen.probe.engine.place import Place, choose_place
from datagen.probe.engine.processes import compute_in_processes
from datagen.probe.engine.worker import OnStep

GIB = 1 << 30
ROOT = Path(__file__).resolve().parents[2]
TWO = Place("processes", 2, 0, "cpu")


class Writes:
    """A run is a file's name: it is written with the process that did, after two steps. Some names go wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def compute(self, run: str, on_step: OnStep) -> None:
        sys.stdout.write("something a library prints\n")
        sys.stdout.flush()
        for step in (1, 2):
            on_step(step, f"training {run}")
        if run == "nothing to learn":
            while not (self.folder / "endless").is_file():
                time.sleep(0.05)
            raise DataError("rows.jsonl:3: nothing to learn", hint="give the row an answer")
        if run == "out of memory":
            os.kill(os.getpid(), signal.SIGKILL)
        if run == "endless":
            (self.folder / "endless").write_text(str(os.getpid()), encoding="utf-8")
            time.sleep(600)
        (self.folder / run).write_text(str(os.getpid()), encoding="utf-8")


def test_every_run_is_computed_once_by_two_processes(tmp_path: Path) -> None:
    names = ["客房价格", "退改规则", "rooms", "refunds", "breakfast"]
    told: list[tuple[int, int, str]] = []
    compute_in_processes(Writes(tmp_path), names, TWO, on_step=lambda run, done, note: told.append((run, done, note)))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    pids = {p.read_text(encoding="utf-8") for p in tmp_path.iterdir()}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids
    for number, name in enumerate(names):
        assert [t[1:] for t in told if t[0] == number] == [(1, f"training {name}"), (2, f"training {name}"), (0, "")]


def test_a_run_s_error_is_raised_here_with_its_hint_and_ends_the_others(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^rows\.jsonl:3: nothing to learn\ngive the row an answer\n") as raised:
        compute_in_processes(Writes(tmp_path), ["endless", "nothing to learn"], TWO, on_step=_ignore)
    assert str(raised.value) == "rows.jsonl:3: nothing to learn\ngive the row an answer"
    assert "in compute" in raised.value.__notes__[0]
    _await_end(tmp_path)


def test_a_process_that_is_killed_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatagenError, match="ended by signal 9; it last said:\nsomething a library prints") as raised:
        compute_in_processes(Writes(tmp_path), ["out of memory"], TWO, on_step=_ignore)
    assert "--workers" in raised.value.hint


def test_workers_end_with_a_parent_that_is_killed_even_without_a_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import sys; from pathlib import Path\n"
        "from datagen.probe.engine.place import Place\n"
        "from datagen.probe.engine.processes import compute_in_processes\n"
        "from tests.probe.test_engine import Writes\n"
        'compute_in_processes(Writes(Path(sys.argv[1])), ["endless"], Place("processes", 1, 0, "cpu"), on_step=lambda *_: None)\n',
        encoding="utf-8",
    )
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 60
    while not (tmp_path / "endless").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    _await_end(tmp_path)


@pytest.mark.parametrize(
    ("engine", "cores", "memory", "weights", "runs", "workers", "expected"),
    [
        ("auto", 2, 23 * GIB, 540 << 20, 6, None, ("processes", 2, 1)),
        ("auto", 16, 120 * GIB, 540 << 20, 6, None, ("processes", 6, 2)),
        ("auto", 8, 8 * GIB, 540 << 20, 6, None, ("processes", 2, 4)),  # 3.6 GiB each
        ("auto", 2, 4 * GIB, 540 << 20, 6, None, ("serial", 1, 0)),
        ("auto", 2, 23 * GIB, 2 << 20, 6, None, ("serial", 1, 0)),  # loading it costs more
        ("auto", 2, 23 * GIB, 540 << 20, 1, None, ("serial", 1, 0)),
        ("serial", 16, 120 * GIB, 540 << 20, 6, 4, ("serial", 1, 0)),
        ("processes", 16, 120 * GIB, 2 << 20, 6, 3, ("processes", 3, 5)),
        ("ray", 16, 120 * GIB, 2 << 20, 6, None, ("ray", 6, 1)),
    ],
)
def test_what_is_chosen(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: where.Engine,
    cores: int,
    memory: int,
    weights: int,
    runs: int,
    workers: int | None,
    expected: tuple[str, int, int],
) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(weights)
    monkeypatch.setattr(where, "_cores", lambda: cores)
    monkeypatch.setattr(where, "_memory", lambda: memory)
    assert choose_place(engine, workers, device="cpu", weights=tmp_path, runs=runs)[:3] == expected


def test_each_gpu_goes_to_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [Place("processes", 2, 1, "cuda").environment(n) for n in (0, 1)] == [
        {"CUDA_VISIBLE_DEVICES": "3"},
        {"CUDA_VISIBLE_DEVICES": "5"},
    ]
    assert Place("processes", 2, 4, "cpu").environment(1) == {"OMP_NUM_THREADS": "4"}


def _ignore(run: int, done: int, note: str) -> None:
    pass


def _await_end(folder: Path) -> None:
    """Wait until the endless run's process is gone."""
    pid = int((folder / "endless").read_text(encoding="utf-8"))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")
