"""``datagen generate PATH... --model SPEC -n 100 -o OUT.jsonl``: ingest, chunk and generate alone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datagen.cli.console import JsonOption, emit, roots_of, say, workspace_of
from datagen.cli.generation.spec import read_spec
from datagen.errors import UsageError, suggest

if TYPE_CHECKING:
    from datagen.clients import CachingClient
    from datagen.generate.opening import Crew
    from datagen.generate.runner import Progress
    from datagen.generate.strategy import Purpose
    from datagen.schemas.document import Chunk, Document, Language
    from datagen.schemas.stage import StageResult

STYLES = ("persona", "task")
PERSONA: "Mapping[Language, str]" = {
    "zh": "你是一名专业、耐心的客服助手，请依据公司的规定准确回答用户的问题。",
    "en": "You are a professional, patient support assistant. Answer the user's question accurately by the company's rules.",
}


def generate(
    ctx: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of documents.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the samples go; dropped ones go beside it, to *.dropped.jsonl.")],
    model: Annotated[str | None, typer.Option("--model", help="openai:MODEL, openai:MODEL@BASE_URL, ... or replay:SPEC.")] = None,
    target: Annotated[int, typer.Option("-n", "--rows", min=1, help="Accepted rows wanted.")] = 100,
    strategy: Annotated[str, typer.Option("--strategy", help="See: datagen ls strategies. extractive needs no --model.")] = "qa",
    options: Annotated[
        list[str] | None, typer.Option("--with", help="KEY=VALUE of the strategy, for example --with turns=4 of multi_turn.")
    ] = None,
    reasoning: Annotated[
        str, typer.Option("--reasoning", help="strip, or keep: one row a request, the model's <think> before its answer.")
    ] = "strip",
    exam: Annotated[bool, typer.Option("--exam", help="Exam questions, worded unlike training rows.")] = False,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=4096, help="Requests under way at once.")] = 8,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=32, max=8192, help="Token budget of a chunk.")] = 512,
    items: Annotated[int, typer.Option("--items", min=1, max=50, help="Rows asked for in one request.")] = 5,
    temperature: Annotated[float, typer.Option("--temperature", min=0, max=2, help="0 is the most likely text, 2 the wildest.")] = 0.7,
    style: Annotated[str, typer.Option("--style", help="persona (constant role, question as input) or task.")] = "persona",
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds until an unanswered request counts as failed.")] = 60,
    budget: Annotated[float | None, typer.Option("--budget", min=0, help="Most dollars all stored responses may cost.")] = None,
    rpm: Annotated[float | None, typer.Option("--rpm", min=1, help="Most requests a minute; absent: learnt from headers.")] = None,
    tpm: Annotated[float | None, typer.Option("--tpm", min=1, help="Most tokens a minute; absent: learnt from headers.")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Send through the batch API: half the price, answers within a day.")] = False,
    judge: Annotated[str | None, typer.Option("--judge", help="An LLM that reads every row with its source and grades it.")] = None,
    least: Annotated[int, typer.Option("--least-grade", min=1, max=5, help="Lowest grade of the judge a row may have.")] = 4,
    near: Annotated[float, typer.Option("--near", min=0.01, max=1, help="Similarity from which a row repeats another.")] = 0.7,
    min_yield: Annotated[
        float, typer.Option("--min-yield", min=0, max=1, help="Exit code 1 if less of what was examined is accepted.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Price the run and send nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    if style not in STYLES:
        raise UsageError(f"--style {style}: no such row style", hint=suggest(style, STYLES))
    settings = [*(options or []), *([f"reasoning={reasoning}"] if reasoning != "strip" else [])]
    spec = read_spec(strategy, model, settings, items=items, temperature=temperature, exam=exam)
    from datagen.clients import Account, Limits, open_client, spent_in
    from datagen.generate.funnel import examples_of, funnel_of, require_yield
    from datagen.generate.opening import open_crew
    from datagen.generate.specs import JudgeSpec
    from datagen.ingest import ingest_paths
    from datagen.ingest.chunk import chunk_document
    from datagen.jsonl import write_jsonl

    purpose: Purpose = "exam" if exam else "train"
    grader = JudgeSpec(model=judge, least=least) if judge else None
    if dry_run:
        from datagen.cli.generation.price import print_price

        print_price(ctx, paths, spec, grader, target=target, purpose=purpose, max_tokens=max_tokens, batch=batch, as_json=as_json)
        return
    workspace = workspace_of(ctx)
    account = Account(budget, spent_in(workspace.responses, workspace.root)) if budget is not None else None

    def open_model(name: str) -> "CachingClient":
        return open_client(
            name,
            workspace.responses,
            concurrency=concurrency,
            timeout_s=timeout_s,
            limits=Limits(rpm=rpm, tpm=tpm),
            account=account,
            batch=batch,
            workspace=workspace.root,
            find_model=_find_model,
        )

    crew = open_crew([spec], open_model, judge=grader, library=roots_of(ctx), batch=batch)
    found = ingest_paths(paths)
    for skipped in found.skipped:
        say(f"skipped {skipped.path}: {skipped.reason}")
    chunks = [chunk for document in found.documents for chunk in chunk_document(document, max_tokens=max_tokens)]
    result = _run(
        crew,
        found.documents,
        chunks,
        target=target,
        purpose=purpose,
        persona=PERSONA if style == "persona" else None,
        concurrency=concurrency,
        near=near,
    )
    dropped_path = out.with_suffix(".dropped.jsonl")
    write_jsonl(out, (sample.to_json() for sample in result.kept))
    write_jsonl(dropped_path, (dropped.to_json() for dropped in result.dropped))
    usages = [client.usage for client in crew.clients]
    paid = crew.paid()
    value = {
        "accepted": len(result.kept),
        "target": target,
        "documents": len(found.documents),
        "chunks": len(chunks),
        "requests": result.stats["requests"],
        "yield": result.stats["yield"],
        "cached": sum(usage.cached for usage in usages),
        "tokens_in": result.stats["tokens_in"],
        "tokens_out": result.stats["tokens_out"],
        "paid_tokens_in": sum(usage.paid_tokens_in for usage in usages),
        "paid_tokens_out": sum(usage.paid_tokens_out for usage in usages),
        "paid_usd": round(paid, 6),
        "stopped": result.stats["stopped"],
        "funnel": funnel_of(result.stats),
        "examples": examples_of(result.dropped),
        "dropped": result.reasons(),
        "out": str(out),
        "dropped_out": str(dropped_path),
    }
    reasons = ", ".join(f"{reason} {n}" for reason, n in result.reasons().items()) or "none"
    lines = [
        f"{len(result.kept)} of {target} rows -> {out}",
        f"dropped: {reasons}" + (f" -> {dropped_path}" if result.dropped else ""),
        "funnel: " + " > ".join(f"{step} {n}" for step, n in funnel_of(result.stats).items()),
        f"requests: {value['requests']}, {value['cached']} from the store",
        f"paid tokens: {value['paid_tokens_in']} in, {value['paid_tokens_out']} out, {f'${paid:.4f}' if paid else 'nothing to pay'}",
    ]
    if result.stats["stopped"]:
        lines.append(str(result.stats["stopped"]))
    elif len(result.kept) < target:
        lines.append("short of the target: add documents, raise --items, or see the dropped rows for what went wrong")
    emit(value, as_json=as_json, human="\n".join(lines))
    require_yield(result, min_yield)
    if len(result.kept) < target:
        raise typer.Exit(1)


def _run(
    crew: "Crew",
    documents: "Sequence[Document]",
    chunks: "Sequence[Chunk]",
    *,
    target: int,
    purpose: "Purpose",
    persona: "Mapping[Language, str] | None",
    concurrency: int,
    near: float,
) -> "StageResult":
    import asyncio

    from datagen.cli.generation.view import generation_view
    from datagen.generate.distinct import refuse_near
    from datagen.generate.runner import generate as generate_rows

    async def work(tell: "Callable[[Progress], None]") -> "StageResult":
        try:
            return await generate_rows(
                documents,
                chunks,
                crew.writers,
                target=target,
                purpose=purpose,
                refuse=refuse_near(threshold=near),
                persona=persona,
                concurrency=concurrency,
                on_progress=tell,
            )
        finally:
            await crew.aclose()

    with generation_view(crew) as tell:
        return asyncio.run(work(tell))


def _find_model(name: str) -> Path:
    """Return the folder of a ``local:`` model, converting an embedded one the first time."""
    from datagen.probe.models.known import resolve_model

    return resolve_model(name).prepare("bfloat16", on_note=say)
