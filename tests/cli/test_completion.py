"""Completion as a shell asks for it; the installed files as each shell finds them."""

import os
import shutil
import subprocess
import sys
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
    [("bash", "complete -o default -F"), ("zsh", "#compdef datagen"), ("fish", "complete --command datagen")],
)
def test_each_shell_s_script_is_printed_whatever_shell_asks(shell: str, mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--show-completion", shell]) == 0
    script = capsys.readouterr().out
    assert mark in script
    assert "_DATAGEN_COMPLETE=complete_" in script


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
