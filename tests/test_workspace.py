import subprocess
import sys
from pathlib import Path

import pytest

from datagen.errors import DiskRefused, WorkspaceBusy
from datagen.workspace import Workspace, scaffold


def test_second_process_gets_a_clear_error_and_a_dead_one_holds_nothing(tmp_path: Path, repo: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from datagen.workspace import Workspace\n"
        f"with Workspace(Path({str(tmp_path)!r})).lock():\n print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=repo, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdin
    assert process.stdout.readline() == "held\n"
    with pytest.raises(WorkspaceBusy, match=f"process {process.pid}"), Workspace(tmp_path).lock():
        pass
    for broken in ("", "{}", "[]"):
        (tmp_path / ".datagen" / "lock.owner").write_text(broken)
        with pytest.raises(WorkspaceBusy, match="process unknown"), Workspace(tmp_path).lock():
            pass
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    with Workspace(tmp_path).lock():
        assert Workspace(tmp_path).iteration_numbers() == []


def test_a_workspace_that_cannot_be_written_to_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskRefused, match=r"cannot write .*file/\.datagen"), Workspace(tmp_path / "file").lock():
        pass
    with pytest.raises(DiskRefused, match=r"cannot write .*file/docs"):
        scaffold(tmp_path / "file")


def test_paths_follow_the_layout(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (workspace.iterations / "0002").mkdir(parents=True)
    (workspace.iterations / "0010").mkdir()
    for other in ("notes", "²"):
        (workspace.iterations / other).mkdir()
    assert workspace.iteration_numbers() == [2, 10]
    assert workspace.iteration(3) == tmp_path / ".datagen" / "iterations" / "0003"
