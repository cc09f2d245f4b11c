"""Reading and writing manifests: the file that, written last, says an iteration is finished."""

from pathlib import Path

from pydantic import ValidationError

from datagen.errors import DataError
from datagen.jsonl import read_json, write_json
from datagen.schemas.manifest import Manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` atomically."""
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))


def read_manifest(folder: Path) -> Manifest | None:
    """Read an iteration's manifest; None while the iteration is unfinished.

    Raises:
        DataError: the file is not a manifest of this version.
    """
    path = folder / "manifest.json"
    if not path.exists():
        return None
    try:
        return Manifest.model_validate(read_json(path))
    except ValidationError as error:
        raise DataError(f"{path}: not a manifest this version reads: {error.errors()[0]['msg']}") from error
