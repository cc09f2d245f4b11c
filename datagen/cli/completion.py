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


ZSH = r"""#compdef datagen

_datagen_completion() {
  local -a found
  local typed=${(j: :)words[1,CURRENT]}
  found=("${(@f)$(_TYPER_COMPLETE_ARGS=$typed _TYPER_COMPLETE_FISH_ACTION=get-args _DATAGEN_COMPLETE=complete_fish datagen)}")
  [[ -n ${found[1]} ]] || { _files; return }
  found=("${(@)${(@)found//:/\\:}/$'\t'/:}")
  _describe datagen found
}

if [[ $funcstack[1] == _datagen ]]; then
  _datagen_completion "$@"
else
  compdef _datagen_completion datagen
fi
"""
"""Instead of Typer's script for zsh, which only registers itself on the first Tab of a shell and completes no option (Typer 0.29); the
words come as for fish, a word and its help a line."""


def prepare() -> None:
    """Let the command line answer the scripts, which speak Typer's dialect."""
    from typer.completion import completion_init  # pyright: ignore[reportPrivateImportUsage]

    completion_init()


def script(shell: Shell) -> str:
    """Return what a shell reads to complete ``datagen``."""
    if shell is Shell.zsh:
        return ZSH
    from typer.completion import get_completion_script  # pyright: ignore[reportPrivateImportUsage]

    return get_completion_script(prog_name="datagen", complete_var=VARIABLE, shell=shell.value).strip() + "\n"


def _show(shell: Shell | None) -> None:
    if shell is not None:
        sys.stdout.write(script(shell))
        raise typer.Exit


def _install(shell: Shell | None) -> None:
    if shell is not None:
        from typer.completion import install  # pyright: ignore[reportPrivateImportUsage]

        _, path = install(shell=shell.value, prog_name="datagen", complete_var=VARIABLE)
        path.write_text(script(shell), encoding="utf-8")
        sys.stdout.write(f"{shell.value} completion installed in {path}; it takes effect in the next shell\n")
        raise typer.Exit


ShowOption = Annotated[
    Shell | None, typer.Option("--show-completion", help="Print a shell's completion script.", callback=_show, is_eager=True)
]
InstallOption = Annotated[
    Shell | None, typer.Option("--install-completion", help="Install completion for a shell.", callback=_install, is_eager=True)
]
