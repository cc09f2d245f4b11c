"""``datagen dedup IN -o OUT``."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from datagen.cli.console import JsonOption, emit, progress, refuse_overwriting

if TYPE_CHECKING:
    from datagen.dedup.batch import Duplicate
    from datagen.dedup.engines.streaming import FileOptions, FileOutcome
    from datagen.dedup.semantic import SemanticPair
    from datagen.jsonl import JsonObject

On = Literal["prompt", "completion", "both"]
Engine = Literal["native", "datasketch", "ray"]
Keep = Literal["first", "newest", "longest", "best"]


def dedup(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A dataset in any known row format, .json or .jsonl.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the kept rows go, as they were; dropped ones go beside it.")],
    threshold: Annotated[float, typer.Option("--threshold", help="Jaccard similarity of near duplicates, above 0, at most 1.")] = 0.7,
    ngram: Annotated[int, typer.Option("--ngram", min=1, max=50, help="Characters (Chinese) or words per shingle.")] = 5,
    on: Annotated[On, typer.Option("--on", help="Which text is compared.")] = "both",
    keep: Annotated[Keep, typer.Option("--keep", help="Which row of a cluster stays.")] = "first",
    by: Annotated[str | None, typer.Option("--by", help="Column that --keep newest or best compares (best: score).")] = None,
    engine: Annotated[Engine, typer.Option("--engine", help="Which implementation; the result is the same.")] = "native",
    clusters: Annotated[
        Path | None, typer.Option("--clusters", help="Also write the clusters: row numbers from 0, the kept one first.")
    ] = None,
    numbers_matter: Annotated[
        bool, typer.Option("--numbers-matter", help="Rows whose numbers differ are no near duplicates, however alike their wording.")
    ] = False,
    semantic: Annotated[
        str | None,
        typer.Option("--semantic", help="List kept rows that may say the same: tfidf, e5, openai:MODEL@URL, gemini:MODEL, ..."),
    ] = None,
    semantic_threshold: Annotated[
        float | None, typer.Option("--semantic-threshold", help="Cosine similarity from which pairs are listed (default: the embedder's).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.dedup.engines.streaming import FileOptions, check_streamable
    from datagen.dedup.semantic import open_embedder
    from datagen.errors import UsageError
    from datagen.jsonl import read_rows, write_json, write_jsonl

    dropped, queue = out.with_suffix(".dropped.jsonl"), out.with_suffix(".semantic.jsonl")
    refuse_overwriting([source], [out, dropped, *([clusters] if clusters else []), *([queue] if semantic else [])])
    if semantic_threshold is not None and semantic is None:
        raise UsageError("--semantic-threshold needs --semantic", hint="for example --semantic tfidf")
    embedder = open_embedder(semantic) if semantic else None
    started = time.monotonic()
    options = FileOptions(threshold=threshold, ngram=ngram, on=on, keep=keep, by=by, numbers_matter=numbers_matter)
    if engine == "native" and out.suffix.lower() == ".jsonl" and check_streamable(source):
        outcome = _stream(source, out, dropped, options, quiet=as_json)
    else:
        outcome = _in_memory(source, out, dropped, options, engine)
    if clusters:
        write_json(clusters, outcome.found.clusters)
    exact = sum(d.reason == "exact_duplicate" for d in outcome.found.duplicates.values())
    near = len(outcome.found.duplicates) - exact
    value: JsonObject = {
        "rows": outcome.rows,
        "kept": outcome.kept,
        "exact_duplicates": exact,
        "near_duplicates": near,
        "clusters": len(outcome.found.clusters),
        "conflicts": len(outcome.conflicts),
        "seconds": round(time.monotonic() - started, 3),
    }
    lines = [
        f"{outcome.rows} rows, {outcome.kept} kept: {exact} exact and {near} near duplicates in {len(outcome.found.clusters)} clusters"
    ]
    if outcome.conflicts:
        first = ", ".join(map(str, outcome.conflicts[0]))
        lines.append(f"{len(outcome.conflicts)} prompts are kept with different completions, the first in rows {first} (from 0)")
    lines += [f"kept rows -> {out}", f"dropped rows, each with its reason -> {dropped}"]
    if embedder:
        from datagen.dedup.semantic import explain_threshold, find_semantic_pairs

        texts = _texts([row.value for row in read_rows(out)], on)
        least = embedder.threshold if semantic_threshold is None else semantic_threshold
        pairs = find_semantic_pairs(texts, embedder.embed(texts), threshold=least)
        write_jsonl(queue, ({**pair._asdict(), "texts": [texts[pair.first], texts[pair.second]]} for pair in pairs))
        value["semantic_pairs"] = len(pairs)
        lines += [f"{len(pairs)} pairs of kept rows may say the same (nothing is dropped for it) -> {queue}"]
        for step in explain_threshold(pairs):
            if step.example:
                other = f", {step.pairs_with_other_numbers} with other numbers" if step.pairs_with_other_numbers else ""
                lines.append(f"  from {step.threshold:.2f}: {step.pairs} pairs{other}, such as {_shown(step.example, texts)}")
    emit(value, as_json=as_json, human="\n".join(lines))


def _stream(source: Path, out: Path, dropped: Path, options: "FileOptions", *, quiet: bool) -> "FileOutcome":
    from datagen.dedup.engines.streaming import deduplicate_file

    total = source.stat().st_size
    if quiet or total <= options.block_bytes:
        return deduplicate_file(source, out, dropped, options)
    with progress() as display:
        tasks: dict[str, Any] = {}

        def tell(stage: str, done: int) -> None:
            if stage not in tasks:
                tasks[stage] = display.add_task(stage, total=total >> 20, note="MiB")
            display.update(tasks[stage], completed=done >> 20)

        return deduplicate_file(source, out, dropped, options, progress=tell)


def _in_memory(source: Path, out: Path, dropped: Path, options: "FileOptions", engine: Engine) -> "FileOutcome":
    from datagen.dedup import deduplicate
    from datagen.dedup.batch import Found
    from datagen.dedup.engines.streaming import FileOutcome
    from datagen.jsonl import read_rows, write_json, write_jsonl

    rows = [row.value for row in read_rows(source)]
    result = deduplicate(
        rows,
        threshold=options.threshold,
        ngram=options.ngram,
        on=options.on,
        engine=engine,
        keep=options.keep,
        by=options.by,
        numbers_matter=options.numbers_matter,
    )
    if out.suffix.lower() == ".json":
        write_json(out, result.kept)
    else:
        write_jsonl(out, result.kept)
    write_jsonl(dropped, (_dropped(d, rows) for d in result.duplicates.values()))
    return FileOutcome(len(rows), Found(result.clusters, result.duplicates), result.conflicts)


def _dropped(duplicate: "Duplicate", rows: "Sequence[JsonObject]") -> "JsonObject":
    from datagen.dedup.engines.streaming import reason_of

    return reason_of(duplicate, rows[duplicate.row])


def _texts(rows: "Sequence[JsonObject]", on: On) -> list[str]:
    from datagen.dedup.reading import read_compared

    return [row.text for row in read_compared(rows, on)]


def _shown(pair: "SemanticPair", texts: Sequence[str]) -> str:
    def short(text: str) -> str:
        line = " ".join(text.split())
        return line if len(line) <= 60 else f"{line[:59]}…"

    both = f"“{short(texts[pair.first])}” / “{short(texts[pair.second])}”"
    return f"rows {pair.first} and {pair.second} of the kept ones ({pair.similarity:.3f}): {both}"
