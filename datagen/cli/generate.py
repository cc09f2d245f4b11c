"""``datagen generate PATH... --model SPEC -n 100 -o OUT.jsonl``: ingest, chunk and generate alone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datagen.cli.console import JsonOption, emit, library_of, progress, say, workspace_of
from datagen.errors import UsageError, suggest

if TYPE_CHECKING:
    from datagen.clients import CachingClient
    from datagen.generate.pricing import Estimate
    from datagen.generate.runner import Progress
    from datagen.generate.specs import AnySpec
    from datagen.generate.strategy import Purpose, Strategy
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
    exam: Annotated[bool, typer.Option("--exam", help="Exam questions, worded unlike training rows.")] = False,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=4096, help="Requests under way at once.")] = 8,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=32, max=8192, help="Token budget of a chunk.")] = 512,
    items: Annotated[int, typer.Option("--items", min=1, max=50, help="Rows asked for in one request.")] = 5,
    temperature: Annotated[float, typer.Option("--temperature", min=0, max=2)] = 0.7,
    style: Annotated[str, typer.Option("--style", help="persona (constant role, question as input) or task.")] = "persona",
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds until an unanswered request counts as failed.")] = 60,
    budget: Annotated[float | None, typer.Option("--budget", min=0, help="Most dollars all stored responses may cost.")] = None,
    rpm: Annotated[float | None, typer.Option("--rpm", min=1, help="Most requests a minute; absent: learnt from headers.")] = None,
    tpm: Annotated[float | None, typer.Option("--tpm", min=1, help="Most tokens a minute; absent: learnt from headers.")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Send through the batch API: half the price, answers within a day.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Price the run and send nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    if style not in STYLES:
        raise UsageError(f"--style {style}: no such row style", hint=suggest(style, STYLES))
    spec = _read_spec(strategy, model, options or [], items=items, temperature=temperature, exam=exam)
    from datagen.clients import Limits, open_client
    from datagen.generate.opening import open_crew
    from datagen.generate.specs import model_of
    from datagen.ingest import ingest_paths
    from datagen.ingest.chunk import chunk_document
    from datagen.jsonl import write_jsonl

    if dry_run and model_of(spec):
        to: Purpose = "exam" if exam else "train"
        _price(ctx, paths, spec, target=target, purpose=to, max_tokens=max_tokens, batch=batch, as_json=as_json)
        return
    workspace = workspace_of(ctx)

    def open_model(name: str) -> "CachingClient":
        return open_client(
            name,
            workspace.responses,
            concurrency=concurrency,
            timeout_s=timeout_s,
            limits=Limits(rpm=rpm, tpm=tpm, budget=budget),
            batch=batch,
            workspace=workspace.root,
            find_model=_find_model,
        )

    crew = open_crew([spec], open_model, library=library_of(ctx))
    client = crew.clients[0] if crew.clients else None
    maker = crew.writers[0][0]
    found = ingest_paths(paths)
    for skipped in found.skipped:
        say(f"skipped {skipped.path}: {skipped.reason}")
    chunks = [chunk for document in found.documents for chunk in chunk_document(document, max_tokens=max_tokens)]
    result = _run(
        found.documents,
        chunks,
        maker,
        client,
        target=target,
        purpose="exam" if exam else "train",
        persona=PERSONA if style == "persona" else None,
        concurrency=concurrency,
    )
    dropped_path = out.with_suffix(".dropped.jsonl")
    write_jsonl(out, (sample.to_json() for sample in result.kept))
    write_jsonl(dropped_path, (dropped.to_json() for dropped in result.dropped))
    usage = client.usage if client else None
    paid = client.budget.price.cost(client.usage.paid_tokens_in, client.usage.paid_tokens_out) if client else 0.0
    value = {
        "accepted": len(result.kept),
        "target": target,
        "documents": len(found.documents),
        "chunks": len(chunks),
        "requests": result.stats["requests"],
        "cached": usage.cached if usage else 0,
        "tokens_in": result.stats["tokens_in"],
        "tokens_out": result.stats["tokens_out"],
        "paid_tokens_in": usage.paid_tokens_in if usage else 0,
        "paid_tokens_out": usage.paid_tokens_out if usage else 0,
        "paid_usd": round(paid, 6),
        "stopped": result.stats["stopped"],
        "dropped": result.reasons(),
        "out": str(out),
        "dropped_out": str(dropped_path),
    }
    reasons = ", ".join(f"{reason} {n}" for reason, n in result.reasons().items()) or "none"
    lines = [
        f"{len(result.kept)} of {target} rows -> {out}",
        f"dropped: {reasons}" + (f" -> {dropped_path}" if result.dropped else ""),
        f"requests: {value['requests']}, {value['cached']} from the store",
        f"paid tokens: {value['paid_tokens_in']} in, {value['paid_tokens_out']} out, ${paid:.4f}",
    ]
    if result.stats["stopped"]:
        lines.append(str(result.stats["stopped"]))
    elif len(result.kept) < target:
        lines.append("short of the target: add documents, raise --items, or see the dropped rows for what went wrong")
    emit(value, as_json=as_json, human="\n".join(lines))
    if len(result.kept) < target:
        raise typer.Exit(1)


def _run(
    documents: "Sequence[Document]",
    chunks: "Sequence[Chunk]",
    strategy: "Strategy",
    client: "CachingClient | None",
    *,
    target: int,
    purpose: "Purpose",
    persona: "Mapping[Language, str] | None",
    concurrency: int,
) -> "StageResult":
    import asyncio

    from datagen.generate.runner import generate as generate_rows

    async def work(tell: "Callable[[Progress], None]") -> "StageResult":
        try:
            return await generate_rows(
                documents,
                chunks,
                [(strategy, 1.0)],
                target=target,
                purpose=purpose,
                persona=persona,
                concurrency=concurrency,
                on_progress=tell,
            )
        finally:
            if client is not None:
                await client.aclose()

    with progress() as display:
        task = display.add_task("generate", total=target, note="")

        def tell(state: "Progress") -> None:
            lost = sum(state.dropped.values())
            share = f"yield {state.accepted / (state.accepted + lost):.0%}" if state.accepted + lost else ""
            note = f"{share} · {state.requests} requests · {state.tokens_in + state.tokens_out} tokens" + _cost_note(client, state)
            display.update(task, completed=state.accepted, note=note)

        return asyncio.run(work(tell))


def _find_model(name: str) -> Path:
    """Return the folder of a ``local:`` model, converting an embedded one the first time."""
    from datagen.probe.models.known import resolve_model

    return resolve_model(name).prepare("bfloat16", on_note=say)


def _cost_note(client: "CachingClient | None", state: "Progress") -> str:
    """Say what was paid, and after twenty responses what the whole run will cost at this yield."""
    if client is None or not client.budget.price.cost(1, 1):
        return ""
    paid = client.budget.price.cost(client.usage.paid_tokens_in, client.usage.paid_tokens_out)
    if client.usage.requests < 20 or not state.accepted:
        return f" · ${paid:.4f}"
    return f" · ${paid:.4f} of about ${paid * state.target / state.accepted:.2f}"


def _read_spec(kind: str, model: str | None, options: "Sequence[str]", *, items: int, temperature: float, exam: bool) -> "AnySpec":
    """Read the strategy's spec from the options, as a recipe would give it.

    Raises:
        UsageError: no such strategy or setting, or a model is missing.
    """
    import yaml
    from pydantic import ValidationError

    from datagen.generate.specs import SPECS, AskingSpec, ContrastSpec, examiner

    if kind not in SPECS:
        raise UsageError(f"--strategy {kind}: no such strategy", hint=suggest(kind, SPECS))
    wanted = SPECS[kind]
    settings: dict[str, object] = {"kind": kind}
    if issubclass(wanted, AskingSpec | ContrastSpec):
        if model is None and issubclass(wanted, AskingSpec):
            hint = "for example --model openai:MODEL@http://127.0.0.1:8000/v1, or --strategy extractive"
            raise UsageError(f"--strategy {kind} needs --model", hint=hint)
        settings |= {"model": model, "items_per_request": items, "temperature": temperature}
    for option in options:
        key, separator, value = option.partition("=")
        if not separator or key not in wanted.model_fields:
            raise UsageError(f"--with {option}: no such setting of {kind}", hint=suggest(key, wanted.model_fields))
        try:
            settings[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UsageError(f"--with {option}: the value is not valid YAML") from error
    try:
        spec = wanted.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--with {'.'.join(map(str, first['loc']))}: {first['msg']}, got {str(first['input'])[:80]!r}") from error
    return examiner(spec) if exam else spec


def _price(
    ctx: typer.Context,
    paths: "Sequence[Path]",
    spec: "AnySpec",
    *,
    target: int,
    purpose: "Purpose",
    max_tokens: int,
    batch: bool,
    as_json: bool,
) -> None:
    import asyncio

    from datagen.clients import ResponseStore, parse_spec
    from datagen.clients.prices import BATCH_SHARE, load_prices
    from datagen.generate.opening import open_strategy
    from datagen.generate.pricing import DryClient, estimate
    from datagen.generate.specs import SamplingSpec, model_of
    from datagen.generate.writer import Writer
    from datagen.ingest import ingest_paths
    from datagen.ingest.chunk import chunk_document

    workspace = workspace_of(ctx)
    assert isinstance(spec, SamplingSpec)
    model = parse_spec(model_of(spec) or "")
    price = load_prices(workspace.root).require(model.model, free=model.loopback).times(BATCH_SHARE if batch else 1)
    store = ResponseStore(workspace.responses) if workspace.responses.exists() else None
    client = DryClient(store)
    found = ingest_paths(paths)
    chunks = [chunk for document in found.documents for chunk in chunk_document(document, max_tokens=max_tokens)]
    strategy = open_strategy(spec, client, library=library_of(ctx))

    async def work() -> "Estimate":
        try:
            return await estimate(
                strategy,
                client,
                found.documents,
                chunks,
                store=store,
                price=price,
                target=target,
                rows_per_round=spec.items_per_request,
                requests_per_round=strategy.requests_per_round if isinstance(strategy, Writer) else 1,
                purpose=purpose,
            )
        finally:
            await client.aclose()

    priced = asyncio.run(work())
    value = {"documents": len(found.documents), "chunks": len(chunks), "target": target, **priced.to_json()}
    source = "measured on stored responses of this model" if priced.measured else "a prior, corrected after 20 responses"
    lines = [
        f"{priced.requests} requests for about {priced.rows} of {target} rows, {priced.cached} answered by the store",
        f"tokens to pay: {priced.tokens_in} in, {priced.tokens_out} out ({source})",
        f"cost: about ${priced.cost:.4f}, at most ${priced.cost_most:.4f} (${price.input:g} in, ${price.output:g} out per million tokens)",
        "nothing was sent; --budget sets a cap that is never crossed",
    ]
    emit(value, as_json=as_json, human="\n".join(lines))
