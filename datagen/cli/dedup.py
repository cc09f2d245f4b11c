"""``datagen dedup IN -o OUT``."""

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit


def dedup(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A dataset in any known row format, .json or .jsonl.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the kept rows go, as they were; dropped ones go beside it.")],
    threshold: Annotated[float, typer.Option("--threshold", help="Jaccard similarity of near duplicates, above 0, at most 1.")] = 0.7,
    ngram: Annotated[int, typer.Option("--ngram", min=1, max=50, help="Characters (Chinese) or words per shingle.")] = 5,
    on: Annotated[Literal["prompt", "completion", "both"], typer.Option("--on", help="Which text is compared.")] = "both",
    engine: Annotated[Literal["native", "datasketch", "ray"], typer.Option("--engine", help="Which implementation.")] = "native",
    clusters: Annotated[
        Path | None, typer.Option("--clusters", help="Also write the clusters: row numbers from 0, the kept one first.")
    ] = None,
    numbers_matter: Annotated[
        bool, typer.Option("--numbers-matter", help="Rows whose numbers differ are no near duplicates, however alike their wording.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    from datagen.dedup import deduplicate
    from datagen.errors import UsageError
    from datagen.jsonl import read_rows, write_json, write_jsonl

    if out.resolve() == source.resolve():
        raise UsageError(f"{out} is the input itself", hint="write to another file")
    started = time.monotonic()
    rows = [row.value for row in read_rows(source)]
    result = deduplicate(rows, threshold=threshold, ngram=ngram, on=on, engine=engine, numbers_matter=numbers_matter)
    if out.suffix.lower() == ".json":
        write_json(out, result.kept)
    else:
        write_jsonl(out, result.kept)
    dropped = out.with_suffix(".dropped.jsonl")
    found = [result.duplicates[i] for i in sorted(result.duplicates)]
    write_jsonl(
        dropped,
        (
            {"row": d.row, "kept_row": d.kept_row, "reason": d.reason, "similarity": round(d.similarity, 4), "value": rows[d.row]}
            for d in found
        ),
    )
    if clusters:
        write_json(clusters, result.clusters)
    exact = sum(d.reason == "exact_duplicate" for d in found)
    value = {
        "rows": len(rows),
        "kept": len(result.kept),
        "exact_duplicates": exact,
        "near_duplicates": len(found) - exact,
        "clusters": len(result.clusters),
        "conflicts": len(result.conflicts),
        "seconds": round(time.monotonic() - started, 3),
    }
    counts = f"{exact} exact and {len(found) - exact} near duplicates in {len(result.clusters)} clusters"
    human = f"{len(rows)} rows, {len(result.kept)} kept: {counts}"
    if result.conflicts:
        first = ", ".join(map(str, result.conflicts[0]))
        human += f"\n{len(result.conflicts)} prompts are kept with different completions, the first in rows {first} (from 0)"
    emit(value, as_json=as_json, human=f"{human}\nkept rows -> {out}\ndropped rows, each with its reason -> {dropped}")
