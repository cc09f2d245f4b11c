import shlex
import shutil
from pathlib import Path

import yaml

from datagen.pipeline.ledger import read_ledger
from datagen.ui.data.training import full_command
from datagen.workspace import Workspace


def test_a_workspace_that_was_moved_gives_a_command_with_paths_that_exist(finished: Path, tmp_path: Path) -> None:
    (manifest,) = read_ledger(Workspace(finished))
    assert full_command(Workspace(finished), manifest) == manifest.train_command
    moved = Workspace(Path(shutil.copytree(finished, tmp_path / "我的 酒店")))
    verb, train, config, *given = shlex.split(full_command(moved, manifest))
    assert (verb, train) == ("llamafactory-cli", "train")
    assert Path(config) == moved.iteration(1) / "train.yaml"
    # What LLaMA-Factory reads: the file with what the command line says over it.
    read = yaml.safe_load(Path(config).read_text(encoding="utf-8")) | dict(g.split("=", 1) for g in given)
    assert read["dataset_dir"] == str(moved.data_dir)
    assert read["output_dir"] == str(moved.root / "saves" / "small_v1")
    assert str(finished) not in " ".join(str(v) for v in read.values())


def test_a_configuration_that_is_gone_leaves_the_command_as_it_was(finished: Path, tmp_path: Path) -> None:
    (manifest,) = read_ledger(Workspace(finished))
    assert full_command(Workspace(tmp_path), manifest) == manifest.train_command
