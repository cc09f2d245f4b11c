"""Completion as a shell asks for it; the installed files as each shell finds them."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datagen.cli import COMMANDS, main

ASK = """
source <("$PYTHON" -m datagen --show-completion bash)
datagen() { "$PYTHON" -m datagen "$@"; }
complete_words() {
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
  "$FUNCTION" "$WRAPPER"
  echo "${COMPREPLY[@]}"
}
FUNCTION=$(complete -p datagen | sed 's/.*-F \\([^ ]*\\).*/\\1/')
complete_words datagen reg
complete_words datagen register --na
complete_words datagen ""
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def _put_on_the_path(home: Path, repo: Path) -> dict[str, str]:
    """Write a ``datagen`` into ``home/bin``; return an environment in which shells find it and nothing of this machine's user."""
    wrapper = home / "bin" / "datagen"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m datagen "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    places = {"PATH": f"{wrapper.parent}:{os.environ['PATH']}", "HOME": str(home), "PYTHONPATH": str(repo), "ZDOTDIR": str(home)}
    return {**os.environ, **places, "XDG_CONFIG_HOME": str(home / ".config"), "TERM": "dumb"}


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_commands_and_options_from_the_installed_file(home: Path, repo: Path) -> None:
    environment = _put_on_the_path(home, repo)
    assert main(["--install-completion", "fish"]) == 0
    for typed, wanted in (("datagen reg", "register"), ("datagen register --na", "--name")):
        done = subprocess.run(["fish", "-c", f"complete -C '{typed}'"], capture_output=True, text=True, env=environment, check=False)
        assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [wanted], done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_commands_and_options_on_the_tab_key(home: Path, repo: Path) -> None:
    environment = _put_on_the_path(home, repo)
    assert main(["--install-completion", "zsh"]) == 0
    child, terminal = pty.fork()
    if child == 0:
        os.execve(shutil.which("zsh") or "zsh", ["zsh", "-i"], environment)
    try:
        for typed, wanted in (("datagen unreg", "datagen unregister "), ("datagen register --na", "datagen register --name ")):
            os.write(terminal, f"echo {'re'}ady\n".encode())
            _read_until(terminal, r"\nready")
            # What is on the line at the end is written by the shell itself, and stands in its next output.
            os.write(terminal, f"{typed}\t".encode())
            _read_until(terminal, re.escape(wanted.removeprefix(typed).strip()))
            os.write(terminal, b"\x15")
    finally:
        os.write(terminal, b"\x15\nexit\n")
        os.close(terminal)
        os.waitpid(child, 0)


def _read_until(terminal: int, pattern: str, seconds: float = 120) -> str:
    """Return what a terminal shows up to a pattern."""
    said, end = "", time.monotonic() + seconds
    while not re.search(pattern, said):
        assert time.monotonic() < end, f"no {pattern!r} in {said!r}"
        if select.select([terminal], [], [], 1)[0]:
            said += os.read(terminal, 4096).decode("utf-8", "replace")
    return said


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_and_options(home: Path, repo: Path) -> None:
    wrapper = home / "datagen"
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m datagen "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    environment = {**os.environ, "PYTHON": sys.executable, "WRAPPER": str(wrapper), "PYTHONPATH": str(repo)}
    done = subprocess.run(["bash", "--norc", "-c", ASK], capture_output=True, text=True, env=environment, cwd=repo, check=False)
    assert done.stderr == ""
    commands, options, everything = done.stdout.splitlines()
    assert commands == "register"
    assert options == "--name"
    assert set(everything.split()) == set(COMMANDS)


@pytest.mark.parametrize(
    ("shell", "mark"),
    [("bash", "complete -o default -F"), ("zsh", "#compdef datagen\n"), ("fish", "complete --command datagen")],
)
def test_each_shell_s_script_is_printed_whatever_shell_asks(shell: str, mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--show-completion", shell]) == 0
    script = capsys.readouterr().out
    assert mark in script
    assert "_DATAGEN_COMPLETE=complete_" in script
    assert script == script.strip() + "\n"


@pytest.mark.parametrize(
    ("shell", "file"),
    [("bash", ".bash_completions/datagen.sh"), ("zsh", ".zfunc/_datagen"), ("fish", ".config/fish/completions/datagen.fish")],
)
def test_a_script_is_installed_where_its_shell_looks(home: Path, shell: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--install-completion", shell]) == 0
    assert str(home / file) in capsys.readouterr().out
    assert "_DATAGEN_COMPLETE" in (home / file).read_text(encoding="utf-8")


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--show-completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


def test_the_version_is_told_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("datagen 0.")
