"""One iteration: ingest, exam, generate, clean, split, register, probe; each stage skipped if it is on disk already.

The final file, ``manifest.json``, is written last. Killed anywhere, the same call goes on with the first stage that has no
matching ``stats.json`` and ends with the same files as an undisturbed run.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datagen.dedup import deduplicate_samples
from datagen.exam import Exam
from datagen.export.llamafactory import register, train_command, train_yaml
from datagen.generate.opening import Crew
from datagen.generate.specs import Method
from datagen.hashing import fingerprint, merkle_root, sha256_hex
from datagen.jsonl import JsonObject, read_json, read_rows, write_bytes, write_json, write_jsonl
from datagen.library import Roots
from datagen.pipeline.examination import Examination
from datagen.pipeline.ledger import read_ledger
from datagen.pipeline.lessons import open_recipe_crew, read_gold, spent_so_far, write_exam, write_lessons
from datagen.pipeline.priorities import coverage
from datagen.pipeline.progress import Listener
from datagen.pipeline.recipe import Recipe, Stage
from datagen.pipeline.reviews import ReviewLog
from datagen.pipeline.sources import Sources, run_ingest
from datagen.pipeline.stage_store import StageStore, code_fingerprint
from datagen.pipeline.stopping import accepted
from datagen.schemas.detect import RowFormat
from datagen.schemas.manifest import DatasetFile, FunnelStep, Manifest
from datagen.schemas.sample import Sample
from datagen.schemas.stage import StageResult
from datagen.workspace import Workspace

ROW_FORMAT: Mapping[tuple[str, Method], RowFormat] = {
    ("alpaca", "sft"): "alpaca", ("alpaca", "dpo"): "preference_alpaca", ("alpaca", "kto"): "kto_alpaca", ("alpaca", "pt"): "text",
    ("sharegpt", "sft"): "sharegpt", ("sharegpt", "dpo"): "preference", ("sharegpt", "kto"): "kto", ("sharegpt", "pt"): "text",
}  # fmt: skip
"""The row format of a recipe's ``register.format`` for rows learned by a method."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an iteration is asked to do.

    ``parent`` is the finished iteration it grows from, ``baseline`` the one its probe compares it with (None: the untrained model);
    with ``control`` a gain must also hold against the baseline's rows trained for as many steps; with ``vault`` the vault is opened if the
    iteration is accepted. ``quotas``, if not empty, stand in for the recipe's ``generate.quotas``. ``review_of`` is set for one that
    only takes people's decisions on its parent's rows into account.
    """

    number: int
    size: int
    parent: Manifest | None
    baseline: Manifest | None
    look: int
    key: str
    docs: Path
    ingest_key: str
    control: bool = False
    vault: bool = False
    quotas: Mapping[str, int] = field(default_factory=dict[str, int])
    review_of: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an iteration made; ``manifest`` is None if it stopped early at ``--until``."""

    folder: Path
    manifest: Manifest | None
    funnel: tuple[FunnelStep, ...]
    probe: dict[str, Any] | None = None


