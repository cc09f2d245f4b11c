"""``datagen probe --retrieval``: fine-tune, retrieve, or both, as four cells with intervals."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from datagen.cli import inputs as given
from datagen.cli.console import say, workspace_of

if TYPE_CHECKING:
    from datagen.probe import ProbeConfig
    from datagen.probe.growth.retrieval import RetrievalResult
    from datagen.schemas.sample import Sample

PASSAGE_TOKENS = 192


def compare_with_retrieval(
    ctx: typer.Context,
    train: "Sequence[Sample]",
    exam: "Sequence[Sample]",
    *,
    config: "ProbeConfig",
    docs: Path,
    k: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Cut the documents into passages, run the four cells, print and draw them.

    Raises:
        UsageError: no such folder, or nothing readable in it.
    """
    from datagen.errors import UsageError
    from datagen.ingest import ingest_paths
    from datagen.ingest.chunk import chunk_document
    from datagen.probe.growth import retrieval_probe
    from datagen.report.growth_plots import retrieval_picture

    if not docs.is_dir():
        raise UsageError(f"{docs}: no such folder", hint="give the documents the rows were made from with --docs DIR")
    found = ingest_paths([docs])
    for skipped in found.skipped:
        say(f"skipped {skipped.path}: {skipped.reason}")
    chunks = [c for d in found.documents for c in chunk_document(d, max_tokens=PASSAGE_TOKENS)]
    parts = [config.model_dump(mode="json"), k, [c.id for c in chunks], [s.id for s in train], [s.id for s in exam]]
    folder = given.result_folder(ctx, out, "retrieval", parts)
    with given.shown_progress("retrieval") as show:
        result = retrieval_probe(
            train,
            exam,
            chunks,
            config=config,
            runs_dir=workspace_of(ctx).probe_runs,
            out_dir=folder,
            k=k,
            allow_leaks=True,
            on_progress=show,
        )
    given.emit_drawn(result, folder, "retrieval", retrieval_picture(result), as_json=as_json, human=lambda picture: _human(result, picture))


def _human(result: "RetrievalResult", picture: str) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    held = "" if result.found is None else f"; the evidence is in the passages of {result.found:.0%}"
    head = (
        f"{result.model}, {result.rows} rows, {result.seeds} seeds; {result.questions} {result.eval_set} questions over {result.documents} "
        f"documents, {result.k} of {result.passages} passages each{held}"
    )
    cells, contrasts = Table(title="loss, nats per token", title_justify="left"), Table(title="differences", title_justify="left")
    metrics = [m for m in ("nll", "fact_nll") if any(c.metric == m for c in result.cells)]
    for name in ("", *({"nll": "all tokens [95 %]", "fact_nll": "numbers and dates [95 %]"}[m] for m in metrics)):
        cells.add_column(name)
        contrasts.add_column(name)
    for name in dict.fromkeys(c.name for c in result.cells):
        own = [c for c in result.cells if c.name == name]
        cells.add_row(name, *(f"{c.loss:.4f} [{c.low:.4f}, {c.high:.4f}]" for c in own))
    for old, new in dict.fromkeys((c.old, c.new) for c in result.contrasts):
        pair = [c for c in result.contrasts if (c.old, c.new) == (old, new)]
        contrasts.add_row(f"{old} -> {new}", *(f"{c.verdict} {c.difference:+.4f} [{c.low:+.4f}, {c.high:+.4f}]" for c in pair))
    return Group(Text(head), cells, contrasts, Text(f"{result.sentence.en}\n{result.sentence.zh}\npicture: {picture}"))
