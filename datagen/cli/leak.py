"""``datagen leak TRAIN EVAL...``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datagen.cli.console import JsonOption, emit, refuse_overwriting, workspace_of
from datagen.errors import DataError, UsageError

if TYPE_CHECKING:
    from datagen.dedup.leakage import Leak
    from datagen.dedup.leakage.review import ReviewPair
    from datagen.jsonl import JsonObject
    from datagen.schemas.sample import Sample

SHOWN = 20


def leak(
    ctx: typer.Context,
    train: Annotated[Path, typer.Argument(help="The training rows, in any known row format.")],
    evaluations: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[EVAL]...", help="Evaluation, vault or benchmark files; none: the workspace's frozen exam with its vault."),
    ] = None,
    shared_evidence: Annotated[
        bool, typer.Option("--shared-evidence", help="EVAL asks about documents trained on: answers may share a rare passage.")
    ] = False,
    embed: Annotated[
        str | None, typer.Option("--embed", help="Also list possible paraphrases by: tfidf, e5, openai:MODEL@URL, gemini:MODEL, ...")
    ] = None,
    review_threshold: Annotated[float, typer.Option("--review-threshold", help="Cosine similarity from which a pair is listed.")] = 0.9,
    review: Annotated[Path | None, typer.Option("--review", help="Where the list for review goes, one pair a line.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where the training rows that do not leak go, as they were; the others beside it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.dedup.leakage import question_of
    from datagen.dedup.leakage.refusal import find_set_pairs
    from datagen.dedup.leakage.review import find_review_pairs
    from datagen.dedup.semantic import open_embedder
    from datagen.jsonl import write_jsonl

    if review and not embed:
        raise UsageError("--review needs --embed", hint="for example --embed tfidf")
    outs = [*([out, out.with_suffix(".dropped.jsonl")] if out else []), *([review] if review else [])]
    refuse_overwriting([train, *(evaluations or [])], outs)
    embedder = open_embedder(embed) if embed else None
    trained = _read(train)
    paths = evaluations or [workspace_of(ctx).exam]
    if not evaluations and not paths[0].exists():
        raise UsageError(f"no EVAL file was given and {paths[0]} does not exist", hint="name the file to compare with")
    leaks: list[tuple[Path, Leak]] = []
    templates: list[tuple[Path, Leak]] = []
    queue: list[tuple[Path, ReviewPair]] = []
    lines: list[JsonObject] = []
    parts = [_read(path) for path in paths]
    rows = sum(map(len, parts))
    for path, evaluated in zip(paths, parts, strict=True):
        found, alike = find_set_pairs(trained, evaluated, shared_evidence=shared_evidence)
        leaks += [(path, hit) for hit in found]
        templates += [(path, hit) for hit in alike]
        if embedder:
            asked, questions = [_text(s, question_of(s)) for s in trained], [_text(s, question_of(s)) for s in evaluated]
            pairs = find_review_pairs(asked, questions, embedder, threshold=review_threshold, known=found)
            queue += [(path, pair) for pair in pairs]
            lines += [
                {**pair._asdict(), "eval_file": str(path), "train": asked[pair.train_row], "eval": questions[pair.eval_row]}
                for pair in pairs
            ]
    if review:
        write_jsonl(review, lines)
    value: JsonObject = {"train_rows": len(trained), "eval_rows": rows, "leaks": [_leak(hit, path) for path, hit in leaks]}
    value["templates"] = [_leak(hit, path) for path, hit in templates]
    if embedder:
        value["review"] = [{**p._asdict(), "similarity": round(p.similarity, 4), "eval_file": str(path)} for path, p in queue]
    human = _human(trained, rows, leaks, queue, review, embedder is not None)
    if templates:
        human += f"\n{len(templates)} pairs share a template, with other figures or names and other answers; no leaks, but look at them:"
        human += "".join(f"\n  {hit.train_row} ~ {hit.eval_row}: {_question(trained[hit.train_row])}" for _, hit in templates[:5])
    if out:
        kept = _write_clean(train, out, trained, parts, shared_evidence=shared_evidence)
        value["kept"] = kept
        human += f"\n{kept} training rows leak into nothing -> {out}; the others -> {out.with_suffix('.dropped.jsonl')}"
    emit(value, as_json=as_json, human=human)
    if leaks:
        raise typer.Exit(1)


def _read(path: Path) -> "list[Sample]":
    """Read a dataset; a benchmark in no known row format by all the values of its rows."""
    from datagen.dedup.reading import all_values
    from datagen.jsonl import read_rows
    from datagen.schemas.detect import read_dataset, read_samples
    from datagen.schemas.record import TextRecord
    from datagen.schemas.sample import Sample

    try:
        return read_dataset(path).samples
    except DataError as error:
        if "no known row format" not in error.message:
            raise
        if path.suffix.lower() not in (".json", ".jsonl"):
            return read_samples(path)
        return [Sample.of(TextRecord(text=all_values(row.value).text)) for row in read_rows(path)]


def _write_clean(train: Path, out: Path, trained: "list[Sample]", parts: "list[list[Sample]]", *, shared_evidence: bool) -> int:
    """Write the rows that stay, and the others, as they are in the file; return how many stay."""
    from datagen.dedup.leakage.refusal import rows_without_leaks
    from datagen.jsonl import read_rows, write_json, write_jsonl

    kept = rows_without_leaks(trained, parts, shared_evidence=shared_evidence)
    known = train.suffix.lower() in (".json", ".jsonl")
    values = [row.value for row in read_rows(train)] if known else [{"text": _text(sample, "")} for sample in trained]
    if out.suffix.lower() == ".json":
        write_json(out, [values[i] for i in kept])
    else:
        write_jsonl(out, (values[i] for i in kept))
    leaking = sorted(set(range(len(values))) - set(kept))
    write_jsonl(out.with_suffix(".dropped.jsonl"), ({"row": i, "reason": "leaks_into_eval", "value": values[i]} for i in leaking))
    return len(kept)


def _question(sample: "Sample") -> str:
    from datagen.dedup.leakage import question_of

    return _text(sample, question_of(sample))[:100]


def _text(sample: "Sample", question: str) -> str:
    from datagen.schemas.record import completion_text

    return question or completion_text(sample.record)


def _leak(hit: "Leak", path: Path) -> "JsonObject":
    return {"train_row": hit.train_row, "eval_row": hit.eval_row, "rule": hit.rule, "score": round(hit.score, 4), "eval_file": str(path)}


def _human(
    trained: "list[Sample]",
    rows: int,
    leaks: "list[tuple[Path, Leak]]",
    queue: "list[tuple[Path, ReviewPair]]",
    review: Path | None,
    embedded: bool,
) -> str:
    leaking = len({hit.train_row for _, hit in leaks})
    lines = [f"{leaking} of {len(trained)} training rows leak into {rows} evaluation rows (rows count from 0)"]
    lines += [f"train row {h.train_row} ~ {path.name} row {h.eval_row}: {h.rule}, {h.score:.2f}" for path, h in leaks[:SHOWN]]
    if len(leaks) > SHOWN:
        lines.append(f"and {len(leaks) - SHOWN} more; --json lists all")
    if embedded:
        lines.append(f"{len(queue)} more pairs may be paraphrases; look at them" + (f": {review}" if review else ""))
        lines += [
            f"train row {p.train_row} ? {path.name} row {p.eval_row}: cosine {p.similarity:.2f}"
            + ("" if p.same_numbers else ", other numbers")
            for path, p in queue[:SHOWN]
        ]
    return "\n".join(lines)
