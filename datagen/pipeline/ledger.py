"""Ledger: the list of manifests, nothing more."""

from datagen.errors import UsageError
from datagen.pipeline.manifest import read_manifest
from datagen.schemas.manifest import Manifest
from datagen.workspace import Workspace


def read_ledger(workspace: Workspace) -> list[Manifest]:
    """Return the manifests of all finished iterations, oldest first."""
    manifests = (read_manifest(workspace.iteration(number)) for number in workspace.iteration_numbers())
    return [manifest for manifest in manifests if manifest is not None]


def finished_iteration(workspace: Workspace, number: int | None = None) -> Manifest:
    """Return a finished iteration's manifest, the last one's without a number.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    ledger = read_ledger(workspace)
    found = next((m for m in reversed(ledger) if number in (None, m.number)), None)
    if found is None:
        finished = ", ".join(str(m.number) for m in ledger) or "none"
        raise UsageError(
            f"no finished iteration{'' if number is None else f' {number}'} in {workspace.root} (finished: {finished})",
            hint="datagen ledger",
        )
    return found