def run_iteration(
    workspace: Workspace,
    recipe: Recipe,
    plan: Plan,
    *,
    until: Stage,
    listener: Listener,
    library: Roots = (),
    budget: float | None = None,
    batch: bool = False,
) -> Outcome:
    """Run one iteration up to ``until``; the caller holds the workspace lock.

    ``library``: folders searched for prompts first; ``budget``: most dollars for all stored responses; ``batch``: ask through batch APIs.

    Raises:
        DatagenError: whatever a stage found; finished stages stay on disk.
    """
    if until == "probe":
        recipe.examination()  # what has no probe is said before anything is paid
    begun = time.monotonic()
    folder = workspace.iteration(plan.number)
    store = StageStore(folder)
    if not (folder / "begun.json").exists():
        created = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(folder / "begun.json", {"key": plan.key, "created": created, "spent": spent_so_far(workspace)})
    listener.stage(plan.number, "ingest")
    sources = run_ingest(store, plan.docs, max_tokens=recipe.chunk.max_tokens, key=plan.ingest_key)
    funnel = [_step("ingest", sources.stats)]
    if until == "ingest":
        return Outcome(folder, None, tuple(funnel))

    crew = open_recipe_crew(recipe.generate, workspace, library=library, budget=budget, batch=batch)
    try:
        written = fingerprint([s.fingerprint() for s, _ in (*crew.writers, *crew.examiners)])
        listener.stage(plan.number, "exam")
        exam, held_out, exam_stats = _exam(workspace, store, recipe, sources, crew, written, listener)
        funnel.append(_step("exam", exam_stats))
        root = merkle_root(s.id for s in exam.samples)

        listener.stage(plan.number, "generate")
        reviews = ReviewLog.of(workspace).snapshot()
        reviewed = reviews.apply(_parent_rows(workspace, plan.parent))
        generate_key = fingerprint([sources.key, root, written, plan.size, [s.id for s in reviewed.kept], reviews.root,
                                    recipe.generate.model_dump(mode="json"), recipe.clean.model_dump(mode="json"),
                                    code_fingerprint("generate", "dedup")])  # fmt: skip
        lessons = store.samples(3, "generate", generate_key, lambda: write_lessons(
            recipe, sources, crew, exam=exam, target=plan.size, reviews=reviews, reviewed=reviewed, held_out=held_out, listener=listener
        ), entered=None)  # fmt: skip
    finally:
        asyncio.run(crew.aclose())
    funnel.append(_step("generate", lessons.stats))
    if until == "generate":
        return Outcome(folder, None, tuple(funnel))

    listener.stage(plan.number, "clean")
    clean_key = fingerprint([generate_key, recipe.clean.model_dump(mode="json"), code_fingerprint("dedup", "text.py")])
    clean = store.samples(4, "clean", clean_key, lambda: reviews.protect(deduplicate_samples(
        lessons.kept, threshold=recipe.clean.threshold, ngram=recipe.clean.ngram
    )), entered=len(lessons.kept))  # fmt: skip
    funnel.append(_step("clean", clean.stats))
    if until == "clean":
        return Outcome(folder, None, tuple(funnel))

    listener.stage(plan.number, "split")
    split_key = fingerprint([clean_key, root, code_fingerprint("exam.py", "dedup")])
    train = store.samples(5, "split", split_key, lambda: exam.quarantine(clean.kept), entered=len(clean.kept))
    funnel.append(_step("split", train.stats))
    datasets = _write_datasets(workspace, folder, train, exam)
    if until == "split":
        return Outcome(folder, None, tuple(funnel))

    listener.stage(plan.number, "register")
    name = f"{recipe.register_as.name}_v{plan.number}"
    datasets, command = _register(workspace, recipe, folder, name, train.kept, exam, datasets)
    if until == "register":
        return Outcome(folder, None, tuple(funnel))

    listener.stage(plan.number, "probe")
    examination = Examination(
        train.kept,
        exam,
        baseline=workspace.iteration(plan.baseline.number) / "train.jsonl" if plan.baseline else None,
        config=recipe.examination(),
        runs_dir=workspace.probe_runs,
        vault_log=workspace.state / "vault.jsonl",
        out_dir=folder / "probe",
        look=plan.look,
        listener=listener,
    )
    result = examination.probe(control=plan.control)
    probe = result.model_dump(mode="json")
    marks: JsonObject = read_json(folder / "begun.json")
    manifest = Manifest(
        number=plan.number,
        recipe=recipe.name,
        recipe_version=recipe.version,
        size=plan.size,
        parent=plan.parent.number if plan.parent else None,
        baseline=plan.baseline.number if plan.baseline else None,
        fingerprint=plan.key,
        fingerprints={"documents": sources.key, "strategies": written, "generate": generate_key, "clean": clean_key, "split": split_key,
                      "reviews": reviews.root, "review_of": plan.review_of,
                      "recipe": fingerprint(recipe.model_dump(mode="json")), "probe": str(probe["config_hash"])},
        created=str(marks["created"]),
        seconds=round(time.monotonic() - begun, 1),
        funnel=tuple(funnel),
        cost=paid_since(workspace, marks),
        coverage=coverage(sources.documents, train.kept, held_out),
        usage={k: int(lessons.stats.get(k, 0)) for k in ("requests", "tokens_in", "tokens_out")},
        exam={k: sum(s.tags.get("eval_set") == k for s in exam.samples) for k in ("recall", "unseen", "vault", "gold")},
        exam_root=root,
        datasets=datasets,
        verdicts=tuple(v for v in probe["verdicts"] if v["metric"] == "nll"),
        primary=str(probe["primary"]),
        control=result.controls[0].verdict.model_dump(mode="json") if plan.control and result.controls else None,
        train_command=command,
        versions=_versions(),
    )  # fmt: skip
    manifest = manifest.model_copy(update={"accepted": accepted(manifest)})
    if manifest.accepted and plan.vault:
        manifest = manifest.model_copy(update={"vault": examination.open_vault(control=plan.control)})
    return Outcome(folder, manifest, tuple(funnel), probe)


