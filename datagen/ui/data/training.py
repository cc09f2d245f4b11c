"""The command that trains an iteration in full, as the workspace lies now: it may have been moved or copied since it was written."""

import shlex
from pathlib import Path
from typing import Any, cast

import yaml

from datagen.export.llamafactory import train_command
from datagen.jsonl import read_text
from datagen.schemas.manifest import Manifest
from datagen.workspace import Workspace


def full_command(workspace: Workspace, manifest: Manifest) -> str:
    """Return the iteration's training command with paths that exist.

    The configuration file itself stays as it was written; folders in it that lay in the workspace are given anew on the command line,
    which LLaMA-Factory (``hparams/parser.py``, ``read_args``) puts over the file.
    """
    config = workspace.iteration(manifest.number).absolute() / "train.yaml"
    if not config.is_file() or not manifest.train_command:
        return manifest.train_command
    written = Path(shlex.split(manifest.train_command)[-1])
    now, then = workspace.root.absolute(), written.absolute().parents[3]
    if now == then:
        return train_command(config)
    value: object = yaml.safe_load(read_text(config))
    settings = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    moved = [
        f"{key}={shlex.quote(str(now / Path(folder).relative_to(then)))}"
        for key, folder in settings.items()
        if isinstance(folder, str) and key.endswith("_dir") and Path(folder).is_relative_to(then)
    ]
    return " ".join([train_command(config), *moved])
