"""The committed JSON Schemas are what the models say."""

from pathlib import Path

from datagen.library import builtin_root
from datagen.schemas.export_schemas import find_drift, render_schemas, write_schemas


def test_committed_schemas_are_current() -> None:
    assert len(render_schemas()) == 17
    assert find_drift(builtin_root() / "schemas") == {}


def test_drift_is_found(tmp_path: Path) -> None:
    names = write_schemas(tmp_path)
    assert find_drift(tmp_path) == {}
    (tmp_path / names[0]).write_text("{}")
    (tmp_path / names[1]).unlink()
    (tmp_path / "old.schema.json").write_text("{}")
    assert find_drift(tmp_path) == {names[0]: "stale", names[1]: "missing", "old.schema.json": "extra"}
