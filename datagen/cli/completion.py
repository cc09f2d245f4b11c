"""``--show-completion SHELL`` and ``--install-completion SHELL``.

Typer's own options take no shell where they can see the one they run in: ``--install-completion zsh``, typed in bash, would install bash's.
"""

import sys
from enum import StrEnum
from typing import Annotated

import typer

VARIABLE = "_DATAGEN_COMPLETE"
"""What a completion script sets to ask for the words that fit."""


class Shell(StrEnum):
    """Shells with a script."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def prepare() -> None:
    """Let the command line answer the scripts, which speak Typer's dialect."""
    from typer.completion import completion_init  # pyright: ignore[reportPrivateImportUsage]

    completion_init()


def _show(shell: Shell | None) -> None:
    if shell is not None:
        from typer.completion import get_completion_script  # pyright: ignore[reportPrivateImportUsage]

        sys.stdout.write(get_completion_script(prog_name="datagen", complete_var=VARIABLE, shell=shell.value) + "\n")
        raise typer.Exit


def _install(shell: Shell | None) -> None:
    if shell is not None:
        from typer.completion import install  # pyright: ignore[reportPrivateImportUsage]

        _, path = install(shell=shell.value, prog_name="datagen", complete_var=VARIABLE)
        sys.stdout.write(f"{shell.value} completion installed in {path}; it takes effect in the next shell\n")
        raise typer.Exit


ShowOption = Annotated[
    Shell | None, typer.Option("--show-completion", help="Print a shell's completion script.", callback=_show, is_eager=True)
]
InstallOption = Annotated[
    Shell | None, typer.Option("--install-completion", help="Install completion for a shell.", callback=_install, is_eager=True)
]
