"""Coverage: documents shaded by how much of them rows touch and how well they are learned; gaps marked; quotas for the next run."""

import asyncio
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from nicegui import events, ui

from datagen.jsonl import read_json, write_json
from datagen.pipeline.priorities import Priority
from datagen.schemas.document import Document
from datagen.ui.data.coverage import Span, uncovered
from datagen.ui.data.marking import mark_spans
from datagen.ui.desk import Desk
from datagen.ui.frame import (
    button,
    choose_iteration,
    command,
    heading,
    is_plain_press,
    link,
    markup,
    nothing_yet,
    patiently,
    shown_path,
    tag,
    text,
)
from datagen.ui.visitor import Visitor

GO = """
const leaves = [...document.querySelectorAll('.dg-tree a')];
const to = leaves[leaves.findIndex(a => a.classList.contains('active')) + %d];
if (to) to.click();
"""


async def build(desk: Desk, visitor: Visitor) -> None:
    """Draw the page."""
    number = desk.chosen(visitor.query.get("n"))
    if number is None:
        heading(visitor.w("coverage"), 1)
        nothing_yet(visitor)
        return
    choose_iteration(desk, visitor, number)
    documents, coverage = await patiently(visitor, lambda: asyncio.gather(desk.documents(number), desk.coverage(number)))
    ranked, held_out = coverage.ranked, coverage.held_out
    by_path = {p.slice: p for p in ranked}
    chosen = visitor.query.get("document", next((p.slice for p in ranked), ""))
    ui.keyboard(on_key=_go, ignore=["input", "select", "textarea"])
    with tag("div", "dg-review"):
        with tag("nav", "dg-tree").props(f'aria-label="{visitor.w("documents")}"'):
            most = max((p.score for p in ranked), default=0.0) or 1.0
            # Folders by their most urgent document; documents held out last.
            folders = dict.fromkeys(str(PurePosixPath(path).parent) for path in [*by_path, *sorted(held_out)])
            for folder in folders:
                text("div", folder, "dg-folder")
                for path in [*by_path, *sorted(held_out)]:
                    if str(PurePosixPath(path).parent) == folder:
                        _draw_leaf(visitor, number, path, by_path.get(path), most, path == chosen)
        with tag("section"):
            document = documents.get(chosen)
            if document is None:
                text("p", visitor.w("choose_document" if documents else "no_documents"), "dg-soft")
            else:
                _draw_document(desk, visitor, document, by_path.get(chosen), coverage.spans.get(chosen, ()))
            _draw_quotas(desk, visitor)


def _go(event: events.KeyEventArguments) -> None:
    """Open the next or previous document of the tree."""
    if is_plain_press(event) and event.key.name in ("j", "k"):
        ui.run_javascript(GO % (1 if event.key.name == "j" else -1))


def _draw_leaf(visitor: Visitor, number: int, path: str, priority: Priority | None, most: float, active: bool) -> None:
    w = visitor.w
    target = f"/coverage?{_query(n=str(number), document=path)}"
    element = link(PurePosixPath(path).name, target, "active" if active else "")
    with element:
        if priority is None:
            text("div", w("held_out"), "dg-soft")
            return
        # The darker, the more urgent: little covered, badly learned.
        element.mark("leaf").style(f"background:color-mix(in srgb, var(--bad) {40 * priority.score / most:.0f}%, transparent)")
        loss = "" if priority.loss is None else f" · {w('loss')} {priority.loss:.2f}"
        text("div", f"{w('covered', covered=priority.covered, passages=priority.passages)}{loss} · {priority.rows} {w('rows')}", "dg-soft")
        with tag("div", "dg-bar"):
            tag("div").style(f"width:{100 * priority.coverage:.0f}%")


def _draw_document(desk: Desk, visitor: Visitor, document: Document, priority: Priority | None, spans: Sequence[Span]) -> None:
    w = visitor.w
    heading(document.path, 1)
    if priority is None:
        text("p", w("held_out"), "dg-note")
    else:
        with tag("div", "dg-row"):
            wanted = ui.number(
                label=w("quota"), value=_quotas(desk).get(document.path, max(1, priority.quota)), min=0, max=100_000, precision=0
            )
            wanted.props("outlined dense").mark("quota")

            def save() -> None:
                if wanted.value is None:
                    return
                write_json(desk.quotas, {**_quotas(desk), document.path: int(wanted.value)})
                ui.notify(w("quota_saved"))
                ui.navigate.to(f"{visitor.path}?{_query(**{**visitor.query, 'document': document.path})}")

            button(w("generate_here"), save).mark("generate-here")
        for failing in priority.failing:
            text("p", f"{failing.loss:.2f} · {failing.question[:200]} → {failing.reference[:200]}", "dg-soft")
    gaps = uncovered(document, spans) if priority else []
    if gaps:
        with tag("div", "dg-row dg-soft"):
            markup("<mark class='uncovered'>&nbsp;&nbsp;</mark>", name="span")
            text("span", w("uncovered"))
    markup(mark_spans(document.text, gaps, css="uncovered", context=None), "dg-document")


def _draw_quotas(desk: Desk, visitor: Visitor) -> None:
    quotas = _quotas(desk)
    if not quotas:
        return
    w = visitor.w
    heading(w("quotas"))
    docs = f" --docs {shown_path(desk.docs)}" if desk.docs is not None else ""
    for path, wanted in quotas.items():
        text("div", f"{path}: {wanted}")
    setting = shlex.quote(f"generate.quotas=@{desk.quotas}")
    command(w("command"), f"datagen -w {shown_path(desk.workspace.root)} run RECIPE{docs} --set {setting}", visitor)

    def clear() -> None:
        desk.quotas.unlink(missing_ok=True)
        ui.navigate.to(visitor.path)

    button(w("clear"), clear, "flat")


def _quotas(desk: Desk) -> dict[str, int]:
    return read_json(desk.quotas) if desk.quotas.is_file() else {}


def _query(**values: str) -> str:
    from urllib.parse import urlencode

    return urlencode(values)