def paid_since(workspace: Workspace, begun: JsonObject) -> float:
    """Return the dollars of the responses stored since an iteration was begun: a run that was killed and went on counts whole.

    Never below 0, which ``datagen store prune`` meanwhile would make it. Without a mark, all that no finished iteration accounts for.
    """
    before = float(begun["spent"]) if "spent" in begun else sum(m.cost for m in read_ledger(workspace))
    return max(0.0, round(spent_so_far(workspace) - before, 6))


def _exam(
    workspace: Workspace, store: StageStore, recipe: Recipe, sources: Sources, crew: Crew, written: str, listener: Listener
) -> tuple[Exam, frozenset[str], JsonObject]:
    """Load the frozen exam, or write it once. Returns it with the documents it holds out whole."""
    if workspace.split.exists():
        exam = Exam.load(workspace.split, workspace.exam)
        stats: JsonObject = {"entered": len(exam.samples), "kept": len(exam.samples), "reasons": {}, "seconds": 0.0}
    else:
        gold = read_gold(recipe.exam.gold, recipe.exam.gold_limit) if recipe.exam.gold else []
        settings = [part.model_dump(mode="json") for part in (recipe.exam, recipe.generate, recipe.clean)]
        code = code_fingerprint("generate", "dedup", "exam.py")
        key = fingerprint([sources.key, written, settings, [s.id for s in gold], code])
        result = store.samples(2, "exam", key, lambda: write_exam(recipe, sources, crew, gold=gold, listener=listener), entered=None)
        exam = Exam(tuple(result.kept))
        exam.freeze(workspace.split, workspace.exam, salt=recipe.exam.salt, ratios={"unseen_documents": recipe.exam.unseen_documents})
        stats = result.stats
    held_out = frozenset(s.provenance.document for s in exam.samples if s.tags.get("eval_set") == "unseen")
    return exam, held_out, stats


def _parent_rows(workspace: Workspace, parent: Manifest | None) -> list[Sample]:
    if parent is None:
        return []
    path = StageStore(workspace.iteration(parent.number)).path(3, "generate") / "kept.jsonl"
    return [Sample.model_validate(row.value) for row in read_rows(path)]


def _write_datasets(workspace: Workspace, folder: Path, train: StageResult, exam: Exam) -> dict[str, DatasetFile]:
    files: dict[str, DatasetFile] = {}
    for name, samples in (("train", train.kept), ("eval", exam.samples)):
        path = folder / f"{name}.jsonl"
        write_jsonl(path, (s.to_json() for s in samples))
        files[name] = _file(path, len(samples), "", workspace)
    return files


def _register(
    workspace: Workspace, recipe: Recipe, folder: Path, name: str, train: Any, exam: Exam, files: dict[str, DatasetFile]
) -> tuple[dict[str, DatasetFile], str]:
    spec = recipe.register_as
    data_dir = workspace.root / spec.data_dir
    examined = [s for s in exam.samples if s.tags.get("eval_set") in ("recall", "unseen")]
    done = register(data_dir, name, train, examined, format=ROW_FORMAT[spec.format, recipe.method], replace="own")
    config = folder / "train.yaml"
    text = train_yaml(
        name,
        data_dir=data_dir,
        model=spec.model,
        template=spec.template,
        stage=recipe.method,
        output_dir=str(workspace.root / "saves" / name),
        has_eval=bool(examined),
        train_rows=len(train),
    )
    write_bytes(config, text.encode())
    registered = {"registered_train": _file(done.train_file, len(train), done.train_entry, workspace)}
    if done.eval_file is not None:
        registered["registered_eval"] = _file(done.eval_file, len(examined), done.eval_entry or "", workspace)
    return {**files, **registered}, train_command(config)


def _file(path: Path, rows: int, entry: str, workspace: Workspace) -> DatasetFile:
    return DatasetFile(path=_relative(path, workspace), rows=rows, sha256=sha256_hex(path.read_bytes()), entry=entry)


def _step(stage: str, stats: JsonObject) -> FunnelStep:
    reasons = {str(k): int(v) for k, v in dict(stats.get("reasons", {})).items()}
    return FunnelStep(
        stage=stage, entered=int(stats["entered"]), kept=int(stats["kept"]), dropped=reasons, seconds=float(stats.get("seconds", 0.0))
    )


def _relative(path: Path, workspace: Workspace) -> str:
    return str(path.relative_to(workspace.root)) if path.is_relative_to(workspace.root) else str(path)


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in ("datagen", "torch", "transformers", "peft"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
