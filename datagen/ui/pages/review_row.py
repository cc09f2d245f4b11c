"""One row, drawn: the chat, what was decided, the evidence in its document, and where the row came from."""

from nicegui import ui

from datagen.pipeline.reviews import Decision
from datagen.schemas.document import Document
from datagen.schemas.sample import Sample
from datagen.ui.data.editing import turns
from datagen.ui.data.marking import mark_difference, mark_spans
from datagen.ui.frame import heading, markup, tag, text
from datagen.ui.visitor import Visitor

LONGEST_TURN = 20_000
LONGEST_DOCUMENT = 200_000


def draw_row(visitor: Visitor, sample: Sample, document: Document | None, decision: Decision | None, reason: str, detail: str) -> None:
    """Draw a row; ``reason`` and ``detail`` are set for one that the run dropped."""
    w = visitor.w
    if reason:
        text("p", f"{w('dropped_because', reason=visitor.flag(reason))} {detail}".strip(), "dg-note")
    if decision:
        who = decision.reviewer or w("somebody")
        told = w("decided_by", action=w(decision.action), who=who, time=decision.time.replace("T", " ")[:16])
        text("p", f"{told}{f': {decision.reason}' if decision.reason else ''}", f"dg-note {decision.action}")
    with tag("div", "dg-columns"):
        with tag("div", "dg-chat"):
            draw_chat(visitor, sample)
            if decision and decision.edited:
                heading(w("changed_to"), 3)
                for old, new in zip(turns(sample.record), turns(decision.edited.record), strict=False):
                    if old.text != new.text:
                        gone, come = mark_difference(old.text, new.text)
                        markup(gone, "dg-turn old")
                        markup(come, f"dg-turn {new.role}")
        with tag("div", "dg-source"):
            _draw_source(visitor, sample, document)


def draw_chat(visitor: Visitor, sample: Sample) -> None:
    """Draw a record's texts as a conversation."""
    for turn in turns(sample.record):
        with tag("div", f"dg-turn {turn.role}"):
            text("div", visitor.w(turn.role), "dg-role")
            shown = turn.text if len(turn.text) <= LONGEST_TURN else f"{turn.text[:LONGEST_TURN]} … (+{len(turn.text) - LONGEST_TURN})"
            text("div", shown, "dg-said")


def _draw_source(visitor: Visitor, sample: Sample, document: Document | None) -> None:
    w = visitor.w
    p = sample.provenance
    heading(f"{w('source')}: {p.document}" if p.document else w("source"), 3)
    if p.heading_path:
        text("p", " › ".join(p.heading_path), "dg-soft")
    spans = [(e.start, e.end) for e in p.evidence if document and document.text[e.start : e.end] == e.quote]
    if document is None:
        text("p", w("no_source"), "dg-soft")
        for e in p.evidence:
            text("blockquote", e.quote)
    else:
        place = markup(mark_spans(document.text, spans), "dg-document")
        if len(document.text) > 1500:
            body = document.text[:LONGEST_DOCUMENT]

            def whole(event: object) -> None:
                del event
                place.set_content(mark_spans(body, spans, context=None))

            text("a", w("whole_document"), "dg-more").props("href='#'").on("click.prevent", whole)
    with ui.expansion(w("provenance")).props("dense").classes("dg-provenance"):
        facts = {
            "id": sample.id[:16],
            "strategy": p.strategy,
            "prompt": p.prompt,
            "provider": p.provider,
            "model": p.model,
            "chunk": p.chunk_id,
            "parents": ", ".join(parent[:16] for parent in p.parents),
            "request": p.request_key[:16],
            **{f"tag {k}": v for k, v in sample.tags.items()},
            **{f"score {k}": f"{v:g}" for k, v in sample.scores.items()},
        }
        with tag("dl", "dg-facts"):
            for name, value in facts.items():
                if value:
                    text("dt", name)
                    text("dd", value)
