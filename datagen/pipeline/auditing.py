"""Run an audit recipe: audit rows that exist, leave out what nobody wants, hold an eval set out, register both.

Everything lies in ``.datagen/audits/<key>/``, the key being that of recipe and input: ``audit.json``, ``audit.html``, ``clean.jsonl``,
``dropped.jsonl`` (row, reason, what), ``review.jsonl`` (rows to be read by a person, the most suspicious first). The same input gives the
same files; the input itself is never changed. Rows beside duplicates, leaks and empty ones are dropped by people, not by scores.
"""

from dataclasses import dataclass
from pathlib import Path

from datagen.errors import DataError, UsageError
from datagen.export.llamafactory import Registration, register
from datagen.hashing import fingerprint, sha256_hex
from datagen.jsonl import JsonObject, write_json, write_jsonl
from datagen.pipeline.progress import Listener, Silent
from datagen.pipeline.recipe import AuditRecipe
from datagen.report.audit.page import write_page
from datagen.score import audit
from datagen.score.result import AuditResult
from datagen.split import split_samples
from datagen.workspace import Workspace


@dataclass(frozen=True, slots=True)
class AuditRun:
    """What was found and made; ``quarantined`` rows are in neither set, because they leak into the eval set."""

    folder: Path
    result: AuditResult
    registered: Registration
    quarantined: int


def run_audit(recipe: AuditRecipe, *, workspace: Workspace, docs: Path | None = None, listener: Listener | None = None) -> AuditRun:
    """Run the recipe. ``docs`` stands in for the recipe's.

    Raises:
        UsageError: a path does not exist or holds nothing of the kind.
        DataError: no row can be read, or none is left.
        WorkspaceBusy: another datagen holds the workspace.
    """
    told = listener or Silent()
    data = workspace.root / recipe.data
    about = docs or (workspace.root / recipe.docs if recipe.docs else None)
    against = workspace.root / recipe.against if recipe.against else None
    if not data.exists():
        raise UsageError(f"{data}: no such dataset", hint="name yours with --set data=FILE (any row format, or a LLaMA-Factory folder)")
    with workspace.lock():
        result = audit(data, docs=about, against=against, name=recipe.entry, on_stage=lambda stage: told.stage(1, f"audit: {stage}"))
        dropped = set(result.dropped_rows)
        kept = [sample for row, sample in enumerate(result.source.samples) if row not in dropped]
        if not kept:
            raise DataError(f"{data}: no row is left after the audit", hint="datagen audit shows why")
        folder = workspace.state / "audits" / _key(recipe, result)
        write_json(folder / "audit.json", result.to_json())
        write_page(result, folder / "audit.html", recipe.report_language)
        write_jsonl(folder / "clean.jsonl", (sample.to_json() for sample in kept))
        write_jsonl(folder / "dropped.jsonl", _rows(result, result.dropped_rows))
        write_jsonl(folder / "review.jsonl", _rows(result, result.review_queue()))
        told.stage(1, "register")
        parts = split_samples(kept, eval_ratio=recipe.eval_ratio, vault_ratio=0.0)
        spec = recipe.register_as
        done = register(workspace.root / spec.data_dir, spec.name, parts.train, parts.evaluation, format=spec.format, replace="own")
    return AuditRun(folder, result, done, len(parts.quarantined))


def _key(recipe: AuditRecipe, result: AuditResult) -> str:
    rows = sha256_hex("\n".join(sample.id for sample in result.source.samples))
    return fingerprint([recipe.model_dump(mode="json"), rows])[:12]


def _rows(result: AuditResult, rows: list[int]) -> list[JsonObject]:
    """Return the rows with all that was found in them."""
    found: dict[int, list[JsonObject]] = {row: [] for row in rows}
    for f in result.findings:
        if f.row in found:
            found[f.row].append({"code": f.code, "value": round(f.value, 4), "what": f.what})
    return [
        {"dataset": s.dataset, "line": s.line, "findings": found[row], "record": s.sample.record.model_dump(mode="json")}
        for row, s in ((row, result.source.rows[row]) for row in rows)
    ]
