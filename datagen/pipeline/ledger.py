"""Ledger: the list of manifests, nothing more."""

from datagen.pipeline.manifest import read_manifest
from datagen.schemas.manifest import Manifest
from datagen.workspace import Workspace


def read_ledger(workspace: Workspace) -> list[Manifest]:
    """Return the manifests of all finished iterations, oldest first."""
    manifests = (read_manifest(workspace.iteration(number)) for number in workspace.iteration_numbers())
    return [manifest for manifest in manifests if manifest is not None]
