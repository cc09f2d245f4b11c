"""Export: what LLaMA-Factory will see and say, then register and copy the training command."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from nicegui import ui

from datagen.errors import DatagenError
from datagen.export.llamafactory import Report, train_command
from datagen.export.llamafactory.registry.dataset_info import FILE_NAME
from datagen.export.llamafactory.registry.listing import Registered, list_registered
from datagen.ui.data.apart import SMALL_BYTES, apart
from datagen.ui.data.marking import mark_segments
from datagen.ui.data.preview import TrainingTexts, check_samples
from datagen.ui.data.registering import Reviewed, count_reviewed, register_reviewed, reviewed_rows, texts_of
from datagen.ui.desk import Desk
from datagen.ui.frame import (
    button,
    choose_iteration,
    command,
    heading,
    markup,
    nothing_yet,
    patiently,
    remove,
    show_error,
    table,
    tag,
    tell_error,
    text,
)
from datagen.ui.visitor import Visitor
from datagen.workspace import Workspace

T = TypeVar("T")
SHOWN_FINDINGS = 50


async def build(desk: Desk, visitor: Visitor) -> None:
    """Draw the page; findings and the preview, which loads a tokenizer, follow when they are ready."""
    number = desk.chosen(visitor.query.get("n"))
    if number is None:
        heading(visitor.w("export"), 1)
        nothing_yet(visitor)
        return
    reviewed = await patiently(visitor, lambda: apart(desk.size(number), count_reviewed, desk.workspace, number))
    await _Export(desk, visitor, number, reviewed).build()


def find(workspace: Workspace, number: int, name: str) -> tuple[Report, int]:
    """Return the fates of an iteration's reviewed rows with the first findings, and how many findings there are."""
    report = check_samples(name, reviewed_rows(workspace, number))
    return replace(report, findings=report.findings[:SHOWN_FINDINGS]), len(report.findings)


class _Export:
    """One iteration's rows on their way to LLaMA-Factory, with people's decisions applied."""

    def __init__(self, desk: Desk, visitor: Visitor, number: int, reviewed: Reviewed) -> None:
        self.desk, self.visitor, self.number, self.reviewed = desk, visitor, number, reviewed
        manifest = next((m for m in desk.ledger() if m.number == number), None)
        self.recipe = manifest.recipe if manifest else "dataset"

    async def build(self) -> None:
        w = self.visitor.w
        choose_iteration(self.desk, self.visitor, self.number)
        heading(f"{w('export')} · {self.reviewed.rows} {w('rows')}", 1)
        if self.reviewed.decided:
            text("p", w("with_decisions", n=self.reviewed.rows), "dg-note")
        with tag("div", "dg-row"):
            suffix = "_reviewed" if self.reviewed.decided else ""
            self.name = (
                ui.input(label=w("name"), value=f"{self.recipe}_v{self.number}{suffix}").props("outlined dense maxlength=90").mark("name")
            )
            self.go = button(w("register"), self.register).mark("register")
        self.done, self.registered = tag("div"), tag("div")
        findings, texts = tag("div"), tag("div")
        name, size, workspace = f"{self.recipe}_v{self.number}", self.desk.size(self.number), self.desk.workspace

        def check() -> Awaitable[tuple[Report, int]]:
            return apart(size, find, workspace, self.number, name)

        def load() -> Awaitable[TrainingTexts]:
            # Loading torch would hold up everybody, however few the rows are.
            return apart(SMALL_BYTES, texts_of, workspace, self.number, self.recipe, self.reviewed.first)

        await self.draw_registered()
        await asyncio.gather(
            self.fill(findings, w("findings"), check, self.draw_findings), self.fill(texts, w("training_text"), load, self.draw_texts)
        )

    async def fill(self, place: ui.element, title: str, work: Callable[[], Awaitable[T]], draw: Callable[[T], None]) -> None:
        """Wait for a result, then draw it; an error is drawn in its place."""
        with place:
            heading(title)
            waiting = text("p", self.visitor.w("reading"), "dg-soft")
        try:
            result = await work()
        except (DatagenError, OSError) as error:
            if not place.is_deleted:
                with place:
                    show_error(error, self.visitor)
        else:
            if not place.is_deleted:
                with place:
                    draw(result)
        remove(waiting)

    def draw_texts(self, preview: TrainingTexts) -> None:
        w = self.visitor.w
        text("p", f"{w('trained_marked')} {w('template', name=preview.template)} · {preview.model}", "dg-soft")
        for pieces in preview.texts:
            markup(mark_segments(pieces), "dg-pre")

    def draw_findings(self, found: tuple[Report, int]) -> None:
        w = self.visitor.w
        report, n = found
        text("p", w("kept_of", kept=report.kept, rows=report.rows, dropped=report.dropped, crash=report.would_crash)).mark("fates")
        if not n:
            text("p", w("no_findings"), "dg-soft")
            return
        rows = [(f.severity, f.line or "–", f.code, f.message, f.fix) for f in report.findings]
        table((w("severity"), w("row"), "", w("what"), w("fix")), rows)
        if n > len(rows):
            text("p", w("more_findings", n=n - len(rows)), "dg-soft")

    async def draw_registered(self) -> None:
        """List what is registered; each file's bytes are compared with what was registered."""
        entries = await asyncio.to_thread(self._registered)
        w = self.visitor.w
        if entries and not self.registered.is_deleted:
            self.registered.clear()
            with self.registered:
                rows = [(e.name, e.rows or "–", e.file_name, e.state) for e in entries]
                table((w("entry"), w("rows"), "", w("status")), rows, numeric=(1,))

    def _registered(self) -> list[Registered]:
        folder = self.desk.workspace.data_dir
        return list_registered(folder) if (folder / FILE_NAME).is_file() else []

    async def register(self) -> None:
        """Register the rows as they are after review, and show the command that trains on them."""
        w = self.visitor.w
        name = str(self.name.value or "").strip()
        self.go.disable()
        self.done.clear()
        with self.done:
            text("p", w("registering"), "dg-soft").mark("registering")
        try:
            entry = await apart(self.desk.size(self.number), register_reviewed, self.desk.workspace, self.number, name, self.recipe)
        except (DatagenError, OSError) as error:
            self.done.clear()
            tell_error(error, self.visitor)
        else:
            self.done.clear()
            with self.done:
                text("p", w("registered", name=entry.name, rows=entry.rows), "dg-advice").mark("registered")
                command(w("train_command"), train_command(entry.config), self.visitor)
            await self.draw_registered()
        finally:
            self.go.enable()
