"""Review: rows by suspicion, one of them as a chat with its evidence in its document; accept, edit, reject, undo by key."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

from nicegui import events, ui

from datagen.errors import DatagenError, ReviewConflict
from datagen.pipeline.reviews import Action, edited_sample
from datagen.schemas.document import Document
from datagen.schemas.sample import Sample
from datagen.ui.data.editing import with_texts
from datagen.ui.data.rows import PAGE_SIZE, Filter, Order, RowTable
from datagen.ui.desk import Desk
from datagen.ui.frame import button, choose_iteration, heading, is_plain_press, nothing_yet, patiently, tag, tell_error, text
from datagen.ui.pages.review_dialogs import ask_edit, ask_reason
from datagen.ui.pages.review_row import draw_row
from datagen.ui.visitor import Visitor

STATUSES = {
    "open": "open",
    "accept": "accepted_rows",
    "edit": "edited_rows",
    "reject": "rejected_rows",
    "dropped": "dropped",
    "restore": "restored_rows",
}
ORDERS: dict[Order, str] = {"suspicion": "by_suspicion", "position": "by_position", "document": "by_document", "length": "by_length"}
REFRESH_S = 2.0
SCROLL = """
const inside = (box, it) => {
  if (box && it) box.scrollTop += it.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 3;
};
const box = document.querySelector('.dg-queue'), it = document.querySelector('.dg-item.chosen');
if (box && it) {
  const b = box.getBoundingClientRect(), i = it.getBoundingClientRect();
  if (i.top < b.top || i.bottom > b.bottom) inside(box, it);
}
inside(document.querySelector('.dg-document'), document.querySelector('.dg-document mark.first'));
"""


async def build(desk: Desk, visitor: Visitor) -> None:
    """Draw the page; a table that has to be built first is announced."""
    number = desk.chosen(visitor.query.get("n"))
    if number is None:
        heading(visitor.w("review"), 1)
        nothing_yet(visitor)
        return

    async def read() -> tuple[RowTable, dict[str, Document]]:
        return await desk.table(number), await desk.documents(number)

    table, documents = await (read() if desk.ready(number) else patiently(visitor, read))
    _Review(desk, visitor, number, table, documents).build()


class _Review:
    """One visitor's queue: filter, page, chosen row, and what they can undo."""

    def __init__(self, desk: Desk, visitor: Visitor, number: int, table: RowTable, documents: Mapping[str, Document]) -> None:
        self.desk, self.visitor, self.number, self.table, self.documents = desk, visitor, number, table, documents
        asked = visitor.query
        self.filter = Filter(
            text=asked.get("q", ""), document=asked.get("document", ""), flag=asked.get("flag", ""), status=asked.get("status", "open")
        )
        self.found: list[int] = []
        self.page = 0
        self.row: int | None = None
        self.seen = 0
        self.mine: list[tuple[int, int]] = []
        self.read = desk.log.count
        self.dialog_open = False

    def build(self) -> None:
        w = self.visitor.w
        choose_iteration(self.desk, self.visitor, self.number)
        with tag("div", "dg-filters"):
            self.search = ui.input(
                placeholder=w("search"), value=self.filter.text, on_change=lambda e: self.change(text=str(e.value or ""))
            )
            self.search.props["aria-label"] = w("search")
            self.search.props("outlined dense clearable debounce=200").classes("dg-search").mark("search")
            for name, label, options in (
                ("status", w("status"), {"": w("all_kept")} | {k: w(v) for k, v in STATUSES.items()}),
                ("flag", w("flag"), {"": "–"} | {f: self.visitor.flag(f) for f in self.table.values("flags")}),
                ("document", w("document"), {"": "–"} | {d: d for d in self.table.values("document")}),
                ("language", w("language"), {"": "–"} | {v: v for v in self.table.values("language")}),
                ("order", w("order"), {k: w(v) for k, v in ORDERS.items()}),
            ):
                chosen = getattr(self.filter, name)
                select = ui.select(options, label=label, value=chosen if chosen in options else next(iter(options)))
                select.props("outlined dense options-dense").classes(f"dg-select dg-select-{name}").mark(name)
                select.on_value_change(lambda e, name=name: self.change(**{name: e.value or ""}))
        with tag("div", "dg-review"):
            with tag("section", "dg-queue-pane"):
                with tag("div", "dg-row dg-queue-head"):
                    self.count = text("span", "", "dg-soft dg-count").mark("count")
                    button(w("previous"), lambda: self.turn(-1), "flat", "p")
                    self.pages = text("span", "", "dg-soft")
                    button(w("next"), lambda: self.turn(1), "flat", "n")
                self.queue = tag("div", "dg-queue").props("role=listbox tabindex=0")
            with tag("section", "dg-detail-pane"):
                with tag("div", "dg-actions"):
                    button(w("accept"), lambda: self.decide("accept"), "positive", "a").mark("accept")
                    button(w("edit"), self.edit, "", "e").mark("edit")
                    button(w("reject"), self.reject, "negative", "r").mark("reject")
                    button(w("undo"), self.undo, "flat", "u").mark("undo")
                    self.keep = button(w("restore"), lambda: self.decide("restore"), "flat", "").mark("restore")
                self.detail = tag("div", "dg-detail")
                text("p", w("keys_review").replace(": ", " "), "dg-soft dg-keys")
        ui.keyboard(on_key=self.key, ignore=["input", "select", "textarea"])
        ui.timer(REFRESH_S, self.refresh)
        self.search_again()

    def change(self, **conditions: str) -> None:
        self.filter = replace(self.filter, **cast("dict[str, Any]", conditions))
        self.search_again()

    def search_again(self) -> None:
        self.found = self.table.select(self.filter, lambda ids: self.desk.statuses(list(ids)))
        self.page = 0
        self.row = self.found[0] if self.found else None
        self.draw()

    def turn(self, by: int) -> None:
        last = max(0, (len(self.found) - 1) // PAGE_SIZE)
        self.page = min(max(0, self.page + by), last)
        shown = self.found[self.page * PAGE_SIZE : (self.page + 1) * PAGE_SIZE]
        self.row = shown[0] if shown else None
        self.draw()

    def move(self, by: int) -> None:
        """Go to the next or previous row, over page borders."""
        if self.row is None or not self.found:
            return
        at = min(max(0, self.found.index(self.row) + by), len(self.found) - 1)
        self.choose(self.found[at])

    def choose(self, row: int, *, scroll: bool = False) -> None:
        self.row = row
        self.page = self.found.index(row) // PAGE_SIZE
        self.draw()
        if scroll:
            # Where the row is drawn below the queue, on a narrow screen, it would be out of sight.
            ui.run_javascript("if (innerWidth <= 760) document.querySelector('.dg-detail-pane').scrollIntoView()")

    def draw(self) -> None:
        w = self.visitor.w
        pages = max(1, -(-len(self.found) // PAGE_SIZE))
        _set(self.count, w("found", n=len(self.found), total=len(self.table)))
        _set(self.pages, w("page_of", page=self.page + 1, pages=pages))
        self.queue.clear()
        shown = self.found[self.page * PAGE_SIZE : (self.page + 1) * PAGE_SIZE]
        with self.queue:
            if not shown:
                text("p", w("no_match"), "dg-soft dg-pad")
            for row in shown:
                self._draw_item(row)
        self._draw_detail()
        if shown:
            ui.run_javascript(SCROLL)

    def _draw_item(self, row: int) -> None:
        item = self.table.summary(row)
        decision = self.desk.log.decision(item["id"])
        state = decision.action if decision else "dropped" if item["reason"] else "open"
        chosen = row == self.row
        with tag("div", f"dg-item {state}{' chosen' if chosen else ''}").props(
            f"role=option aria-selected={str(chosen).lower()}"
        ) as element:
            text("div", str(item["question"])[:160] or "–", "dg-item-question")
            with tag("div", "dg-item-notes"):
                if decision:
                    text("span", self.visitor.w(_done_word(decision.action)), f"dg-badge {decision.action}")
                for flag in [item["reason"]] if item["reason"] else str(item["flags"]).split():
                    text("span", self.visitor.flag(flag), "dg-flag")
        element.on("click", partial(self.choose, row, scroll=True), args=[])

    def _draw_detail(self) -> None:
        self.detail.clear()
        with self.detail:
            if self.row is None:
                text("p", self.visitor.w("select_row" if self.found else "no_match"), "dg-soft")
                self.keep.set_visibility(False)
                return
            sample = self.table.sample(self.row)
            self.seen = self.desk.log.version(sample.id)
            reason = str(self.table.summary(self.row)["reason"])
            self.keep.set_visibility(bool(reason))
            document = self.documents.get(sample.provenance.document)
            draw_row(self.visitor, sample, document, self.desk.log.decision(sample.id), reason, self.table.detail(self.row))

    def sample(self) -> Sample | None:
        return None if self.row is None else self.table.sample(self.row)

    def decide(self, action: Action, *, reason: str = "", edited: Sample | None = None, seen: int | None = None) -> None:
        """Store a decision on the chosen row and go to the next one; a conflict is told and the row shown anew.

        Accepting a row that the run dropped means that it is wanted all the same.
        """
        sample = self.sample()
        if sample is None or self.row is None:
            return
        if action == "accept" and self.table.summary(self.row)["reason"]:
            action = "restore"
        version = self.seen if seen is None else seen
        if self._store(sample, action, version, reason=reason, edited=edited):
            self.mine.append((self.row, version + 1))
            self.move(1)

    def undo(self) -> None:
        """Take back this visitor's last decision, else the one on the chosen row; somebody else's later one is not touched."""
        if self.row is None and not self.mine:
            ui.notify(self.visitor.w("nothing_to_undo"))
            return
        row, version = self.mine.pop() if self.mine else (self.row or 0, self.seen)
        sample = self.table.sample(row)
        if self.desk.log.decision(sample.id) is None:
            ui.notify(self.visitor.w("nothing_to_undo"))
            return
        if self._store(sample, "undo", version):
            if row not in self.found:
                self.found.insert(0, row)
            self.choose(row)
            ui.notify(self.visitor.w("undone"))

    def _store(self, sample: Sample, action: Action, seen: int, *, reason: str = "", edited: Sample | None = None) -> bool:
        try:
            self.desk.log.decide(sample, action, seen=seen, reason=reason, edited=edited, reviewer=self.visitor.name)
        except ReviewConflict as conflict:
            ui.notify(f"{self.visitor.w('conflict_told')} {conflict.message}", type="warning", multi_line=True, timeout=6000)
            self.draw()
            return False
        except DatagenError as error:
            tell_error(error, self.visitor)
            return False
        self.read = self.desk.log.count
        return True

    async def reject(self) -> None:
        if self.row is None:
            return
        seen = self.seen
        with self.dialog():
            reason = await ask_reason(self.visitor)
        if reason:
            self.decide("reject", reason=reason, seen=seen)

    async def edit(self) -> None:
        sample = self.sample()
        if sample is None:
            return
        seen = self.seen
        with self.dialog():
            texts = await ask_edit(self.visitor, sample)
        if texts is None:
            return
        try:
            new = edited_sample(sample, with_texts(sample.record, texts))
        except DatagenError as error:
            tell_error(error, self.visitor)
            return
        self.decide("edit", edited=new, seen=seen)

    @contextlib.contextmanager
    def dialog(self) -> Any:
        self.dialog_open = True
        try:
            yield
        finally:
            self.dialog_open = False

    async def key(self, event: events.KeyEventArguments) -> None:
        if self.dialog_open or not is_plain_press(event):
            return
        name = event.key.name
        if name in ("j", "ArrowDown"):
            self.move(1)
        elif name in ("k", "ArrowUp"):
            self.move(-1)
        elif name == "n":
            self.turn(1)
        elif name == "p":
            self.turn(-1)
        elif name == "a" and not event.action.repeat:
            self.decide("accept")
        elif name == "u" and not event.action.repeat:
            self.undo()
        elif name == "e":
            await self.edit()
        elif name == "r":
            await self.reject()
        elif name == "/":
            self.search.run_method("focus")

    def refresh(self) -> None:
        """Show what others decided since; the chosen row is shown anew, so that the version decided on is the one that was seen."""
        self.desk.log.refresh()
        if self.desk.log.count != self.read and not self.dialog_open:
            self.read = self.desk.log.count
            self.draw()


def _set(element: ui.element, words: str) -> None:
    label = next(iter(element.default_slot.children))
    cast("ui.label", label).set_text(words)


def _done_word(action: str) -> str:
    return STATUSES.get(action, "open")
