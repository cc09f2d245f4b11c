"""datagen verdict refuses folders that are not a probe's."""

from pathlib import Path

import pytest

from datagen.cli import main


def test_a_folder_without_a_probe_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verdict", str(tmp_path)]) == 2
    assert "no result.json in this folder" in capsys.readouterr().err
