"""``datagen schema export``."""

from pathlib import Path

from datagen.cli import main


def test_export_then_check_then_drift(tmp_path: Path) -> None:
    assert main(["schema", "export", "-o", str(tmp_path)]) == 0
    assert main(["schema", "export", "-o", str(tmp_path), "--check"]) == 0
    (tmp_path / "sample.schema.json").write_text("{}")
    assert main(["schema", "export", "-o", str(tmp_path), "--check"]) == 1


def test_committed_schemas_are_current() -> None:
    assert main(["schema", "export", "--check"]) == 0
