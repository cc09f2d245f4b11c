"""Duplicates: what deduplication dropped beside what it kept, differences marked; and questions that are answered differently."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from nicegui import events, ui

from datagen.errors import DatagenError
from datagen.pipeline.reviews import Action, edited_sample
from datagen.schemas.sample import Sample
from datagen.ui.data.clusters import Cluster, find_clusters, find_conflicts
from datagen.ui.data.editing import turns, with_texts
from datagen.ui.data.marking import mark_difference
from datagen.ui.data.rows import RowTable
from datagen.ui.desk import Desk
from datagen.ui.frame import button, choose_iteration, heading, is_plain_press, link, markup, nothing_yet, patiently, tag, tell_error, text
from datagen.ui.pages.review_dialogs import ask_edit
from datagen.ui.visitor import Visitor

SHOWN = 20
GO = """
const groups = [...document.querySelectorAll('.dg-cluster')];
const at = groups.findIndex(g => g.contains(document.activeElement));
const to = groups[Math.min(Math.max(at + %d, 0), groups.length - 1)];
if (to) { to.focus(); to.scrollIntoView({block: 'nearest'}); }
"""


async def build(desk: Desk, visitor: Visitor) -> None:
    """Draw the page."""
    number = desk.chosen(visitor.query.get("n"))
    if number is None:
        heading(visitor.w("duplicates"), 1)
        nothing_yet(visitor)
        return
    choose_iteration(desk, visitor, number)
    table, (conflicts, clusters) = await patiently(visitor, lambda: _find(desk, number))
    page = int(visitor.query.get("page", "0")) if visitor.query.get("page", "0").isdecimal() else 0
    w = visitor.w
    heading(f"{w('conflicts')} ({len(conflicts)})", 1)
    if not conflicts:
        text("p", w("no_conflicts"), "dg-soft")
    for rows in conflicts[page * SHOWN : (page + 1) * SHOWN]:
        _Group(desk, visitor, [table.sample(r) for r in rows], conflict=True).build()
    heading(f"{w('clusters')} ({len(clusters)})")
    if not clusters:
        text("p", w("no_clusters"), "dg-soft")
    for cluster in clusters[page * SHOWN : (page + 1) * SHOWN]:
        _draw_cluster(desk, visitor, table.sample, cluster)
    ui.keyboard(on_key=_go, ignore=["input", "select", "textarea"])
    with tag("div", "dg-row"):
        if page:
            link(w("previous"), f"/duplicates?n={number}&page={page - 1}")
        if (page + 1) * SHOWN < max(len(clusters), len(conflicts)):
            link(w("next"), f"/duplicates?n={number}&page={page + 1}")


async def _find(desk: Desk, number: int) -> tuple[RowTable, tuple[list[list[int]], list[Cluster]]]:
    table = await desk.table(number)
    return table, await asyncio.to_thread(lambda: (find_conflicts(table), find_clusters(table)))


def _go(event: events.KeyEventArguments) -> None:
    """Move the focus to the next or previous group; Tab goes on to its buttons."""
    if is_plain_press(event) and event.key.name in ("j", "k"):
        ui.run_javascript(GO % (1 if event.key.name == "j" else -1))


def _draw_cluster(desk: Desk, visitor: Visitor, read: Callable[[int], Sample], cluster: Cluster) -> None:
    kept = [] if cluster.kept is None else [read(cluster.kept)]
    _Group(
        desk, visitor, [*kept, *(read(r) for r in cluster.dropped)], conflict=False, similarity=cluster.similarity, n_kept=len(kept)
    ).build()


class _Group:
    """Rows side by side with what can be decided about them. The first is the one the others are compared with."""

    def __init__(
        self, desk: Desk, visitor: Visitor, samples: Sequence[Sample], *, conflict: bool, similarity: Sequence[float] = (), n_kept: int = 0
    ) -> None:
        self.desk, self.visitor, self.samples, self.conflict = desk, visitor, list(samples), conflict
        self.similarity, self.n_kept = list(similarity), n_kept
        self.seen: dict[str, int] = {}

    def build(self) -> None:
        self.place = tag("section", "dg-cluster").props("tabindex=-1")
        self.draw()

    def draw(self) -> None:
        w = self.visitor.w
        self.place.clear()
        self.seen = {s.id: self.desk.log.version(s.id) for s in self.samples}
        with self.place, tag("div", "dg-two"):
            for at, sample in enumerate(self.samples):
                with tag("div"):
                    self._head(at)
                    decision = self.desk.log.decision(sample.id)
                    if decision:
                        text("span", w(decision.action), f"dg-badge {decision.action}")
                    self._texts(at, sample)
                    with tag("div", "dg-row"):
                        button(w("keep_first"), partial(self.keep_only, at), "flat").mark(f"keep-{sample.id[:8]}")
                        if not self.conflict and at >= self.n_kept:
                            button(w("keep_both"), partial(self.decide, [(sample, "restore", "")]), "flat").mark("keep-both")
                        if at == 0:
                            button(w("merge"), self.merge, "flat").mark("merge")

    def keep_only(self, at: int) -> None:
        """Keep one row: accept it (or take it back in, if it was dropped) and reject the others that are in."""
        wanted: list[tuple[Sample, Action, str]] = []
        for i, sample in enumerate(self.samples):
            was_in = self.conflict or i < self.n_kept
            if i == at:
                wanted.append((sample, "accept" if was_in else "restore", ""))
            elif was_in:
                wanted.append((sample, "reject", f"{self.visitor.w('duplicates')}: {self.samples[at].id[:12]}"))
        self.decide(wanted)

    async def merge(self) -> None:
        """Edit the first row with the others in sight; in a conflict the others are then rejected."""
        first = self.samples[0]
        texts = await ask_edit(self.visitor, first)
        if texts is None:
            return
        try:
            new = edited_sample(first, with_texts(first.record, texts))
            self.desk.log.decide(first, "edit", seen=self.seen[first.id], edited=new, reviewer=self.visitor.name)
        except DatagenError as error:
            tell_error(error, self.visitor)
            self.draw()
            return
        others = self.samples[1:] if self.conflict else self.samples[1 : self.n_kept]
        self.decide([(s, "reject", f"{self.visitor.w('merge')}: {new.id[:12]}") for s in others])

    def decide(self, decisions: Sequence[tuple[Sample, Action, str]]) -> None:
        """Store decisions one by one; the first that cannot be stored ends it and is told."""
        try:
            for sample, action, reason in decisions:
                self.desk.log.decide(sample, action, seen=self.seen[sample.id], reason=reason, reviewer=self.visitor.name)
        except DatagenError as error:
            tell_error(error, self.visitor)
        else:
            ui.notify(self.visitor.w("saved"))
        self.draw()

    def _head(self, at: int) -> None:
        w = self.visitor.w
        if self.conflict:
            return
        if at < self.n_kept:
            text("div", w("kept_row"), "dg-role")
        else:
            text("div", f"{w('dropped_row')} · {w('similarity', s=f'{self.similarity[at - self.n_kept]:.2f}')}", "dg-role")

    def _texts(self, at: int, sample: Sample) -> None:
        first = turns(self.samples[0].record)
        for i, turn in enumerate(turns(sample.record)):
            if at == 0 or i >= len(first):
                text("div", turn.text, f"dg-turn {turn.role}")
            else:
                markup(mark_difference(first[i].text, turn.text)[1], f"dg-turn {turn.role}")
