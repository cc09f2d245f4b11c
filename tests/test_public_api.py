import importlib
import re
import subprocess
import sys
from pathlib import Path

import datagen
from datagen.cli import COMMANDS, main


def test_public_names_are_sorted_complete_and_load() -> None:
    assert datagen.__all__ == sorted(datagen.__all__)
    assert datagen.__all__ == [
        "audit",
        "check_data_dir",
        "deduplicate",
        "export_dataset",
        "list_registered",
        "load_samples",
        "probe",
        "register",
        "repair",
        "run",
        "split",
        "unregister",
        "validate",
    ]
    for name in datagen.__all__:
        assert callable(getattr(datagen, name))
        assert getattr(datagen, name).__doc__


def test_import_and_help_load_nothing_heavy(repo: Path) -> None:
    code = (
        "import sys, datagen, datagen.cli; datagen.cli.main(['--help']);"
        "heavy = {'torch', 'transformers', 'polars', 'numba', 'openai', 'numpy', 'altair'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_has_help_and_a_module(repo: Path) -> None:
    shared = {"__init__", "completion", "console", "inputs", "listeners", "retrieval", "audit_recipe"}
    modules = {p.stem for p in (repo / "datagen" / "cli").glob("*.py")} - shared
    assert {name.replace("-", "_") for name in COMMANDS} == modules
    for name in COMMANDS:
        assert main([name, "--help"]) == 0


def test_every_command_is_a_documented_function(repo: Path) -> None:
    table = re.findall(r"^\| `([a-z-]+)` \| `([\w.]+)` \|", (repo / "docs" / "python-api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {command for command, _ in table} == set(COMMANDS)
    for _, path in table:
        module, _, name = path.rpartition(".")
        function = getattr(importlib.import_module(module), name)
        assert callable(function), path
        assert function.__doc__, path


def test_unknown_command_is_wrong_usage() -> None:
    assert main(["frobnicate"]) == 2
